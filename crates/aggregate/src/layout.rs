//! Where integers sit in coefficients: digit `k` of coefficient `c` is value `c + k·N`, at bit `base + k·digit_bits`.
//!
//! With every digit of a sum below `2^digit_bits` no carry leaves it, and with errors below `2^(base−1)` adding `2^(base−1)`
//! and cutting `base` bits gives the digits exactly. The whole stays below `Q/2`.

use crate::{AggregateError, Result};
use blindscope_ckks::{Parameters, Plaintext, Scale};
use blindscope_threshold::Flooding;

/// A planned sum: its digits and the proof that they hold it.
#[derive(Debug, Clone)]
pub struct Layout {
    params: Parameters,
    max: u64,
    digit_bits: u32,
    digits: usize,
    base_bits: u32,
}

/// 256 bits, least significant word first: coefficients have at most 230.
type Wide = [u64; 4];

impl Layout {
    /// The layout for `sites` summands of integers up to `max` each (weights multiplied in), masked by `flooding`.
    ///
    /// # Errors
    /// [`AggregateError::Headroom`] with the numbers; [`AggregateError::Threshold`] where masks are too large.
    pub fn plan(params: &Parameters, sites: u64, max: u64, flooding: &Flooding) -> Result<Self> {
        let base_bits = (flooding.error_log2() + 1.0).floor() as u32 + 1;
        flooding.require_room(f64::from(base_bits) - 1.0)?;
        let modulus = params.log_q(params.top_level());
        let total = u128::from(sites) * u128::from(max);
        let digit_bits = 128 - total.leading_zeros();
        // The lift is centred: one bit less, and 2^-20 for the rounding of the logarithm.
        let room = (modulus - 1.0 - 2f64.powi(-20)).floor().min(230.0) as u32;
        let digits = room.saturating_sub(base_bits).checked_div(digit_bits).unwrap_or(0) as usize;
        if digits == 0 || digit_bits > 63 {
            let (digit, base) = (digit_bits, base_bits);
            return Err(AggregateError::Headroom { sites, max, digit, base, modulus });
        }
        Ok(Self { params: params.clone(), max, digit_bits, digits, base_bits })
    }

    /// The parameters.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// Values of one ciphertext.
    pub fn capacity(&self) -> usize {
        self.digits * self.params.n()
    }

    /// `log2` of the largest error that rounds away.
    pub fn room_log2(&self) -> f64 {
        f64::from(self.base_bits) - 1.0
    }

    /// Bytes on the wire for one value, both polynomials bit-packed, in a full ciphertext.
    pub fn bytes_per_value(&self) -> f64 {
        let bits: u32 = self.params.q().primes().iter().map(|p| p.modulus().bits()).sum();
        f64::from(bits) / 4.0 / self.digits as f64
    }

    /// The plaintext of up to [`Self::capacity`] integers; missing ones are zero.
    ///
    /// # Errors
    /// [`AggregateError::Range`].
    pub fn encode(&self, values: &[u64]) -> Result<Plaintext> {
        let refuse = |what, found, max| Err(AggregateError::Range { what, found, max });
        if values.len() > self.capacity() {
            return refuse("number of values", values.len() as u64, self.capacity() as u64);
        }
        if let Some(&v) = values.iter().find(|&&v| v > self.max) {
            return refuse("integer", v, self.max);
        }
        let (q, n) = (self.params.q(), self.params.n());
        let mut poly = q.zero();
        let mut reduced = vec![0; n];
        for (limb, prime) in poly.limbs_mut().zip(q.primes()) {
            let m = prime.modulus();
            for (k, digit) in values.chunks(n).enumerate() {
                let shift = u64::from(self.base_bits) + k as u64 * u64::from(self.digit_bits);
                let weight = prime.constant(m.pow_vartime(2, shift));
                for (r, &v) in reduced.iter_mut().zip(digit) {
                    *r = m.reduce(v);
                }
                prime.mul_constant_add_assign(&mut limb[..digit.len()], &reduced[..digit.len()], weight);
            }
        }
        Ok(Plaintext::from_polynomial(&self.params, q.to_ntt(poly), Scale::ONE))
    }

    /// The first `count` integers of an opened sum. Range: `count <= capacity`.
    pub fn decode(&self, plaintext: &Plaintext, count: usize) -> Vec<u64> {
        let (q, n) = (self.params.q(), self.params.n());
        let residues = q.to_coeff(plaintext.poly().clone());
        let mut out = vec![0; count.min(self.capacity())];
        let garner = Garner::new(&self.params);
        let mask = (1 << self.digit_bits) - 1;
        let mut x = vec![0; q.len()];
        for c in 0..n.min(out.len()) {
            for (x, limb) in x.iter_mut().zip(residues.limbs()) {
                *x = limb[c];
            }
            let v = garner.lift(&mut x, self.base_bits - 1);
            for (k, o) in out[c..].iter_mut().step_by(n).enumerate() {
                *o = bits(&v, self.base_bits + k as u32 * self.digit_bits) & mask;
            }
        }
        out
    }
}

/// 64 bits of `v` from bit `at` on.
fn bits(v: &Wide, at: u32) -> u64 {
    let (word, shift) = ((at / 64) as usize, at % 64);
    let low = v.get(word).map_or(0, |w| w >> shift);
    let high = v.get(word + 1).map_or(0, |w| (w << 1) << (63 - shift));
    low | high
}

/// Exact recombination by mixed radix: values in `[0, Q)`.
struct Garner<'p> {
    params: &'p Parameters,
    /// `[i][j]`, `j < i`: `q_j^-1 mod q_i`
    inverse: Vec<Vec<u64>>,
}

impl<'p> Garner<'p> {
    fn new(params: &'p Parameters) -> Self {
        let primes = params.q().primes();
        let row = |i: usize| {
            let m = primes[i].modulus();
            primes[..i].iter().map(|p| m.inv(m.reduce(p.value()))).collect()
        };
        Self { params, inverse: (0..primes.len()).map(row).collect() }
    }

    /// The value behind residues `x`, plus `2^round`, modulo `Q`. `x` is overwritten.
    fn lift(&self, x: &mut [u64], round: u32) -> Wide {
        let primes = self.params.q().primes();
        for i in 0..x.len() {
            let m = primes[i].modulus();
            // The half step is added before the lift, so that small negative errors do not wrap.
            x[i] = m.add(x[i], m.pow_vartime(2, u64::from(round)));
            for j in 0..i {
                x[i] = m.mul(m.sub(x[i], m.reduce(x[j])), self.inverse[i][j]);
            }
        }
        let mut v = [0u64; 4];
        for (digit, prime) in x.iter().zip(primes).rev() {
            let mut carry = u128::from(*digit);
            for w in &mut v {
                carry += u128::from(*w) * u128::from(prime.value());
                *w = carry as u64;
                carry >>= 64;
            }
        }
        v
    }
}
