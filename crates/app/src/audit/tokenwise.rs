//! Stage 2b, token by token: batches on the paper's transformer, and updates after several steps.

use super::batches::{Case, Uploaded, pixels, told};
use super::updates::RATE;
use super::{AuditPlan, Error, Stage};
use blindscope_audit::spans::{Observed, SearchPlan, TokenPlan, TokenStep, recover_tokens};
use blindscope_vision::head::LinearHead;
use blindscope_vision::vit::{Parameters, Vit};

/// Evaluations that progress counts for each batch: an attack ends when it has found everything, and nobody knows when.
const SHOWN: usize = 10_000;

/// Progress of an attack on one batch, by its evaluations.
struct Told<'a, 's> {
    name: String,
    before: usize,
    total: usize,
    evaluations: usize,
    stage: &'a mut Stage<'s>,
    stopped: Option<Error>,
}

impl<'a, 's> Told<'a, 's> {
    fn new(case: &Case, number: usize, stage: &'a mut Stage<'s>) -> Self {
        let (before, total) = (SHOWN * number, SHOWN * case.batches);
        Self { name: case.name(), before, total, evaluations: 0, stage, stopped: None }
    }

    fn tick(&mut self, step: &TokenStep) -> bool {
        self.evaluations += 1;
        let name = match step {
            TokenStep::Tokens { found, .. } => format!("{}: {found} tokens", self.name),
            TokenStep::Image { misfit, .. } => format!("{}: an image at {misfit:.0e}", self.name),
        };
        let done = self.before + self.evaluations.min(SHOWN - 1);
        self.stopped = self.stage.tick(&name, done, self.total).err();
        self.stopped.is_none()
    }
}

/// A gradient, token by token.
pub(super) fn by_tokens(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    at: (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let taken_at = [(uploaded.target.model.clone(), uploaded.head.clone())];
    let (gradient, model) = (&uploaded.seen.backbone, &uploaded.target.model);
    let observed = Observed { gradient, model, taken_at: &taken_at, images: case.images };
    let tokens = TokenPlan { seed: plan.seed, ..TokenPlan::default() };
    let whole = SearchPlan { rounds: 2, steps: 150, seed: plan.seed, ..SearchPlan::default() };
    attack(case, uploaded, &observed, (&tokens, &whole), at, notes)
}

/// An update after several steps, token by token, as if it were a gradient of the model halfway: that is right but for the square of the
/// steps' drift, so more counts as a token, and whole images are only begun to be searched, for a long search ends at the same few.
pub(super) fn by_steps(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    at: (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let steps = case.steps as f32;
    let mut gradient: Parameters = uploaded.seen.backbone.clone();
    let scale = 1.0 / (RATE * steps);
    gradient.tensors_mut().into_iter().flatten().for_each(|g| *g *= scale);
    let taken_at = [between(uploaded, (steps - 1.0) / (2.0 * steps))?];
    let observed =
        Observed { gradient: &gradient, model: &taken_at[0].0, taken_at: &taken_at, images: case.images };
    let tokens = TokenPlan { seed: plan.seed, found: 1e-2, agreed: 1.0, ..TokenPlan::default() };
    let whole = SearchPlan { rounds: 1, steps: 8, seed: plan.seed, ..SearchPlan::default() };
    attack(case, uploaded, &observed, (&tokens, &whole), at, notes)
}

fn attack(
    case: &Case,
    uploaded: &Uploaded,
    observed: &Observed<'_>,
    (tokens, whole): (&TokenPlan, &SearchPlan),
    (number, stage): (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let mut progress = Told::new(case, number, stage);
    let found = recover_tokens(observed, tokens, whole, &mut |step| progress.tick(step))?;
    if let Some(e) = progress.stopped {
        return Err(e);
    }
    let of = case.images * observed.model.config().patches();
    notes.push(told(
        case,
        number,
        &found.images,
        &format!("{} of {of} tokens found one by one", found.tokens),
    ));
    Ok(pixels(case, uploaded, &found.images))
}

/// The models through which a site went, as an attacker knows them: on the straight line between the two it saw.
fn between(uploaded: &Uploaded, share: f32) -> Result<(Vit, LinearHead), Error> {
    let move_by = |w: &mut [f32], g: &[f32]| w.iter_mut().zip(g).for_each(|(w, g)| *w -= share * g);
    let mut model = uploaded.target.model.clone();
    let mut head = uploaded.head.clone();
    for (w, g) in model.parameters_mut().tensors_mut().into_iter().zip(uploaded.seen.backbone.tensors()) {
        move_by(w, g);
    }
    move_by(&mut head.weight, &uploaded.seen.head_weight);
    move_by(&mut head.bias, &uploaded.seen.head_bias);
    Ok((Vit::new(model.config().clone(), model.parameters().clone())?, head))
}
