//! Every small roster, threshold, set of uploading sites and committee; what too few sites see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod common;

use blindscope_aggregate::Error;
use blindscope_testkit as testkit;
use blindscope_threshold::{Committee, DecryptionSession, MemoryLedger, Opening, PartyId, SharedHalf};
use common::{Study, add, total, update};

fn members(n: usize, subset: u32) -> Vec<PartyId> {
    (0..n as u16).filter(|i| subset >> i & 1 == 1).map(PartyId).collect()
}

/// Sites vanish before the upload (their bit is not in `uploaded`) or after it (not in `present`): whoever is left opens the
/// sum of those that committed, and too few are refused.
#[test]
fn every_drop_out_of_every_small_roster() {
    let mut rng = testkit::rng(51);
    let (values, max) = (70, 500);
    let mut rounds = 0;
    for n in 1..=5usize {
        for t in 1..=n {
            let study = Study::new(&common::toy(), n, t, 2, &mut rng);
            let plan = study.plan(values, max);
            let updates: Vec<_> = (0..n).map(|_| update(values as usize, max, &mut rng)).collect();
            let uploads: Vec<_> = updates.iter().map(|u| study.upload(&plan, u, &mut rng)).collect();
            for uploaded in 1u32..1 << n {
                let sites = members(n, uploaded);
                let of = |all: &[Vec<u64>]| -> Vec<Vec<u64>> {
                    sites.iter().map(|p| all[usize::from(p.0)].clone()).collect()
                };
                let inputs: Vec<_> = sites.iter().map(|p| uploads[usize::from(p.0)].clone()).collect();
                let sum = add(&plan, &inputs).unwrap();
                for present in 0u32..1 << n {
                    rounds += 1;
                    let left = members(n, present);
                    if left.len() < t {
                        let e = Committee::new(study.ceremony.roster(), &left).unwrap_err();
                        assert!(matches!(e, blindscope_threshold::Error::Committee { .. }), "{e}");
                        continue;
                    }
                    // Any t of those that are left.
                    let open: Vec<_> = left.iter().rev().take(t).copied().collect();
                    let round = study.round(b"drop-out", rounds);
                    let committee = study.committee(&open);
                    let mut shares: Vec<_> = open
                        .iter()
                        .map(|&p| (p, study.share(&plan, &round, &committee, p, &sum, &mut rng).unwrap()))
                        .collect();
                    let got = study.open(&plan, &round, &committee, &sum, &shares).unwrap();
                    assert_eq!(got, total(&of(&updates)), "{t} of {n}: {sites:?} opened by {open:?}");
                    shares.pop();
                    let e = study.open(&plan, &round, &committee, &sum, &shares).unwrap_err();
                    assert!(
                        matches!(e, Error::Threshold(blindscope_threshold::Error::Missing { .. })),
                        "{e}"
                    );
                }
            }
        }
    }
    println!("{rounds} rounds");
}

/// Chi-square of the top six bits below `Q` against uniform, in deviations of its 63 degrees of freedom; and the distance
/// from uniform that the counts show, half their summed differences.
fn against_uniform(values: &[u64]) -> (f64, f64) {
    let mut counts = [0f64; 64];
    for v in values {
        counts[((v * 64) >> 43) as usize & 63] += 1.0;
    }
    let want = values.len() as f64 / 64.0;
    let chi: f64 = counts.iter().map(|c| (c - want) * (c - want) / want).sum();
    let distance = counts.iter().map(|c| (c - want).abs()).sum::<f64>() / 2.0 / values.len() as f64;
    ((chi - 63.0) / 126f64.sqrt(), distance)
}

/// `t − 1` shares of a threshold of three and all that is public: what they add up to, modulo one prime of `Q`, is uniform as
/// far as 100,000 coefficients tell, and the message is in none of it. All three shares are told apart at once.
#[test]
fn too_few_shares_are_uniform() {
    let mut rng = testkit::rng(52);
    let study = Study::new(&common::toy(), 4, 3, 1, &mut rng);
    let (params, n) = (&study.params, study.params.n());
    let plan = study.plan(n as u64, 100);
    let opening =
        Opening { flooding: *plan.flooding(), room_log2: plan.layout().room_log2(), ciphertexts: 1 };
    let q = params.q().prime(0).modulus().value();
    let residue = |words: &[u64]| {
        words.iter().rev().fold(0u128, |r, &w| ((r << 64) | u128::from(w)) % u128::from(q)) as u64
    };
    let all = [PartyId(0), PartyId(2), PartyId(3)];
    let committee = study.committee(&all);
    let (mut few, mut enough) = (Vec::new(), Vec::new());
    for index in 0..100_000 / n as u64 {
        let round = study.round(b"collusion", index);
        let (shared, zero): (SharedHalf, _) = study.key.encrypt_zero(1, &mut rng);
        let mut sums: Vec<u64> = zero[0].words().chunks(zero[0].width()).map(residue).collect();
        for (i, &p) in all.iter().enumerate() {
            if i + 1 == all.len() {
                few.extend(&sums);
            }
            let key = &study.shares[usize::from(p.0)];
            let ledger = &mut MemoryLedger::default();
            let session =
                DecryptionSession::begin(&study.ceremony, &round, key, &committee, opening, ledger).unwrap();
            let h = session.share_halves(&shared, 1, &mut rng).unwrap().0;
            let words = h[0].words().chunks(h[0].width()).map(residue);
            sums.iter_mut().zip(words).for_each(|(s, h)| *s = (*s + h) % q);
        }
        // Noise and masks, around zero: shifted to the middle so that both signs stay together.
        enough.extend(sums.iter().map(|s| (s + q / 2) % q));
    }
    let (sigmas, distance) = against_uniform(&few);
    println!("t − 1 shares: {sigmas:.2} deviations, distance {distance:.4} of {} coefficients", few.len());
    // 64 bins of 1,560 each: an expected distance of about 0.01 for truly uniform ones.
    assert!(sigmas.abs() < 5.0 && distance < 0.015);
    let (sigmas, distance) = against_uniform(&enough);
    println!("t shares: {sigmas:.0} deviations, distance {distance:.4}");
    assert!(sigmas > 1000.0 && distance > 0.8, "the same test sees what is there");
}
