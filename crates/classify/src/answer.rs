//! Compacted answers: the final ciphertext modulo a small power of two, without the coefficients that are zero by
//! construction.
//!
//! A ciphertext modulo `q_0` becomes `round(2^k/q_0·c)` modulo `2^k`; the rounding is noise of standard deviation
//! `sqrt((1 + 2N/3)/12)` a coefficient. An answer whose slots repeat lies in a subring, so of the half without the
//! secret only every `stride`-th coefficient says anything. Reference: Brakerski, Gentry, Vaikuntanathan 2012 (modulus switching).

use crate::{ClassifyError, Plan, Result};
use blindscope_ckks::{Ciphertext, Complex64, Decryptor, Encoder, Parameters, Scale, SecretKey};
use blindscope_wire::{pack, packed_len, unpack};

/// Logits, encrypted modulo `2^bits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    scale: Scale,
    bits: u32,
    /// Every `stride`-th coefficient of `c_0`.
    c0: Vec<u64>,
    c1: Vec<u64>,
}

impl Answer {
    /// Compacts a ciphertext at level 0.
    ///
    /// # Errors
    /// [`ClassifyError::Count`] if it is not at level 0 with two components.
    pub fn compact(plan: &Plan, logits: &Ciphertext) -> Result<Self> {
        let coefficients = plan.layout.answer_coefficients().min(plan.params.n());
        Self::of(logits, coefficients, plan.answer_bits)
    }

    pub(crate) fn of(logits: &Ciphertext, coefficients: usize, bits: u32) -> Result<Self> {
        let params = logits.params();
        let (limbs, components) = (logits.level().limbs(), logits.components().len());
        if (limbs, components) != (1, 2) {
            let (what, found) = ("limbs and components", limbs + components);
            return Err(ClassifyError::Count { op: "compact", what, found, expected: "1 and 2".into() });
        }
        let q = params.q().prime(0).value();
        let switch = |x: u64| {
            let scaled = (u128::from(x) << bits) + u128::from(q / 2);
            (scaled / u128::from(q)) as u64 & ((1 << bits) - 1)
        };
        let half = |i: usize, step: usize| {
            let c = params.q().to_coeff(logits.components()[i].clone());
            c.limb(0).iter().step_by(step).map(|&x| switch(x)).collect::<Vec<_>>()
        };
        let stride = params.n() / coefficients;
        Ok(Self { scale: logits.scale(), bits, c0: half(0, stride), c1: half(1, 1) })
    }

    /// Bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        pack(&self.c0, self.bits, &mut out);
        pack(&self.c1, self.bits, &mut out);
        out
    }

    /// Reads an answer of this plan.
    ///
    /// # Errors
    /// [`ClassifyError::Wire`].
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        let (n, bits) = (plan.params.n(), plan.answer_bits);
        let mut c0 = vec![0; plan.layout.answer_coefficients().min(n)];
        let mut c1 = vec![0; n];
        let (first, second) = bytes.split_at(packed_len(c0.len(), bits).min(bytes.len()));
        unpack(first, bits, &mut c0)?;
        unpack(second, bits, &mut c1)?;
        Ok(Self { scale: plan.answer, bits, c0, c1 })
    }

    /// The slots, over every prime of the parameters: products with the secret stay far below their product.
    ///
    /// # Errors
    /// [`ClassifyError::Ckks`].
    pub fn open(&self, params: &Parameters, encoder: &Encoder, secret: &SecretKey) -> Result<Vec<Complex64>> {
        let half = 1i64 << (self.bits - 1);
        let centre = |x: i64| (x + half).rem_euclid(2 * half) - half;
        let stride = params.n() / self.c0.len();
        let mut c0 = vec![0; params.n()];
        for (i, x) in self.c0.iter().enumerate() {
            c0[i * stride] = centre(*x as i64);
        }
        let c1: Vec<i64> = self.c1.iter().map(|&x| centre(x as i64)).collect();
        let component = |c: &[i64]| params.q().to_ntt(params.q().from_signed(c));
        let c = Ciphertext::from_components(params, vec![component(&c0), component(&c1)], Scale::ONE);
        let message = encoder.decode_integers(&Decryptor::new(secret).decrypt(&c)?)?;
        let sparse = |(i, m): (usize, &i128)| {
            let m = m.rem_euclid(2 * i128::from(half)) as i64;
            if i % stride == 0 { centre(m) } else { 0 }
        };
        let message: Vec<i64> = message.iter().enumerate().map(sparse).collect();
        let slots = encoder.decode_slots(&encoder.encode_integers(&message, params.top_level())?)?;
        let q = params.q().prime(0).value() as f64;
        let factor = q / (f64::from(self.bits).exp2() * params.scale_value(&self.scale));
        Ok(slots.into_iter().map(|z| z * factor).collect())
    }
}
