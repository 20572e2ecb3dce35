//! Lengths on the wire: exact, and known before a byte is read.

use super::{KeyOwner, Plan};
use crate::answer::shape;
use crate::question::DROPPED;
use blindscope_ckks::{Level, Seed, UniformHalf, codec};
use blindscope_ckks::{ring_switch, zeros};
use blindscope_wire::Header;

/// Bytes between a question's header and its first ciphertext: the number of tokens.
pub(crate) const COUNT_LEN: usize = 4;

impl Plan {
    /// Bytes of one ciphertext of a question.
    pub fn piece_len(&self) -> usize {
        let top = self.params.top_level();
        match self.literal.key {
            KeyOwner::Asker => match self.token_layout().filter(|l| !l.is_whole()) {
                Some(l) => codec::sparse_len(&self.params, top, l.question_coefficients(), DROPPED),
                None => codec::seeded_len(&self.params, top),
            },
            KeyOwner::Collective => codec::ciphertext_len(&self.params, 2, top),
        }
    }

    /// Ciphertexts of a question of this many tokens.
    pub fn pieces(&self, tokens: usize) -> usize {
        self.layout.pieces(tokens)
    }

    /// Bytes of a question of this many tokens.
    pub fn upload_len(&self, tokens: usize) -> usize {
        Header::LEN + COUNT_LEN + self.pieces(tokens) * self.piece_len()
    }

    /// Tokens that the ciphertexts of a question of this many can hold: an asker may fill all of them, whatever it announces, and
    /// the answer carries the logits of each.
    pub fn capacity(&self, tokens: usize) -> usize {
        let (each, columns) = match (self.token_layout(), self.feature_layout()) {
            (Some(l), _) => (l.tokens, 1),
            (None, Some(l)) => (l.slots, l.columns),
            (None, None) => (1, 1),
        };
        self.pieces(tokens) / columns.max(1) * each
    }

    /// Coefficients of each ciphertext of an answer to this many tokens that hold logits. Under a collective key the others are for
    /// nobody to see.
    pub fn shown(&self, tokens: usize) -> Vec<Vec<usize>> {
        shape::pieces(self, tokens).into_iter().map(|piece| piece.places).collect()
    }

    /// Ciphertexts of an answer to this many tokens.
    pub fn answer_pieces(&self, tokens: usize) -> usize {
        shape::pieces(self, tokens).len()
    }

    /// Bytes of a compacted answer for this many tokens; under a collective key, of the ciphertexts that a committee
    /// re-encrypts.
    pub fn answer_len(&self, tokens: usize) -> usize {
        let shapes = shape::pieces(self, tokens);
        match self.literal.key {
            KeyOwner::Asker => Header::LEN + shapes.iter().map(|p| p.len(self)).sum::<usize>(),
            KeyOwner::Collective => shapes.len() * codec::ciphertext_len(&self.params, 2, Level(0)),
        }
    }

    /// Bytes of the evaluation keys.
    pub fn keys_len(&self) -> usize {
        let seeded = UniformHalf::Seeded(Seed([0; 32]));
        let galois = |level: Level| codec::galois_key_len(&self.params, level, seeded);
        let rotations: usize = self.rotation_keys().iter().map(|k| galois(k.1)).sum();
        let relin = self.relin_level().map_or(0, |l| codec::relin_key_len(&self.params, l, seeded));
        let small =
            if self.switches_ring() { ring_switch::key_len(&self.params, self.answer_digits) } else { 0 };
        let zeros = if self.has_zero_key() { zeros::key_len(&self.params, self.answer_degree()) } else { 0 };
        Header::LEN + galois(self.rotated_level()) + rotations + relin + small + zeros
    }
}
