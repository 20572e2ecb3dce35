//! A key among its holders: Shamir parts of each coefficient modulo a small prime, and check polynomials that convict a dealer.
//!
//! The dealer shares the `N` coefficients of its key and `L` random masks by polynomials `f_0 … f_(N−1)`, `g_0 … g_(L−1)` of degree
//! `t − 1`; holder `h` has their values at `h + 1`. Weights follow from the digests of everything that was sent, and
//! `φ_l = g_l + Σ_j w_(l,j)·f_j` is published: each holder checks its own numbers against it, alone and before anything is
//! opened. The masks keep `φ` from telling anything; a false part passes with probability `p^(−L) <= 2^-128`.

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use zeroize::Zeroizing;

use super::body::{OPENING, head};
use super::plan::Plan;
use super::shamir;
use crate::fields::{Unpacker, packed_len};
use crate::{Error, Result};
use blindscope_wire::{Digest, Header, Reader, Writer};

/// What a part is expanded from that its holder makes itself: dealer and holder derive the same from a key that they share.
/// Secret; zeroed on drop.
pub struct PartSeed(pub Zeroizing<[u8; 32]>);

impl std::fmt::Debug for PartSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartSeed(..)")
    }
}

/// At most `t − 1` different holders make their own parts: one more would fix the key.
fn check_derived(plan: &Plan, holders: &[u32]) -> Result<()> {
    let most = u64::from(plan.literal().threshold) - 1;
    let (found, max) = (holders.len() as u64, u64::from(plan.literal().holders) - 1);
    if found > most {
        return Err(Error::Range { what: "parts that holders derive", found, max: most });
    }
    let twice = |(i, h): (usize, &u32)| holders[..i].contains(h) || u64::from(*h) > max;
    match holders.iter().enumerate().find(|&e| twice(e)) {
        Some((_, &h)) => Err(Error::Range { what: "holder of a derived part", found: h.into(), max }),
        None => Ok(()),
    }
}

/// A key's polynomials. Secret; zeroed on drop.
pub struct Dealing<'p> {
    plan: &'p Plan,
    /// `rows[j][k]` is coefficient `j` of polynomial `k`.
    rows: Vec<Zeroizing<Vec<u16>>>,
}

impl<'p> Dealing<'p> {
    /// Polynomials through the key at 0 and through the parts that `derived` holders make themselves, uniform otherwise: `t`
    /// values a coefficient fix them.
    pub(super) fn new(
        plan: &'p Plan,
        key: &[i64],
        derived: &[(u32, PartSeed)],
        rng: &mut ChaCha20Rng,
    ) -> Result<Self> {
        let (p, numbers) = (plan.prime(), plan.part_numbers());
        let t = plan.literal().threshold as usize;
        let holders: Vec<u32> = derived.iter().map(|(h, _)| *h).collect();
        check_derived(plan, &holders)?;
        let others = (0..plan.literal().holders).filter(|h| !holders.contains(h));
        let points = holders.iter().copied().chain(others).take(t - 1).map(|h| u64::from(h) + 1);
        let xs: Vec<u64> = std::iter::once(0).chain(points).collect();
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        let row = |i: usize| {
            let mut row = Zeroizing::new(vec![0; numbers]);
            match derived.get(i.wrapping_sub(1)) {
                Some((_, own)) => shamir::uniform(p, &own.0, 0, &mut row),
                None => shamir::uniform(p, &seed, i as u64, &mut row),
            }
            row
        };
        let mut values: Vec<_> = (0..t).map(row).collect();
        if let Some(constant) = values.first_mut() {
            // The masks' constants stay random.
            for (c, &s) in constant.iter_mut().zip(key) {
                *c = p.from_i64(s) as u16;
            }
        }
        let values: Vec<&[u16]> = values.iter().map(|r| &r[..]).collect();
        let coefficients = shamir::coefficients(p, &xs).into_iter().map(|weights| {
            let mut row = Zeroizing::new(vec![0; numbers]);
            shamir::combine(p, &weights, &values, &mut row);
            row
        });
        Ok(Self { plan, rows: coefficients.collect() })
    }

    /// The part of holder `holder`, from 0: [`Plan::part_len`] bytes, for that holder's eyes alone.
    pub fn part(&self, holder: u32) -> Zeroizing<Vec<u8>> {
        let (p, t) = (self.plan.prime(), self.rows.len());
        let rows: Vec<&[u16]> = self.rows.iter().map(|r| &r[..]).collect();
        let mut numbers = Zeroizing::new(vec![0; self.plan.part_numbers()]);
        shamir::combine(p, &shamir::powers(p, u64::from(holder) + 1, t), &rows, &mut numbers);
        Zeroizing::new(pack(&numbers, p.bits()))
    }

    /// The check polynomials, [`Plan::checks_len`] bytes, under weights that follow from `sent`: a digest of body and sealed parts.
    pub fn checks(&self, sent: &Digest) -> Vec<u8> {
        let (p, weights) = (self.plan.prime(), Weights::new(self.plan, sent));
        let phi = weights.rows().enumerate();
        let phi: Vec<u16> = phi
            .flat_map(|(l, w)| self.rows.iter().map(move |row| weighted(self.plan, p, l, w, row)))
            .collect();
        pack(&phi, p.bits())
    }
}

impl std::fmt::Debug for Dealing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dealing(..)")
    }
}

/// `g_l + Σ_j w_j·f_j` of one vector of numbers.
fn weighted(plan: &Plan, p: &blindscope_ring::Modulus, l: usize, w: &[u16], numbers: &[u16]) -> u16 {
    let (key, masks) = numbers.split_at(plan.n());
    let mask = masks.get(l).copied().unwrap_or(0);
    p.add(u64::from(mask), u64::from(shamir::dot(p, w, key))) as u16
}

/// `L` rows of `N` weights. Public.
struct Weights {
    n: usize,
    numbers: Vec<u16>,
}

impl Weights {
    fn new(plan: &Plan, sent: &Digest) -> Self {
        let mut h = blindscope_wire::Hasher::new("blindscope/one-round/weights/v1");
        let seed = h.absorb(&sent.0).finish().0;
        let n = plan.n();
        let mut numbers = vec![0; plan.masks() * n];
        for (l, row) in numbers.chunks_exact_mut(n).enumerate() {
            shamir::uniform(plan.prime(), &seed, l as u64, row);
        }
        Self { n, numbers }
    }

    fn rows(&self) -> impl Iterator<Item = &[u16]> {
        self.numbers.chunks_exact(self.n)
    }
}

/// A dealer's published check polynomials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// `L` rows of `t` coefficients.
    phi: Vec<u16>,
}

impl Checks {
    /// The check polynomials of these bytes.
    ///
    /// # Errors
    /// [`Error::Part`] for another length or a number that is not below `p`.
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        let count = plan.masks() * plan.literal().threshold as usize;
        Ok(Self { phi: unpack(plan, "check polynomials", bytes, count)? })
    }
}

/// One dealer's part, as its holder sees it. Secret; zeroed on drop.
#[derive(PartialEq, Eq)]
pub struct Part(Zeroizing<Vec<u16>>);

impl Part {
    /// The part of these bytes.
    ///
    /// # Timing
    /// Depends on the plan alone for bytes that are a part; where they are none, that is told, and the largest number with it.
    ///
    /// # Errors
    /// As [`Checks::from_bytes`].
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        Ok(Self(Zeroizing::new(unpack(plan, "part", bytes, plan.part_numbers())?)))
    }

    /// The part that a holder makes itself.
    ///
    /// # Timing
    /// Depends on the plan, and on how many words of a key stream are skipped, which says nothing of the seed.
    pub fn derived(plan: &Plan, seed: &PartSeed) -> Self {
        let mut numbers = Zeroizing::new(vec![0; plan.part_numbers()]);
        shamir::uniform(plan.prime(), &seed.0, 0, &mut numbers);
        Self(numbers)
    }

    /// Whether the part lies on the dealer's check polynomials at the point of `holder`, from 0. `sent` as for [`Dealing::checks`].
    ///
    /// # Timing
    /// Depends on the plan alone, and so do the branches: the answer is made of all comparisons.
    pub fn satisfies(&self, plan: &Plan, holder: u32, sent: &Digest, checks: &Checks) -> bool {
        let (p, t) = (plan.prime(), plan.literal().threshold as usize);
        let powers: Vec<u16> =
            shamir::powers(p, u64::from(holder) + 1, t).into_iter().map(|x| x as u16).collect();
        let weights = Weights::new(plan, sent);
        weights.rows().zip(checks.phi.chunks_exact(t)).enumerate().fold(true, |fine, (l, (w, phi))| {
            fine & (weighted(plan, p, l, w, &self.0) == shamir::dot(p, &powers, phi))
        })
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Part(..)")
    }
}

/// One holder's sum of the parts of a set of dealers: what it opens. Zeroed on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct PartSum {
    holder: u32,
    numbers: Zeroizing<Vec<u16>>,
}

impl PartSum {
    /// The empty sum of holder `holder`, from 0.
    pub fn new(plan: &Plan, holder: u32) -> Self {
        Self { holder, numbers: Zeroizing::new(vec![0; plan.n()]) }
    }

    /// Adds one dealer's part.
    ///
    /// # Timing
    /// Depends on sizes alone.
    pub fn add(&mut self, plan: &Plan, part: &Part) {
        let p = plan.prime();
        for (sum, &x) in self.numbers.iter_mut().zip(part.0.iter()) {
            *sum = p.add(u64::from(*sum), u64::from(x)) as u16;
        }
    }

    /// Whose it is, from 0.
    pub fn holder(&self) -> u32 {
        self.holder
    }

    pub(super) fn numbers(&self) -> &[u16] {
        &self.numbers
    }

    /// The opening, [`Plan::opening_len`] bytes.
    pub fn to_bytes(&self, plan: &Plan) -> Vec<u8> {
        let mut out = head(plan, OPENING, plan.opening_len() as u64);
        out.extend_from_slice(&(self.holder as u16).to_le_bytes());
        out.append(&mut pack(&self.numbers, plan.prime().bits()));
        out
    }

    /// The opening of these bytes.
    ///
    /// # Errors
    /// [`Error::Wire`] for another plan's or kind, [`Error::Part`] for numbers that no sum of parts has.
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let header = Header::read(&mut r)?;
        header.require(OPENING, plan.digest().fingerprint())?;
        header.require_payload(plan.opening_len() - Header::LEN)?;
        let holder = u32::from(r.u16("holder")?);
        let max = u64::from(plan.literal().holders) - 1;
        if u64::from(holder) > max {
            return Err(Error::Range { what: "holder", found: u64::from(holder), max });
        }
        let numbers = r.bytes("parts", packed_len(plan.n(), plan.prime().bits()))?;
        r.finish()?;
        Ok(Self { holder, numbers: Zeroizing::new(unpack(plan, "opening", numbers, plan.n())?) })
    }
}

impl std::fmt::Debug for PartSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartSum(holder {})", self.holder)
    }
}

fn pack(numbers: &[u16], bits: u32) -> Vec<u8> {
    let words = Zeroizing::new(numbers.iter().map(|&x| u64::from(x)).collect::<Vec<u64>>());
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out, packed_len(numbers.len(), bits));
    w.packed(&words, bits);
    w.finish();
    out
}

fn unpack(plan: &Plan, what: &'static str, bytes: &[u8], count: usize) -> Result<Vec<u16>> {
    let (p, bits) = (plan.prime(), plan.prime().bits());
    let expected = packed_len(count, bits) as u64;
    if bytes.len() as u64 != expected {
        return Err(Error::Part { what, expected, found: bytes.len() as u64 });
    }
    let mut unpacker = Unpacker::new(bytes, bits);
    let mut numbers = Vec::with_capacity(count);
    let mut largest = 0;
    for _ in 0..count {
        let mut x = [0];
        unpacker.next_into(&mut x);
        largest = largest.max(x[0]);
        numbers.push(x[0] as u16);
    }
    if largest >= p.value() || !unpacker.padding_is_zero() {
        return Err(Error::Part { what, expected: p.value() - 1, found: largest });
    }
    Ok(numbers)
}
