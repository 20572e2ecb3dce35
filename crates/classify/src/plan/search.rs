//! The search for moduli and scales: bit by bit, with the errors and sizes of the plan at hand.
//!
//! A logit's error is a sum of terms, each a power of two in the widths of primes and in the fresh scale, so its logarithm
//! is convex in them: at a given number of bits, moving single bits between primes until nothing improves ends at or
//! next to the best. From there one bit is taken away, wherever it is missed least, and so on to the narrowest primes.
//! Everything is arithmetic on the head's sizes and the policy: the same head and policy give the same plan.

use super::chain::{
    ANSWER_DIGITS, Chain, FRESH, RINGS, Rescale, WIDE_FRESH, WIDEST, narrowest, outers, primes, row, wide,
};
use super::magnitude::Magnitudes;
use super::noise::{Noise, TAIL};
use super::{AnyLayout, KeyOwner, MOST_ANSWER_BITS, Packing, PlanLiteral, layout};
use crate::question::DROPPED;
use crate::{Error, Result};

/// Largest `log2` of an answer's scale: beyond it the answer's own roundings are nothing beside other errors.
const FINEST_ANSWER: i16 = 38;
/// The same where a committee's masks come on top.
const FINEST_WIDE_ANSWER: i16 = 56;
/// By how much the scales of fresh ciphertexts and of units move at once.
const SCALES: [(i16, i16); 13] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, -1),
    (1, -1),
    (-1, 1),
    (2, 2),
    (-2, -2),
    (0, 2),
    (0, -2),
];
/// What plans without an asked precision do not go beyond.
const FINEST: f64 = 1.0 / 4096.0;
/// Where they rescale early, which is faster and takes shorter keys, if that promises so much.
const FINE: f64 = 1.0 / 256.0;

/// How far from enough a chain is when a search stops taking bits away.
const FAR: f64 = 16.0;

const TOO_COARSE: &str =
    "state the head's range (Head::calibrated), lower the normalisation's bound, or ask for fewer bits";

/// A chain and what it promises.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) chain: Chain,
    /// What no logit's error exceeds with the widest answers.
    pub(super) error: f64,
    /// Bits of all ciphertexts of a question.
    cost: usize,
}

/// The ring that a circuit's degree suggests.
fn suggested(plan: &PlanLiteral) -> u32 {
    if plan.is_wide() {
        return wide(plan.degree).0;
    }
    match (plan.degree, plan.quantum, plan.encrypted_head) {
        (1, false, false) => 12,
        (2, true, true) | (4, true, _) => 14,
        _ => 13,
    }
}

/// Chains whose logits are off by at most `most`, the smallest question first. Keys are longer only where no chain has enough
/// with short ones.
///
/// # Errors
/// [`Error::TooCoarse`] with the most exact chain's error if there are none.
pub(super) fn asked(plan: &PlanLiteral, worst: &Magnitudes, most: f64) -> Result<Vec<Found>> {
    let mut finest = f64::INFINITY;
    let mut refused = None;
    for (outer, digit) in outers(plan).flat_map(|outer| digits(plan).map(move |digit| (outer, digit))) {
        let enough = exact_enough(plan, worst, (outer, digit, most), &mut finest, &mut refused);
        if !enough.is_empty() {
            return Ok(enough);
        }
    }
    match refused {
        Some(e) if finest.is_infinite() => Err(e),
        _ if finest.is_infinite() => Err(overflow(worst)),
        _ => Err(Error::TooCoarse { found: finest, most, hint: TOO_COARSE }),
    }
}

/// Chains with ring-switching digits of so many bits whose logits are off by at most `most`; the error of the most exact one that
/// was looked at, and why a ring was refused, if one was.
fn exact_enough(
    plan: &PlanLiteral,
    worst: &Magnitudes,
    (outer, digit, most): (usize, Option<u32>, f64),
    finest: &mut f64,
    refused: &mut Option<Error>,
) -> Vec<Found> {
    let mut enough: Vec<Found> = Vec::new();
    for way in ways(plan, outer, digit) {
        let ring = match Ring::new(plan, worst, way) {
            Ok(ring) => ring,
            Err(e) => {
                *refused = refused.take().or(Some(e));
                continue;
            }
        };
        if enough.iter().any(|f| f.cost <= ring.cost(ring.low())) {
            continue;
        }
        let chains = ring.chains(most);
        *finest = chains.iter().fold(*finest, |least, f| least.min(f.error));
        enough.extend(chains.into_iter().filter(|f| f.error <= most));
    }
    enough.sort_by_key(|f| f.cost);
    enough
}

/// Ways to switch answers that make a difference, the shortest key first.
fn digits(plan: &PlanLiteral) -> impl Iterator<Item = Option<u32>> + use<> {
    let switched = plan.key == KeyOwner::Asker && plan.packing == Packing::Token;
    ANSWER_DIGITS.into_iter().take(if switched { ANSWER_DIGITS.len() } else { 1 })
}

/// Rings, ways to rescale, and copies of a token where coefficients of its question may be left out: from one, as few as there
/// can be.
fn ways(plan: &PlanLiteral, outer: usize, digit: Option<u32>) -> impl Iterator<Item = Way> + use<> {
    let rings = if plan.is_wide() { suggested(plan)..=suggested(plan) } else { RINGS };
    let may = Chain::may_leave_out(plan, Rescale::Late);
    let copies = if may { plan.units.next_power_of_two().ilog2() + 1 } else { 0 };
    let whole = [(Rescale::Early, None), (Rescale::Late, None)];
    let ways = whole.into_iter().chain((0..copies).map(|k| (Rescale::Late, Some(1 << k))));
    rings.flat_map(move |log_n| {
        ways.clone().map(move |(rescale, replicas)| Way { log_n, rescale, replicas, outer, digit })
    })
}

/// The most exact chain of one ring, cut to the bits that [`FINEST`] takes; rescaled late where rescaling early does not promise
/// [`FINE`] logits, and with longer keys where that is more exact.
///
/// # Errors
/// [`Error::TooCoarse`] if it is off by more than `most`, [`Error::Overflow`] if there is none.
pub(super) fn most_exact(plan: &PlanLiteral, worst: &Magnitudes, most: f64) -> Result<Vec<Found>> {
    let finer = |a: Found, b: Found| if b.error < a.error * 0.99 { b } else { a };
    let best = |rescale, digit| -> Result<Option<Found>> {
        let (log_n, outer) = (suggested(plan), *outers(plan).start());
        let way = Way { log_n, rescale, replicas: None, outer, digit };
        // From the fewest bits upwards.
        let chains = Ring::new(plan, worst, way)?.chains(f64::INFINITY);
        let enough = chains.iter().find(|f| f.error <= FINEST).cloned();
        Ok(enough.or_else(|| chains.into_iter().reduce(finer)))
    };
    let mut found = best(Rescale::Early, ANSWER_DIGITS[0])?;
    for digit in ANSWER_DIGITS {
        if found.as_ref().is_some_and(|f| f.error <= FINE) {
            break;
        }
        found = found.into_iter().chain(best(Rescale::Late, digit)?).reduce(finer);
    }
    let best = found.ok_or_else(|| overflow(worst))?;
    if best.error > most {
        return Err(Error::TooCoarse { found: best.error, most, hint: TOO_COARSE });
    }
    Ok(vec![best])
}

fn overflow(worst: &Magnitudes) -> Error {
    Error::Overflow { largest: worst.logit, room: f64::from(WIDEST - 2 - 8).exp2() }
}

/// What a search goes through one by one.
#[derive(Debug, Clone, Copy)]
struct Way {
    log_n: u32,
    rescale: Rescale,
    replicas: Option<usize>,
    /// Primes that the outer layer's products lose.
    outer: usize,
    /// Bits of a ring-switching digit.
    digit: Option<u32>,
}

/// One ring and one way to use it.
struct Ring<'p> {
    plan: &'p PlanLiteral,
    worst: &'p Magnitudes,
    layout: AnyLayout,
    way: Way,
    /// Bits that the security table allows, the special prime's included.
    limit: u32,
}

impl<'p> Ring<'p> {
    fn new(plan: &'p PlanLiteral, worst: &'p Magnitudes, way: Way) -> Result<Self> {
        let limit = row(plan.quantum).max_log_qp(way.log_n).unwrap_or(0);
        Ok(Self {
            plan,
            worst,
            layout: layout(plan, way.log_n, (way.replicas, primes(plan, way.outer)))?,
            way,
            limit,
        })
    }

    /// Fewest bits of the ciphertext primes.
    fn low(&self) -> u32 {
        narrowest(self.way.log_n) * primes(self.plan, self.way.outer) as u32
    }

    /// Bits of all ciphertexts of a question.
    fn cost(&self, log_q: u32) -> usize {
        let (coefficients, dropped) = match &self.layout {
            AnyLayout::Token(l) if !l.is_whole() => (l.question_coefficients(), DROPPED),
            _ => (1 << self.way.log_n, 0),
        };
        self.layout.pieces(self.plan.batch) * (log_q - dropped) as usize * coefficients
    }

    /// The most exact chain of each number of bits, from the fewest; none of those far less exact than `most` and than wider ones.
    fn chains(&self, most: f64) -> Vec<Found> {
        if self.plan.is_wide() {
            return self.wide().into_iter().collect();
        }
        let high = WIDEST * primes(self.plan, self.way.outer) as u32;
        let mut chains: Vec<Found> = Vec::new();
        let mut finest = f64::INFINITY;
        for bits in (self.low()..=high.min(self.limit)).rev() {
            let start = match chains.last() {
                Some(wider) => self.shorter(wider),
                None => {
                    FRESH.filter_map(|fresh| self.valued(self.even(bits), (fresh, fresh))).reduce(exacter)
                }
            };
            match start.map(|f| self.climb(f)) {
                // A bit less is about a bit less exact: nothing behind this one has enough.
                Some(best) if best.error > FAR * most.max(finest) => break,
                Some(best) => {
                    finest = finest.min(best.error);
                    chains.push(best);
                }
                None if chains.is_empty() => {}
                None => break,
            }
        }
        chains.reverse();
        chains
    }

    /// Moves bits until nothing improves.
    fn climb(&self, mut best: Found) -> Found {
        let better =
            |best: &Found| self.moved(best, 1).filter(|f| f.error < best.error * 0.999).reduce(exacter);
        while let Some(next) = better(&best) {
            best = next;
        }
        best
    }

    /// One bit less, where it is missed least.
    fn shorter(&self, from: &Found) -> Option<Found> {
        self.moved(from, 0).reduce(exacter)
    }

    /// Widths as equal as they can be.
    fn even(&self, bits: u32) -> Vec<u32> {
        let count = primes(self.plan, self.way.outer) as u32;
        (0..count).map(|i| bits / count + u32::from(i < bits % count)).collect()
    }

    /// One bit taken from a prime, `given` bits given to another, the scales moved by up to two.
    fn moved<'a>(&'a self, at: &'a Found, given: u32) -> impl Iterator<Item = Found> + 'a {
        let count = at.chain.moduli.len();
        let to = if given == 0 { 1 } else { count };
        let pairs = (0..count).flat_map(move |i| (0..to).map(move |j| (i, j)));
        pairs.flat_map(move |(i, j)| {
            SCALES.into_iter().filter_map(move |(fresh, unit)| {
                let mut moduli = at.chain.moduli.clone();
                moduli[j] += given;
                moduli[i] -= 1;
                self.valued(moduli, (at.chain.fresh_log2 + fresh, at.chain.unit_log2 + unit))
            })
        })
    }

    /// A chain with the widest special prime that security allows and the finest answer that fits, if there is one.
    fn valued(&self, moduli: Vec<u32>, scales: (i16, i16)) -> Option<Found> {
        let special = WIDEST.min(self.limit.checked_sub(moduli.iter().sum())?);
        let (narrowest, widest) = (moduli.iter().min()?, moduli.iter().max()?);
        let wide_enough = special >= *widest && *narrowest >= self::narrowest(self.way.log_n);
        if !wide_enough || !FRESH.contains(&scales.0) || !FRESH.contains(&scales.1) {
            return None;
        }
        self.stated(moduli, special, scales, FINEST_ANSWER)
    }

    /// The chain that answers which a committee re-encrypts take.
    fn wide(&self) -> Option<Found> {
        let (_, moduli, special) = wide(self.plan.degree);
        let fits = moduli.iter().sum::<u32>() + special <= self.limit;
        let stated = |fresh| self.stated(moduli.to_vec(), special, (fresh, fresh), FINEST_WIDE_ANSWER);
        WIDE_FRESH.filter(|_| fits).filter_map(stated).reduce(exacter)
    }

    /// A chain with the finest answer that fits, up to `finest`.
    fn stated(&self, moduli: Vec<u32>, special: u32, scales: (i16, i16), finest: i16) -> Option<Found> {
        let Way { log_n, rescale, replicas, digit, .. } = self.way;
        let (fresh_log2, unit_log2) = scales;
        let (answer_log2, answer_digit) = (finest, digit);
        let mut chain = Chain {
            log_n,
            moduli,
            special,
            rescale,
            fresh_log2,
            unit_log2,
            replicas,
            answer_log2,
            answer_digit,
        };
        let room = Noise::nominal(self.plan, &self.layout, &chain).answer_room() - self.worst.logit.log2();
        chain.answer_log2 = finest.min(room.floor() as i16);
        let noise = Noise::nominal(self.plan, &self.layout, &chain);
        let flooded = noise.logit(self.worst).hypot(noise.flood(self.worst));
        let error = TAIL * flooded.hypot(noise.dropped(MOST_ANSWER_BITS));
        let holds = chain.answer_log2 >= 8 && noise.holds(self.worst) && error.is_finite();
        let cost = self.cost(chain.log_q());
        holds.then_some(Found { chain, error, cost })
    }
}

fn exacter(a: Found, b: Found) -> Found {
    if b.error < a.error { b } else { a }
}
