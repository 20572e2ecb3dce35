//! A site's side of a round: its one-time key, its body, its parts.
//!
//! Key, errors and sharing are derived from `PRF(site secret, fresh randomness, ρ, digest of the values)`. Each of the four alone
//! keeps two uploads under different keys: a generator that was rolled back repeats only where round and values are the same too,
//! and then the bytes are the same. The upload's nonce follows from the same four: parts that holders make themselves are bound to it,
//! so two keys never share one.

use std::io::Write;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use rayon::prelude::*;
use zeroize::{Zeroize as _, Zeroizing};

use super::dealing::{Dealing, PartSeed};
use super::plan::{Plan, RoundId};
use super::values::{Chunk, Taking};
use crate::fields::Packer;
use crate::{Result, words};
use blindscope_ring::sample;
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::{Digest, Hasher};

const OP: &str = "write body";

/// Chunks encrypted at a time, for each thread.
const PER_THREAD: usize = 2;

/// One site's secrets of one round. Zeroed on drop; use it for one body and its parts, then drop it.
pub struct SiteRound<'p> {
    plan: &'p Plan,
    round: RoundId,
    master: Zeroizing<[u8; 32]>,
    /// Coefficients of the key.
    pub(super) key: Zeroizing<Vec<i64>>,
}

impl<'p> SiteRound<'p> {
    /// Derives the site's secrets of a round. `values` is [`ValuesDigest`](super::ValuesDigest) of what will be encrypted, `fresh` 32 new random bytes.
    ///
    /// # Timing
    /// Depends on the plan alone.
    pub fn new(
        plan: &'p Plan,
        round: RoundId,
        site_secret: &[u8; 32],
        fresh: &[u8; 32],
        values: &Digest,
    ) -> Self {
        let mut h = Hasher::new("blindscope/one-round/secret/v1");
        h.absorb(site_secret).absorb(fresh).absorb(&round.0.0).absorb(&values.0);
        let master = Zeroizing::new(h.finish().0);
        let mut key = Zeroizing::new(vec![0; plan.n()]);
        binomial(&mut rng(&master, b"key", 0), plan.literal().coins, &mut key);
        Self { plan, round, master, key }
    }

    /// A public name of this upload alone: 32 bytes that follow from all that its key follows from. Whoever encrypts other values has
    /// another one, whatever its generator gives.
    pub fn nonce(&self) -> [u8; 32] {
        Hasher::new("blindscope/one-round/nonce/v1").absorb(&*self.master).finish().0
    }

    /// The key in Shamir form. `derived` names at most `t − 1` holders, from 0, that make their parts themselves; parts are
    /// distributed as without them.
    ///
    /// # Timing
    /// Depends on the plan, the holders named, and on how many words of a key stream are skipped, which says nothing of the
    /// key.
    ///
    /// # Errors
    /// [`Error::Range`](crate::Error::Range) for more of them, one twice, or one that is no holder.
    pub fn dealing(&self, derived: &[(u32, PartSeed)]) -> Result<Dealing<'p>> {
        let mut rng = rng(&self.master, b"sharing", 0);
        Dealing::new(self.plan, &self.key, derived, &mut rng)
    }

    /// Whether the first chunk of a body, given with the stream's header, decrypts to the values that begin with `values`: what a
    /// site looks at before it sends.
    ///
    /// # Timing
    /// Depends on the plan and the body's bytes alone.
    ///
    /// # Errors
    /// As [`super::check_body`].
    pub fn decrypts_to(&self, body: &mut impl std::io::Read, values: &[u64]) -> Result<bool> {
        super::own::body_opens_to(self.plan, self.round, &self.key, body, values)
    }

    /// Writes the body, [`Plan::body_len`] bytes. `values` has to give exactly as many integers as planned, the ones that were
    /// named when the secrets were derived. A few chunks for each thread are in memory at a time; the next ones are taken while
    /// these are encrypted, so an iterator that computes costs no time of its own where there is a second core. `progress` is told how many
    /// values are written.
    ///
    /// # Timing
    /// Depends on sizes alone.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for another number of values or other values than were named; [`Error::Range`](crate::Error::Range) for a value above the
    /// plan's largest; [`Error::Io`](crate::Error::Io) where writing fails. Nothing of what was written may be sent then.
    pub fn write_body(
        &self,
        values: impl Iterator<Item = u64> + Send,
        named: &Digest,
        out: &mut impl Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let plan = self.plan;
        super::body::put(OP, out, &super::body::body_head(plan))?;
        let key = Zeroizing::new(plan.basis().signed_to_ntt(&self.key));
        let mut taking = Taking::new(plan, values);
        let (most, mut written) = ((PER_THREAD * rayon::current_num_threads()) as u64, 0);
        let mut taken = taking.batch(most)?;
        while !taken.is_empty() {
            let (bodies, next) = self.encrypt_beside(&key, &taken, || taking.batch(most));
            for bytes in &bodies {
                super::body::put(OP, out, bytes)?;
            }
            written += taken.iter().map(|(_, values)| values.len() as u64).sum::<u64>();
            progress(written);
            taken = next?;
        }
        taking.finish(named)
    }

    /// The chunks' bytes, while another thread does something else.
    fn encrypt_beside<T: Send>(
        &self,
        key: &Poly<Ntt>,
        taken: &[Chunk],
        other: impl FnOnce() -> T + Send,
    ) -> (Vec<Vec<u8>>, T) {
        // A lone chunk is not worth waking another thread.
        if let [(chunk, values)] = taken {
            return (vec![self.encrypt(key, *chunk, values)], other());
        }
        let all = || taken.par_iter().map(|(chunk, values)| self.encrypt(key, *chunk, values)).collect();
        rayon::join(all, other)
    }

    /// The errors of one chunk.
    fn error(&self, chunk: u64) -> Zeroizing<Vec<i64>> {
        let mut error = Zeroizing::new(vec![0; self.plan.n()]);
        binomial(&mut rng(&self.master, b"error", chunk), self.plan.literal().coins, &mut error);
        error
    }

    /// One chunk of the body.
    fn encrypt(&self, key: &Poly<Ntt>, chunk: u64, values: &[u64]) -> Vec<u8> {
        let (plan, layout, tables) = (self.plan, self.plan.layout(), self.plan.tables());
        let shape = plan.shape(chunk);
        let mut masked = sample::uniform(plan.basis(), &self.round.seed(), chunk);
        plan.basis().mul_assign(&mut masked, key);
        let mut numbers = tables.lift.to_integers(plan.basis().to_coeff(masked));
        numbers.add_signed(&self.error(chunk));
        let mut out = Vec::with_capacity(crate::fields::packed_len(shape.coefficients, layout.body_bits()));
        let mut packer = Packer::new(&mut out, layout.body_bits());
        let mut message = Zeroizing::new(vec![0; tables.modulus.len()]);
        let digits = layout.digits_of(values);
        let mut digits = digits.chunks(layout.digits);
        for c in 0..shape.coefficients {
            let coefficient = if let Some(run) = digits.next() {
                layout.place(run, &mut message);
                numbers.add_at(c, &message)
            } else {
                numbers.at_mut(c)
            };
            words::shift_right(coefficient, layout.dropped);
            packer.push(coefficient);
        }
        packer.finish();
        numbers.zeroize();
        out
    }
}

impl std::fmt::Debug for SiteRound<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SiteRound(..)")
    }
}

fn rng(master: &[u8; 32], label: &[u8], index: u64) -> ChaCha20Rng {
    let mut h = Hasher::new("blindscope/one-round/derive/v1");
    h.absorb(master).absorb(label).absorb_u64(index);
    let seed = Zeroizing::new(h.finish().0);
    ChaCha20Rng::from_seed(*seed)
}

/// Centred binomial coefficients of `coins` coins. Range: a multiple of [`sample::ERROR_COINS`].
pub(crate) fn binomial(rng: &mut ChaCha20Rng, coins: u32, out: &mut [i64]) {
    sample::error(rng, out);
    let mut more = Zeroizing::new(vec![0; out.len()]);
    for _ in 1..coins / sample::ERROR_COINS {
        sample::error(rng, &mut more);
        out.iter_mut().zip(more.iter()).for_each(|(o, m)| *o += m);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::one_round::PlanLiteral;

    /// Keys or runs of errors that are looked at together, of 1,024 coefficients each.
    const RUNS: u64 = 256;

    fn plan(coins: u32) -> Plan {
        let literal = PlanLiteral {
            values: 400,
            max: 1000,
            sites: 3,
            holders: 3,
            threshold: 2,
            colluders: 0,
            colluding_holders: 0,
            coins,
        };
        Plan::new(literal).unwrap()
    }

    fn site(plan: &Plan, secret: u8, fresh: u8) -> SiteRound<'_> {
        SiteRound::new(plan, plan.round(&Digest([1; 32])), &[secret; 32], &[fresh; 32], &Digest([4; 32]))
    }

    fn keys(plan: &Plan) -> Vec<i64> {
        (0..RUNS).flat_map(|k| site(plan, 1, k as u8).key.to_vec()).collect()
    }

    fn errors(plan: &Plan) -> Vec<i64> {
        let site = site(plan, 1, 2);
        (0..RUNS).flat_map(|chunk| site.error(chunk).to_vec()).collect()
    }

    /// Whether numbers are those of a centred binomial: none beyond its support, its variance within 2 %, and each value as often as
    /// its law says.
    fn judge(numbers: &[i64], coins: u32) -> std::result::Result<(), &'static str> {
        let (count, half) = (numbers.len() as f64, i64::from(coins / 2));
        if numbers.iter().any(|v| v.abs() > half) {
            return Err("support");
        }
        let variance = numbers.iter().map(|v| (v * v) as f64).sum::<f64>() / count;
        if (variance / (f64::from(coins) / 4.0) - 1.0).abs() > 0.02 {
            return Err("variance");
        }
        let mut seen = vec![0u64; coins as usize + 1];
        for v in numbers {
            seen[(v + half) as usize] += 1;
        }
        let (mut chance, mut chi, mut cells) = ((-f64::from(coins)).exp2(), 0.0, 0.0);
        for (k, &seen) in seen.iter().enumerate() {
            let expected = chance * count;
            if expected >= 10.0 {
                chi += (seen as f64 - expected).powi(2) / expected;
                cells += 1.0;
            }
            chance *= (f64::from(coins) - k as f64) / (k as f64 + 1.0);
        }
        if chi > cells + 6.0 * f64::sqrt(2.0 * cells) { Err("law") } else { Ok(()) }
    }

    /// The proof is about this law, and about nothing narrower.
    #[test]
    fn keys_and_errors_have_the_law_of_the_proof() {
        for coins in [42, 168] {
            let plan = plan(coins);
            let (keys, errors) = (keys(&plan), errors(&plan));
            assert_eq!(judge(&keys, coins), Ok(()), "keys of {coins} coins");
            assert_eq!(judge(&errors, coins), Ok(()), "errors of {coins} coins");
            // Not each other's, and of no other number of coins.
            let product: i64 = keys.iter().zip(&errors).map(|(k, e)| k * e).sum();
            let most = 6.0 * f64::from(coins) / 4.0 * (keys.len() as f64).sqrt();
            assert!((product as f64).abs() < most, "{coins} coins: keys and errors are told from each other");
            assert_eq!(judge(&keys, 210 - coins), Err(if coins == 168 { "support" } else { "variance" }));
        }
    }

    /// What would pass unseen through sums, which stay right: the numbers are small enough, only too small, too few or of another law.
    #[test]
    fn a_wrong_sampler_is_caught() {
        let draw = |draws: u32| {
            let mut out = vec![0; 1024 * RUNS as usize];
            binomial(&mut rng(&[7; 32], b"test", u64::from(draws)), draws * sample::ERROR_COINS, &mut out);
            out
        };
        let times = |by: i64| draw(1).into_iter().map(move |v| by * v).collect::<Vec<_>>();
        let mut ternary = vec![0; 1024 * RUNS as usize];
        sample::ternary(&mut rng(&[7; 32], b"test", 9), &mut ternary);
        assert_eq!(judge(&draw(4), 168), Ok(()));
        for (what, numbers, coins, caught) in [
            ("ternary", ternary.clone(), 42, "variance"),
            ("ternary", ternary, 168, "variance"),
            ("42 coins for 168", draw(1), 168, "variance"),
            ("two draws for four", draw(2), 168, "variance"),
            ("one draw twice as wide", times(2), 168, "law"),
            ("one draw added four times", times(4), 168, "variance"),
            ("168 coins for 42", draw(4), 42, "support"),
            ("off its middle", draw(4).into_iter().map(|v| v + 1).collect(), 168, "variance"),
            ("a sign lost", draw(4).into_iter().map(i64::abs).collect(), 168, "law"),
        ] {
            assert_eq!(judge(&numbers, coins), Err(caught), "{what}, {coins} coins");
        }
    }
}
