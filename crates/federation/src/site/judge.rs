//! Judging a task, before anything is computed or sent.

use super::{Mark, Order, Site};
use crate::{
    Ask, Blob, Cause, Error, Evaluation, JobKind, Opening, Phase, Question, Result, SignedHeader, SiteId,
    Step, Task,
};

/// The verdict on a task: marks that go before the work, or why there will be none.
type Verdict = std::result::Result<Vec<Mark>, Cause>;

fn require(fine: bool, cause: Cause) -> std::result::Result<(), Cause> {
    if fine { Ok(()) } else { Err(cause) }
}

/// Whether sites ever help to open what a kind's jobs compute. An encrypted head is never opened; of its answers to a
/// question each is, to the asker alone.
fn opens(kind: JobKind) -> bool {
    kind.is_sum() || kind == JobKind::Question
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
        if let Some(staged) = self.staged.get(&task.step) {
            return Ok(Order::Send(Box::new(staged.clone())));
        }
        Ok(match self.judge(task) {
            Ok(before) => Order::Work { before },
            Err(cause) => Order::Decline(cause),
        })
    }

    fn judge(&self, task: &Task) -> Verdict {
        let step = task.step;
        let literal = self.study.literal();
        require(step.round < task.spec.rounds && step.attempt < literal.attempts, Cause::Task)?;
        let kind = task.spec.kind;
        let ceremony = kind.is_ceremony();
        require(!ceremony || task.key == step.job, Cause::Task)?;
        self.policy.allows(&self.study, &task.spec, &task.sizes, self.opened).map_err(Cause::Policy)?;
        match (&task.ask, step.phase) {
            (Ask::KeyShare, Phase::KeyShare) => {
                require(ceremony && step.round == 0 && step.attempt == 0, Cause::Task)?;
                Ok(Vec::new())
            }
            (Ask::Parts { shares, evaluation, .. }, Phase::Parts) => {
                require(ceremony && step.round == 0 && step.attempt == 0, Cause::Task)?;
                require(evaluation.is_some() == kind.is_inference(), Cause::Task)?;
                self.judge_key_shares(task, shares)?;
                if let Some(made) = evaluation {
                    require(made.shares.len() == self.study.roster().parties(), Cause::Task)?;
                    let relin = Step { phase: Phase::Relin, ..step };
                    self.judge_headers(task, &made.shares, relin, Some(task.sizes.relin))?;
                }
                Ok(Vec::new())
            }
            (Ask::Relin { shares, .. }, Phase::Relin) => {
                require(kind == JobKind::InferenceKeys && step.round == 0 && step.attempt == 0, Cause::Task)?;
                // Under a seed that this site sealed to itself in this ceremony, and for a first round that it took part in.
                let first = self.staged.get(&Step { phase: Phase::KeyShare, ..step });
                require(first.is_some_and(|answer| answer.payload().is_some()), Cause::Task)?;
                self.judge_key_shares(task, shares)?;
                Ok(Vec::new())
            }
            (Ask::Upload { public_key, input }, Phase::Upload) => {
                require(!ceremony && step.attempt == 0, Cause::Task)?;
                let holder = task.spec.question.as_ref().is_none_or(|q| q.holders.contains(&self.me));
                require(holder, Cause::Task)?;
                self.holds(task, Some(public_key))?;
                Ok(self.begins(task, *input))
            }
            (Ask::Ready { public_key, opening }, Phase::Ready) => {
                require(opens(kind) && step.attempt > 0, Cause::Task)?;
                self.holds(task, Some(public_key))?;
                self.judge_opening(task, opening)
            }
            (Ask::Share { opening, committee, zeros, target, evaluation }, Phase::Share) => {
                require(opens(kind), Cause::Task)?;
                self.holds(task, None)?;
                let mut marks = self.judge_opening(task, opening)?;
                self.judge_target(task, opening, committee, zeros, target)?;
                match (&task.spec.question, evaluation) {
                    (None, None) => {}
                    (Some(question), Some(evaluation)) => {
                        self.judge_evaluation(task, question, evaluation)?;
                    }
                    _ => return Err(Cause::Task),
                }
                require(!self.spent.contains(&step), Cause::Spent)?;
                let key = (kind == JobKind::Question).then_some(task.key);
                self.answers_left(task)?;
                marks.push(Mark::Spent { step, openings: task.sizes.openings, key });
                Ok(marks)
            }
            _ => Err(Cause::Task),
        }
    }

    /// Checks that these are all sites' signed answers of the ceremony's first step.
    fn judge_key_shares(&self, task: &Task, shares: &[SignedHeader]) -> std::result::Result<(), Cause> {
        require(shares.len() == self.study.roster().parties(), Cause::Task)?;
        let first = Step { phase: Phase::KeyShare, ..task.step };
        self.judge_headers(task, shares, first, Some(task.sizes.key_share))
    }

    /// Refuses a key that this site holds no share of, or another public key for it.
    fn holds(&self, task: &Task, public_key: Option<&Blob>) -> std::result::Result<(), Cause> {
        let held = self.keys.get(&task.key).ok_or(Cause::KeyEpoch)?;
        require(held.inference == task.spec.kind.is_inference(), Cause::KeyEpoch)?;
        require(public_key.is_none_or(|k| *k == held.public_key), Cause::KeyEpoch)
    }

    /// Refuses more re-encryptions under an inference key than its masks were made for.
    fn answers_left(&self, task: &Task) -> std::result::Result<(), Cause> {
        let (JobKind::Question, Some(circuit)) = (task.spec.kind, &task.spec.circuit) else { return Ok(()) };
        let before = self.answered.get(&task.key).copied().unwrap_or(0);
        let (found, most) = (before.saturating_add(task.sizes.openings), circuit.answers);
        require(found <= most, Cause::Policy(crate::Rule::MaximumDecryptions { found, most }))
    }

    /// Checks what a round opens, and that it is what this site remembers of it.
    fn judge_opening(&self, task: &Task, opening: &Opening) -> Verdict {
        let upload = Step { attempt: 0, phase: Phase::Upload, ..task.step };
        if let Some(question) = &task.spec.question {
            // All holders of its shares, and nobody else; whose data the head is of is judged beside it.
            let from = opening.committed.iter().map(|h| &h.header.site);
            require(from.eq(&question.holders), Cause::Task)?;
            self.judge_headers(task, &opening.committed, upload, None)?;
        } else {
            self.judge_cohort(opening)?;
            self.judge_headers(task, &opening.committed, upload, Some(task.sizes.upload))?;
        }
        require(opening.sum.len == task.sizes.sum, Cause::Task)?;
        let digest = opening.digest();
        let (job, round) = (task.step.job, task.step.round);
        match self.openings.get(&(job, round)) {
            Some(known) if *known == digest => Ok(Vec::new()),
            Some(_) => Err(Cause::OtherOpening),
            None if self.sums.contains_key(&opening.sum.digest) => Err(Cause::OtherOpening),
            None => Ok(vec![Mark::Opening { job, round, opening: digest, sum: opening.sum }]),
        }
    }

    /// Refuses what is computed of fewer sites' data than study and policy allow.
    fn judge_cohort(&self, opening: &Opening) -> std::result::Result<(), Cause> {
        let cohort = opening.committed.len();
        require(cohort >= self.study.literal().minimum_cohort as usize, Cause::Task)?;
        self.policy.allows_cohort(cohort).map_err(Cause::Policy)
    }

    /// Checks that a question's head is the one that sites were asked for, over enough of them, this site's upload as it was sent; that
    /// it starts from what this site was shown then; and that the evaluation keys are those that it has made itself.
    fn judge_evaluation(
        &self,
        task: &Task,
        question: &Question,
        evaluation: &Evaluation,
    ) -> std::result::Result<(), Cause> {
        let Evaluation { head, start, opening, keys } = evaluation;
        let same = head.id(&self.study) == question.head && head.kind == JobKind::EncryptedHead;
        require(same && head.circuit == task.spec.circuit, Cause::Task)?;
        self.judge_cohort(opening)?;
        let upload = Step { job: question.head, round: 0, attempt: 0, phase: Phase::Upload };
        self.judge_headers(task, &opening.committed, upload, None)?;
        require(self.starts.get(&question.head).is_none_or(|known| known == start), Cause::OtherOpening)?;
        let held = self.keys.get(&task.key).ok_or(Cause::KeyEpoch)?;
        require(held.evaluation_keys == Some(*keys), Cause::OtherKey)
    }

    /// What a site remembers of an encrypted head that it contributes to: what the head starts from.
    fn begins(&self, task: &Task, input: Option<Blob>) -> Vec<Mark> {
        let head = task.spec.kind == JobKind::EncryptedHead && !self.starts.contains_key(&task.step.job);
        let mark = |input| Mark::Start { head: task.step.job, input };
        input.filter(|_| head).map(mark).into_iter().collect()
    }

    /// Checks that these are answers to `step`, one a site and in order, each signed by its site, this site's as it was sent.
    fn judge_headers(
        &self,
        task: &Task,
        headers: &[SignedHeader],
        step: Step,
        expected: Option<u64>,
    ) -> std::result::Result<(), Cause> {
        let rising = headers.windows(2).all(|w| match w {
            [a, b] => a.header.site < b.header.site,
            _ => true,
        });
        require(rising, Cause::Task)?;
        for signed in headers {
            let header = &signed.header;
            let entry = self.study.site(header.site).ok_or(Cause::Task)?;
            let same = header.study == task.study && header.key == task.key && header.step == step;
            let fits = signed.payload().is_some_and(|b| expected.is_none_or(|len| b.len == len));
            require(same && fits && signed.is_by(&entry.identity), Cause::Task)?;
            let own = header.site != self.me || self.staged.get(&step).is_some_and(|s| s.header == *header);
            require(own, Cause::Task)?;
        }
        Ok(())
    }

    /// Checks whom the share is combined with, and that a later attempt's ciphertext carries this site's own zeros.
    fn judge_target(
        &self,
        task: &Task,
        opening: &Opening,
        committee: &[SiteId],
        zeros: &[SignedHeader],
        target: &Blob,
    ) -> std::result::Result<(), Cause> {
        let rising = committee.windows(2).all(|w| w.first() < w.last());
        let members = rising && committee.len() == self.study.roster().threshold();
        require(members && committee.contains(&self.me), Cause::Task)?;
        require(target.len == task.sizes.sum, Cause::Task)?;
        if task.step.attempt == 0 {
            return require(zeros.is_empty() && *target == opening.sum, Cause::Task);
        }
        let ready = Step { phase: Phase::Ready, ..task.step };
        let from: Vec<SiteId> = zeros.iter().map(|z| z.header.site).collect();
        require(from == committee && target.digest != opening.sum.digest, Cause::Task)?;
        let len = if task.spec.question.is_some() { task.sizes.sum } else { task.sizes.upload };
        self.judge_headers(task, zeros, ready, Some(len))
    }
}
