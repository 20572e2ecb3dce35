//! Plans for the token packing: everything that is decided before a key exists.

use crate::token::Layout;
use crate::{Circuit, ClassifyError, Head, Powers, Result};
use blindscope_ckks::{Level, ModulusLiteral, Parameters, ParametersLiteral, Scale, Security};
use blindscope_wire::packed_len;
use serde::Serialize;

/// Standard deviation of the scheme's error distribution.
const SIGMA: f64 = 3.24;
/// Standard deviations that the stated bound allows: a chance of about `10^-11` a logit.
const TAIL: f64 = 7.0;

/// What the caller wants.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Tokens asked at once, at least one.
    pub batch: usize,
    /// Row of the security table.
    pub security: Security,
}

/// Parameters, layout, keys, bytes and noise of one head and policy.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scheme's parameters.
    pub params: Parameters,
    /// Where features stand in slots.
    pub layout: Layout,
    /// Scale of fresh ciphertexts.
    pub fresh: Scale,
    /// Scale of the answer before it is compacted.
    pub answer: Scale,
    /// Bits a coefficient of the compacted answer.
    pub answer_bits: u32,
    /// Worst error of a logit that is promised.
    pub error_bound: f64,
    /// Degree of the circuit: 1, 2 or 4.
    pub degree: u32,
}

/// The figures of a plan, for people and programs.
#[derive(Debug, Clone, Serialize)]
pub struct PlanReport {
    /// `log2 N`
    pub log_n: u32,
    /// Bits of the ciphertext primes.
    pub moduli: Vec<u32>,
    /// Bits of the special prime.
    pub special: u32,
    /// Levels a fresh ciphertext has.
    pub depth: usize,
    /// Tokens to a ciphertext.
    pub tokens: usize,
    /// Rotations run for one ciphertext.
    pub rotations: usize,
    /// Galois and relinearisation keys.
    pub keys: usize,
    /// Bytes of those keys, seeded.
    pub key_bytes: usize,
    /// Bytes of one seeded ciphertext going up.
    pub upload_bytes: usize,
    /// Bytes of one compacted answer.
    pub answer_bytes: usize,
    /// Worst error of a logit that is promised.
    pub error_bound: f64,
}

impl Plan {
    /// Plans one head under one policy.
    ///
    /// # Errors
    /// [`ClassifyError::NoPlan`], [`ClassifyError::Overflow`], [`ClassifyError::Ckks`].
    pub fn new(head: &Head, policy: Policy) -> Result<Self> {
        let degree = head.circuit().degree();
        let (literal, delta) = parameters(degree, policy.security);
        let hidden = head.circuit().first().bias.len();
        let layout =
            Layout::new(1 << (literal.log_n - 1), head.width(), hidden, head.classes(), policy.batch)?;
        let params = Parameters::new(literal)?;
        let fresh = Scale::pow2(delta);
        let bound = head.literal().normalisation.bound;
        let q0 = params.q().prime(0).modulus().bits() as i16;
        let (largest, gain, units) = magnitudes(head, bound);
        let magnitude = largest.log2().ceil() as i16 + 1;
        let answer = if degree == 1 { delta } else { (q0 - 1 - magnitude).min(delta + 8) };
        if answer + magnitude >= q0 || answer < 14 {
            return Err(ClassifyError::Overflow { largest, room: f64::from(q0 - 1 - 14).exp2() });
        }
        let noise = Noise::new(&params);
        let first = noise.first_layer(&layout, head, &params, delta);
        let outer = noise.outer_layer(&layout, &params, degree, delta, answer, units);
        let std = (first * gain).hypot(outer);
        let step = |bits: u32| {
            let coefficients = (layout.classes * layout.tokens) as f64;
            noise.rounding * coefficients.sqrt()
                / f64::from(i32::from(answer) + bits as i32 - i32::from(q0)).exp2()
        };
        let fits = |bits: &u32| step(*bits) <= std;
        let answer_bits = (8..q0 as u32).find(fits).unwrap_or(q0 as u32);
        let error_bound = TAIL * std.hypot(step(answer_bits));
        Ok(Self { params, layout, fresh, answer: Scale::pow2(answer), answer_bits, error_bound, degree })
    }

    /// Level at which the first layer's products are summed.
    pub fn first_level(&self) -> Level {
        Level(self.params.top_level().0 - 1)
    }

    /// `(steps, level)` of each rotation key; a key of a level serves those below.
    pub fn rotation_keys(&self) -> Vec<(i64, Level)> {
        let l = &self.layout;
        let at = |steps: Vec<i64>, level| steps.into_iter().map(move |k| (k, level));
        let mut keys: Vec<_> = at(l.first_rotations(), self.first_level()).collect();
        if self.degree > 1 {
            keys.extend(at(l.outer_rotations(), Level(0)));
        }
        keys.sort_by_key(|k| (k.0, std::cmp::Reverse(k.1)));
        keys.dedup_by_key(|k| k.0);
        keys
    }

    /// The plan in figures.
    pub fn report(&self) -> PlanReport {
        let bits =
            |b: &Parameters| -> Vec<u32> { b.q().primes().iter().map(|p| p.modulus().bits()).collect() };
        let (moduli, n) = (bits(&self.params), self.params.n());
        let special = self.params.special().map_or(0, |s| s.prime(0).modulus().bits());
        let key = |level: Level| {
            let width: u32 = moduli[..level.limbs()].iter().sum::<u32>() + special;
            level.limbs() * width as usize * n / 8 + 32
        };
        let rotations = self.rotation_keys();
        let mut levels: Vec<Level> = rotations.iter().map(|k| k.1).collect();
        levels.push(self.first_level());
        // One relinearisation key, at the level of the first square.
        levels.extend((self.degree > 1).then_some(self.first_level()));
        let l = &self.layout;
        let outer = if self.degree > 1 { l.classes - 1 + log2(l.period / l.classes) } else { 0 };
        PlanReport {
            log_n: self.params.log_n(),
            upload_bytes: moduli.iter().sum::<u32>() as usize * n / 8 + 32,
            depth: self.params.top_level().0,
            tokens: l.tokens,
            rotations: l.steps - 1 + log2(l.positions() / l.period) + 1 + outer,
            keys: levels.len(),
            key_bytes: levels.into_iter().map(key).sum(),
            answer_bytes: packed_len(n, self.answer_bits)
                + packed_len(l.answer_coefficients().min(n), self.answer_bits),
            error_bound: self.error_bound,
            moduli,
            special,
        }
    }
}

fn log2(x: usize) -> usize {
    x.trailing_zeros() as usize
}

/// Primes for a circuit of this degree, and `log2` of the fresh scale.
fn parameters(degree: u32, security: Security) -> (ParametersLiteral, i16) {
    let quantum = security == Security::Quantum128;
    let (log_n, ciphertext, special, delta): (u32, &[u32], u32, i16) = match (degree, quantum) {
        (1, false) => (12, &[39, 27], 40, 30),
        (1, true) => (13, &[42, 32], 46, 30),
        (2, _) => (13, &[44, 44, 27], 46, 30),
        (_, false) => (13, &[46, 46, 31, 28], 46, 30),
        (_, true) => (14, &[46, 46, 31, 28], 46, 30),
    };
    let literal = ParametersLiteral {
        log_n,
        ciphertext: ModulusLiteral::bits(ciphertext),
        special: ModulusLiteral::bits(&[special]),
        log2_scale: delta as u32,
        security,
    };
    (literal, delta)
}

/// The largest logit, by how much it moves with a unit's error, and the size of what the outer layer multiplies.
/// A unit is taken to reach four times its root mean square at the bound, not the sum of all sizes: the plan's
/// promises hold for features that do not conspire with the weights.
fn magnitudes(head: &Head, bound: f64) -> (f64, f64, f64) {
    let first = head.circuit().first();
    let unit = |(w, b): (&Vec<f64>, &f64)| b.abs() + 4.0 * norm(w) * bound / 3f64.sqrt();
    let units: Vec<f64> = first.weights.iter().zip(&first.bias).map(unit).collect();
    let most = units.iter().copied().fold(1.0, f64::max);
    match head.circuit() {
        Circuit::Linear(_) => (most, 1.0, most),
        Circuit::Powers(Powers { terms, bias, .. }) => {
            let (mut largest, mut gain, mut power) = (1f64, 1e-9f64, 1f64);
            for (k, b) in bias.iter().enumerate() {
                let (mut size, mut square) = (b.abs(), 0.0);
                for (h, v) in units.iter().enumerate() {
                    let slope =
                        |(d, a): &(u32, Vec<Vec<f64>>)| a[k][h] * f64::from(*d) * v.powi(*d as i32 - 1);
                    size += terms.iter().map(|t| (t.1[k][h] * v.powi(t.0 as i32)).abs()).sum::<f64>();
                    square += terms.iter().map(|t| slope(t).abs()).sum::<f64>().powi(2);
                }
                (largest, gain) = (largest.max(size), gain.max(square.sqrt()));
            }
            for v in &units {
                power = power.max(v.powi(head.circuit().degree() as i32));
            }
            (largest, gain, power)
        }
    }
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum::<f64>().sqrt()
}

/// Standard deviations: of coefficients where nothing else is said, of real parts of slots where "slot" is.
struct Noise {
    n: f64,
    fresh: f64,
    /// Rounding after a division: `sqrt((1 + 2n/3)/12)`.
    rounding: f64,
    /// One key switch.
    switch: f64,
}

impl Noise {
    fn new(params: &Parameters) -> Self {
        let n = params.n() as f64;
        let special = params.special().map_or(1.0, |s| s.prime(0).value() as f64);
        let digits = params.q().primes().iter().map(|q| (q.value() as f64 / special).powi(2)).sum::<f64>();
        let rounding = ((1.0 + 2.0 * n / 3.0) / 12.0).sqrt();
        // Under a public key: e_0 + e_1·s + e·u.
        let fresh = SIGMA * (4.0 * n / 3.0 + 1.0).sqrt();
        Self { n, fresh, rounding, switch: (digits * n / 12.0 * SIGMA * SIGMA).sqrt().hypot(rounding) }
    }

    fn slot(&self, coefficient: f64) -> f64 {
        coefficient * (self.n / 2.0).sqrt()
    }

    /// Error of a unit of the first layer.
    fn first_layer(&self, l: &Layout, head: &Head, p: &Parameters, delta: i16) -> f64 {
        let bound = head.literal().normalisation.bound;
        let weight = p.q().prime(p.top_level().0).value() as f64;
        let scale = f64::from(delta).exp2();
        let weights = head.circuit().first().weights.iter().map(|w| norm(w)).fold(0.0, f64::max);
        let copies = l.positions() / l.period;
        let products = self.slot(self.fresh) / scale * weights;
        // Weights are rounded at the scale of the top prime.
        let terms = (l.steps * l.replicas * l.columns * 2) as f64;
        let encoding = terms.sqrt() * bound / 3f64.sqrt() * self.slot(1.0 / 12f64.sqrt()) / weight;
        let rescaled = self.slot(self.rounding) / scale * ((l.steps * copies) as f64).sqrt();
        let rotated = self.slot(self.switch) / scale * ((l.steps * copies + 1) as f64).sqrt();
        // The real part is z + conj z.
        2.0 * products.hypot(encoding).hypot(rescaled).hypot(rotated)
    }

    /// Error of the outer layer itself.
    fn outer_layer(
        &self,
        l: &Layout,
        p: &Parameters,
        degree: u32,
        delta: i16,
        answer: i16,
        power: f64,
    ) -> f64 {
        if degree == 1 {
            return 0.0;
        }
        let q1 = p.q().prime(1).modulus().bits() as i16;
        let square = match degree {
            4 => 2 * (2 * delta - p.q().prime(2).modulus().bits() as i16),
            _ => 2 * delta,
        };
        let weight = f64::from(answer + q1 - square).exp2();
        let encoding =
            ((l.period * l.tokens) as f64 / 12.0).sqrt() * power * (l.period as f64).sqrt() / weight;
        let squared = self.slot(self.switch) / f64::from(square).exp2() * f64::from(l.period as u32).sqrt();
        let summed =
            self.slot(self.switch) / f64::from(answer).exp2() * f64::from(l.period as u32 * 2).sqrt();
        encoding.hypot(squared).hypot(summed)
    }
}
