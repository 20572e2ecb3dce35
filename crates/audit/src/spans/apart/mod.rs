//! Batches token by token: for models as wide as the paper's, where a search over whole images does not end.
//!
//! 1. Linear algebra leaves (b − 1)·t dimensions of each token before the feed-forward half ([`room`]);
//! 2. the feed-forward half's first layer acts on one token alone, and the span of what it makes has the batch's own tokens as
//!    its only zeros ([`hidden`]), which are searched for at all positions side by side ([`hunt`]), images pulling in turn ([`pull`]);
//! 3. tokens found are taken off the gradient, which leaves others more room ([`taken`]);
//! 4. each says what attention gave it, and so which tokens belong together ([`group`]);
//! 5. whole images are then brought to the least misfit with attention, from where they already are; those found are taken off as
//!    [`super::recover`] does, and the rest of the batch is looked at again.
//!
//! SPEAR (arXiv 2403.03945) finds directions of one layer by the zeros of a ReLU; DAGER (arXiv 2405.15586) tries words. Pixels are not
//! from a list and GELU has no zeros to count, so here the nonlinearity itself is what tells a token from a mixture.

mod group;
mod hidden;
mod hunt;
mod pull;
mod room;
mod taken;
mod tokens;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

pub use self::hunt::TokenPlan;
use self::tokens::Batch;
use super::batch::{Observed, SpanImage, check, peel, pixels, spans};
use super::block::Block;
use super::fit::Fit;
use super::search::{SearchPlan, search_from};
use super::seen::{ATTACK, Seen};
use crate::error::{Error, Result};
use crate::matching::Subspace;

/// Where the attack stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenStep {
    /// Tokens are searched for.
    Tokens {
        /// The round of starts, from 0.
        round: usize,
        /// Evaluations of all descents.
        evaluations: usize,
        /// Tokens found in earlier rounds.
        found: usize,
    },
    /// A whole image is brought to its least misfit.
    Image {
        /// The image, from 0.
        image: usize,
        /// Evaluations done for it.
        evaluation: usize,
        /// Its least misfit.
        misfit: f64,
    },
}

/// What the attack found.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenBatch {
    /// The images, in the order in which they were found; with the labels of those that were taken off.
    pub images: Vec<SpanImage>,
    /// Patches whose token was found at the first look, of b·n.
    pub tokens: usize,
}

/// Recovers the images behind a batch's gradient token by token, for 2·b·t + 1 ≤ d. Patches that no walk finds are left to the whole
/// image's search, and images that it does not find to another look, at a smaller batch. When `progress` gives `false` what was found so
/// far is returned.
///
/// # Errors
/// As [`super::recover`]; [`Error::NotShared`] without attention's output projection too, [`Error::Setting`] for more tokens than the
/// width can tell apart.
pub fn recover_tokens(
    observed: &Observed<'_>,
    plan: &TokenPlan,
    whole: &SearchPlan,
    progress: &mut dyn FnMut(&TokenStep) -> bool,
) -> Result<TokenBatch> {
    let mut seen = Seen::new(observed.model.config(), observed.gradient)?;
    check(observed, whole)?;
    check_room(observed, &seen)?;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut out = TokenBatch { images: Vec::new(), tokens: 0 };
    loop {
        let left = observed.images - out.images.len();
        let (near, tokens, going) = look(observed, (&seen, left), (plan, whole), &mut rng, progress)?;
        if out.images.is_empty() {
            out.tokens = tokens;
        }
        let mut exact: Vec<SpanImage> = Vec::new();
        for image in near.iter().filter(|i| i.found()) {
            if !exact.iter().any(|known| same(&known.pixels, &image.pixels)) {
                exact.push(image.clone());
            }
        }
        if !going || exact.is_empty() || exact.len() == left {
            out.images.extend(near);
            return Ok(out);
        }
        for mut image in exact {
            let left = observed.images - out.images.len();
            let (label, without) = peel(observed, &seen, &image.pixels, left)?;
            image.label = Some(label);
            seen = without;
            out.images.push(image);
        }
    }
}

/// One look at what is left of a batch of `left` images: each as near as the search came, the tokens found, and whether to go on.
fn look(
    observed: &Observed<'_>,
    (seen, left): (&Seen, usize),
    (plan, whole): (&TokenPlan, &SearchPlan),
    rng: &mut ChaCha12Rng,
    progress: &mut dyn FnMut(&TokenStep) -> bool,
) -> Result<(Vec<SpanImage>, usize, bool)> {
    let (model, config) = (observed.model, observed.model.config());
    let space = Subspace::of(config, &seen.patch, &seen.positions, left)?;
    let (mut starts, mut tokens, mut going) = (vec![Vec::new()], config.patches(), true);
    // Of a last image linear algebra leaves nothing open.
    if left > 1 {
        let mut batch = Batch::new(model, left, plan, &space);
        going = batch.find(seen.clone(), rng, progress)?;
        (starts, tokens) = (batch.starts(), batch.found());
    }
    let block = Block::new(config, &model.parameters().blocks[0]);
    let fit = Fit::new(model, &block, &space, spans(seen, [left * config.tokens(); 2])?);
    let mut found = Vec::new();
    for (image, start) in starts.into_iter().enumerate() {
        let mut tick = |evaluation, misfit| {
            going &= progress(&TokenStep::Image { image, evaluation, misfit });
            going
        };
        let Some(best) = search_from(&fit, whole, start, &mut tick).0 else { break };
        let pixels = pixels(model, &space, &best);
        found.push(SpanImage { pixels, misfit: best.misfit, label: None });
    }
    Ok((found, tokens, going))
}

/// Whether two images are one: apart by less than a twentieth of their size.
fn same(a: &[f32], b: &[f32]) -> bool {
    let (mut apart, mut size) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        apart += f64::from(a - b).powi(2);
        size += f64::from(*a).powi(2);
    }
    apart < 0.0025 * size
}

/// Refuses what leaves no room for one token.
fn check_room(observed: &Observed<'_>, seen: &Seen) -> Result<()> {
    let config = observed.model.config();
    if seen.proj.ncols() == 0 {
        let (missing, repair) = ("attention's output projection", "search whole images by their spans");
        return Err(Error::NotShared { attack: ATTACK, missing, repair });
    }
    if 2 * observed.images * config.tokens() + 1 > config.width {
        let value = observed.images.to_string();
        let rule =
            format!("2 × images × {} tokens must stay below the width {}", config.tokens(), config.width);
        return Err(Error::Setting { attack: ATTACK, setting: "images", value, rule });
    }
    Ok(())
}
