//! Which messages are taken, and which are refused.

use super::asked::Open;
use super::progress::Progress;
use super::{Coordinator, MAX_WAITING};
use crate::sums::{Findings, Void, Vouch};
use crate::{
    Blob, Confirmation, Event, Failure, JobId, JobSpec, Phase, Record, Refusal, SignedHeader, SiteId, Sizes,
    Study,
};

/// What becomes of an answer, told before its payload is received.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It was accepted before: its receipt. The payload need not travel again.
    Known(Box<Record>),
    /// Receive exactly this payload (none where the site declines), keep it, then handle the answer.
    Expected {
        /// The payload's name and length.
        payload: Option<Blob>,
    },
}

impl Coordinator {
    /// Judges an answer by its header alone.
    ///
    /// # Errors
    /// [`Refusal`] for an answer that is not by the site that it names, not to the open step, or of another length than its payload has.
    pub fn admit(&self, answer: &SignedHeader) -> Result<Admission, Refusal> {
        let header = &answer.header;
        let (step, site) = (header.step, header.site);
        let Some(entry) = self.study.site(site) else {
            return Err(Refusal::ForeignSite { site, sites: self.study.sites().count() as u32 });
        };
        if header.study != self.study.digest() {
            return Err(Refusal::Study { expected: self.study.digest(), found: header.study });
        }
        if !answer.is_by(&entry.identity) {
            return Err(Refusal::Signature { site });
        }
        let job = self.jobs.get(&step.job).ok_or(Refusal::UnknownJob { job: step.job })?;
        if let Some(known) = job.receipt(answer)? {
            return Ok(Admission::Known(Box::new(known.clone())));
        }
        if job.is_over() {
            return Err(Refusal::JobOver { job: step.job });
        }
        let Some(open) = job.open().filter(|open| open.step == step) else {
            return Err(Refusal::NotOpen { asked: step, open: job.open().map(|o| o.step) });
        };
        if header.key != open.key {
            return Err(Refusal::KeyEpoch { expected: open.key, found: header.key });
        }
        if !open.asks(site) {
            return Err(Refusal::NotAsked { step, site });
        }
        let payload = answer.payload();
        if let Some(blob) = payload {
            let pairs = !job.pairs.contains_key(&site);
            job.check_payload(&self.study, (open, pairs), site, &blob)?;
        }
        Ok(Admission::Expected { payload })
    }

    /// Judges a job file: its id, and whether it was submitted before.
    pub(crate) fn admit_job(&self, spec: &JobSpec, sizes: Sizes) -> Result<(JobId, bool), Refusal> {
        let checked = spec.clone().checked().map_err(|e| Refusal::JobFile { reason: e.to_string() })?;
        let id = checked.id(&self.study);
        if checked != *spec {
            return Err(Refusal::JobFile {
                reason: "job file: settings are not in their one form".to_owned(),
            });
        }
        if let Some(&known) = self.names.get(&spec.name) {
            return if known == id {
                Ok((id, true))
            } else {
                Err(Refusal::NameTaken { name: spec.name.clone(), job: known })
            };
        }
        self.refuse_while_changing()?;
        let waiting = self.waiting_like(spec.kind);
        if waiting >= MAX_WAITING {
            return Err(Refusal::ManyJobs { waiting: waiting as u64, most: MAX_WAITING as u64 });
        }
        let (used, most) = (self.opened, self.study.literal().decryptions);
        let asked = sizes.openings.saturating_mul(spec.rounds);
        if used.saturating_add(asked) > most {
            return Err(Refusal::Budget { used, asked, most });
        }
        Ok((id, false))
    }

    /// What calling a job off records; nothing where it was called off before.
    pub(super) fn abort(&self, id: JobId) -> Result<Option<Event>, Refusal> {
        let job = self.jobs.get(&id).ok_or(Refusal::UnknownJob { job: id })?;
        match &job.state {
            super::progress::State::Failed(Failure::Aborted) => Ok(None),
            _ if job.is_over() => Err(Refusal::JobOver { job: id }),
            _ => Ok(Some(Event::Failed { job: id, failure: Failure::Aborted })),
        }
    }
}

impl Progress {
    /// The receipt of this very answer; another answer to the same step is refused.
    fn receipt(&self, answer: &SignedHeader) -> Result<Option<&Record>, Refusal> {
        let (step, site) = (answer.header.step, answer.header.site);
        let Some(record) = self.receipts.get(&(step, site)) else { return Ok(None) };
        let Event::Accepted { answer: accepted } = &record.body.event else { return Ok(None) };
        if accepted.header == answer.header {
            return Ok(Some(record));
        }
        Err(Refusal::Answered { step, site, accepted: accepted.header.answer })
    }

    fn check_payload(
        &self,
        study: &Study,
        (open, pairs): (&Open, bool),
        site: SiteId,
        found: &Blob,
    ) -> Result<(), Refusal> {
        let pairs = pairs && open.step.phase == Phase::Upload;
        let asked = if pairs { self.kind().pairs_len(study, site) } else { 0 };
        let expected = self.payload_len(study, open, site) + asked;
        if found.len != expected {
            return Err(Refusal::Length { step: open.step, expected, found: found.len });
        }
        if open.step.phase == Phase::Parts && self.confirmation(study.place(site)) != Some(*found) {
            return Err(Refusal::OtherParts { site });
        }
        let reveals = open.step.phase == Phase::KeyShare && self.kind().first() == Phase::Commit;
        if reveals && !self.promised(open.step).holds(site, found) {
            return Err(Refusal::BrokenPromise { site });
        }
        Ok(())
    }

    /// Bytes of a site's payload of the open step.
    fn payload_len(&self, study: &Study, open: &Open, site: SiteId) -> u64 {
        let phase = open.step.phase;
        if let (Phase::Findings, Some(sum)) = (phase, &self.sum) {
            return Findings::len(sum.uploads.len()) as u64;
        }
        if let (Phase::Void, Some(rounds)) = (phase, &self.voiding) {
            return (rounds.len() * Void::LEN) as u64;
        }
        if let (Phase::Vouch, Some(sum)) = (phase, &self.sum) {
            return (sum.gone().len() * Vouch::LEN) as u64;
        }
        self.kind().payload_len(study, &self.sizes, phase, site).unwrap_or(0)
    }

    fn confirmation(&self, place: Option<usize>) -> Option<Blob> {
        let output = self.output.as_ref()?;
        let bundle = self.bundles.get(place?)?;
        let (public_key, evaluation_keys) = (output.shared, self.evaluation_keys);
        Some(Blob::of(&Confirmation { public_key, bundle: *bundle, evaluation_keys }.to_bytes()))
    }
}
