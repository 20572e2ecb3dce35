//! From an answer, or from ciphertexts that a committee re-encrypted, to logits.

use super::shape::{self, PieceShape};
use super::{Answer, Piece};
use crate::layout::{Layout, Outer};
use crate::{Error, Plan, Result};
use blindscope_ckks::ring_switch::SmallSecret;
use blindscope_ckks::{Complex64, Encoder};

/// The part of what the modulus holds that masks on an answer stay below.
const NOT_REAL: f64 = 64.0;

impl Answer {
    /// The logits of every token, `classes` each.
    ///
    /// # Timing
    /// Depends on the plan and the number of tokens alone.
    ///
    /// # Errors
    /// [`crate::Error::Ckks`] for a secret of another degree than the plan's answers have.
    pub fn open(&self, plan: &Plan, encoder: &Encoder, secret: &SmallSecret) -> Result<Vec<Vec<f64>>> {
        let shapes = shape::pieces(plan, self.tokens);
        let values: Result<Vec<Vec<f64>>> =
            self.pieces.iter().zip(&shapes).map(|(p, s)| p.open(plan, secret, s)).collect();
        logits(plan, encoder, self.tokens, &values?)
    }
}

impl Piece {
    /// The coefficients at the shape's places, divided by the scale.
    pub(super) fn open(&self, plan: &Plan, secret: &SmallSecret, shape: &PieceShape) -> Result<Vec<f64>> {
        let bits = plan.literal().answer_bits;
        let products = secret.product_coefficients(&self.c1, &shape.places)?;
        let q0 = plan.params().q().prime(0).value() as f64;
        let unit = q0 / (f64::from(bits).exp2() * plan.params().scale_value(&plan.answer()));
        // The top bits of the word are the value modulo 2^bits, centred by the sign.
        let centre = |x: u64| ((x << (64 - bits)) as i64 >> (64 - bits)) as f64;
        let one = |(c, p): (&u64, &u64)| centre(c.wrapping_add(*p)) * unit;
        Ok(self.c0.iter().zip(&products).map(one).collect())
    }
}

/// Puts coefficients, one vector a piece in the order of its places, together to logits.
pub(crate) fn logits(
    plan: &Plan,
    encoder: &Encoder,
    tokens: usize,
    pieces: &[Vec<f64>],
) -> Result<Vec<Vec<f64>>> {
    let mut out = vec![Vec::with_capacity(plan.literal().classes); tokens];
    if let Some(l) = plan.token_layout() {
        token_logits(plan, l, encoder, pieces, &mut out)?;
    } else if let Some(l) = plan.feature_layout() {
        for (i, piece) in pieces.iter().enumerate() {
            let slots = encoder.slots_of(piece)?;
            let group = i / l.pairs() * l.slots;
            for (logits, z) in out.iter_mut().skip(group).zip(&slots) {
                logits.extend([z.re, z.im]);
            }
        }
        for logits in &mut out {
            logits.truncate(plan.literal().classes);
        }
    }
    Ok(out)
}

fn token_logits(
    plan: &Plan,
    l: &Layout,
    encoder: &Encoder,
    pieces: &[Vec<f64>],
    out: &mut [Vec<f64>],
) -> Result<()> {
    let count = l.lane_coefficients();
    let lanes = pieces.iter().flat_map(|p| p.chunks_exact(count));
    for (i, lane) in lanes.enumerate() {
        let slots = subring_slots(plan, encoder, lane)?;
        match l.outer {
            // A lane a class.
            Outer::Extracted => {
                out.iter_mut().zip(&slots).for_each(|(logits, z)| logits.push(z.re));
            }
            // A lane a ciphertext of tokens.
            Outer::Folded => {
                for (t, logits) in out.iter_mut().skip(i * l.tokens).take(l.tokens).enumerate() {
                    logits.extend((0..l.classes).map(|k| slots[k * l.tokens + t].re));
                }
            }
        }
    }
    Ok(())
}

/// Refuses what is no answer, as far as its form shows it. What stands in every slot of a token-major answer is real, but for its error
/// and the masks; of a polynomial that a wrong share was added to, parts that are not real are as large as the modulus allows: each slot of
/// each lane passes with a chance of 2^-5. Where two logits share a slot nothing is to be seen.
pub(crate) fn require_answer(plan: &Plan, encoder: &Encoder, pieces: &[Vec<f64>]) -> Result<()> {
    let Some(l) = plan.token_layout() else { return Ok(()) };
    let q0 = plan.params().q().prime(0).value() as f64;
    let most =
        (q0 / plan.params().scale_value(&plan.answer()) / NOT_REAL).max(2.0 * plan.literal().error_bound);
    let count = l.lane_coefficients();
    for lane in pieces.iter().flat_map(|p| p.chunks_exact(count)) {
        let slots = subring_slots(plan, encoder, lane)?;
        let found = slots.iter().take(count / 2).fold(0f64, |worst, z| worst.max(z.im.abs()));
        if found > most {
            return Err(Error::NotOpened { found, most });
        }
    }
    Ok(())
}

/// The slots of a polynomial of `Z[X^r]` with these coefficients; they repeat after half their number.
fn subring_slots(plan: &Plan, encoder: &Encoder, coefficients: &[f64]) -> Result<Vec<Complex64>> {
    let n = plan.params().n();
    let mut spread = vec![0.0; n];
    for (place, c) in spread.iter_mut().step_by(n / coefficients.len()).zip(coefficients) {
        *place = *c;
    }
    Ok(encoder.slots_of(&spread)?)
}
