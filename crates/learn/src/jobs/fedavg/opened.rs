//! What follows from each round's sums.

use super::head::{linear_literal, literal};
use super::held_out::{asked, compare, errors, figures, loss};
use super::state::{Run, Stage, State, all_parameters, common_start};
use super::{FedAvg, First, NAME, linear, set_parameters};
use crate::jobs::calibration::{self, Calibration};
use crate::jobs::choice::{Choice, TriedSetting};
use crate::jobs::clips::Clips;
use crate::jobs::confusion::split_counts;
use crate::jobs::integers::each_class;
use crate::jobs::model::Model;
use crate::jobs::{Advanced, Error, Result, tally};
use blindscope_classify::HeadLiteral;

impl FedAvg {
    pub(super) fn begun(&self, sums: &[u64], committed: usize) -> Result<Advanced> {
        let s = &self.settings;
        let needed = self.first_values();
        let Some((&clipped, sums)) = sums.get(..needed).and_then(|sums| sums.split_last()) else {
            return Err(too_few(sums, needed));
        };
        let (scaling, examples, linear) = match &self.first {
            First::Scaling(scaling) => {
                let (scaling, examples) = scaling.decode(sums, s.width)?;
                self.each_class(&sums[1 + 2 * s.width..])?;
                (scaling, examples, Vec::new())
            }
            First::Gram(plan) => {
                let of = plan.decode(sums)?;
                self.each_class(of.counts())?;
                let (scaling, heads) = linear::ladder(&of)?;
                (scaling, of.samples(), heads)
            }
        };
        let clips = Clips { clipped, values: examples * s.width as u64 };
        let runs = if s.starts_linear() { Vec::new() } else { common_start(s, None)? };
        let stage = if s.starts_linear() { Stage::Linear } else { Stage::Train(1) };
        let state = State { stage, scaling, examples, clips, held: [0; 2], linear, chosen: None, runs };
        if s.rounds == 0 { self.end(state, committed) } else { Ok(self.next(&state)) }
    }

    /// Refuses sums in which a class has no example to learn from.
    fn each_class(&self, classes: &[u64]) -> Result<()> {
        let s = &self.settings;
        each_class(NAME, classes, &s.names).map_err(|refused| match refused {
            Error::Sums { operation, reason } if s.chooses() => {
                let more = "where only what is held out has some, `folds = 0` holds out nothing";
                Error::Sums { operation, reason: format!("{reason}; {more}") }
            }
            other => other,
        })
    }

    fn next(&self, state: &State) -> Advanced {
        Advanced::Next(state.to_bytes(&self.settings))
    }

    /// The best linear head becomes the start of every setting.
    pub(super) fn linear_measured(&self, mut state: State, sums: &[u64]) -> Result<Advanced> {
        let s = &self.settings;
        let (held, each) = self.split(sums, linear::LEN)?;
        let best = (0..linear::LEN).min_by(|a, b| compare(each[*a], each[*b], s.classes)).unwrap_or(0);
        let best = if asked(each[best], s.classes) == 0 { linear::UNMEASURED } else { best };
        let gain = calibration_of(each[best], s.classes).map_or(1.0, |c| c.gain);
        let head = linear::scaled(state.linear.swap_remove(best), gain);
        (state.held, state.chosen) = (held, Some((best, each[best].to_vec())));
        state.runs = common_start(s, Some(&head))?;
        state.linear = vec![head];
        state.stage = Stage::Train(1);
        Ok(self.next(&state))
    }

    /// Groups and squared sizes, and the counts of each of so many heads.
    fn split<'a>(&self, sums: &'a [u64], heads: usize) -> Result<([u64; 2], Vec<&'a [u64]>)> {
        let needed = self.measures(heads);
        let of = sums.get(..needed).and_then(|sums| sums.split_first_chunk::<2>());
        let (held, rest) = of.ok_or_else(|| too_few(sums, needed))?;
        Ok((*held, rest.chunks_exact(tally::each(self.settings.classes)).collect()))
    }

    /// What the heads of `rounds` rounds were worth: the best stays, a setting that got no better comes nearer to its end.
    fn keep(&self, state: &mut State, sums: &[u64], rounds: u64) -> Result<()> {
        let s = &self.settings;
        if !s.chooses() {
            return Ok(());
        }
        let (held, each) = self.split(sums, state.runs.len())?;
        state.held = held;
        for (run, sums) in state.runs.iter_mut().zip(each) {
            if run.stopped(s) {
                continue;
            }
            // Where nothing could be asked, later heads are taken to be better ones.
            let blind = asked(sums, s.classes) == 0;
            if rounds == 0 || blind || compare(sums, &run.sums, s.classes).is_lt() {
                (run.best, run.rounds, run.stale) = (run.head.clone(), rounds, 0);
                run.sums = sums.to_vec();
            } else {
                run.stale += 1;
            }
        }
        Ok(())
    }

    pub(super) fn trained(
        &self,
        mut state: State,
        round: u64,
        sums: &[u64],
        committed: usize,
    ) -> Result<Advanced> {
        let s = &self.settings;
        let parameters = all_parameters(s);
        let (examples, means) = self.mean.decode(NAME, sums, parameters)?;
        let Some((&clipped, measures)) = sums.get(1 + parameters..).and_then(|rest| rest.split_first())
        else {
            return Err(too_few(sums, self.trained_values()));
        };
        self.keep(&mut state, measures, round - 1)?;
        let means: Vec<f32> = means.iter().map(|v| *v as f32).collect();
        let mut means = means.as_slice();
        for run in &mut state.runs {
            let (own, rest) = means.split_at(super::parameters_of(&run.head).len());
            set_parameters(&mut run.head, own);
            means = rest;
        }
        state.examples = examples;
        state.clips = state.clips.plus(Clips { clipped, values: (committed * parameters) as u64 });
        if s.chooses() && state.runs.iter().all(|run| run.stopped(s)) {
            return self.end(state, committed);
        }
        state.stage = if round < s.rounds { Stage::Train(round + 1) } else { Stage::Measure };
        if state.stage == Stage::Measure && !s.chooses() {
            for run in &mut state.runs {
                (run.best, run.rounds) = (run.head.clone(), round);
            }
            return self.end(state, committed);
        }
        Ok(self.next(&state))
    }

    pub(super) fn measured(&self, mut state: State, sums: &[u64], committed: usize) -> Result<Advanced> {
        self.keep(&mut state, sums, self.settings.rounds)?;
        self.end(state, committed)
    }

    /// Nothing is trained any more.
    fn end(&self, mut state: State, committed: usize) -> Result<Advanced> {
        if self.settings.validate {
            state.stage = Stage::Count;
            return Ok(self.next(&state));
        }
        Ok(Advanced::Final(self.model(&state, committed).to_json()?))
    }

    pub(super) fn counted(&self, state: &State, sums: &[u64], committed: usize) -> Result<Advanced> {
        let mut model = self.model(state, committed);
        let counts = split_counts(sums, self.settings.classes)?;
        // Sites that keep nothing to measure on say nothing; what was held out says something.
        if model.validation.is_none() || counts.iter().flatten().any(|n| *n > 0) {
            model.validation = Some(counts);
        }
        Ok(Advanced::Final(model.to_json()?))
    }

    /// The setting whose best head did best; the first of equals.
    pub(super) fn best(&self, state: &State) -> usize {
        self.ranked(state).first().copied().unwrap_or(0)
    }

    fn ranked(&self, state: &State) -> Vec<usize> {
        let mut all: Vec<usize> = (0..state.runs.len()).collect();
        let sums = |at: usize| &state.runs[at].sums;
        all.sort_by(|a, b| compare(sums(*a), sums(*b), self.settings.classes));
        all
    }

    fn model(&self, state: &State, committed: usize) -> Model {
        let s = &self.settings;
        let polynomial = state.runs.get(self.best(state));
        let found = polynomial.map(|run| literal(&run.best, &state.scaling, s.clip));
        let mut heads: Vec<(&str, HeadLiteral)> =
            found.into_iter().map(|head| ("polynomial", head)).collect();
        let calibration =
            polynomial.filter(|_| s.chooses()).and_then(|run| calibration_of(&run.sums, s.classes));
        for (_, head) in &mut heads {
            calibration::apply(calibration.as_ref(), head);
        }
        // The linear head was calibrated before training started from it.
        let start = state.chosen.as_ref().zip(state.linear.first());
        heads.extend(
            start.map(|((at, _), head)| (linear::named(*at).0, linear_literal(head, &state.scaling, s.clip))),
        );
        let mut model = Model::new(NAME, heads, state.examples, committed)
            .of_classes(&s.names)
            .of_backbone(&s.backbone)
            .clipped_by(state.clips);
        if let Some(run) = polynomial.filter(|run| s.chooses() && asked(&run.sums, s.classes) > 0) {
            model.validation = split_counts(&run.sums, s.classes).ok();
            model.chosen = Some(self.choice(state, run));
        }
        model.calibration = calibration;
        model
    }

    fn choice(&self, state: &State, best: &Run) -> Choice {
        let s = &self.settings;
        let settings = s.settings();
        let tried = |at: usize| {
            let (run, setting) = (&state.runs[at], settings[at]);
            let rows = asked(&run.sums, s.classes).max(1) as f64;
            TriedSetting {
                hidden: setting.hidden,
                decay: setting.decay,
                rounds: run.rounds,
                epochs: run.rounds * s.epochs as u64,
                accuracy: 1.0 - errors(&run.sums, s.classes) as f64 / rows,
                loss: calibration::mean_loss(loss(&run.sums, s.classes), rows),
            }
        };
        let mut heads = vec![figures("polynomial", state.held, &best.sums, s.classes)];
        let mut lambda = 0.0;
        if let Some((at, sums)) = &state.chosen {
            let (family, penalty) = linear::named(*at);
            heads.push(figures(family, state.held, sums, s.classes));
            lambda = penalty;
        }
        Choice {
            folds: s.folds,
            features: "all".into(),
            lambda,
            tried: Vec::new(),
            heads,
            settings: self.ranked(state).into_iter().map(tried).collect(),
        }
    }
}

fn calibration_of(sums: &[u64], classes: usize) -> Option<Calibration> {
    calibration::chosen(&sums[classes * classes + 2..])
}

fn too_few(sums: &[u64], needed: usize) -> Error {
    Error::Sums { operation: NAME, reason: format!("{} sums, {needed} are needed", sums.len()) }
}
