//! How a job went, as the log tells it: steps with their times, answers with their bytes.

use serde::Serialize;

use blindscope_federation::{Event, JobId, JobSpec, Missing, Phase, Record, SiteId, Step};

/// A job's way through its steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// The job.
    pub job: JobId,
    /// Its file.
    pub spec: JobSpec,
    /// When it was submitted, milliseconds since 1970, as all times here by the coordinator's clock.
    pub submitted_ms: u64,
    /// When it ended, if it did.
    pub ended_ms: Option<u64>,
    /// Its steps, in order.
    pub steps: Vec<StepCourse>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepCourse {
    /// Which.
    pub step: Step,
    /// When sites were first asked.
    pub opened_ms: u64,
    /// When it took no further answers.
    pub closed_ms: Option<u64>,
    /// When what it gave was made: payloads combined, a sum opened.
    pub combined_ms: Option<u64>,
    /// Sites that were asked.
    pub asked: usize,
    /// Answers in the order of arrival.
    pub answers: Vec<AnswerCourse>,
    /// Who was missing, and why.
    pub missing: Vec<Missing>,
}

/// One site's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AnswerCourse {
    /// Whose.
    pub site: SiteId,
    /// When it was recorded.
    pub at_ms: u64,
    /// Bytes of its payload; nothing where the site declined.
    pub bytes: Option<u64>,
}

/// One round, all its steps and attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RoundCourse {
    /// From 0.
    pub round: u64,
    /// When its first step was opened.
    pub began_ms: u64,
    /// When the last thing happened in it.
    pub ended_ms: u64,
    /// Bytes that sites sent.
    pub bytes: u64,
    /// Contributions, or what stands for them in a kind that has none.
    pub contributions: usize,
    /// Sites that were missing in some step.
    pub missing: usize,
    /// Openings begun.
    pub attempts: u32,
}

impl Course {
    /// The course of a job; nothing where the records have no such job.
    pub fn of<'r>(records: impl IntoIterator<Item = &'r Record>, job: JobId) -> Option<Self> {
        let mut course: Option<Self> = None;
        for record in records {
            let at_ms = record.body.at_ms;
            match (&record.body.event, &mut course) {
                (Event::Submitted { job: id, spec, .. }, None) if *id == job => {
                    let (spec, steps) = (spec.clone(), Vec::new());
                    course = Some(Self { job, spec, submitted_ms: at_ms, ended_ms: None, steps });
                }
                (event, Some(course)) => course.follow(event, at_ms),
                _ => {}
            }
        }
        course
    }

    /// Takes in an event, of this job or another.
    fn follow(&mut self, event: &Event, at_ms: u64) {
        match event {
            Event::Opened { step, expected, .. } if step.job == self.job => {
                let (answers, missing) = (Vec::new(), Vec::new());
                let (closed_ms, combined_ms, asked) = (None, None, expected.len());
                self.steps.push(StepCourse {
                    step: *step,
                    opened_ms: at_ms,
                    closed_ms,
                    combined_ms,
                    asked,
                    answers,
                    missing,
                });
            }
            Event::Accepted { answer } => {
                if let Some(at) = self.at(answer.header.step) {
                    let (site, bytes) = (answer.header.site, answer.payload().map(|blob| blob.len));
                    at.answers.push(AnswerCourse { site, at_ms, bytes });
                }
            }
            Event::Closed { step, missing, .. } => {
                if let Some(at) = self.at(*step) {
                    at.closed_ms = Some(at_ms);
                    at.missing.extend_from_slice(missing);
                }
            }
            Event::Excluded { step, missing } => {
                if let Some(at) = self.at(*step) {
                    at.missing.extend_from_slice(missing);
                }
            }
            Event::Combined { step, .. } => {
                if let Some(at) = self.at(*step) {
                    at.combined_ms = Some(at_ms);
                }
            }
            Event::Advanced { job, .. } if *job == self.job => self.made(at_ms),
            Event::Done { job, .. } | Event::Failed { job, .. } if *job == self.job => {
                self.made(at_ms);
                self.ended_ms = Some(at_ms);
            }
            _ => {}
        }
    }

    fn at(&mut self, step: Step) -> Option<&mut StepCourse> {
        self.steps.iter_mut().rev().find(|course| course.step == step)
    }

    /// What the last step led to is there.
    fn made(&mut self, at_ms: u64) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.combined_ms.is_none()) {
            last.combined_ms = Some(at_ms);
        }
    }

    /// Its rounds, in order.
    pub fn rounds(&self) -> Vec<RoundCourse> {
        let mut rounds: Vec<RoundCourse> = Vec::new();
        for step in &self.steps {
            if rounds.last().is_none_or(|last| last.round != step.step.round) {
                rounds.push(RoundCourse {
                    round: step.step.round,
                    began_ms: step.opened_ms,
                    ended_ms: step.opened_ms,
                    bytes: 0,
                    contributions: 0,
                    missing: 0,
                    attempts: 0,
                });
            }
            if let Some(round) = rounds.last_mut() {
                round.take(step);
            }
        }
        rounds
    }
}

impl RoundCourse {
    /// Adds a step of this round.
    fn take(&mut self, step: &StepCourse) {
        let answered = step.answers.last().map_or(step.opened_ms, |answer| answer.at_ms);
        let last = [Some(answered), step.closed_ms, step.combined_ms].into_iter().flatten().max();
        self.ended_ms = self.ended_ms.max(last.unwrap_or_default());
        self.bytes += step.bytes();
        self.missing = self.missing.max(step.missing.len());
        self.attempts = self.attempts.max(step.step.attempt + 1);
        if matches!(step.step.phase, Phase::Upload | Phase::KeyShare) {
            self.contributions = step.answers.iter().filter(|answer| answer.bytes.is_some()).count();
        }
    }

    /// Seconds from its first question to its end.
    pub fn seconds(&self) -> f64 {
        self.ended_ms.saturating_sub(self.began_ms) as f64 / 1000.0
    }
}

impl StepCourse {
    /// Bytes that sites sent.
    pub fn bytes(&self) -> u64 {
        self.answers.iter().filter_map(|answer| answer.bytes).sum()
    }

    /// Seconds that it took answers, up to now where it still does.
    pub fn seconds(&self, now_ms: u64) -> f64 {
        self.closed_ms.unwrap_or(now_ms).saturating_sub(self.opened_ms) as f64 / 1000.0
    }
}
