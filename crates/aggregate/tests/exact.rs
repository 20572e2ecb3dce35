//! The opened sum is the integer sum, bit for bit, whoever of the sites opens it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

use blindscope_aggregate::{ChunkEncryptor, Layout, SumStream, presets};
use blindscope_ckks::Parameters;
use blindscope_testkit as testkit;
use blindscope_threshold::{
    Committee, Decryption, DecryptionSession, Flooding, KeyShare, MemoryLedger, PartyId, PublicKeyShare,
    Roster, SiteSecret, ThresholdError, Transcript, fresh_sum_noise_log2,
};
use blindscope_wire::Digest;
use rand_core::Rng;

fn exact(n: usize, t: usize, committee: &[u16], bits: u32) {
    let mut rng = testkit::rng((n * 100 + t) as u64);
    let params = Parameters::new(presets::sum()).unwrap();
    let roster = Roster::new((0..n).map(|i| Digest([i as u8; 32])).collect(), t).unwrap();
    let ceremony = Transcript::new(&params, &roster, b"ceremony", 0);
    let secrets: Vec<_> =
        roster.iter().map(|p| SiteSecret::generate(&ceremony, p, &mut rng).unwrap()).collect();
    let mut collector = PublicKeyShare::collector(&ceremony);
    for s in &secrets {
        collector.absorb(&PublicKeyShare::begin(&ceremony).share(s, &mut rng)).unwrap();
    }
    let key = PublicKeyShare::finish(&ceremony, collector).unwrap();
    let mut parts: Vec<Vec<_>> = roster.iter().map(|_| Vec::new()).collect();
    for s in &secrets {
        for part in s.split(&ceremony, &mut rng) {
            parts[usize::from(part.to().0)].push(part);
        }
    }
    let shares: Vec<_> =
        (0..).zip(parts).map(|(i, parts)| KeyShare::combine(&ceremony, PartyId(i), parts).unwrap()).collect();

    let max = (1u64 << bits) - 1;
    let flooding = Flooding::derive(fresh_sum_noise_log2(params.n(), n, n), params.n(), 1200, t, 30).unwrap();
    let layout = Layout::plan(&params, n as u64, max, &flooding).unwrap();
    println!("{n} sites, {t} open: {:.2} bytes a value", layout.bytes_per_value());
    let mut sums = vec![0u64; layout.capacity()];
    let mut total: Option<SumStream> = None;
    for _ in 0..n {
        // Extremes first: every site's largest, every site's zero.
        let mut values: Vec<u64> = (0..sums.len()).map(|_| rng.next_u64() & max).collect();
        (values[0], values[1]) = (max, 0);
        let top = values.len() - 1;
        values[top] = max;
        sums.iter_mut().zip(&values).for_each(|(s, v)| *s += v);
        let encryptor = ChunkEncryptor::new(&layout, &key);
        let chunk = encryptor.encrypt(&values, &mut rng).next().unwrap().unwrap();
        match &mut total {
            Some(total) => total.add(&chunk).unwrap(),
            None => total = Some(SumStream::new(chunk, n as u64)),
        }
    }
    let (sum, _) = total.unwrap().finish();

    let round = Transcript::new(&params, &roster, b"update", 1);
    let members: Vec<_> = committee.iter().map(|&i| PartyId(i)).collect();
    let committee = Committee::new(&roster, &members).unwrap();
    let opening = Decryption::new(&round, &sum, 0).unwrap();
    let mut collector = opening.collector(&committee);
    for &p in &members {
        let mut ledger = MemoryLedger::default();
        let mut begin = || {
            let key = &shares[usize::from(p.0)];
            DecryptionSession::begin(
                &ceremony,
                &round,
                key,
                &committee,
                flooding,
                layout.room_log2(),
                1,
                &mut ledger,
            )
        };
        let (message, rest) = begin().unwrap().share(&sum, &mut rng).unwrap();
        assert!(matches!(begin(), Err(ThresholdError::Spent { .. })), "a replayed round");
        assert!(matches!(rest.share(&sum, &mut rng), Err(ThresholdError::Exhausted { .. })));
        let bytes = message.to_bytes(&round, collector.shape());
        let read =
            |b: &[u8], t: &Transcript| blindscope_threshold::Message::from_bytes(b, t, collector.shape());
        assert!(matches!(read(&bytes[..bytes.len() - 1], &round), Err(ThresholdError::Wire(_))));
        assert!(matches!(read(&bytes, &ceremony), Err(ThresholdError::Transcript { .. })));
        let message = read(&bytes, &round).unwrap();
        collector.absorb(&message).unwrap();
        assert!(matches!(collector.absorb(&message), Err(ThresholdError::Duplicate { .. })));
    }
    let opened = opening.finish(collector).unwrap();
    assert_eq!(layout.decode(&opened, sums.len()), sums);
}

#[test]
fn two_sites() {
    exact(2, 2, &[0, 1], 16);
}

#[test]
fn any_two_of_three() {
    for committee in [[0, 1], [0, 2], [1, 2]] {
        exact(3, 2, &committee, 16);
    }
}

#[test]
fn forty_of_sixty_four() {
    exact(64, 40, &(12..52).collect::<Vec<_>>(), 16);
}

#[test]
fn too_many_sites_are_refused_with_the_numbers() {
    let params = Parameters::new(presets::sum()).unwrap();
    let flooding = Flooding::derive(20.0, params.n(), 1, 2, 30).unwrap();
    let e = Layout::plan(&params, 1 << 40, u64::MAX >> 20, &flooding).unwrap_err();
    assert!(e.to_string().contains("1099511627776 sites"), "{e}");
}
