//! A sum as it is planned: what is added, by whom, who holds parts of its keys. Everything else follows.

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::ring::{RINGS, Ring, Tables};
use crate::{Error, Result, fields};
use blindscope_ring::sample::{ERROR_COINS, Seed, binomial_std};
use blindscope_ring::{Arithmetic, Basis, Modulus, is_prime_vartime};
use blindscope_wire::{Digest, Hasher, Header};

/// A sum before any check. Check it with [`Plan::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLiteral {
    /// Values of one upload.
    pub values: u64,
    /// Largest integer a site adds at one place, its weight multiplied in.
    pub max: u64,
    /// Sites of the roster, `n`: as many may upload.
    pub sites: u32,
    /// Holders of parts, `m`: all sites, or a committee of them.
    pub holders: u32,
    /// Openings that give the sum of keys, `t`: fewer parts say nothing.
    pub threshold: u32,
    /// Sites, `z`, that may collude with a coordinator that does anything.
    pub colluders: u32,
    /// Holders among them, `f`.
    pub colluding_holders: u32,
    /// Coins of one coefficient of a key or an error: 168 rests on standard RLWE, 42 on a newer argument.
    pub coins: u32,
}

impl PlanLiteral {
    /// Signatures on one set that make it the round's: `⌊(n + z)/2⌋ + 1` sites, or `⌊(m + f)/2⌋ + 1` holders where they are fewer
    /// than the sites. Two such quorums share a signer that signs once.
    pub fn quorum(&self) -> u32 {
        let (among, bad) = if self.holders == self.sites {
            (self.sites, self.colluders)
        } else {
            (self.holders, self.colluding_holders)
        };
        among.midpoint(bad) + 1
    }

    /// Holders that have to declare a round void before its values may go into another one: `m − t + f + 1`.
    pub fn void_quorum(&self) -> u32 {
        self.holders - self.threshold + self.colluding_holders + 1
    }

    /// Fewest uploads of a sum: `z + 2`.
    pub fn least_cohort(&self) -> u32 {
        self.colluders + 2
    }
}

/// Most holders of parts.
pub const MAX_HOLDERS: u32 = 1024;
/// Bytes that sealing a part adds.
pub const SEAL_OVERHEAD: u64 = 16;
/// Most values of an upload: 2^40.
const MAX_VALUES: u64 = 1 << 40;
/// Most sites of a roster.
const MAX_SITES: u64 = 1024;
/// Fewest coefficients whose noise is looked at: with fewer, a wrong key could pass.
pub(crate) const LEAST_COEFFICIENTS: usize = 192;
/// Numbers of coins that the notes cover: one draw of the sampler, and four.
const COINS: [u32; 2] = [ERROR_COINS, 4 * ERROR_COINS];
/// Bits of soundness of the check polynomials.
const CHECK_BITS: u32 = 128;
/// Most pieces of a value.
const MAX_PIECES: usize = 4;

/// A checked sum. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plan {
    literal: PlanLiteral,
    ring: Ring,
    tables: Tables,
    layout: Layout,
    prime: Modulus,
    digest: Digest,
}

/// `ρ`: the name of a round, from which its public polynomials are expanded. Nobody chooses it: it is a digest of everything that the
/// round's parties agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoundId(pub Digest);

impl RoundId {
    pub(crate) fn seed(&self) -> Seed {
        Seed(Hasher::new("blindscope/one-round/expand/v1").absorb(&self.0.0).finish().0)
    }
}

/// One chunk's shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) values: usize,
    /// Coefficients that travel, spare ones included.
    pub(crate) coefficients: usize,
}

impl Plan {
    /// The plan under whichever ring and cut of values makes the shortest upload, parts included.
    ///
    /// # Errors
    /// [`Error::Plan`] for a literal outside its ranges, [`Error::NoRing`] where no ring holds the sum.
    pub fn new(literal: PlanLiteral) -> Result<Self> {
        Self::on(Arithmetic::fastest(), literal)
    }

    /// As [`Self::new`], on no faster path than `ceiling`: to measure and compare paths. All give the same bytes, under one digest.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(ceiling: Arithmetic, literal: PlanLiteral) -> Result<Self> {
        check(&literal)?;
        let PlanLiteral { sites, max, .. } = literal;
        // A sum is one word.
        if u128::from(sites) * u128::from(max) >= 1 << 63 {
            return Err(Error::NoRing { sites: u64::from(sites), max });
        }
        let mut best: Option<Self> = None;
        for ring in &RINGS {
            for pieces in 1..=MAX_PIECES {
                let Some(plan) = Self::under(ceiling, literal, *ring, pieces)? else { continue };
                if best.as_ref().is_none_or(|b| plan.upload_len() < b.upload_len()) {
                    best = Some(plan);
                }
            }
        }
        best.ok_or(Error::NoRing { sites: u64::from(sites), max })
    }

    fn under(ceiling: Arithmetic, literal: PlanLiteral, ring: Ring, pieces: usize) -> Result<Option<Self>> {
        let tables = ring.tables(ceiling)?;
        let sites = u64::from(literal.sites);
        let noise = 9.5 * binomial_std(literal.coins) * (sites as f64).sqrt();
        let Some(layout) = Layout::plan(&tables.modulus, sites, literal.max, pieces, noise) else {
            return Ok(None);
        };
        let prime = share_prime(&literal)?;
        let digest = digest(&literal, &tables, &layout, &prime);
        Ok(Some(Self { literal, ring, tables, layout, prime, digest }))
    }

    /// What it was made from.
    pub fn literal(&self) -> &PlanLiteral {
        &self.literal
    }

    /// The ring of its keys.
    pub fn ring(&self) -> Ring {
        self.ring
    }

    /// What both ends of a stream have to agree on.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The name of a round of this plan. `context` names everything else that the parties agree on: study, roster, holders in
    /// order, job and round.
    pub fn round(&self, context: &Digest) -> RoundId {
        let mut h = Hasher::new("blindscope/one-round/round/v1");
        h.absorb(&context.0).absorb(&self.digest.0);
        RoundId(h.finish())
    }

    /// Bytes of a body up to the end of its first chunk.
    pub fn first_chunk_len(&self) -> usize {
        Header::LEN + fields::packed_len(self.shape(0).coefficients, self.layout.body_bits())
    }

    /// Values of one full chunk.
    pub fn chunk_values(&self) -> usize {
        self.tables.basis.n() * self.layout.digits / self.layout.pieces
    }

    /// Chunks of one upload: polynomials `a_k`.
    pub fn chunks(&self) -> u64 {
        self.literal.values.div_ceil(self.chunk_values() as u64)
    }

    /// Bytes of one body.
    pub fn body_len(&self) -> u64 {
        Header::LEN as u64 + self.stream_len(self.layout.body_bits())
    }

    /// Bytes of a sum of bodies.
    pub fn sum_len(&self) -> u64 {
        Header::LEN as u64 + 4 + self.stream_len(self.sum_bits())
    }

    /// Bytes of one part, before it is sealed.
    pub fn part_len(&self) -> usize {
        fields::packed_len(self.part_numbers(), self.prime.bits())
    }

    /// Bytes of one holder's sum of parts.
    pub fn opening_len(&self) -> usize {
        Header::LEN + 2 + fields::packed_len(self.n(), self.prime.bits())
    }

    /// Bytes of the check polynomials.
    pub fn checks_len(&self) -> usize {
        fields::packed_len(self.masks() * self.literal.threshold as usize, self.prime.bits())
    }

    /// Parts that travel: `t − 1` holders make theirs themselves.
    pub fn sealed_parts(&self) -> u32 {
        self.literal.holders + 1 - self.literal.threshold
    }

    /// Bytes of one upload: body, sealed parts, check polynomials.
    pub fn upload_len(&self) -> u64 {
        let parts = u64::from(self.sealed_parts()) * (self.part_len() as u64 + SEAL_OVERHEAD);
        self.body_len() + parts + self.checks_len() as u64
    }

    /// Bytes of a body for one value.
    pub fn bytes_per_value(&self) -> f64 {
        self.body_len() as f64 / self.literal.values as f64
    }

    /// In words: ring, digits, dropped bits, prime.
    pub fn describe(&self) -> String {
        let l = &self.layout;
        format!(
            "N = {}, log2 q = {:.0}, {} digits of {} bits above {}, {} bits dropped, {} pieces a value, p = {}",
            self.n(),
            self.tables.basis.log2_product(self.tables.basis.len()),
            l.digits,
            l.digit_bits,
            l.base_bits,
            l.dropped,
            l.pieces,
            self.prime.value()
        )
    }

    /// Which arithmetic path its transforms take here.
    pub fn arithmetic(&self) -> Arithmetic {
        self.tables.basis.prime(0).arithmetic()
    }

    pub(crate) fn basis(&self) -> &Basis {
        &self.tables.basis
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The field of the parts.
    pub(crate) fn prime(&self) -> &Modulus {
        &self.prime
    }

    pub(crate) fn n(&self) -> usize {
        self.tables.basis.n()
    }

    /// `L`: masks beside the coefficients of a key, `⌈128/log2 p⌉`.
    pub(crate) fn masks(&self) -> usize {
        (f64::from(CHECK_BITS) / (self.prime.value() as f64).log2()).ceil() as usize
    }

    /// Numbers of one part.
    pub(crate) fn part_numbers(&self) -> usize {
        self.n() + self.masks()
    }

    /// `σ` of one coefficient of a key or an error.
    pub(crate) fn deviation(&self) -> f64 {
        binomial_std(self.literal.coins)
    }

    pub(crate) fn sum_bits(&self) -> u32 {
        self.layout.sum_top(u64::from(self.literal.sites)).1
    }

    /// The shape of chunk `index`. Range: `index < chunks()`.
    pub(crate) fn shape(&self, index: u64) -> Shape {
        let full = self.chunk_values() as u64;
        let values = (self.literal.values - index * full).min(full) as usize;
        let used = (values * self.layout.pieces).div_ceil(self.layout.digits);
        Shape { values, coefficients: used.max(LEAST_COEFFICIENTS) }
    }

    fn stream_len(&self, bits: u32) -> u64 {
        let (chunks, last) = (self.chunks(), self.shape(self.chunks() - 1));
        let full = self.shape(0);
        (chunks - 1) * fields::packed_len(full.coefficients, bits) as u64
            + fields::packed_len(last.coefficients, bits) as u64
    }
}

/// The least prime above `19·σ·√n + 1` and `m`.
fn share_prime(literal: &PlanLiteral) -> Result<Modulus> {
    let spread = 19.0 * binomial_std(literal.coins) * f64::from(literal.sites).sqrt() + 1.0;
    let mut p = (spread.floor() as u64).max(u64::from(literal.holders)) + 1;
    while !is_prime_vartime(p) {
        p += 1;
    }
    Modulus::new(p).map_err(|e| blindscope_ckks::Error::from(e).into())
}

fn check(l: &PlanLiteral) -> Result<()> {
    let (sites, holders) = (u64::from(l.sites), u64::from(l.holders));
    let ranges = [
        ("values", l.values, (1, MAX_VALUES)),
        ("largest integer", l.max, (1, 1 << 62)),
        ("sites", sites, (2, MAX_SITES)),
        ("holders", holders, (2, sites.min(u64::from(MAX_HOLDERS)))),
        ("threshold", u64::from(l.threshold), (2, holders)),
        ("colluding sites", u64::from(l.colluders), (0, sites.saturating_sub(2))),
        (
            "colluding holders",
            u64::from(l.colluding_holders),
            (0, u64::from(l.colluders.min(l.threshold.saturating_sub(1)))),
        ),
    ];
    for (what, found, (min, max)) in ranges {
        if !(min..=max).contains(&found) {
            return Err(Error::Plan { what, found, min, max });
        }
    }
    if !COINS.contains(&l.coins) {
        let [min, max] = COINS.map(u64::from);
        return Err(Error::Plan { what: "coins (42 or 168)", found: u64::from(l.coins), min, max });
    }
    Ok(())
}

fn digest(l: &PlanLiteral, tables: &Tables, layout: &Layout, prime: &Modulus) -> Digest {
    let mut h = Hasher::new("blindscope/one-round/plan/v1");
    h.absorb_u64(u64::from(tables.basis.log_n()));
    for prime in tables.basis.primes() {
        h.absorb_u64(prime.value());
    }
    for v in [
        l.values,
        l.max,
        u64::from(l.sites),
        u64::from(l.holders),
        u64::from(l.threshold),
        u64::from(l.colluders),
        u64::from(l.colluding_holders),
        u64::from(l.coins),
        prime.value(),
        layout.pieces as u64,
        u64::from(layout.piece_bits),
        layout.digits as u64,
        u64::from(layout.digit_bits),
        u64::from(layout.base_bits),
        u64::from(layout.dropped),
    ] {
        h.absorb_u64(v);
    }
    h.finish()
}
