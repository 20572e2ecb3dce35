//! Judging a task, before anything is computed or sent.

use super::{Mark, Objection, Order, Site};
use crate::job::{Job, KeyUse, Kind, MOST_TOLD, QuestionJob};
use crate::payload::MAX_INPUT;
use crate::{Ask, Blob, Error, Evaluation, Opening, Phase, Result, Rule, SignedHeader, SiteId, Step, Task};

/// Nothing, or what is wrong with a task.
pub(super) type Judged<T = ()> = std::result::Result<T, Objection>;

pub(super) fn require(fine: bool, objection: Objection) -> Judged {
    if fine { Ok(()) } else { Err(objection) }
}

impl Site {
    /// What to do about a task.
    ///
    /// # Errors
    /// [`Error::Message`] for a task of another study, or whose job is not that of its file: nothing is answered then.
    pub fn take(&self, task: &Task) -> Result<Order> {
        if task.study != self.study.digest() || task.spec.id(&self.study) != task.step.job {
            let reason = "it is of another study, or its job is not that of its file".to_owned();
            return Err(Error::Message { what: "task", reason });
        }
        if task.version > self.study.version() {
            let reason =
                "it is of a later version of the roster than is known here; fetch the signed changes first";
            return Err(Error::Message { what: "task", reason: reason.to_owned() });
        }
        if let Some(staged) = self.staged.get(&task.step) {
            return Ok(Order::Send(Box::new(staged.clone())));
        }
        Ok(match self.judge(task) {
            Ok(before) => Order::Work { before },
            Err(objection) => Order::Decline(objection),
        })
    }

    fn judge(&self, task: &Task) -> Judged<Vec<Mark>> {
        let (step, literal) = (task.step, self.study.literal());
        require(task.version == self.study.version(), Objection::FormerRoster { version: task.version })?;
        let there = step.round < task.spec.rounds && step.attempt < literal.attempts;
        require(there, Objection::NoSuchStep { step })?;
        let job = Job::of(&task.spec).map_err(|_| Objection::JobFile)?;
        let kind = job.kind();
        let charged = self.charge.beside(step);
        let policy = self.policy.allows(&self.study, &task.spec, &task.sizes, charged);
        policy.map_err(Objection::Policy)?;
        let (spent, _) = self.privacy_spent(step.job);
        self.policy.allows_privacy(&task.spec, spent).map_err(Objection::Policy)?;
        if kind.key() == KeyUse::Rounds {
            judge_sum(task)?;
            return self.judge_inputs(task, kind).map(|()| Vec::new());
        }
        let signed = self.in_sums.successor_of(task.version).is_some();
        require(!signed, Objection::FormerRoster { version: task.version })?;
        if kind.key() == KeyUse::Makes {
            return self.judge_ceremony(task, kind);
        }
        require(!task.spec.is_former_head(), Objection::FormerHead)?;
        match (&task.ask, step.phase) {
            (Ask::Encrypt { public_key, parts }, Phase::Encrypt) => {
                self.judge_parts(task, kind, public_key, parts).map(|()| Vec::new())
            }
            (Ask::Upload { public_key: Some(public_key), input, .. }, Phase::Upload) => {
                require(step.attempt == 0, Objection::NoSuchStep { step })?;
                require(kind.holders().is_none_or(|h| h.contains(&self.me)), Objection::NoHolder)?;
                self.holds(task, kind, Some(public_key))?;
                let mut marks = self.begins(task, &job, *input);
                if kind.opens() {
                    let (job, round, openings) = (step.job, step.round, task.sizes.openings);
                    marks.push(Mark::Sent { job, round, openings });
                }
                Ok(marks)
            }
            (Ask::Ready { public_key, opening }, Phase::Ready) => {
                require(kind.opens() && step.attempt > 0, Objection::OtherPhase { step })?;
                self.holds(task, kind, Some(public_key))?;
                self.judge_opening(task, kind, opening)
            }
            (Ask::Share { .. }, Phase::Share) => {
                require(kind.opens(), Objection::OtherPhase { step })?;
                self.judge_share(task, &job)
            }
            _ => Err(Objection::OtherPhase { step }),
        }
    }

    /// What a holder encrypts is dealt by enough sites, each of which has signed its part, this site its own.
    fn judge_parts(&self, task: &Task, kind: &dyn Kind, public_key: &Blob, parts: &[SignedHeader]) -> Judged {
        let step = task.step;
        require(step.attempt == 0, Objection::NoSuchStep { step })?;
        require(kind.encryptors().contains(&self.me), Objection::NoHolder)?;
        self.holds(task, kind, Some(public_key))?;
        self.judge_cohort(parts.len())?;
        let upload = Step { phase: Phase::Upload, ..step };
        self.judge_headers(task, parts, upload, Some(task.sizes.upload))
    }

    /// Refuses to fetch what is longer than anything that its plan has: the disk is not the coordinator's to fill.
    fn judge_inputs(&self, task: &Task, kind: &dyn Kind) -> Judged {
        let Some(most) = kind.longest_input(&self.study, task).map_err(|_| Objection::JobFile)? else {
            return Ok(());
        };
        let start = task.grounds.as_ref().and_then(|grounds| grounds.start);
        for blob in task.inputs() {
            let most = if Some(blob) == start { most.max(MAX_INPUT) } else { most };
            require(blob.len <= most, Objection::InputLength { found: blob.len, most })?;
        }
        Ok(())
    }

    fn judge_share(&self, task: &Task, job: &Job) -> Judged<Vec<Mark>> {
        let Ask::Share { opening, committee, zeros, target, evaluation } = &task.ask else {
            return Err(Objection::OtherPhase { step: task.step });
        };
        let kind = job.kind();
        self.holds(task, kind, None)?;
        let mut marks = self.judge_opening(task, kind, opening)?;
        self.judge_target(task, kind, (opening, target), committee, zeros)?;
        match (job, evaluation) {
            (Job::Question(asked), Some(evaluation)) => self.judge_evaluation(task, asked, evaluation)?,
            (Job::Question(_), None) | (_, Some(_)) => return Err(Objection::Evaluation),
            (_, None) => {}
        }
        require(!self.spent.contains(&task.step), Objection::Spent)?;
        self.answers_left(task, kind)?;
        let key = (kind.key() == KeyUse::Inference).then_some(task.key);
        marks.push(Mark::Spent { step: task.step, openings: task.sizes.openings, key });
        Ok(marks)
    }

    /// Refuses a key that this site holds no share of, or another public key for it.
    pub(super) fn holds(&self, task: &Task, kind: &dyn Kind, public_key: Option<&Blob>) -> Judged {
        let held = self.keys.get(&task.key).ok_or(Objection::NoKey)?;
        let same = public_key.is_none_or(|k| *k == held.public_key);
        require(held.version == self.study.version(), Objection::NoKey)?;
        require(same && held.inference == kind.circuit().is_some(), Objection::OtherKey)
    }

    /// Refuses more re-encryptions under an inference key than its masks were made for.
    fn answers_left(&self, task: &Task, kind: &dyn Kind) -> Judged {
        let Some(circuit) = kind.circuit() else { return Ok(()) };
        let before = self.answered.get(&task.key).copied().unwrap_or(0);
        let (found, most) = (before.saturating_add(task.sizes.openings), circuit.answers);
        require(found <= most, Objection::Policy(Rule::MaximumDecryptions { found, most }))
    }

    /// Checks what a round opens, and that it is what this site remembers of it.
    fn judge_opening(&self, task: &Task, kind: &dyn Kind, opening: &Opening) -> Judged<Vec<Mark>> {
        let upload = Step { attempt: 0, phase: Phase::Upload, ..task.step };
        if let Some(holders) = kind.holders() {
            // All of them, and nobody else; whose data the head is of is judged beside it.
            let from = opening.committed.iter().map(|h| &h.header.site);
            require(from.eq(holders), Objection::OtherHolders)?;
            self.judge_headers(task, &opening.committed, upload, None)?;
        } else {
            self.judge_cohort(opening.committed.len())?;
            self.judge_headers(task, &opening.committed, upload, Some(task.sizes.upload))?;
        }
        sum_length(task, &opening.sum)?;
        let digest = opening.digest();
        let (job, round) = (task.step.job, task.step.round);
        match self.openings.get(&(job, round)) {
            Some(known) if *known == digest => Ok(Vec::new()),
            Some(_) => Err(Objection::OtherOpening),
            None if self.sums.contains_key(&opening.sum.digest) => Err(Objection::OtherOpening),
            None => Ok(vec![Mark::Opening { job, round, opening: digest, sum: opening.sum }]),
        }
    }

    /// Refuses what is computed of fewer sites' data than study and policy allow.
    fn judge_cohort(&self, found: usize) -> Judged {
        let least = self.study.literal().minimum_cohort;
        require(found >= least as usize, Objection::Cohort { found, least })?;
        self.policy.allows_cohort(found).map_err(Objection::Policy)
    }

    /// Checks that a question's head is the one that sites were asked for, over enough of them, this site's part as it was sent, encrypted
    /// by all its holders; that it starts from what this site was shown then; and that the evaluation
    /// keys are those that it has made itself.
    fn judge_evaluation(&self, task: &Task, asked: &QuestionJob, evaluation: &Evaluation) -> Judged {
        let Evaluation { head: spec, start, opening, keys } = evaluation;
        let head = Job::of(spec).map_err(|_| Objection::OtherHead)?;
        let question = asked.question();
        let same = spec.id(&self.study) == question.head && matches!(head, Job::EncryptedHead(_));
        require(same && head.kind().circuit() == Kind::circuit(asked), Objection::OtherHead)?;
        require(!spec.is_former_head(), Objection::FormerHead)?;
        self.judge_cohort(opening.committed.len())?;
        let at = |phase| Step { job: question.head, round: 0, attempt: 0, phase };
        self.judge_headers(task, &opening.committed, at(Phase::Upload), None)?;
        let from = opening.encrypted.iter().map(|h| &h.header.site);
        require(from.eq(head.kind().encryptors()), Objection::OtherHolders)?;
        self.judge_headers(task, &opening.encrypted, at(Phase::Encrypt), None)?;
        let known = self.starts.get(&question.head);
        require(known.is_none_or(|known| known == start), Objection::OtherStart)?;
        let held = self.keys.get(&task.key).ok_or(Objection::NoKey)?;
        require(held.evaluation_keys == Some(*keys), Objection::OtherEvaluationKeys)
    }

    /// What a site remembers of an encrypted head that it contributes to: what the head starts from.
    fn begins(&self, task: &Task, job: &Job, input: Option<Blob>) -> Vec<Mark> {
        let head = matches!(job, Job::EncryptedHead(_)) && !self.starts.contains_key(&task.step.job);
        let mark = |input| Mark::Start { head: task.step.job, input };
        input.filter(|_| head).map(mark).into_iter().collect()
    }

    /// Checks that these are answers to `step`, one a site and in order, each signed by its site, this site's as it was sent.
    pub(super) fn judge_headers(
        &self,
        task: &Task,
        headers: &[SignedHeader],
        step: Step,
        expected: Option<u64>,
    ) -> Judged {
        let rising = headers.windows(2).all(|w| match w {
            [a, b] => a.header.site < b.header.site,
            _ => true,
        });
        require(rising, Objection::Order)?;
        headers.iter().try_for_each(|signed| self.judge_header(task, signed, step, expected))
    }

    fn judge_header(&self, task: &Task, signed: &SignedHeader, step: Step, expected: Option<u64>) -> Judged {
        let (header, site) = (&signed.header, signed.header.site);
        let entry = self.study.site(site).ok_or(Objection::Stranger { site })?;
        require(signed.is_by(&entry.identity), Objection::Signature { site })?;
        let same = header.study == task.study && header.key == task.key && header.step == step;
        require(same, Objection::OtherAnswer { site, step })?;
        let payload = signed.payload().ok_or(Objection::NoPayload { site })?;
        if let Some(expected) = expected {
            require(payload.len == expected, Objection::PayloadLength { site, expected })?;
        }
        let own = site != self.me || self.staged.get(&step).is_some_and(|s| s.header == *header);
        require(own, Objection::OwnAnswer { step })
    }

    /// Checks whom the share is combined with, and that a later attempt's ciphertext carries this site's own zeros.
    fn judge_target(
        &self,
        task: &Task,
        kind: &dyn Kind,
        (opening, target): (&Opening, &Blob),
        committee: &[SiteId],
        zeros: &[SignedHeader],
    ) -> Judged {
        let threshold = self.study.roster().threshold();
        let rising = committee.windows(2).all(|w| w.first() < w.last());
        let members = rising && committee.len() == threshold && committee.contains(&self.me);
        require(members, Objection::Committee { threshold })?;
        sum_length(task, target)?;
        if task.step.attempt == 0 {
            return require(zeros.is_empty() && *target == opening.sum, Objection::Target);
        }
        let ready = Step { phase: Phase::Ready, ..task.step };
        let from: Vec<SiteId> = zeros.iter().map(|z| z.header.site).collect();
        require(from == committee && target.digest != opening.sum.digest, Objection::Target)?;
        let len = kind.payload_len(&self.study, &task.sizes, Phase::Ready, self.me);
        self.judge_headers(task, zeros, ready, len)
    }
}

/// A step of a sum: of its own keys, and what is asked belongs to the phase. The rest is judged where its messages are read.
fn judge_sum(task: &Task) -> Judged {
    let step = task.step;
    require(task.key == step.job, Objection::OtherKey)?;
    require(
        step.attempt == 0 || matches!(step.phase, Phase::Open | Phase::Vouch),
        Objection::NoSuchStep { step },
    )?;
    let fits = matches!(
        (&task.ask, step.phase),
        (Ask::Upload { .. }, Phase::Upload)
            | (Ask::Void { .. }, Phase::Void)
            | (Ask::Findings { .. }, Phase::Findings)
            | (Ask::Agree { .. }, Phase::Agree)
            | (Ask::Vouch { .. }, Phase::Vouch)
            | (Ask::Open { .. }, Phase::Open)
    );
    require(fits, Objection::OtherPhase { step })?;
    if let Ask::Upload { voids, settled, .. } = &task.ask {
        // Before anything of it is fetched.
        let (found, most) = (voids.len() + settled.len(), MOST_TOLD);
        require(found <= most, Objection::Told { found, most })?;
    }
    // What a round starts from is part of its input. In a first round it would change no value, only the input's name.
    let started = task.starts_from().is_some();
    require(step.round > 0 || !started, Objection::EarlyStart)?;
    require(step.round == 0 || started, Objection::NoStart)
}

/// Refuses ciphertexts of another length than the job's.
fn sum_length(task: &Task, shown: &Blob) -> Judged {
    let (expected, found) = (task.sizes.sum, shown.len);
    require(found == expected, Objection::SumLength { expected, found })
}
