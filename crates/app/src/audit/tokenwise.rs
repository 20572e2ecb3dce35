//! Stage 2b, token by token: batches on the paper's transformer.

use super::batches::{Case, Uploaded, pixels, told};
use super::{AuditPlan, Error, Stage};
use blindscope_audit::spans::{SearchPlan, TokenPlan, TokenStep, recover_tokens};

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
    (number, stage): (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let tokens = TokenPlan { seed: plan.seed, ..TokenPlan::default() };
    let whole = SearchPlan { rounds: 2, steps: 150, seed: plan.seed, ..SearchPlan::default() };
    let observed = uploaded.observed();
    let mut progress = Told::new(case, number, stage);
    let found = recover_tokens(&observed, &tokens, &whole, &mut |step| progress.tick(step))?;
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
