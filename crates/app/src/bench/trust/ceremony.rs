//! Attacks on the ceremony of an inference key: a last site that chooses the key, a part of another secret, answers played again.

use super::play::{Play, SITES, circuit};
use super::{failed, got, got_before, seeded};
use crate::bench::{Error, Report};
use blindscope_ckks::{
    Decryptor, Encoder, KeyGenerator, Parameters, Plaintext, PublicEncryptor, PublicKey, Scale, SecretKey,
    codec,
};
use blindscope_federation::payload::{KeySession, combine_first, write_commitment};
use blindscope_federation::{
    Ask, Blob, Cause, Failure, Input, JobStatus, Missing, Order, Phase, SEAL_OVERHEAD, SiteId,
};
use blindscope_wire::{Writer, packed_len, unpack};

const LAST: u16 = SITES - 1;

pub(super) fn figures(report: &mut Report) -> Result<(), Error> {
    rushing(report)?;
    wrong_part(report)?;
    replay(report)
}

/// The last site sees the others' shares and chooses its own so that it holds the key alone: `b = b* − Σ b_j`.
fn rushing(report: &mut Report) -> Result<(), Error> {
    let mut play = Play::new(91)?;
    play.until(Some(Phase::KeyShare))?;
    let task = play.task(LAST)?;
    let Ask::Reveal { promised, .. } = &task.ask else {
        return Err(failed("rushing", "nobody is asked to reveal"));
    };
    let mut shares = Vec::new();
    for site in 0..SITES {
        shares.push((SiteId(site), play.made(site, &play.task(site)?)?));
    }
    let (params, circuit) = (play.params()?, circuit());
    let of = KeySession { job: play.job, circuit: &circuit, string: promised.string };
    let key_of = |shares: &[(SiteId, Blob)]| -> Result<PublicKey, Error> {
        let output = combine_first(&play.study, of, shares, &play.memory)?;
        Ok(codec::decode_public_key(&params, &play.memory.get(&output.shared))?)
    };
    let own = KeyGenerator::new(&params).secret_key(&mut seeded(92));
    let honest = key_of(&shares)?;
    let before = opens(&params, &honest, &own)?;
    let bytes = rushed(&params, &play.memory.get(&shares[usize::from(LAST)].1), &honest, &own)?;
    let chosen = play.memory.put(bytes);
    // The old way: whatever the last site sends is added up.
    let mut old = shares.clone();
    old[usize::from(LAST)].1 = chosen;
    let held = opens(&params, &key_of(&old)?, &own)? && !before;
    report.figures.push(got_before("rushing_site_holds_the_key", usize::from(held), 1));

    for site in 0..LAST {
        play.honest(site)?;
    }
    let late = play.signed(LAST, &task, chosen);
    let taken = play.handle(Input::Answer(late.clone())).is_ok();
    // And with a coordinator that is its friend: another site is shown that share as everybody's.
    play.honest(LAST)?;
    play.work()?;
    let mut shown = play.task(0)?;
    let Ask::Relin { shares, .. } = &mut shown.ask else {
        return Err(failed("rushing", "there is no second round"));
    };
    shares[usize::from(LAST)] = late;
    let agreed = !matches!(play.sites[0].take(&shown)?, Order::Decline(_));
    let holds = usize::from(taken) + usize::from(agreed);
    report.figures.push(got("rushing_site_holds_the_key", holds));
    Ok(())
}

/// Where a message's polynomials begin.
const BEFORE: usize = 32 + 32 + 32 + 2;

/// The payload that makes the key `(−a·s, a)` for a secret of one's own.
fn rushed(params: &Parameters, honest: &[u8], sum: &PublicKey, own: &SecretKey) -> Result<Vec<u8>, Error> {
    let cut = || failed("rushing", "a share that is too short");
    let primes = params.q().primes();
    let widths = primes.iter().map(|p| (packed_len(params.n(), p.modulus().bits()), p.modulus()));
    let len = widths.clone().map(|w| w.0).sum();
    let (mut packed, mut at) = (Vec::new(), BEFORE);
    let mut w = Writer::new(&mut packed, len);
    let (b, a, s) = (sum.b().limbs(), sum.a().limbs(), own.evaluations().limbs());
    for ((limb_len, m), ((b, a), s)) in widths.zip(b.zip(a).zip(s)) {
        let mut mine = vec![0; params.n()];
        let bytes = honest.get(at..at + limb_len).ok_or_else(cut)?;
        unpack(bytes, m.bits(), &mut mine).map_err(|e| failed("rushing", e))?;
        let others = b.iter().zip(&mine).map(|(b, mine)| m.sub(*b, *mine));
        let wanted = a.iter().zip(s).map(|(a, s)| m.sub(0, m.mul(*a, *s)));
        let limb: Vec<u64> = wanted.zip(others).map(|(want, others)| m.sub(want, others)).collect();
        w.packed(&limb, m.bits());
        at += limb_len;
    }
    w.finish();
    Ok([honest.get(..BEFORE).ok_or_else(cut)?, &packed, honest.get(at..).ok_or_else(cut)?].concat())
}

/// Whether what is encrypted under `key` opens under `secret` alone.
fn opens(params: &Parameters, key: &PublicKey, secret: &SecretKey) -> Result<bool, Error> {
    let expected: Vec<i64> = (0..params.n() as i64).map(|k| (k - 20) << 40).collect();
    let two = params.q().prefix(2);
    let message = Plaintext::from_polynomial(params, two.signed_to_ntt(&expected), Scale::ONE);
    let c = PublicEncryptor::new(key).encrypt(&message, &mut seeded(7))?;
    let found = Encoder::new(params).decode_integers(&Decryptor::new(secret).decrypt(&c)?)?;
    Ok(found.iter().zip(&expected).all(|(f, e)| (f - i128::from(*e)).abs() < 1 << 39))
}

/// A site seals a part of another secret to one peer: nobody can tell, and committees with that peer would open noise.
fn wrong_part(report: &mut Report) -> Result<(), Error> {
    let mut play = Play::new(94)?;
    let committed = |play: &Play, seed| -> Result<Vec<u8>, Error> {
        let (mut out, of) = (Vec::new(), (play.job, &circuit()));
        let sealing = &play.sealing[usize::from(LAST)];
        write_commitment(&play.study, of, SiteId(LAST), sealing, &mut seeded(seed), &mut out)?;
        Ok(out)
    };
    let (mut parts, other) = (committed(&play, 95)?, committed(&play, 96)?);
    let seed = 32 + SEAL_OVERHEAD;
    let part = (parts.len() - seed) / usize::from(SITES);
    parts[seed..seed + part].copy_from_slice(&other[seed..seed + part]);
    for site in 0..LAST {
        play.honest(site)?;
    }
    let parts = play.memory.put(parts);
    play.answer(LAST, parts)?;
    play.work()?;
    // The old way ends here: everybody has confirmed the key.
    play.until(Some(Phase::Trial))?;
    let confirmed = play.sites.iter().filter(|s| s.key(play.job).is_some()).count();
    report.figures.push(got_before("wrong_part_confirmed_by_sites", confirmed, usize::from(SITES)));
    play.until(None)?;
    let named = matches!(
        play.coordinator.job(play.job).map(|job| job.status),
        Some(JobStatus::Failed { failure: Failure::TooFew { missing, .. } })
            if missing == [Missing { site: SiteId(0), cause: Cause::Trial }]
    );
    let used = usize::from(play.coordinator.inference_key().is_some()) + usize::from(!named);
    report.figures.push(got("wrong_part_in_a_key_in_use", used));
    Ok(())
}

/// Every answer of a whole ceremony, sent again by whoever recorded it, in every later step.
fn replay(report: &mut Report) -> Result<(), Error> {
    let mut play = Play::new(97)?;
    let (mut recorded, mut taken) = (Vec::new(), 0);
    while play.coordinator.inference_key().is_none() {
        for site in 0..SITES {
            recorded.push(play.honest(site)?);
            for header in &recorded {
                let before = play.coordinator.head();
                let accepted = play.handle(Input::Answer(header.clone())).is_ok();
                taken += usize::from(accepted && play.coordinator.head() != before);
            }
        }
        play.work()?;
    }
    report.figures.push(got("replayed_answers_taken", taken));
    Ok(())
}
