//! A site's look at its own body before it leaves: `2^d·c − a·s − 2^b·Σ_j v_j·2^(w·j)` has to be small, modulo `q`.
//!
//! Key, values and noise are all secret here, so nothing is decoded and nothing is released: numbers are reduced under masks,
//! and the noise is summed up in integers, of which one bit is looked at in the end.

use std::io::Read;

use zeroize::{Zeroize, Zeroizing};

use super::body::Source;
use super::open::{expected_square, largest_noise};
use super::plan::{Plan, RoundId};
use crate::{Result, words};
use blindscope_ring::integers::Integers;
use blindscope_ring::sample;

/// The numbers of a body under its own key, modulo `q`. Zeroed on drop.
struct Phase(Integers);

impl Drop for Phase {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether a body's first chunk is these values under this key.
///
/// # Timing
/// Of the plan and the body's bytes alone.
pub(super) fn body_opens_to(
    plan: &Plan,
    round: RoundId,
    key: &[i64],
    body: &mut impl Read,
    values: &[u64],
) -> Result<bool> {
    let (shape, layout) = (plan.shape(0), plan.layout());
    let mut source = Source::body(plan, "check own body", body)?;
    let mut phase = masked(plan, round, key);
    // ⌊(2^d − 1)/2⌋ + 2^(b−1): what flooring took on average, and what makes noise positive.
    let mut offset = vec![0; phase.0.width()];
    words::add(&mut offset, &[((1u64 << layout.dropped) - 1) / 2]);
    words::add_bit(&mut offset, layout.base_bits - 1);
    let mut number = vec![0; phase.0.width()];
    source.chunk(shape, 0, |c, body| {
        number.fill(0);
        number.iter_mut().zip(body).for_each(|(n, b)| *n = *b);
        words::shift_left(&mut number, layout.dropped);
        phase.0.add_at(c, &number);
        phase.0.add_at(c, &offset);
    })?;
    let Some(values) = values.get(..shape.values) else { return Ok(false) };
    let digits = layout.digits_of(values);
    let (mut runs, mut noise) = (digits.chunks(layout.digits), Noise::new(plan));
    let mut message = Zeroizing::new(vec![0; phase.0.width()]);
    for c in 0..shape.coefficients {
        layout.place(runs.next().unwrap_or_default(), &mut message);
        negate(&mut message, phase.0.modulus());
        noise.add(phase.0.add_at(c, &message));
    }
    Ok(noise.is_small(shape.coefficients))
}

/// `−a·s`
fn masked(plan: &Plan, round: RoundId, key: &[i64]) -> Phase {
    let mut negated = Zeroizing::new(key.to_vec());
    negated.iter_mut().for_each(|v| *v = -*v);
    let key = Zeroizing::new(plan.basis().signed_to_ntt(&negated));
    let mut masked = sample::uniform(plan.basis(), &round.seed(), 0);
    plan.basis().mul_assign(&mut masked, &key);
    Phase(plan.tables().lift.to_integers(plan.basis().to_coeff(masked)))
}

/// `v = q − v`
fn negate(v: &mut [u64], q: &[u64]) {
    for w in v.iter_mut() {
        *w = !*w;
    }
    words::add(v, q);
    words::add_bit(v, 0);
}

/// What is left of coefficients whose values are taken away.
struct Noise {
    base_bits: u32,
    bound: u64,
    /// Squares are summed up without so many low bits.
    shift: u32,
    expected: f64,
    squares: u128,
    /// Not zero once a coefficient was too large.
    beyond: u64,
}

impl Noise {
    fn new(plan: &Plan) -> Self {
        let layout = plan.layout();
        Self {
            base_bits: layout.base_bits,
            bound: largest_noise(plan, 1) as u64,
            // Rounding is what noise is, where many bits are dropped: sixteen bits of its square are left.
            shift: 2 * layout.dropped.saturating_sub(8),
            expected: expected_square(plan, 1),
            squares: 0,
            beyond: 0,
        }
    }

    fn add(&mut self, number: &[u64]) {
        for k in 0..number.len() as u32 {
            self.beyond |= words::bits(number, self.base_bits + 64 * k);
        }
        let v = (words::bits(number, 0) & ((1 << self.base_bits) - 1)) as i64 - (1 << (self.base_bits - 1));
        let sign = v >> 63;
        let size = ((v ^ sign) - sign) as u64;
        // The top bit is set where the bound is less.
        self.beyond |= self.bound.wrapping_sub(size) >> 63;
        let square = (u128::from(size) * u128::from(size)) >> self.shift;
        self.squares = self.squares.wrapping_add(square);
    }

    /// Whether it is that of a body, its mean square at most twice what it should be.
    fn is_small(&self, count: usize) -> bool {
        let most = 2.0 * self.expected * count as f64 / f64::from(self.shift).exp2();
        self.beyond == 0 && self.squares <= most as u128
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.squares.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::one_round::{PlanLiteral, SiteRound, ValuesDigest};
    use blindscope_ring::{Coeff, Poly, Representation};
    use blindscope_wire::{Digest, Header};

    fn plan(values: u64, max: u64) -> Plan {
        let literal = PlanLiteral {
            values,
            max,
            sites: 5,
            holders: 5,
            threshold: 3,
            colluders: 1,
            colluding_holders: 1,
            coins: 168,
        };
        Plan::new(literal).unwrap()
    }

    fn encrypted<'p>(plan: &'p Plan, secret: u8, values: &[u64]) -> (SiteRound<'p>, Vec<u8>) {
        let mut named = ValuesDigest::new(plan);
        for &v in values {
            named.push(v);
        }
        let named = named.finish();
        let site = SiteRound::new(plan, plan.round(&Digest([3; 32])), &[secret; 32], &[7; 32], &named);
        let mut body = Vec::new();
        site.write_body(values.iter().copied(), &named, &mut body, &mut |_| {}).unwrap();
        (site, body)
    }

    /// Right bodies pass whatever their values; one number off, another site's key and one altered bit do not.
    #[test]
    fn a_body_is_its_own_values_and_no_others() {
        for (count, max) in [(1, 1), (40, 1000), (9000, 255), (300, u64::MAX >> 8)] {
            let plan = plan(count, max);
            let of = |k: u64| [0, max, k % (max + 1)][k as usize % 3];
            for values in [vec![0; count as usize], vec![max; count as usize], (0..count).map(of).collect()] {
                let (site, body) = encrypted(&plan, 1, &values);
                assert!(site.decrypts_to(&mut &body[..], &values).unwrap(), "{count} of {max}");
                for at in [0, values.len().min(plan.shape(0).values) - 1] {
                    let mut wrong = values.clone();
                    wrong[at] = if wrong[at] == 0 { 1 } else { wrong[at] - 1 };
                    assert!(!site.decrypts_to(&mut &body[..], &wrong).unwrap(), "value {at} of {count}");
                }
                let (other, _) = encrypted(&plan, 2, &values);
                assert!(!other.decrypts_to(&mut &body[..], &values).unwrap(), "another key");
                let mut altered = body.clone();
                let high = plan.layout().body_bits() as usize - 2;
                altered[Header::LEN + high / 8] ^= 1 << (high % 8);
                assert!(!site.decrypts_to(&mut &altered[..], &values).unwrap_or(false), "a high bit");
            }
        }
    }

    /// Noise that is within its bound everywhere, but more of it than there should be.
    #[test]
    fn the_mean_of_noise_is_looked_at() {
        let plan = plan(40, 1000);
        let middle = 1u64 << (plan.layout().base_bits - 1);
        let largest = largest_noise(&plan, 1) as u64;
        let judged = |size: u64| {
            let mut noise = Noise::new(&plan);
            (0..1000).for_each(|k| noise.add(&[if k % 2 == 0 { middle + size } else { middle - size }, 0]));
            noise.is_small(1000)
        };
        let mean = expected_square(&plan, 1).sqrt() as u64;
        assert!(judged(0) && judged(mean) && !judged(mean * 3 / 2) && !judged(largest));
        let mut one = Noise::new(&plan);
        one.add(&[middle + largest + 1, 0]);
        assert!(!one.is_small(1000), "one beyond its bound");
    }

    fn limbs<R: Representation>(of: &Poly<R>) -> Vec<Vec<u64>> {
        of.limbs().map(<[u64]>::to_vec).collect()
    }

    /// Memory of polynomials goes from hand to hand in a thread: nothing that follows from the key is in what is handed on.
    #[test]
    fn no_key_stays_in_memory_that_is_handed_on() {
        let plan = plan(40, 1000);
        let values: Vec<u64> = (0..40).collect();
        let (site, body) = encrypted(&plan, 1, &values);
        let basis = plan.basis();
        let negated: Vec<i64> = site.key.iter().map(|v| -v).collect();
        let mut secret = limbs(&basis.signed_to_ntt(&site.key));
        let key = basis.signed_to_ntt(&negated);
        let mut product = sample::uniform(basis, &plan.round(&Digest([3; 32])).seed(), 0);
        basis.mul_assign(&mut product, &key);
        secret.extend(limbs(&key).into_iter().chain(limbs(&product)));
        secret.extend(limbs(&basis.to_coeff(product.clone())));
        let handed_on = || {
            let runs: Vec<Poly<Coeff>> = (0..64).map(|_| Poly::unspecified(plan.n(), basis.len())).collect();
            let found = runs.iter().flat_map(limbs).filter(|limb| secret.contains(limb)).count();
            // Of this test's own making nothing stays either.
            for mut run in runs {
                run.zeroize();
            }
            found
        };
        drop((key, product));
        assert!(handed_on() > 0, "the way this test looks finds what is not wiped");
        assert_eq!(handed_on(), 0);
        assert!(site.decrypts_to(&mut &body[..], &values).unwrap());
        assert_eq!(handed_on(), 0);
    }
}
