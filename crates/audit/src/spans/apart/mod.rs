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

use self::group::{Token, group};
use self::hidden::Hidden;
pub use self::hunt::TokenPlan;
use self::hunt::{Hunt, Place};
use self::pull::{Pull, Target};
use self::room::{Room, Spans as Rooms};
pub use self::steps::{Update, recover_update};
use super::batch::{Observed, SpanImage, check, pixels, spans};
use super::block::Block;
use super::fit::{Fit, embedded};
use super::search::{SearchPlan, search_from};
use super::seen::Seen;
use crate::error::Result;
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
    /// The images; without labels.
    pub images: Vec<SpanImage>,
    /// Patches whose token was found, of b·n.
    pub tokens: usize,
}

/// Recovers the images behind a batch's gradient token by token, for 2·b·t + 1 ≤ d. Patches that no walk finds are left to the whole
/// image's search. When `progress` gives `false` what was found so far is returned.
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
    let (model, images) = (observed.model, observed.images);
    let config = model.config();
    let seen = Seen::new(config, observed.gradient)?;
    check(observed, whole)?;
    let space = Subspace::of(config, &seen.patch, &seen.positions, images)?;
    let block = Block::new(config, &model.parameters().blocks[0]);
    let spans = spans(&seen, images * config.tokens(), config.width, false)?;
    let rooms = Rooms::new(model, &seen, images)?;
    let (patches, class) = (rooms.patches(&space)?, rooms.class(&space)?);
    let batch = Batch { observed, plan, space: &space, room: &patches, block: &block, hidden: &spans[1] };
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let outputs = batch.outputs(&class, &mut rng);
    let (starts, tokens, mut going) = batch.tokens(outputs, &mut rng, progress);
    let fit = Fit::new(model, &block, &space, spans);
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
    Ok(TokenBatch { images: found, tokens })
}

/// A batch whose spans are known.
struct Batch<'a> {
    observed: &'a Observed<'a>,
    plan: &'a TokenPlan,
    space: &'a Subspace,
    room: &'a Room,
    block: &'a Block,
    /// The span of fc2's inputs.
    hidden: &'a Mat<f64>,
}

impl Batch<'_> {
    /// What attention gave each image's CLS token, about: CLS tokens have a room of b − 1 dimensions, where every zero is soon found.
    fn outputs(&self, class: &Room, rng: &mut ChaCha12Rng) -> Vec<Vec<f64>> {
        let images = self.observed.images;
        let plan = TokenPlan { starts: 32 * images, spread: 1.0, ..self.plan.clone() };
        let hidden = Hidden::new(self.observed.model, class, self.hidden.clone());
        let mut hunt = Hunt::new(&hidden, &plan);
        hunt.free(rng, &mut || true);
        let mut places = hunt.places.swap_remove(0);
        places.truncate(images);
        let mut outputs: Vec<Vec<f64>> = places.iter().map(|p| class.mixed.at(0, &p.at)).collect();
        // Fewer minima than images: what is left pulls to the middle.
        outputs.resize(images, class.mixed.at(0, &vec![0.0; class.open()]));
        outputs
    }

    /// Coordinates `[c, n]` of each image's patches, how many tokens were found, and whether to go on.
    fn tokens(
        &self,
        mut outputs: Vec<Vec<f64>>,
        rng: &mut ChaCha12Rng,
        progress: &mut dyn FnMut(&TokenStep) -> bool,
    ) -> (Vec<Vec<f64>>, usize, bool) {
        let hidden = Hidden::new(self.observed.model, self.room, self.hidden.clone());
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
                let dealt = self.deal(&hunt, &mut outputs);
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
        let dealt = self.deal(&hunt, &mut outputs);
        let patch = |(k, token): (usize, &Option<usize>)| match token {
            Some(token) => self.room.patch.at(k, &hunt.places[k][*token].at),
            None => vec![0.0; self.space.open()],
        };
        let starts = dealt.iter().map(|image| image.iter().enumerate().flat_map(patch).collect()).collect();
        (starts, found, going)
    }

    /// The places that count as tokens, by position: no more than the batch has images.
    fn found<'h>(&self, hunt: &'h Hunt<'_>) -> impl Iterator<Item = &'h [Place]> + use<'h> {
        let (found, images) = (self.plan.found, self.observed.images);
        hunt.places.iter().map(move |places| {
            let count = places.iter().take(images).take_while(|p| p.misfit < found).count();
            &places[..count]
        })
    }

    /// Deals the tokens found to images, and brings each image's output up to what its tokens were given.
    fn deal(&self, hunt: &Hunt<'_>, outputs: &mut [Vec<f64>]) -> Vec<Vec<Option<usize>>> {
        let prefix = self.observed.model.config().prefix();
        let (fixed, ways) = embedded(self.observed.model, self.space);
        let token = |k: usize, place: &Place| {
            let c = self.room.patch.at(k, &place.at);
            let moved = |i: usize| c.iter().enumerate().map(|(j, c)| ways[(i, j)] * c).sum::<f64>();
            let embedding = (0..fixed.nrows()).map(|i| fixed[(i, prefix + k)] + moved(i)).collect();
            Token { embedding, mixed: self.room.mixed.at(k, &place.at) }
        };
        let tokens: Vec<Vec<Token>> =
            self.found(hunt).enumerate().map(|(k, some)| some.iter().map(|p| token(k, p)).collect()).collect();
        let shared = fixed.as_ref().subcols(0, prefix).to_owned();
        let dealt = group(self.block, &shared, &tokens, outputs);
        for (image, output) in dealt.iter().zip(outputs) {
            let own: Vec<&Token> =
                image.iter().zip(&tokens).filter_map(|(t, some)| t.map(|t| &some[t])).collect();
            // A token or two may be another image's: the CLS token's output is the better target then.
            if own.len() > 2 {
                for (i, output) in output.iter_mut().enumerate() {
                    *output = own.iter().map(|t| t.mixed[i]).sum::<f64>() / own.len() as f64;
                }
            }
        }
        dealt
    }
}
