//! The last site sees the others' first round of the relinearisation key and chooses its own, `h = K − Σ others`: what each site multiplies by
//! its secret in round two is then a constant, and its answer is its secret.

use super::play::{Play, SITES, circuit};
use super::{failed, got, got_before};
use crate::bench::{Error, Report};
use blindscope_ckks::{Parameters, PublicKey, codec};
use blindscope_federation::payload::{KeySession, combine_first};
use blindscope_federation::{Ask, Blob, Input, Order, Phase, SiteId};
use blindscope_ring::sample::ERROR_BOUND;
use blindscope_ring::{Modulus, Ntt, Poly};
use blindscope_wire::{Writer, packed_len, unpack};

const WHAT: &str = "rogue share";
const LAST: u16 = SITES - 1;
/// The constant is `2^PLACE`.
const PLACE: u32 = 40;
/// Where a message's polynomials begin.
const BEFORE: usize = 32 + 32 + 32 + 2;

pub(super) fn figures(report: &mut Report) -> Result<(), Error> {
    let mut play = Play::new(98)?;
    play.until(Some(Phase::KeyShare))?;
    let reveal = play.task(LAST)?;
    let Ask::Reveal { promised, .. } = &reveal.ask else {
        return Err(failed(WHAT, "nobody is asked to reveal"));
    };
    let mut shares = Vec::new();
    for site in 0..SITES {
        shares.push((SiteId(site), play.made(site, &play.task(site)?)?));
    }
    let (params, circuit) = (play.params()?, circuit());
    let of = KeySession { job: play.job, circuit: &circuit, string: promised.string };
    let first = |shares: &[(SiteId, Blob)]| -> Result<(Blob, Blob), Error> {
        let output = combine_first(&play.study, of, shares, &play.memory)?;
        let second = output.second.ok_or_else(|| failed(WHAT, "there is no second round"))?;
        Ok((output.shared, second.sum))
    };
    let (key, sum) = first(&shares)?;
    let key = codec::decode_public_key(&params, &play.memory.get(&key))?;
    let victim = play.memory.get(&shares[0].1);
    let own = &mut shares[usize::from(LAST)].1;
    *own = play.memory.put(rogue(&params, &play.memory.get(own), &play.memory.get(&sum))?);
    let chosen = *own;
    let (_, rogue_sum) = first(&shares)?;

    for site in 0..LAST {
        play.honest(site)?;
    }
    let late = play.signed(LAST, &reveal, chosen);
    let taken = play.handle(Input::Answer(late.clone())).is_ok();
    play.honest(LAST)?;
    play.work()?;
    let honest = play.task(0)?;
    let mut shown = honest.clone();
    let Ask::Relin { shares, sum, .. } = &mut shown.ask else {
        return Err(failed(WHAT, "there is no second round"));
    };
    (shares[usize::from(LAST)], *sum) = (late, rogue_sum);
    // The old way: whoever does not hold a share against its promise answers.
    let read = |told: Vec<u8>| read_of(&params, (&victim, &key), &told);
    let before = read(play.memory.get(&play.made(0, &shown)?))?;
    report.figures.push(got_before("rogue_share_reads_of_a_secret", before, params.n()));
    // Ours: coordinator and site judge first, and the site answers what they have not refused.
    let answered = taken || !matches!(play.sites[0].take(&shown)?, Order::Decline(_));
    let task = if answered { &shown } else { &honest };
    let now = read(play.memory.get(&play.made(0, task)?))?;
    report.figures.push(got("rogue_share_reads_of_a_secret", now));
    Ok(())
}

/// The next limb of packed residues.
fn limb(bytes: &[u8], at: &mut usize, (n, m): (usize, &Modulus)) -> Result<Vec<u64>, Error> {
    let (mut out, len) = (vec![0; n], packed_len(n, m.bits()));
    let packed = bytes.get(*at..*at + len).ok_or_else(|| failed(WHAT, "a message that is too short"))?;
    unpack(packed, m.bits(), &mut out).map_err(|e| failed(WHAT, e))?;
    *at += len;
    Ok(out)
}

/// The payload with which each polynomial that is multiplied by secrets in round two is a constant.
fn rogue(params: &Parameters, honest: &[u8], sum: &[u8]) -> Result<Vec<u8>, Error> {
    let n = params.n();
    let len = |m: &Modulus| packed_len(n, m.bits());
    let public: usize = params.q().primes().iter().map(|p| len(p.modulus())).sum();
    let (from, mut at, mut sum_at) = (2 * BEFORE + public, 2 * BEFORE + public, 0);
    let row: usize = params.qp().primes().iter().map(|p| len(p.modulus())).sum();
    let (mut packed, rows) = (Vec::new(), params.digits() * row);
    let mut w = Writer::new(&mut packed, rows);
    for _ in 0..params.digits() {
        for prime in params.qp().primes() {
            let m = prime.modulus();
            let (mine, all) = (limb(honest, &mut at, (n, m))?, limb(sum, &mut sum_at, (n, m))?);
            // A constant is the same in every evaluation.
            let constant = m.reduce(1 << PLACE);
            let chosen = all.iter().zip(&mine).map(|(all, mine)| m.sub(constant, m.sub(*all, *mine)));
            w.packed(&chosen.collect::<Vec<u64>>(), m.bits());
        }
    }
    w.finish();
    let cut = || failed(WHAT, "a share that is too short");
    let (before, after) = (honest.get(..from), honest.get(from + rows..));
    Ok([before.ok_or_else(cut)?, &packed, after.ok_or_else(cut)?].concat())
}

/// How many coefficients of a site's secret its second round gives away: `2^PLACE·s + e`, if the secret is the one behind the site's
/// public share `−a·s + e`.
fn read_of(params: &Parameters, (share, key): (&[u8], &PublicKey), told: &[u8]) -> Result<usize, Error> {
    let first = params.q().prefix(1);
    let m = first.prime(0).modulus();
    let (mut at, mut share_at) = (BEFORE, BEFORE);
    let mut evaluations: Poly<Ntt> = first.zero();
    evaluations.limb_mut(0).copy_from_slice(&limb(told, &mut at, (params.n(), m))?);
    let coefficients = first.to_coeff(evaluations);
    let round = |x: &u64| (m.centre(*x) + (1 << (PLACE - 1))) >> PLACE;
    let secret: Vec<i64> = coefficients.limb(0).iter().map(round).collect();
    let (mut left, share) = (first.signed_to_ntt(&secret), limb(share, &mut share_at, (params.n(), m))?);
    for ((s, a), b) in left.limb_mut(0).iter_mut().zip(key.a().limb(0)).zip(&share) {
        *s = m.add(*b, m.mul(*a, *s));
    }
    let left = first.to_coeff(left);
    let is_it = left.limb(0).iter().all(|&x| m.centre(x).abs() <= ERROR_BOUND);
    Ok(if is_it { secret.len() } else { 0 })
}
