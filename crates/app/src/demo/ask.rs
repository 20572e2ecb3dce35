//! The asker's part: held-out tiles through every configuration.

use std::sync::atomic::AtomicBool;

use super::error::Result;
use super::evaluate::TestSet;
use super::event::DemoEvent;
use super::gather::Learned;
use super::jobs::Jobs;
use super::paper;
use super::results::{Evaluation, SameClasses};
use super::study::Study;
use super::tiles::Lists;
use blindscope_classify::Head;
use blindscope_learn::features::{self, Backbone, ExtractOptions, TileList};
use blindscope_learn::jobs::{Model, UpdateState, encrypted_form};

/// What the asker found.
pub(super) struct Answered {
    pub(super) configurations: Vec<Evaluation>,
    pub(super) others: Vec<Evaluation>,
    pub(super) agreement: Vec<SameClasses>,
}

/// What the steps before left for the asker.
#[derive(Clone, Copy)]
pub(super) struct Brought<'a> {
    pub(super) jobs: &'a Jobs,
    pub(super) backbone: &'a Backbone,
    pub(super) lists: &'a Lists,
    pub(super) set: &'a TestSet,
}

/// What the asker works with.
pub(super) struct Asking<'a> {
    pub(super) study: &'a Study,
    pub(super) brought: Brought<'a>,
    pub(super) seed: u64,
    pub(super) tell: &'a mut dyn FnMut(&DemoEvent),
    pub(super) cancel: &'a AtomicBool,
}

impl Asking<'_> {
    /// {clear, encrypted} × {gradients, CLS}, and the other heads.
    pub(super) fn all(&mut self, encrypted: &Learned, clear: &Learned) -> Result<Answered> {
        let set = self.brought.set;
        let clear_head = Model::from_json(&clear.fedavg)?.head()?;
        let head = Model::from_json(&encrypted.fedavg)?.head()?;
        let cls = self.study.ask("fedavg", &head, &set.rows)?;
        let (clear_set, clear_update) = self.updated(&clear.update)?;
        let (tuned_set, update) = self.updated(&encrypted.update)?;
        let gradients = self.study.ask("update", &update, &tuned_set.rows)?;
        let configurations = vec![
            set.evaluate_head("clear, CLS", &clear_head, Some(paper::CLEAR))?,
            set.evaluate("encrypted, CLS", &cls.logits, Some(paper::ENCRYPTED_CLS)),
            clear_set.evaluate_head("clear, gradients", &clear_update, Some(paper::CLEAR))?,
            tuned_set.evaluate("encrypted, gradients", &gradients.logits, Some(paper::ENCRYPTED_GRADIENTS)),
        ];
        let others = self.others(encrypted)?;
        Ok(Answered { configurations, others, agreement: vec![cls.agreement, gradients.agreement] })
    }

    /// Heads of one round, evaluated in the clear.
    fn others(&self, encrypted: &Learned) -> Result<Vec<Evaluation>> {
        let statistics = Model::from_json(&encrypted.statistics)?;
        let means = Model::from_json(&encrypted.means)?.head()?;
        Ok(vec![
            self.brought.set.evaluate_head(
                "ridge from statistics",
                &statistics.head_named("ridge")?,
                None,
            )?,
            self.brought.set.evaluate_head("LDA from statistics", &statistics.head_named("lda")?, None)?,
            self.brought.set.evaluate_head("nearest mean CLS token", &means, None)?,
        ])
    }

    /// The held-out tiles through the backbone that an update tuned, and its head.
    fn updated(&mut self, update: &[u8]) -> Result<(TestSet, Head)> {
        let settings = &self.brought.jobs.update_settings;
        let state = UpdateState::from_bytes(update, settings.values)?;
        let (model, head) = state.apply(&self.brought.backbone.model, settings)?;
        let tuned = Backbone { model, ..self.brought.backbone.clone() };
        let dataset = TileList::new(&self.brought.lists.test).open()?;
        let tell = &mut *self.tell;
        let mut progress = |now: &features::Progress| {
            let (done, total) = (now.done as u64, now.total as u64);
            let what = "held-out tiles through the tuned backbone".into();
            tell(&DemoEvent::Progress { what, done, total });
        };
        let options = ExtractOptions::default();
        let extracted = features::extract(&dataset, &tuned, &options, &mut progress, self.cancel)?;
        let head = encrypted_form(&head, settings)?;
        Ok((TestSet::new(&extracted.features, self.seed)?, head))
    }
}
