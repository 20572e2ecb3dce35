//! Checking a log from outside: nothing edited, removed, reordered or cut, and every step by the rules.

use crate::{Admission, Coordinator, Error, Event, Failure, JobKind, Record, Result, Step, Study};
use blindscope_wire::Digest;

/// What a log that holds together says.
#[derive(Debug)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// Digest of the last one.
    pub head: Digest,
    /// The state that they fold to: jobs, results, who was missing and why.
    pub coordinator: Coordinator,
}

/// A log that is checked line by line as it grows.
#[derive(Debug, Clone)]
pub struct Following {
    coordinator: Coordinator,
}

impl Following {
    /// A log without records yet.
    pub fn new(study: &Study) -> Self {
        Self { coordinator: Coordinator::new(study) }
    }

    /// The next line. After one that does not hold there is nothing to go on with.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn push(&mut self, line: &[u8]) -> Result<Record> {
        let record = Record::from_line(line)?;
        let signed = record.is_by(&self.coordinator.study().literal().coordinator);
        require(signed, record.body.seq, "its signature is not the coordinator's")?;
        follows(&self.coordinator, &record)?;
        self.coordinator.append(&record)?;
        Ok(record)
    }

    /// The state that the lines so far fold to.
    pub fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }
}

/// Checks the lines of a log against the study, and against the receipts that sites hold.
///
/// Number, chain and signature find an edited, removed or reordered record. A log that was cut at its end is found by a
/// receipt for a record beyond it: without receipts of its sites a log cannot prove that it is whole. Each accepted answer
/// carries its site's signature, and each step, opening and ending is derived again from the records before it.
///
/// # Errors
/// [`Error::Corrupt`] names the first record that does not hold; [`Error::Message`] a line that is no record.
pub fn verify<'a>(
    study: &Study,
    lines: impl IntoIterator<Item = &'a [u8]>,
    receipts: &[Record],
) -> Result<Verified> {
    let mut following = Following::new(study);
    for line in lines {
        let record = following.push(line)?;
        for receipt in receipts.iter().filter(|r| r.body.seq == record.body.seq) {
            require(*receipt == record, record.body.seq, "a site holds a receipt that says something else")?;
        }
    }
    let coordinator = following.coordinator;
    let (records, head) = coordinator.head();
    for receipt in receipts {
        require(
            receipt.is_by(&study.literal().coordinator),
            receipt.body.seq,
            "a receipt is not the coordinator's",
        )?;
        require(
            receipt.body.seq < records,
            receipt.body.seq,
            "a site holds a receipt beyond the end: the log was cut",
        )?;
    }
    Ok(Verified { records, head, coordinator })
}

fn require(fine: bool, seq: u64, reason: &'static str) -> Result<()> {
    if fine { Ok(()) } else { Err(Error::Corrupt { seq, reason }) }
}

/// Whether the rules lead from the state to this record.
fn follows(coordinator: &Coordinator, record: &Record) -> Result<()> {
    let body = &record.body;
    match &body.event {
        // Said by others: sites, users, the outcome of work. Their place is checked when they are folded in.
        Event::Founded { .. } | Event::Combined { .. } | Event::Excluded { .. } | Event::Advanced { .. } => {
            Ok(())
        }
        Event::Failed { failure: Failure::Aborted | Failure::Advance { .. }, .. } => Ok(()),
        // Of an earlier release: refused when it is folded in, in a sentence of its own.
        Event::Submitted { spec, .. } if spec.kind == JobKind::Ceremony => Ok(()),
        Event::Submitted { spec, sizes, .. } => {
            let fresh = matches!(coordinator.admit_job(spec, *sizes), Ok((_, false)));
            require(fresh, body.seq, "the job could not be submitted then")
        }
        Event::Proposed { change } => {
            let fits = coordinator.admit_change(change).is_ok();
            require(fits, body.seq, "the change could not be proposed then")
        }
        Event::Withdrawn => {
            let fits = coordinator.admit_withdrawal().is_ok();
            require(fits, body.seq, "no change was there that could be withdrawn")
        }
        Event::Said { word } => {
            let fits = coordinator.admit_word(word).is_ok_and(|known| !known);
            require(
                fits,
                body.seq,
                "the word is not one on the change on its way, by the site that signed it",
            )
        }
        Event::Accepted { answer } => {
            let asked = matches!(coordinator.admit(answer), Ok(Admission::Expected { .. }));
            require(asked, body.seq, "the answer is not one that was asked for, by the site that signed it")
        }
        Event::Changed { .. } => {
            let signed = coordinator.changes().as_ref() == Some(&body.event);
            let reason = "the roster's next version is not signed by a quorum of the one before, or a job stands in its way";
            require(signed, body.seq, reason)
        }
        Event::Done { job, .. } if coordinator.has_work(*job) => Ok(()),
        Event::Opened { step: Step { job, .. }, .. }
        | Event::Closed { step: Step { job, .. }, .. }
        | Event::Done { job, .. }
        | Event::Failed { job, .. } => {
            // Which job is begun when is the coordinator's to choose; what each may do follows from the records.
            // What the sum's own failure to open leads to is derived; that it failed is said.
            let derived = coordinator.next_of_job(*job, body.at_ms);
            let derived = derived.or_else(|| coordinator.after_spoiled(*job, body.at_ms));
            if derived.as_ref() == Some(&body.event) {
                return Ok(());
            }
            // What could not stand there at all says why: a step of an earlier release, for one.
            coordinator.clone().append(record)?;
            require(false, body.seq, "it does not follow from the records before it")
        }
    }
}
