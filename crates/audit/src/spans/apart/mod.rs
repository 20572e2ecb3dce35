//! Batches token by token: for models as wide as the paper's, where a search over whole images does not end.
//!
//! 1. Linear algebra leaves (b − 1)·t dimensions of each token before the feed-forward half ([`room`]);
//! 2. the feed-forward half's first layer acts on one token alone, and the span of what it makes has the batch's own tokens as
//!    its only zeros ([`hidden`]), which are searched for at all positions side by side ([`hunt`]);
//! 3. each token found says what attention gave it, and so which tokens belong together ([`group`]);
//! 4. whole images are then brought to the least misfit with attention, from where they already are.
//!
//! SPEAR (arXiv 2403.03945) finds directions of one layer by the zeros of a ReLU; DAGER (arXiv 2405.15586) tries words. Pixels are not
//! from a list and GELU has no zeros to count, so here the nonlinearity itself is what tells a token from a mixture.

mod group;
mod hidden;
mod hunt;
mod pull;
mod room;
mod steps;

use faer::Mat;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use self::group::group;
use self::hidden::Hidden;
pub use self::hunt::TokenPlan;
use self::hunt::{Hunt, Place};
use self::pull::{Pull, Target};
use self::room::{Room, Spans as Rooms};
pub use self::steps::{Update, recover_update};
use super::batch::{Observed, SpanImage, check, peel, pixels, spans};
use super::block::Block;
use super::fit::Fit;
use super::search::{SearchPlan, search_from};
use super::seen::Seen;
use crate::error::Result;
use crate::matching::Subspace;
use blindscope_vision::vit::Vit;

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
    /// The images, those found first.
    pub images: Vec<SpanImage>,
    /// Tokens found, over all looks at the batch.
    pub tokens: usize,
}

/// Recovers the images behind a batch's gradient token by token, for 2·b·t + 1 ≤ d. Patches that no walk finds are left to the whole
/// image's search; images that are found are taken off the gradient with their labels, as [`super::recover`] does, and a smaller batch
/// is left. When `progress` gives `false` what was found so far is returned.
///
/// # Errors
/// As [`super::recover`]; [`crate::Error::NotShared`] without attention's output projection too, [`crate::Error::Setting`] for more
/// tokens than the width can tell apart.
pub fn recover_tokens(
    observed: &Observed<'_>,
    plan: &TokenPlan,
    whole: &SearchPlan,
    progress: &mut dyn FnMut(&TokenStep) -> bool,
) -> Result<TokenBatch> {
    let config = observed.model.config();
    let mut seen = Seen::new(config, observed.gradient)?;
    check(observed, whole)?;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut out = TokenBatch { images: Vec::new(), tokens: 0 };
    let mut space = Subspace::of(config, &seen.patch, &seen.positions, observed.images)?;
    while out.images.len() < observed.images {
        let left = observed.images - out.images.len();
        let stage = stage(observed, (&seen, &space, left), (plan, whole), &mut rng, progress)?;
        out.tokens += stage.tokens;
        let (taken, near): (Vec<_>, Vec<_>) = stage.images.into_iter().partition(|i| i.misfit < plan.taken);
        if taken.is_empty() || !stage.going {
            out.images.extend(taken.into_iter().chain(near));
            break;
        }
        for mut image in taken {
            let left = observed.images - out.images.len();
            if left > 1 {
                let (label, without) = peel(observed, &seen, &image.pixels, left)?;
                image.label = Some(label);
                seen = without;
            }
            out.images.push(image);
        }
        let left = observed.images - out.images.len();
        // After several steps patches' spaces stay exact, but what is taken off is not.
        if left > 0 && observed.taken_at.len() == 1 {
            space = Subspace::of(config, &seen.patch, &seen.positions, left)?;
        }
    }
    out.images.truncate(observed.images);
    Ok(out)
}

/// What one look at what is left of a batch gives.
struct Stage {
    /// Images at their least misfit, most tokens first, none twice.
    images: Vec<SpanImage>,
    tokens: usize,
    going: bool,
}

/// Looks for the tokens of the `left` images behind what is left of the gradient, and brings images to their least misfit: all that
/// have most of their tokens, or else the one with most.
fn stage(
    observed: &Observed<'_>,
    (seen, space, left): (&Seen, &Subspace, usize),
    (plan, whole): (&TokenPlan, &SearchPlan),
    rng: &mut ChaCha12Rng,
    progress: &mut dyn FnMut(&TokenStep) -> bool,
) -> Result<Stage> {
    let (model, config) = (observed.model, observed.model.config());
    let block = Block::new(config, &model.parameters().blocks[0]);
    let spans = spans(seen, left * config.tokens(), config.width, false)?;
    let mut dealt = vec![Dealt { start: vec![0.0; space.open() * config.patches()], tokens: 0 }];
    let mut going = true;
    if left > 1 {
        let rooms = Rooms::new(model, seen, left)?;
        let (room, class) = (rooms.patches(space)?, rooms.class(space)?);
        let batch = Batch { model, left, plan, space, room: &room, hidden: &spans[1] };
        let outputs = batch.outputs(&class, rng);
        (dealt, going) = batch.tokens(&outputs, rng, progress);
    }
    dealt.sort_by(|a, b| b.tokens.cmp(&a.tokens));
    let mut out = Stage { images: Vec::new(), tokens: dealt.iter().map(|d| d.tokens).sum(), going };
    let fit = Fit::new(model, &block, space, spans);
    for (image, dealt) in dealt.into_iter().enumerate() {
        if image > 0 && (3 * dealt.tokens < 2 * config.patches() || !out.going) {
            break;
        }
        let mut tick = |evaluation, misfit| {
            out.going &= progress(&TokenStep::Image { image, evaluation, misfit });
            out.going
        };
        let Some(best) = search_from(&fit, whole, dealt.start, &mut tick).0 else { break };
        let pixels = pixels(model, space, &best);
        if !out.images.iter().any(|known| same(&known.pixels, &pixels)) {
            out.images.push(SpanImage { pixels, misfit: best.misfit, label: None });
        }
    }
    Ok(out)
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

/// An image of which some tokens are known.
struct Dealt {
    /// Coordinates `[c, n]` of its patches, column by column; zero where no token was found.
    start: Vec<f64>,
    tokens: usize,
}

/// A batch whose spans are known.
struct Batch<'a> {
    model: &'a Vit,
    left: usize,
    plan: &'a TokenPlan,
    space: &'a Subspace,
    room: &'a Room,
    /// The span of fc2's inputs.
    hidden: &'a Mat<f64>,
}

impl Batch<'_> {
    /// What attention gave each image's CLS token, about: CLS tokens have a room of b − 1 dimensions, where every zero is soon found.
    fn outputs(&self, class: &Room, rng: &mut ChaCha12Rng) -> Vec<Vec<f64>> {
        let images = self.left;
        let plan = TokenPlan { starts: 32 * images, spread: 1.0, ..self.plan.clone() };
        let hidden = Hidden::new(self.model, class, self.hidden.clone());
        let mut hunt = Hunt::new(&hidden, &plan);
        hunt.free(rng, &mut || true);
        let mut places = hunt.places.swap_remove(0);
        if std::env::var("DBG").is_ok() {
            eprintln!("class rest {:.2} misfits {:?}", hidden.rest(0), places.iter().map(|p| format!("{:.0e}", p.misfit)).collect::<Vec<_>>());
            for p in places.iter().take(6) { eprintln!("{:?}", p.at); }
        }
        places.truncate(images);
        let mut outputs: Vec<Vec<f64>> = places.iter().map(|p| class.mixed.at(0, &p.at)).collect();
        // Fewer minima than images: what is left pulls to the middle.
        outputs.resize(images, class.mixed.at(0, &vec![0.0; class.open()]));
        outputs
    }

    /// The images as far as their tokens were found, and whether to go on.
    fn tokens(
        &self,
        class: &[Vec<f64>],
        rng: &mut ChaCha12Rng,
        progress: &mut dyn FnMut(&TokenStep) -> bool,
    ) -> (Vec<Dealt>, bool) {
        let hidden = Hidden::new(self.model, self.room, self.hidden.clone());
        let pull = Pull::new(&self.room.mixed);
        let mut hunt = Hunt::new(&hidden, self.plan);
        let (mut evaluations, mut found) = (0, 0);
        let mut going = true;
        for round in 0..=self.plan.rounds {
            let mut tick = || {
                evaluations += 1;
                progress(&TokenStep::Tokens { round, evaluations, found })
            };
            going = if round == 0 {
                hunt.free(rng, &mut tick)
            } else {
                let (dealt, outputs) = self.deal(&hunt, class);
                let missing = dealt.iter().enumerate().flat_map(|(image, tokens)| {
                    tokens.iter().enumerate().filter(|(_, t)| t.is_none()).map(move |(k, _)| (k, image))
                });
                let wanted: Vec<(usize, usize)> = missing.collect();
                if wanted.is_empty() {
                    break;
                }
                let targets: Vec<Target> = outputs.iter().map(|o| pull.target(o, self.plan.pull)).collect();
                hunt.pulled(&wanted, (&pull, &targets), rng, &mut tick)
            };
            found = self.found(&hunt).map(|some| some.len()).sum();
            if !going {
                break;
            }
        }
        let (dealt, outputs) = self.deal(&hunt, class);
        if std::env::var("DBG").is_ok() {
            let mut all: Vec<f64> = hunt.places.iter().flatten().map(|p| p.misfit).collect();
            all.sort_by(f64::total_cmp);
            eprintln!("places {} misfits {:?}", all.len(), all.iter().step_by((all.len() / 24).max(1)).map(|m| format!("{m:.0e}")).collect::<Vec<_>>());
            eprintln!("per image {:?}", dealt.iter().map(|i| i.iter().flatten().count()).collect::<Vec<_>>());
            let d2 = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            for a in &outputs { eprintln!("outputs {:?}", outputs.iter().map(|b| format!("{:.2}", d2(a, b))).collect::<Vec<_>>()); }
        }
        let patch = |(k, token): (usize, &Option<usize>)| match token {
            Some(token) => self.room.patch.at(k, &hunt.places[k][*token].at),
            None => vec![0.0; self.space.open()],
        };
        let of = |image: &Vec<Option<usize>>| Dealt {
            start: image.iter().enumerate().flat_map(patch).collect(),
            tokens: image.iter().flatten().count(),
        };
        (dealt.iter().map(of).collect(), going)
    }

    /// The places that count as tokens, by position: no more than the batch has images.
    fn found<'h>(&self, hunt: &'h Hunt<'_>) -> impl Iterator<Item = &'h [Place]> + use<'h> {
        let (found, images) = (self.plan.found, self.left);
        hunt.places.iter().map(move |places| {
            let count = places.iter().take(images).take_while(|p| p.misfit < found).count();
            &places[..count]
        })
    }

    /// Deals the tokens found to images, and says where the outputs of each image's tokens lie.
    fn deal(&self, hunt: &Hunt<'_>, class: &[Vec<f64>]) -> (group::Dealt, Vec<Vec<f64>>) {
        let outputs = |(k, some): (usize, &[Place])| some.iter().map(|p| self.room.mixed.at(k, &p.at)).collect();
        let tokens: Vec<Vec<Vec<f64>>> = self.found(hunt).enumerate().map(outputs).collect();
        group(class, &tokens)
    }
}
