//! Stage 2b, token by token: batches on the paper's transformer, and updates after several steps.

use super::batches::{Case, Uploaded, pixels, told};
use super::updates::RATE;
use super::{AuditPlan, Error, Stage};
use blindscope_audit::spans::{
    Observed, SearchPlan, TokenPlan, TokenStep, Update, recover_tokens, recover_update,
};
use blindscope_vision::head::LinearHead;
use blindscope_vision::vit::{Parameters, Vit};

/// Turns of taking the drift of several steps off an update.
const TURNS: usize = 4;
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

/// Images that no single step shows: a whole image is brought near in few, long descents.
fn whole(plan: &AuditPlan) -> SearchPlan {
    SearchPlan { rounds: 4, steps: 200, seed: plan.seed, ..SearchPlan::default() }
}

/// A gradient, token by token.
pub(super) fn by_tokens(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    (number, stage): (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let taken_at = [(uploaded.target.model.clone(), uploaded.head.clone())];
    let (gradient, model) = (&uploaded.seen.backbone, &uploaded.target.model);
    let observed = Observed { gradient, model, taken_at: &taken_at, images: case.images };
    let tokens = TokenPlan { seed: plan.seed, ..TokenPlan::default() };
    let mut progress = Told::new(case, number, stage);
    let found = recover_tokens(&observed, &tokens, &whole(plan), &mut |step| progress.tick(step))?;
    if let Some(e) = progress.stopped {
        return Err(e);
    }
    let of = case.images * model.config().patches();
    notes.push(told(case, number, &found.images, &format!("{} tokens found one by one, of {of}", found.tokens)));
    Ok(pixels(case, uploaded, &found.images))
}

/// An update after several steps, token by token, its drift taken off in turns.
pub(super) fn by_steps(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    (number, stage): (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let steps = case.steps as f32;
    let on_the_way =
        (0..case.steps).map(|t| between(uploaded, t as f32 / steps)).collect::<Result<Vec<_>, _>>()?;
    let mut mean: Parameters = uploaded.seen.backbone.clone();
    let scale = 1.0 / (RATE * steps);
    mean.tensors_mut().into_iter().flatten().for_each(|g| *g *= scale);
    let start = &on_the_way[0];
    let update = Update { mean: &mean, start, on_the_way: &on_the_way, images: case.images, rate: RATE };
    let tokens = TokenPlan { seed: plan.seed, ..TokenPlan::default() };
    let mut progress = Told::new(case, number, stage);
    let mut last = 0;
    let plans = (&tokens, &whole(plan));
    let found = recover_update(&update, plans, TURNS, &mut |turn, step| {
        last = turn;
        progress.tick(step)
    })?;
    if let Some(e) = progress.stopped {
        return Err(e);
    }
    notes.push(told(case, number, &found.images, &format!("{} turns", last + 1)));
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
