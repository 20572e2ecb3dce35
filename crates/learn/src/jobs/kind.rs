//! What each kind of jobs is to learning: a row a kind, beside its code, and the one match from a kind's name to its row.

use serde::Serialize;
use serde_json::Value;

use super::attention::AttentionPooling;
use super::clips::ClipsAt;
use super::labels::Terms;
use super::model::{Model, pooling_in};
use super::{
    Learning, Result, attention, auto, class_mean, confusion, encrypted_head, fedavg, sized, statistics,
    update,
};
use crate::documented::{Documented, Key};
use blindscope_classify::Head;
use blindscope_federation::{JobKind, JobSpec, Study};
use blindscope_vision::vit::Vit;

/// All that is to be known of a kind without running it.
pub(super) struct Learned {
    /// What its jobs do, for pages. Kinds whose files say the same say the same here.
    pub(super) about: &'static str,
    /// The keys of its settings.
    pub(super) keys: &'static [Key],
    /// Its settings with every key at its default.
    pub(super) defaults: fn() -> Value,
    /// The keys that a file has to have.
    pub(super) required: &'static [&'static str],
    /// What a site sums and what follows from it.
    pub(super) learning: fn(&JobSpec) -> Result<Box<dyn Learning>>,
    /// Whether it is known what one patient adds to its sums at most, so that jobs of it may have noise.
    pub(super) bounded: bool,
    /// Where its results say how much was clipped.
    pub(super) clips: ClipsAt,
    /// The head in a result, as a coordinator serves it.
    pub(super) head: fn(&JobSpec, &[u8]) -> Result<Head>,
    /// What a draft cannot be filled in without.
    pub(super) lacks: for<'a> fn(&'a JobSpec) -> Lacks<'a>,
    /// A draft, with what the study knows in its settings, filled in.
    pub(super) fill: fn(JobSpec, &Study, &Given<'_>) -> Result<JobSpec>,
}

impl Learned {
    /// A kind with these settings whose result is a model file, and whose draft needs nothing from elsewhere.
    pub(super) const fn of<S: Documented + Default + Serialize>(
        about: &'static str,
        learning: fn(&JobSpec) -> Result<Box<dyn Learning>>,
    ) -> Self {
        Self {
            about,
            keys: S::KEYS,
            // Structs of numbers and texts always have a form.
            defaults: || serde_json::to_value(S::default()).unwrap_or_default(),
            required: &[],
            learning,
            bounded: false,
            clips: ClipsAt::Nowhere,
            head: |_, result| Model::from_json(result)?.head(),
            lacks: |_| Lacks::Nothing,
            fill: |draft, _, _| if draft.values == 0 { sized(draft) } else { Ok(draft) },
        }
    }
}

/// The kind's row; none for kinds that need no learning of ours.
pub(super) fn of(kind: JobKind) -> Option<&'static Learned> {
    Some(match kind {
        JobKind::Statistics => &statistics::KIND,
        JobKind::Auto => &auto::KIND,
        JobKind::Fedavg => &fedavg::KIND,
        JobKind::Update => &update::KIND,
        JobKind::Attention => &attention::KIND,
        JobKind::ClsMean => &class_mean::KIND,
        JobKind::Metrics => &confusion::KIND,
        JobKind::InferenceKeys | JobKind::EncryptedHead => &encrypted_head::KIND,
        JobKind::Ceremony | JobKind::Sum | JobKind::Question => return None,
    })
}

/// What a draft of a job cannot be filled in without, to be fetched by who submits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks<'a> {
    /// Nothing but the study.
    Nothing,
    /// The result of the job of this name.
    Start(&'a str),
    /// The study's model: the job trains it and needs its size.
    Backbone,
}

/// What was fetched of it.
#[derive(Debug, Clone, Copy)]
pub enum Given<'a> {
    /// Nothing.
    Nothing,
    /// The bytes of a result.
    Start(&'a [u8]),
    /// The study's model.
    Backbone(&'a Vit),
}

/// What a draft cannot be filled in without.
pub fn lacks(draft: &JobSpec) -> Lacks<'_> {
    of(draft.runs()).map_or(Lacks::Nothing, |kind| (kind.lacks)(draft))
}

/// The draft of a job with what follows from its study, its settings and what it [`lacks`]: rounds, sizes, circuit. Kinds that
/// need no learning are what they were.
///
/// # Errors
/// [`super::Error::Contradiction`] for settings that contradict the study; [`super::Error::Settings`] and
/// [`super::Error::Setting`] for settings of another kind, or out of range; as [`super::complete`].
pub fn filled(draft: JobSpec, study: &Study, given: &Given<'_>) -> Result<JobSpec> {
    let terms = Terms::of(study.literal());
    terms.check_job(&draft)?;
    match of(draft.runs()) {
        Some(kind) => (kind.fill)(terms.fill(draft), study, given),
        None => Ok(draft),
    }
}

/// The head in a finished job's result, as a coordinator serves it.
///
/// # Errors
/// [`super::Error::Settings`] for a job whose settings are another kind's; [`super::Error::Bytes`] for a result that holds no head;
/// [`super::Error::Head`] for one whose head cannot be evaluated.
pub fn served_head(spec: &JobSpec, result: &[u8]) -> Result<Head> {
    let model = || Model::from_json(result)?.head();
    of(spec.runs()).map_or_else(model, |kind| (kind.head)(spec, result))
}

/// Whether a finished job of the kind leaves a model file ([`Model`]): the kinds whose result has its clips there.
pub fn leaves_a_model(kind: JobKind) -> bool {
    of(kind).is_some_and(|row| matches!(row.clips, ClipsAt::Model))
}

/// The attention in a finished job's result, for whoever asks its head: it is public to them. None where the head takes tiles as they
/// are.
///
/// # Errors
/// [`super::Error::Bytes`] for a model file that is damaged or whose parts do not agree; [`super::Error::Head`] for one whose head
/// cannot be evaluated.
pub fn served_pooling(result: &[u8]) -> Result<Option<AttentionPooling>> {
    pooling_in(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_ours_are_learned_and_no_others() {
        for kind in JobKind::ALL {
            let spec = JobSpec { kind: *kind, settings: Value::Null, ..JobSpec::named("job") };
            let ours = kind.is_sum() && *kind != JobKind::Sum;
            match of(*kind) {
                // Defaults lack what the study says, so they are refused as settings; the others have no learning to be refused.
                Some(row) => {
                    let settings = (row.defaults)();
                    let refused = (row.learning)(&JobSpec { settings, ..spec }).err();
                    assert_eq!(matches!(refused, Some(super::super::Error::Kind { .. })), !ours, "{kind}");
                }
                None => assert!(!ours, "{kind}"),
            }
        }
    }

    #[test]
    fn the_smallest_file_of_a_kind_says_what_it_requires_and_nothing_unknown() {
        for kind in JobKind::ALL {
            let Some(example) = kind.example() else { continue };
            let file = format!("name = \"job\"\nkind = \"{kind}\"\n{example}");
            let draft = JobSpec::draft_from_toml(&file).unwrap();
            let Some(row) = of(*kind) else { continue };
            let said = |name: &str| draft.settings.get(name).is_some();
            assert!(row.required.iter().all(|name| said(name)), "{kind}");
            for name in draft.settings.as_object().into_iter().flat_map(|settings| settings.keys()) {
                assert!(row.keys.iter().any(|key| key.name == name), "{kind}: {name}");
            }
        }
    }

    #[test]
    fn every_key_that_is_required_is_one() {
        for row in JobKind::ALL.iter().filter_map(|kind| of(*kind)) {
            for name in row.required {
                assert!(row.keys.iter().any(|key| key.name == *name), "{name}");
            }
        }
    }
}
