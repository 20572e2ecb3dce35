//! Compacted answers: the final ciphertext in a smaller ring where its message allows, modulo a small power of two,
//! without the coefficients that say nothing.
//!
//! A ciphertext modulo `q` becomes `round(2^k/q·c)` modulo `2^k`; the rounding is noise of standard deviation
//! `sqrt((1 + 2N/3)/12)` a coefficient. Of the half without the secret only the coefficients that hold logits travel: the
//! others stay hidden, since each of them is masked by the product of the other half with the secret.
//! References: Brakerski, Gentry, Vaikuntanathan 2012 (modulus switching); see [`blindscope_ckks::ring_switch`].

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]
mod attack;
mod open;
pub(crate) mod shape;

pub(crate) use open::{logits, require_answer};

use rand_core::CryptoRng;

use crate::{Error, EvaluationKeys, Plan, Result};
use blindscope_ckks::Ciphertext;
use blindscope_ckks::ring_switch::{self, SmallCiphertext};
use blindscope_wire::{Header, Kind, Writer};
use shape::PieceShape;

/// An answer.
pub(crate) const KIND: Kind = Kind(0x0503);

/// Logits of a question, encrypted modulo `2^bits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    tokens: usize,
    pieces: Vec<Piece>,
}

/// One polynomial pair: the coefficients of `c_0` that travel, and all of `c_1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    c0: Vec<u64>,
    c1: Vec<u64>,
}

/// Ciphertexts at level 0 side by side in one: a sum, each shifted by a power of `X`.
pub(crate) struct Lanes {
    c0: Vec<u64>,
    c1: Vec<u64>,
    q: u64,
}

impl Lanes {
    pub(crate) fn new(plan: &Plan) -> Self {
        let n = plan.params().n();
        Self { c0: vec![0; n], c1: vec![0; n], q: plan.params().q().prime(0).value() }
    }

    /// Adds `X^shift·c`.
    pub(crate) fn add(&mut self, c: &Ciphertext, shift: usize) -> Result<()> {
        let (c0, c1, _) = ring_switch::coefficients(c)?;
        for (sum, c) in [(&mut self.c0, c0), (&mut self.c1, c1)] {
            let (n, q) = (sum.len(), self.q);
            let reduce = |x: u64| x.min(x.wrapping_sub(q));
            let (low, high) = c.limb(0).split_at(n - shift);
            for (place, x) in sum[shift..].iter_mut().zip(low) {
                *place = reduce(*place + x);
            }
            // X^N is -1.
            for (place, x) in sum.iter_mut().zip(high) {
                *place = reduce(*place + q - x);
            }
        }
        Ok(())
    }

    /// A ciphertext whose coefficients outside the shape's places are masked by uniform residues.
    pub(crate) fn masked(mut self, plan: &Plan, shape: &PieceShape, rng: &mut impl CryptoRng) -> Ciphertext {
        let bits = 64 - self.q.leading_zeros();
        let mut hold = vec![false; self.c0.len()];
        shape.places.iter().for_each(|&p| hold[p] = true);
        for (x, _) in self.c0.iter_mut().zip(&hold).filter(|(_, holds)| !**holds) {
            *x = loop {
                let r = rng.next_u64() >> (64 - bits);
                if r < self.q {
                    break r;
                }
            };
        }
        let q = plan.params().q().prefix(1);
        let component = |c: &[u64]| {
            // Residues below 2^62 are non-negative integers.
            let signed: Vec<i64> = c.iter().map(|&x| x as i64).collect();
            q.to_ntt(q.from_signed(&signed))
        };
        let components = vec![component(&self.c0), component(&self.c1)];
        Ciphertext::from_components(plan.params(), components, plan.answer())
    }

    /// The piece of this shape, with a flooded encryption of zero in it.
    pub(crate) fn compact(
        self,
        plan: &Plan,
        keys: &EvaluationKeys,
        shape: &PieceShape,
        rng: &mut impl CryptoRng,
    ) -> Result<Piece> {
        let (mut small, q) = self.switched(plan, keys)?;
        let zeros = keys.zeros.as_ref().ok_or(Error::MissingZeroKey { op: "compact" })?;
        zeros.add_to((&mut small.c0, &mut small.c1), plan.flood_width(), rng)?;
        Ok(Piece::of(&small.c0, &small.c1, q, plan.literal().answer_bits, shape))
    }

    /// In the ring of answers, with its modulus.
    fn switched(self, plan: &Plan, keys: &EvaluationKeys) -> Result<(SmallCiphertext, u64)> {
        if !plan.switches_ring() {
            return Ok((SmallCiphertext { c0: self.c0, c1: self.c1 }, self.q));
        }
        let key = keys.ring_switch.as_ref().ok_or(Error::MissingRingSwitchKey { op: "compact" })?;
        Ok((key.switch(&self.c0, &self.c1, self.q)?, key.modulus()))
    }
}

impl Piece {
    fn of(c0: &[u64], c1: &[u64], q: u64, bits: u32, shape: &PieceShape) -> Self {
        // At most 2^46, off by at most 2^-6: a hair more than the rounding itself.
        let ratio = f64::from(bits).exp2() / q as f64;
        let switch = |x: u64| (x as f64 * ratio + 0.5) as u64 & ((1 << bits) - 1);
        Self {
            c0: shape.places.iter().map(|&p| switch(c0[p])).collect(),
            c1: c1.iter().map(|&x| switch(x)).collect(),
        }
    }
}

impl Answer {
    pub(crate) fn new(tokens: usize, pieces: Vec<Piece>) -> Self {
        Self { tokens, pieces }
    }

    /// Tokens that were asked.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The bytes of the answer.
    pub fn to_bytes(&self, plan: &Plan) -> Vec<u8> {
        let len = plan.answer_len(self.tokens);
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, len);
        let payload_len = (len - Header::LEN) as u64;
        Header { kind: KIND, params: plan.fingerprint(), payload_len }.write(&mut w);
        for piece in &self.pieces {
            w.packed(&piece.c0, plan.literal().answer_bits);
            w.packed(&piece.c1, plan.literal().answer_bits);
        }
        w.finish();
        out
    }

    /// Reads the answer to a question of this many tokens.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes that are cut, longer or of another kind, [`Error::Count`] for more tokens than the plan has.
    pub fn from_bytes(plan: &Plan, tokens: usize, bytes: &[u8]) -> Result<Self> {
        let wire = |source| Error::Wire { object: "answer", source };
        crate::question::check_tokens("answer", plan, tokens)?;
        let mut r = Header::open(bytes, KIND, plan.fingerprint()).map_err(wire)?;
        let expected = plan.answer_len(tokens);
        if bytes.len() != expected {
            let (op, what, found) = ("answer", "bytes", bytes.len());
            return Err(Error::Count { op, what, found, expected: expected.to_string() });
        }
        let mut half = |len: usize| -> Result<Vec<u64>> {
            let mut out = vec![0; len];
            r.packed("coefficients", plan.literal().answer_bits, &mut out).map_err(wire)?;
            Ok(out)
        };
        let mut piece = |s: &PieceShape| -> Result<Piece> {
            Ok(Piece { c0: half(s.places.len())?, c1: half(plan.answer_degree())? })
        };
        let pieces = shape::pieces(plan, tokens).iter().map(&mut piece).collect::<Result<_>>()?;
        r.finish().map_err(wire)?;
        Ok(Self { tokens, pieces })
    }
}
