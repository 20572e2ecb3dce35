//! All tokens of a batch: looked for, taken off, looked for again.

use rand::rngs::ChaCha12Rng;

use super::TokenStep;
use super::group::{Dealt, group};
use super::hidden::Hidden;
use super::hunt::{Hunt, TokenPlan};
use super::pull::{Pull, Target};
use super::room::{Room, Spans};
use super::taken::{Sides, Token};
use crate::error::Result;
use crate::linear::left_singular;
use crate::matching::Subspace;
use crate::spans::seen::{ATTACK, Seen};
use blindscope_vision::vit::Vit;

/// A batch, and its tokens as far as they are found.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    model: &'a Vit,
    images: usize,
    plan: &'a TokenPlan,
    space: &'a Subspace,
    /// By position.
    tokens: Vec<Vec<Token>>,
    class: Vec<Token>,
    /// About what attention gave each image's CLS token.
    outputs: Vec<Vec<f64>>,
    evaluations: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(model: &'a Vit, images: usize, plan: &'a TokenPlan, space: &'a Subspace) -> Self {
        let (tokens, class) = (vec![Vec::new(); model.config().patches()], Vec::new());
        Self { model, images, plan, space, tokens, class, outputs: Vec::new(), evaluations: 0 }
    }

    /// Patch tokens found.
    pub(super) fn found(&self) -> usize {
        self.tokens.iter().map(Vec::len).sum()
    }

    /// Looks for tokens and takes them off `seen`, in rounds, until none is left or a round finds none; `false` when `progress` stopped
    /// it.
    pub(super) fn find(
        &mut self,
        mut seen: Seen,
        rng: &mut ChaCha12Rng,
        progress: &mut dyn FnMut(&TokenStep) -> bool,
    ) -> Result<bool> {
        let all = self.images * self.model.config().tokens();
        for round in 0..self.plan.rounds {
            let known = self.found();
            if known == self.images * self.tokens.len() {
                break;
            }
            let left = all - known - self.class.len();
            let sides = Sides::new(self.model, &seen, left)?;
            let outputs = left_singular(ATTACK, &seen.proj, left)?.0;
            let spans = Spans { model: self.model, outputs, normed: sides.normed() };
            let room = spans.patches(self.space, self.open())?;
            if round == 0 {
                let class = spans.class(self.space, self.images - 1)?;
                self.find_class(&class, &sides, &mut seen, rng);
            }
            if !self.look(&room, &sides, (&mut seen, round), rng, progress) {
                return Ok(false);
            }
            if self.found() == known {
                break;
            }
        }
        Ok(true)
    }

    /// Dimensions of the room: mixtures of what is left at each position.
    fn open(&self) -> usize {
        let more = |known: usize| (self.images - known).saturating_sub(1);
        let others = (self.model.config().prefix() - 1) * (self.images - 1);
        self.tokens.iter().map(|t| more(t.len())).sum::<usize>() + more(self.class.len()) + others
    }

    /// The CLS tokens, whose room has b − 1 dimensions, where every zero is soon found.
    fn find_class(&mut self, room: &Room, sides: &Sides<'_>, seen: &mut Seen, rng: &mut ChaCha12Rng) {
        let plan = TokenPlan { spread: 1.0, ..self.plan.clone() };
        let hidden = Hidden::new(self.model, room, sides.hidden().clone());
        let mut hunt = Hunt::new(&hidden, &plan);
        hunt.free(32 * self.images, rng);
        let places = hunt.places.swap_remove(0);
        for place in places.iter().take(self.images) {
            let token = hidden.token(room, (0, &place.at));
            self.outputs.push(token.mixed.clone());
            if place.misfit < self.plan.found && sides.take(&token, seen, self.plan.agreed) {
                self.class.push(token);
            }
        }
        // Fewer minima than images: what is left pulls to the middle.
        self.outputs.resize(self.images, room.mixed.at(0, &vec![0.0; room.open()]));
    }

    /// One round of walks, an image pulling at each of its missing tokens; `false` when `progress` stopped it.
    fn look(
        &mut self,
        room: &Room,
        sides: &Sides<'_>,
        (seen, round): (&mut Seen, usize),
        rng: &mut ChaCha12Rng,
        progress: &mut dyn FnMut(&TokenStep) -> bool,
    ) -> bool {
        let hidden = Hidden::new(self.model, room, sides.hidden().clone());
        let pull = Pull::new(&room.mixed);
        let (dealt, centres) = self.deal();
        let targets: Vec<Target> = centres.iter().map(|o| pull.target(o, self.plan.pull)).collect();
        let missing = dealt.iter().enumerate().flat_map(|(image, tokens)| {
            tokens.iter().enumerate().filter(|(_, t)| t.is_none()).map(move |(k, _)| (k, image))
        });
        let wanted: Vec<(usize, usize)> = missing.collect();
        let found = self.found();
        let mut hunt = Hunt::new(&hidden, self.plan);
        let going = hunt.pulled(&wanted, (&pull, &targets), rng, &mut || {
            self.evaluations += 1;
            progress(&TokenStep::Tokens { round, evaluations: self.evaluations, found })
        });
        for (k, places) in hunt.places.iter().enumerate() {
            for place in places.iter().take_while(|p| p.misfit < self.plan.found) {
                let token = hidden.token(room, (k, &place.at));
                if self.tokens[k].len() < self.images && sides.take(&token, seen, self.plan.agreed) {
                    self.tokens[k].push(token);
                }
            }
        }
        going
    }

    /// Tokens dealt to images, and where the outputs of each image's tokens lie.
    fn deal(&self) -> (Dealt, Vec<Vec<f64>>) {
        let of = |some: &Vec<Token>| some.iter().map(|t| t.mixed.clone()).collect();
        let tokens: Vec<Vec<Vec<f64>>> = self.tokens.iter().map(of).collect();
        group(&self.outputs, &tokens)
    }

    /// Coordinates `[c, n]` of each image's patches, column by column; zero where no token was found.
    pub(super) fn starts(&self) -> Vec<Vec<f64>> {
        let patch = |(k, token): (usize, &Option<usize>)| match token {
            Some(token) => self.tokens[k][*token].patch.clone(),
            None => vec![0.0; self.space.open()],
        };
        let of = |image: &Vec<Option<usize>>| image.iter().enumerate().flat_map(patch).collect();
        self.deal().0.iter().map(of).collect()
    }
}
