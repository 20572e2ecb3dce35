//! Training a head on features.

use super::{EpochFigures, Error, Evaluation, TrainingReport, auto, outliers};
use crate::heads;
use crate::jobs::{self, Choice, Examples, Terms, Unseen, group_names, in_classes, train_on_own, unseen};
use blindscope_classify::Head;
use blindscope_vision::features::Features;
use blindscope_vision::head::{HeadPlan, LogisticPlan, Scaling, train_logistic_watched, train_polynomial};
use blindscope_vision::train::Classifier;

pub use blindscope_vision::head::Activation;

/// The head's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// W·x + b, the best of a ladder by cross-validation over whole groups: the job `auto` on these rows alone.
    Auto {
        /// Whether a row is a CLS token and the mean of the patch tokens behind it: each half is then tried alone as well.
        halves: bool,
    },
    /// W·x + b.
    Linear,
    /// W₂·p(W₁·x + b₁) + b₂.
    Polynomial {
        /// Hidden units.
        hidden: usize,
        /// The polynomial, and whether it is trained.
        activation: Activation,
    },
}

/// How a head is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadRequest {
    /// Its form.
    pub kind: HeadKind,
    /// Passes over the rows; the paper's local training has 30.
    pub epochs: usize,
    /// Seed of start and shuffles.
    pub seed: u64,
}

impl Default for HeadRequest {
    /// The paper's 30 epochs of a head of 32 units with a trained polynomial of degree two.
    fn default() -> Self {
        let HeadPlan { hidden, activation, .. } = HeadPlan::default();
        Self { kind: HeadKind::Polynomial { hidden, activation }, epochs: 30, seed: 0 }
    }
}

/// A head as encryption evaluates it, and how it came about.
#[derive(Debug, Clone)]
pub struct TrainedHead {
    /// The head.
    pub head: Head,
    /// The same in the form that training goes on from.
    pub classifier: Classifier,
    /// Its training.
    pub report: TrainingReport,
}

/// `test` without the rows that are in `train` as well, with its labels as numbers of the classes of `train`, joined by name. It may lack a
/// class.
///
/// # Errors
/// [`Error::Jobs`] for a class that was not trained on, with both lists; for another width or backbone; where every row was trained on.
pub fn comparable(train: &Features, test: Features) -> Result<Unseen, Error> {
    const OPERATION: &str = "the rows of --test";
    let terms = Terms {
        classes: train.classes.clone(),
        width: train.width,
        backbone: train.backbone.unwrap_or_default(),
        allow_unknown_backbone: train.backbone.is_none(),
    };
    if train.backbone.is_none() && test.backbone.is_some() {
        let (what, found) = ("the backbone", "known, but that of the rows trained on is unknown".to_owned());
        let expected = "the same; state it by `features import --backbone`".to_owned();
        return Err(jobs::Error::Data { operation: OPERATION, what, found, expected }.into());
    }
    terms.check_rows(OPERATION, &test)?;
    let mut unseen = unseen(OPERATION, train, test)?;
    let test = &mut unseen.features;
    test.labels = in_classes(OPERATION, test, &train.classes)?.into_iter().map(Some).collect();
    test.classes.clone_from(&train.classes);
    Ok(unseen)
}

/// Trains a head on `train` and evaluates it on `held_out`.
///
/// # Errors
/// [`Error::Vision`] for rows without labels, a class without rows or a degree that is not served;
/// [`Error::Jobs`] for rows of one class, or rows far from all others.
pub fn train_head(
    train: &Features,
    held_out: Option<&Features>,
    request: &HeadRequest,
) -> Result<TrainedHead, Error> {
    let labels = train.known_labels()?;
    let mut classes = labels.clone();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() < 2 {
        let found = format!("of {} class", classes.len());
        let expected = "rows of two classes at least".to_owned();
        let (operation, what) = ("training a head", "the set of rows");
        return Err(jobs::Error::Data { operation, what, found, expected }.into());
    }
    outliers::check(train)?;
    let (mut chosen, mut learned) = (None, train.len());
    let (classifier, epochs) = match request.kind {
        HeadKind::Auto { halves } => {
            let found = auto::choose(train, &labels, halves, request.seed)?;
            chosen = Some(found.chosen);
            (Classifier::Linear(found.head), Vec::new())
        }
        HeadKind::Linear => linear(train, &labels, request)?,
        HeadKind::Polynomial { hidden, activation } => {
            let (epochs, seed) = (request.epochs, request.seed);
            let plan = HeadPlan { hidden, activation, epochs, seed, ..HeadPlan::default() };
            let trained = polynomial(train, &labels, &plan)?;
            (chosen, learned) = (trained.chosen, trained.learned);
            trained.start
        }
    };
    let mut trained = finish(classifier, train, held_out, epochs)?;
    (trained.report.chosen, trained.report.trained_on) = (chosen, learned);
    Ok(trained)
}

/// The head that encryption evaluates, with the range of its polynomial over `train` and its figures on `held_out`.
pub(super) fn finish(
    classifier: Classifier,
    train: &Features,
    held_out: Option<&Features>,
    epochs: Vec<EpochFigures>,
) -> Result<TrainedHead, Error> {
    let (unbounded, polynomial_range) = match &classifier {
        Classifier::Linear(head) => {
            let [lowest, highest] = limits(train)?;
            (heads::linear(head, &lowest, &highest)?, None)
        }
        Classifier::Polynomial { head, .. } => {
            (heads::polynomial(head)?, Some([head.reach(&train.values)?, head.hard_bound()]))
        }
    };
    // No training row is shortened, so the head is the one that was trained.
    let (mut longest, mut at) = (f64::MIN_POSITIVE, 0);
    for block in train.values.blocks() {
        for row in block?.chunks_exact(train.width.max(1)) {
            let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            longest = longest.max(unbounded.norm(at, &row)?);
            at += 1;
        }
    }
    let head = unbounded
        .shortening_to(longest * REACH)?
        .of_classes(train.classes.clone())?
        .of_backbone(train.backbone);
    let held_out = held_out.map(|rows| Evaluation::new(&head, rows)).transpose()?;
    let report = TrainingReport { trained_on: train.len(), epochs, polynomial_range, held_out, chosen: None };
    Ok(TrainedHead { head, classifier, report })
}

/// By how much a token may be longer than every training row before it is shortened.
const REACH: f64 = 1.25;

type Start = (Classifier, Vec<EpochFigures>);

struct TrainedPolynomial {
    start: Start,
    chosen: Option<Choice>,
    /// Rows that it was trained on.
    learned: usize,
}

/// From the best linear head, and never below it on what is held out, where there are groups to hold out; from a drawn one elsewhere.
fn polynomial(train: &Features, labels: &[usize], plan: &HeadPlan) -> Result<TrainedPolynomial, Error> {
    let (width, classes) = (train.width, train.classes.len());
    let rows = Examples {
        rows: train.values.clone(),
        labels: labels.to_vec(),
        groups: group_names(train),
        ..Examples::default()
    };
    let (trained, chosen, learned) = match train_on_own(&rows, width, classes, plan)? {
        Some(own) => (own.trained, Some(own.chosen), own.learned),
        None => (train_polynomial(&train.values, width, labels, classes, plan, None)?, None, train.len()),
    };
    let epochs = trained.epochs.iter().enumerate();
    let epochs = epochs.map(|(at, (loss, accuracy))| figures(at, *loss, *accuracy)).collect();
    let (activation, range) = (plan.activation, plan.range);
    let classifier = Classifier::Polynomial { head: trained.head, activation, range };
    Ok(TrainedPolynomial { start: (classifier, epochs), chosen, learned })
}

fn linear(train: &Features, labels: &[usize], request: &HeadRequest) -> Result<Start, Error> {
    let plan = LogisticPlan { epochs: request.epochs, seed: request.seed, ..LogisticPlan::default() };
    let mut epochs = Vec::new();
    let head = train_logistic_watched(
        &train.values,
        train.width,
        labels,
        train.classes.len(),
        &plan,
        &mut |loss, accuracy| epochs.push(figures(epochs.len(), loss, accuracy)),
    )?;
    Ok((Classifier::Linear(head), epochs))
}

/// Deviations to which an asker clips a feature of a linear head: far beyond what training rows hold.
const LINEAR_CLIP: f32 = 8.0;

/// Lowest and highest value of each feature of a linear head.
fn limits(train: &Features) -> Result<[Vec<f32>; 2], Error> {
    let scaling = Scaling::fit(&train.values, train.width)?;
    Ok([-LINEAR_CLIP, LINEAR_CLIP].map(|clip| {
        scaling.mean.iter().zip(&scaling.deviation).map(|(mean, deviation)| mean + clip * deviation).collect()
    }))
}

fn figures(before: usize, loss: f32, accuracy: f32) -> EpochFigures {
    EpochFigures { epoch: before + 1, loss, accuracy }
}
