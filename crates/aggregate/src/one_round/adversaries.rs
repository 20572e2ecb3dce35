//! Sites and holders that the public interface lets nobody be: dealers of keys that no sampler draws, bodies that are arithmetic on
//! others' bodies, holders that lie in concert. Each wins where a rule is missing and loses where it is not.

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::body::{Source, body_head};
use super::{
    Part, PartSum, Plan, PlanLiteral, RoundId, SiteRound, SumKey, ValuesDigest, open_sum, opens_first_chunk,
    recover_key, write_sum,
};
use crate::fields::{Packer, Unpacker};
use crate::{Error, Result};
use blindscope_wire::Digest;

const VALUES: usize = 400;
const MAX: u64 = 1000;

/// Sites with their bodies and each holder's part of each key, as numbers modulo `p`.
struct Cast {
    plan: Plan,
    round: RoundId,
    values: Vec<Vec<u64>>,
    bodies: Vec<Vec<u8>>,
    /// By site, then by holder.
    parts: Vec<Vec<Vec<u64>>>,
}

impl Cast {
    /// `uploads` of `sites` sites upload; each key goes through `change` before it is used.
    fn new((sites, threshold): (u32, u32), uploads: usize, change: impl Fn(usize, &mut [i64])) -> Self {
        let literal = PlanLiteral {
            values: VALUES as u64,
            max: MAX,
            sites,
            holders: sites,
            threshold,
            colluders: 0,
            colluding_holders: 0,
            coins: 168,
        };
        let plan = Plan::new(literal).unwrap();
        assert_eq!(plan.tables().modulus.len(), 1, "a coefficient is a word here");
        let round = plan.round(&Digest([5; 32]));
        let mut cast = Self { plan, round, values: Vec::new(), bodies: Vec::new(), parts: Vec::new() };
        (0..uploads).for_each(|site| cast.upload(site, &change));
        cast
    }

    fn upload(&mut self, site: usize, change: impl Fn(usize, &mut [i64])) {
        let mut rng = ChaCha20Rng::seed_from_u64(site as u64);
        let values: Vec<u64> = (0..VALUES).map(|_| rng.next_u64() % (MAX + 1)).collect();
        let plan = &self.plan;
        let mut named = ValuesDigest::new(plan);
        values.iter().for_each(|&v| named.push(v));
        let named = named.finish();
        let mut by = SiteRound::new(plan, self.round, &[site as u8; 32], &[9; 32], &named);
        change(site, &mut by.key);
        let mut body = Vec::new();
        by.write_body(values.iter().copied(), &named, &mut body, &mut |_| {}).unwrap();
        let dealing = by.dealing(&[]).unwrap();
        let numbers = |holder: u32| {
            let (part, mut one) = (dealing.part(holder), [0]);
            let mut unpacker = Unpacker::new(&part, plan.prime().bits());
            let mut next = |_| {
                unpacker.next_into(&mut one);
                one[0]
            };
            (0..plan.part_numbers()).map(&mut next).collect::<Vec<u64>>()
        };
        let parts = (0..plan.literal().holders).map(numbers).collect();
        self.values.push(values);
        self.bodies.push(body);
        self.parts.push(parts);
    }

    /// `2^d·c` of each coefficient of a body.
    fn coefficients(&self, body: &[u8]) -> Vec<u64> {
        let (mut out, dropped) = (Vec::new(), self.plan.layout().dropped);
        let mut body = body;
        let mut source = Source::body(&self.plan, "test", &mut body).unwrap();
        source.chunk(self.plan.shape(0), 0, |_, c| out.push(c[0] << dropped)).unwrap();
        out
    }

    /// The body of these coefficients modulo `q`.
    fn body(&self, coefficients: &[u64]) -> Vec<u8> {
        let (layout, q) = (self.plan.layout(), self.plan.tables().modulus[0]);
        let mut out = body_head(&self.plan);
        let mut packer = Packer::new(&mut out, layout.body_bits());
        coefficients.iter().for_each(|c| packer.push(&[(c % q) >> layout.dropped]));
        packer.finish();
        out
    }

    /// Minus the sum of these sites' bodies, plus one of them. What flooring takes of two bodies is taken too, so that a sum with a body and
    /// its negative is off its middle by nothing.
    fn minus(&self, sites: &[usize], plus: Option<usize>) -> Vec<u8> {
        let q = self.plan.tables().modulus[0];
        let mut out = plus.map_or_else(
            || vec![0; self.plan.shape(0).coefficients],
            |site| self.coefficients(&self.bodies[site]),
        );
        for &site in sites {
            let other = self.coefficients(&self.bodies[site]);
            out.iter_mut().zip(other).for_each(|(o, c)| *o = (*o + q - c % q) % q);
        }
        let floored = 1 << self.plan.layout().dropped;
        out.iter_mut().for_each(|o| *o = (*o + q - floored) % q);
        self.body(&out)
    }

    fn opening(&self, holder: u32) -> PartSum {
        let mut sum = PartSum::new(&self.plan, holder);
        self.parts.iter().for_each(|site| sum.add(&self.plan, &self.part(&site[holder as usize])));
        sum
    }

    fn part(&self, numbers: &[u64]) -> Part {
        let mut bytes = Vec::new();
        let mut packer = Packer::new(&mut bytes, self.plan.prime().bits());
        numbers.iter().for_each(|x| packer.push(&[*x]));
        packer.finish();
        Part::from_bytes(&self.plan, &bytes).unwrap()
    }

    fn sum(&self) -> Vec<u8> {
        let mut readers: Vec<&[u8]> = self.bodies.iter().map(Vec::as_slice).collect();
        let mut out = Vec::new();
        write_sum(&self.plan, &mut readers, &mut out).unwrap();
        out
    }

    fn recover(&self, openings: &[PartSum]) -> Result<(SumKey, Vec<u32>)> {
        let sum = self.sum();
        let mut probe = |key: &SumKey| opens_first_chunk(&self.plan, self.round, key, &mut &sum[..]);
        recover_key(&self.plan, self.bodies.len() as u64, openings, &mut probe).map(|r| (r.key, r.wrong))
    }

    /// What is released of the sum under a key.
    fn read(&self, key: &SumKey) -> Result<Vec<u64>> {
        let (sum, mut out) = (self.sum(), Vec::new());
        let read = open_sum(&self.plan, self.round, key, &mut &sum[..], &mut |run| {
            out.extend_from_slice(run);
            Ok(())
        });
        assert!(read.is_ok() || out.is_empty(), "nothing is released beside a refusal");
        read.map(|()| out)
    }

    fn total(&self, sites: &[usize]) -> Vec<u64> {
        (0..VALUES).map(|k| sites.iter().map(|&s| self.values[s][k]).sum()).collect()
    }

    /// The opened sum, everybody opening.
    fn whole(&self) -> Result<Vec<u64>> {
        let openings: Vec<_> = (0..self.plan.literal().holders).map(|h| self.opening(h)).collect();
        let (key, wrong) = self.recover(&openings)?;
        assert!(wrong.is_empty());
        self.read(&key)
    }
}

/// Site 3 uploads another's body, its negative, or minus everybody's, beside its own or not. It deals a key of its own, since nobody's
/// parts reach it: the sum is noise as wide as the modulus. Could it deal the negatives of parts that it cannot have, the sum would
/// open without its victim.
#[test]
fn bodies_made_of_others_bodies_are_noise() {
    let honest = Cast::new((4, 2), 4, |_, _| {});
    assert_eq!(honest.whole().unwrap(), honest.total(&[0, 1, 2, 3]));
    let forgeries = [
        ("copied", honest.bodies[0].clone()),
        ("negated", honest.minus(&[0], None)),
        ("minus everybody's", honest.minus(&[0, 1, 2], None)),
        ("its own minus everybody's", honest.minus(&[0, 1, 2], Some(3))),
    ];
    let key = honest.recover(&[0, 1].map(|h| honest.opening(h))).unwrap().0;
    // Of uniform numbers below 2^b.
    let uniform = f64::from(honest.plan.layout().base_bits).exp2() / 12f64.sqrt();
    for (what, body) in forgeries {
        let mut cast = Cast::new((4, 2), 4, |_, _| {});
        cast.bodies[3] = body;
        assert!(matches!(cast.whole(), Err(Error::WrongOpenings { .. })), "{what}");
        // The key is the right one, whoever sent what body.
        let refused = cast.read(&key);
        let Err(Error::Noise { found, .. }) = refused else { panic!("{what}: {refused:?}") };
        assert!((found / uniform - 1.0).abs() < 0.1, "{what}: noise of {found}, uniform is {uniform}");
    }
    // The broken way: parts that are bound to no body and could be negated with it.
    let mut cast = Cast::new((4, 2), 4, |_, _| {});
    cast.bodies[3] = cast.minus(&[0], None);
    let p = cast.plan.prime().value();
    cast.parts[3] = cast.parts[0].iter().map(|part| part.iter().map(|x| (p - x) % p).collect()).collect();
    assert_eq!(cast.whole().unwrap(), cast.total(&[1, 2]), "everybody's sum, and the victim is not in it");
}

/// What is done to a key, given `p`.
type Change = fn(&mut [i64], i64);

/// A dealer whose key no sampler draws: too far out in one coefficient, too wide in all. Shared and encrypted under by the rules, so its
/// parts are on their polynomials; the sum of keys shows it. A key of zeros hides nothing of the dealer and harms nobody else.
#[test]
fn keys_out_of_range_open_nothing() {
    let cast = |change: Change| {
        let p = Cast::new((5, 3), 0, |_, _| {}).plan.prime().value() as i64;
        Cast::new((5, 3), 4, |site, key| {
            if site == 2 {
                change(key, p);
            }
        })
    };
    assert!(cast(|_, _| {}).whole().is_ok());
    let changes: [(&str, Change); 5] = [
        ("half of p", |key, p| key[5] = p / 2),
        ("minus half of p", |key, p| key[1023] = -(p / 2)),
        ("three times as wide", |key, _| key.iter_mut().for_each(|v| *v *= 3)),
        ("uniform modulo p", |key, p| (0..).zip(key).for_each(|(k, v)| *v = k * 7919 % p - p / 2)),
        ("a constant", |key, p| key.fill(p / 5)),
    ];
    for (what, change) in changes {
        let cast = cast(change);
        let refused = cast.whole();
        assert!(matches!(refused, Err(Error::WrongOpenings { found: 5, needed: 3 })), "{what}: {refused:?}");
    }
    let zeros = cast(|key, _| key.fill(0));
    assert_eq!(zeros.whole().unwrap(), zeros.total(&[0, 1, 2, 3]));
}

/// Two liars beside two honest answers, one short of the threshold: they put all four on one polynomial whose value at zero is one
/// off in one coefficient. No answer disagrees with another and the key is as small as it should be; the noise shows it, and nobody can be
/// named. A third honest answer outvotes both.
#[test]
fn liars_on_one_polynomial_are_seen_and_not_named() {
    let cast = Cast::new((5, 3), 5, |_, _| {});
    let p = cast.plan.prime();
    // δ(x) = (x − 1)(x − 2)/2: nothing at the honest holders 0 and 1, one at zero.
    let delta = |x: u64| p.mul(p.mul(x - 1, x - 2), p.inv(2));
    let lie = |holder: u32, by: u64| {
        let mut opening = cast.opening(holder);
        let mut numbers = vec![0; cast.plan.part_numbers()];
        numbers[7] = by;
        opening.add(&cast.plan, &cast.part(&numbers));
        opening
    };
    let mut four: Vec<_> = (0..2).map(|h| cast.opening(h)).collect();
    four.extend([2, 3].map(|h| lie(h, delta(u64::from(h) + 1))));
    // Any three give the same key, and it is small: what looks at openings alone takes it.
    let mut trusting = |_: &SumKey| Ok(true);
    let taken = recover_key(&cast.plan, 5, &four, &mut trusting).unwrap();
    assert!(taken.wrong.is_empty(), "all four are on one polynomial");
    let right = cast.recover(&[0, 1, 4].map(|h| cast.opening(h))).unwrap().0;
    let off = taken.key.coefficients.iter().zip(right.coefficients.iter()).map(|(a, b)| a - b);
    assert_eq!(off.enumerate().filter(|(_, by)| *by != 0).collect::<Vec<_>>(), [(7, 1)]);
    assert!(matches!(cast.read(&taken.key), Err(Error::Noise { .. })));
    let e = cast.recover(&four).unwrap_err();
    assert!(matches!(e, Error::WrongOpenings { found: 4, needed: 3 }), "{e}");
    four.push(cast.opening(4));
    let (key, wrong) = cast.recover(&four).unwrap();
    assert_eq!(wrong, [2, 3]);
    assert_eq!(cast.read(&key).unwrap(), cast.total(&[0, 1, 2, 3, 4]));
}
