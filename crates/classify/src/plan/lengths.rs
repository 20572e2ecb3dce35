//! Lengths on the wire: exact, and known before a byte is read.

use super::{KeyOwner, Plan};
use crate::answer::shape;
use blindscope_ckks::{Level, Seed, UniformHalf, codec, ring_switch};
use blindscope_wire::Header;

/// Bytes between a question's header and its first ciphertext: the number of tokens.
pub(crate) const COUNT_LEN: usize = 4;

impl Plan {
    /// Bytes of one ciphertext of a question.
    pub fn piece_len(&self) -> usize {
        let top = self.params.top_level();
        match self.literal.key {
            KeyOwner::Asker => codec::seeded_len(&self.params, top),
            KeyOwner::Collective => codec::ciphertext_len(&self.params, 2, top),
        }
    }

    /// Ciphertexts of a question of this many tokens.
    pub fn pieces(&self, tokens: usize) -> usize {
        match (self.token_layout(), self.feature_layout()) {
            (Some(l), _) => tokens.div_ceil(l.tokens),
            (_, Some(l)) => tokens.div_ceil(l.slots) * l.columns,
            _ => 0,
        }
    }

    /// Bytes of a question of this many tokens.
    pub fn upload_len(&self, tokens: usize) -> usize {
        Header::LEN + COUNT_LEN + self.pieces(tokens) * self.piece_len()
    }

    /// Bytes of a compacted answer for this many tokens.
    pub fn answer_len(&self, tokens: usize) -> usize {
        Header::LEN + shape::pieces(self, tokens).iter().map(|p| p.len(self)).sum::<usize>()
    }

    /// Bytes of the evaluation keys.
    pub fn keys_len(&self) -> usize {
        let seeded = UniformHalf::Seeded(Seed([0; 32]));
        let galois = |level: Level| codec::galois_key_len(&self.params, level, seeded);
        let rotations: usize = self.rotation_keys().iter().map(|k| galois(k.1)).sum();
        let relin = self.relin_level().map_or(0, |l| codec::relin_key_len(&self.params, l, seeded));
        let small = if self.switches_ring() { ring_switch::key_len(&self.params) } else { 0 };
        Header::LEN + galois(self.first_level()) + rotations + relin + small
    }
}
