//! Every small roster, threshold and committee; products and rotations under ceremony keys; what too few sites see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod common;

use rand_core::CryptoRng;

use blindscope_ckks::{
    Complex64, Decryptor, Encoder, Evaluator, GaloisKeys, KeyGenerator, Level, Parameters, Plaintext,
    PublicEncryptor,
};
use blindscope_ring::galois::rotation_element;
use blindscope_testkit as testkit;
use blindscope_threshold::{
    Committee, Decryption, DecryptionSession, Error, Flooding, GaloisKeyProtocol, MemoryLedger, Opening,
    PartyId, RelinKeyProtocol, RelinKeyRoundTwo, Transcript,
};
use common::{Study, study, toy};

const MESSAGE_BITS: u32 = 60;

fn encoded(params: &Parameters) -> Plaintext {
    let values: Vec<i128> = (0..params.n() as i128).map(|k| (k - 30) << MESSAGE_BITS).collect();
    let poly = params.q().to_ntt(params.q().from_signed_wide(&values));
    Plaintext::from_polynomial(params, poly, blindscope_ckks::Scale::ONE)
}

fn rounded(params: &Parameters, p: &Plaintext) -> Vec<i128> {
    let values = Encoder::new(params).decode_integers(p).unwrap();
    values.iter().map(|v| (v + (1 << (MESSAGE_BITS - 1))) >> MESSAGE_BITS).collect()
}

fn flooding(params: &Parameters, n: usize, t: usize) -> Flooding {
    Flooding::for_fresh(params, n, 1, 10, t, 30).unwrap()
}

fn opening_with(flooding: Flooding) -> Opening {
    Opening { flooding, room_log2: f64::from(MESSAGE_BITS) - 1.0, ciphertexts: 1 }
}

/// Opens with the shares of `present`, whoever the committee is.
fn open(
    s: &Study,
    params: &Parameters,
    committee: &[PartyId],
    present: &[PartyId],
    asker: bool,
    rng: &mut impl CryptoRng,
) -> Result<Plaintext, Error> {
    let roster = s.ceremony.roster();
    let c = PublicEncryptor::new(&s.key).encrypt(&encoded(params), rng)?;
    let round = Transcript::new(params, roster, b"job", 1);
    let set = Committee::new(roster, committee)?;
    let secret = KeyGenerator::new(params).secret_key(rng);
    let public = KeyGenerator::new(params).public_key(&secret, rng);
    let opening =
        if asker { Decryption::to_asker(&round, &c, 0, &public)? } else { Decryption::new(&round, &c, 0)? };
    let mut collector = opening.collector(&set);
    let mask = flooding(params, roster.parties(), roster.threshold());
    for p in present {
        let key = &s.shares[usize::from(p.0)];
        let ledger = &mut MemoryLedger::default();
        let session = DecryptionSession::begin(&s.ceremony, &round, key, &set, opening_with(mask), ledger)?;
        let share = if asker { session.share_for(&c, &public)? } else { session.share(&c)? };
        collector.absorb(&share.0)?;
    }
    if asker {
        return Ok(Decryptor::new(&secret).decrypt(&opening.finish_for(collector)?)?);
    }
    opening.finish(collector)
}

#[test]
fn every_committee_of_every_small_roster_opens() {
    let (params, mut rng) = (toy(), testkit::rng(1));
    let want = rounded(&params, &encoded(&params));
    for n in 1..=5usize {
        for t in 1..=n {
            let s = study(&params, n, t, &mut rng);
            for subset in 1u32..1 << n {
                let members: Vec<_> = (0..n as u16).filter(|i| subset >> i & 1 == 1).map(PartyId).collect();
                if members.len() == t {
                    for asker in [false, true] {
                        let got = open(&s, &params, &members, &members, asker, &mut rng).unwrap();
                        assert_eq!(rounded(&params, &got), want, "{t} of {n}: {members:?}");
                    }
                    let e = open(&s, &params, &members, &members[1..], false, &mut rng).unwrap_err();
                    assert!(matches!(e, Error::Missing { .. }), "{e}");
                } else {
                    let e = Committee::new(s.ceremony.roster(), &members).unwrap_err();
                    assert!(matches!(e, Error::Committee { .. }), "{e}");
                }
            }
        }
    }
}

#[test]
fn ceremony_keys_multiply_and_rotate() {
    let (params, mut rng) = (toy(), testkit::rng(2));
    let s = study(&params, 3, 3, &mut rng);
    let mut one = RelinKeyProtocol::collector(&s.ceremony);
    let mut states = Vec::new();
    for secret in &s.secrets {
        let (message, state) = RelinKeyProtocol::begin(&s.ceremony).share(secret, &mut rng).unwrap();
        one.absorb(&message).unwrap();
        states.push(state);
    }
    let one = RelinKeyProtocol::finish(one).unwrap();
    let mut two = RelinKeyRoundTwo::collector(&s.ceremony);
    for (state, secret) in states.into_iter().zip(&s.secrets) {
        two.absorb(&state.share(secret, &one, &mut rng).unwrap()).unwrap();
    }
    let relin = RelinKeyRoundTwo::finish(&s.ceremony, &one, two).unwrap();
    let step = GaloisKeyProtocol::begin(&s.ceremony, rotation_element(3, params.log_n()));
    let mut collector = step.collector();
    for secret in &s.secrets {
        let site = GaloisKeyProtocol::begin(&s.ceremony, rotation_element(3, params.log_n()));
        collector.absorb(&site.share(secret, &mut rng).unwrap()).unwrap();
    }
    let keys = GaloisKeys::new([step.finish(collector).unwrap()]);

    let (encoder, evaluator) = (Encoder::new(&params), Evaluator::new(&params));
    let x = testkit::complex_slots(&mut rng, params.slots(), 1.0);
    let plain = encoder.encode_slots(&x, Level(2), params.default_scale()).unwrap();
    let c = PublicEncryptor::new(&s.key).encrypt(&plain, &mut rng).unwrap();
    let product = evaluator.rotate(&evaluator.mul_relin(&c, &c, &relin).unwrap(), 3, &keys).unwrap();
    let round = Transcript::new(&params, s.ceremony.roster(), b"product", 1);
    let all: Vec<_> = round.roster().iter().collect();
    let committee = Committee::new(round.roster(), &all).unwrap();
    let opening = Decryption::new(&round, &product, 0).unwrap();
    let mut collector = opening.collector(&committee);
    for key in &s.shares {
        let (mask, ledger) = (flooding(&params, 3, 3), &mut MemoryLedger::default());
        let session =
            DecryptionSession::begin(&s.ceremony, &round, key, &committee, opening_with(mask), ledger)
                .unwrap();
        collector.absorb(&session.share(&product).unwrap().0).unwrap();
    }
    let got = encoder.decode_slots(&opening.finish(collector).unwrap()).unwrap();
    let want: Vec<Complex64> = (0..x.len()).map(|i| x[(i + 3) % x.len()] * x[(i + 3) % x.len()]).collect();
    // Scale 2^80 over masks of about 2^33 each in 64 coefficients.
    let worst = got.iter().zip(&want).map(|(g, w)| (g - w).norm()).fold(0.0, f64::max);
    assert!(worst < 2f64.powi(-25), "worst error 2^{:.1}", worst.log2());
}

/// Two shares of a threshold of three, with everything public, leave the message uniform modulo `Q`: the top bits of each
/// coefficient are balanced and no coefficient rounds to the message.
#[test]
fn too_few_shares_leave_noise() {
    let (params, mut rng) = (toy(), testkit::rng(3));
    let s = study(&params, 3, 3, &mut rng);
    let want = rounded(&params, &encoded(&params));
    let (mut hits, mut negative, mut total) = (0, 0, 0);
    for round in 0..64 {
        let c = PublicEncryptor::new(&s.key).encrypt(&encoded(&params), &mut rng).unwrap();
        let round = Transcript::new(&params, s.ceremony.roster(), b"collusion", round);
        let all: Vec<_> = round.roster().iter().collect();
        let committee = Committee::new(round.roster(), &all).unwrap();
        let shape = Decryption::new(&round, &c, 0).unwrap().collector(&committee);
        let mut sum = c.components()[0].clone();
        for i in [0, 2] {
            let (key, mask) = (&s.shares[i], flooding(&params, 3, 3));
            let ledger = &mut MemoryLedger::default();
            let session =
                DecryptionSession::begin(&s.ceremony, &round, key, &committee, opening_with(mask), ledger)
                    .unwrap();
            let bytes = session.share(&c).unwrap().0.to_bytes(&round, shape.shape());
            // The polynomial stands behind header, transcript, tag and sender.
            let mut at = 32 + 32 + 32 + 2;
            let mut share = sum.clone();
            for (limb, prime) in share.limbs_mut().zip(params.q().primes()) {
                let bits = prime.modulus().bits();
                let len = blindscope_wire::packed_len(params.n(), bits);
                blindscope_wire::unpack(&bytes[at..at + len], bits, limb).unwrap();
                at += len;
            }
            params.q().add_assign(&mut sum, &share);
        }
        let seen = Plaintext::from_polynomial(&params, sum, blindscope_ckks::Scale::ONE);
        let got = rounded(&params, &seen);
        hits += got.iter().zip(&want).filter(|(g, w)| g == w).count();
        negative += got.iter().filter(|g| **g < 0).count();
        total += got.len();
    }
    assert_eq!(hits, 0, "coefficients of {total} that equal the message");
    let deviation = (negative as f64 - total as f64 / 2.0) / (total as f64 / 4.0).sqrt();
    assert!(deviation.abs() < 5.0, "sign balance off by {deviation:.1} standard deviations");
}

#[test]
fn masks_without_room_are_refused() {
    let e = flooding(&toy(), 3, 3).require_room(20.0).unwrap_err();
    assert!(e.to_string().contains("the message starts at 2^20.0"), "{e}");
    assert!(matches!(Flooding::for_fresh(&toy(), 3, 1, 1, 3, 29), Err(Error::WeakFlooding { .. })));
}
