//! Judging the steps of a ceremony. In one of an inference key a site reveals nothing before everybody has promised, and believes
//! nothing that was not promised.

use super::judge::{Judged, require};
use super::{Mark, Objection, Site};
use crate::job::Kind;
use crate::promise::PROMISE_LEN;
use crate::{Ask, EvaluationShares, Phase, Promised, SignedHeader, Step, Task, common_string};

impl Site {
    /// A step of a ceremony: this one's own, in its one round, of everybody's answers.
    pub(super) fn judge_ceremony(&self, task: &Task, kind: &dyn Kind) -> Judged<Vec<Mark>> {
        let step = task.step;
        require(task.key == step.job, Objection::OtherCeremony)?;
        require(step.round == 0 && step.attempt == 0, Objection::NoSuchStep { step })?;
        match (&task.ask, step.phase) {
            (Ask::Commit, Phase::Commit) => Ok(Vec::new()),
            (Ask::Promise { commitments, .. }, Phase::Promise) => self.judge_commitments(task, commitments),
            (Ask::Reveal { promised, .. }, Phase::KeyShare) => self.judge_promises(task, promised),
            (Ask::Relin { shares, promised, .. }, Phase::Relin) => {
                self.judge_revealed(task, shares, promised).map(|()| Vec::new())
            }
            (Ask::Parts { shares, evaluation, .. }, Phase::Parts) => {
                let made = evaluation.as_deref().ok_or(Objection::EvaluationKeys)?;
                self.judge_second_round(task, shares, made).map(|()| Vec::new())
            }
            (Ask::Trial { public_key, string }, Phase::Trial) => {
                self.holds(task, kind, Some(public_key))?;
                require(self.strings.get(&step.job) == Some(string), Objection::OtherCommitments)?;
                Ok(self.counted(task, kind))
            }
            _ => Err(Objection::OtherPhase { step }),
        }
    }

    /// The common string is what everybody's commitments make, this site's among them, and the only one that it promises under.
    fn judge_commitments(&self, task: &Task, commitments: &[SignedHeader]) -> Judged<Vec<Mark>> {
        self.judge_everybody(task, Phase::Commit, commitments, task.sizes.commit)?;
        let (ceremony, string) = (task.step.job, common_string(commitments));
        match self.strings.get(&ceremony) {
            Some(known) if *known == string => Ok(Vec::new()),
            Some(_) => Err(Objection::OtherCommitments),
            None => Ok(vec![Mark::Committed { ceremony, string }]),
        }
    }

    /// Everybody has promised, and this site remembers what.
    fn judge_promises(&self, task: &Task, promised: &Promised) -> Judged<Vec<Mark>> {
        let ceremony = task.step.job;
        require(self.strings.get(&ceremony) == Some(&promised.string), Objection::OtherCommitments)?;
        self.judge_everybody(task, Phase::Promise, &promised.promises, PROMISE_LEN)?;
        let digest = promised.digest();
        match self.promises.get(&ceremony) {
            Some(known) if *known == digest => Ok(Vec::new()),
            Some(_) => Err(Objection::OtherPromises),
            None => Ok(vec![Mark::Promised { ceremony, promised: digest }]),
        }
    }

    /// Everybody has revealed what it had promised when this site revealed.
    fn judge_revealed(&self, task: &Task, shares: &[SignedHeader], promised: &Promised) -> Judged {
        let known = self.promises.get(&task.step.job).ok_or(Objection::NoFirstRound)?;
        require(*known == promised.digest(), Objection::OtherPromises)?;
        self.judge_everybody(task, Phase::KeyShare, shares, task.sizes.key_share)?;
        shares.iter().try_for_each(|signed| {
            let site = signed.header.site;
            let kept = signed.payload().is_some_and(|shares| promised.holds(site, &shares));
            require(kept, Objection::BrokenPromise { site })
        })
    }

    fn judge_second_round(&self, task: &Task, shares: &[SignedHeader], made: &EvaluationShares) -> Judged {
        self.judge_revealed(task, shares, &made.promised)?;
        self.judge_everybody(task, Phase::Relin, &made.shares, task.sizes.relin)
    }

    /// Checks that these are all sites' signed answers of a phase of this ceremony, with payloads of this length.
    fn judge_everybody(&self, task: &Task, phase: Phase, answers: &[SignedHeader], len: u64) -> Judged {
        let (expected, found) = (self.study.roster().parties(), answers.len());
        require(found == expected, Objection::Roster { expected, found })?;
        self.judge_headers(task, answers, Step { phase, ..task.step }, Some(len))
    }

    /// What trial openings count for in this site's life. They are made once, and where they are made again they are the same.
    fn counted(&self, task: &Task, kind: &dyn Kind) -> Vec<Mark> {
        let share = task.sizes.trial.max(1);
        let len = kind.payload_len(&self.study, &task.sizes, Phase::Trial, self.me).unwrap_or(0);
        let mark = Mark::Spent { step: task.step, openings: len / share, key: None };
        if self.spent.contains(&task.step) { Vec::new() } else { vec![mark] }
    }
}
