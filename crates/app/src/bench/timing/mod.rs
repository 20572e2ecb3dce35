//! Do encryption, decryption and opening take the same time whatever the secret? Welch's t of two classes, a fixed secret and a fresh
//! one each time, drawn in random order (dudect). The row of a function that does leak shows that the method sees it.
//!
//! Times are the processor's, of this thread. What is measured is this machine; a compiler may choose otherwise on another.

mod welch;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};

use super::{Better, Error, Figure, Report};
use crate::clock::milliseconds;
use blindscope_ckks::{
    Ciphertext, Decryptor, Encryptor, KeyGenerator, Level, Parameters, Plaintext, Scale, presets,
};
use blindscope_threshold::{
    Committee, DecryptionSession, Flooding, KeyShare, MemoryLedger, Opening, PartyId, Roster, SiteSecret,
    Transcript,
};
use blindscope_wire::Digest;

/// Times of each class, at least.
const LEAST: usize = 400;

/// Rows of `area`, of `runs` times twenty in each class.
pub(super) fn figures(area: &'static str, runs: usize, report: &mut Report) -> Result<(), Error> {
    let params = Parameters::new(presets::linear_head())?;
    let count = (20 * runs).max(LEAST);
    let mut rng = ChaCha20Rng::from_seed([41; 32]);
    let row = |name: &str, t: f64| {
        Figure::of(area, format!("timing_{name}"), "t", Better::Lower, &[t]).must(welch::LEAK, 4.5)
    };
    let t = encryption(&params, count, &mut rng)?;
    report.figures.push(row("encryption", t));
    let t = decryption(&params, count, &mut rng)?;
    report.figures.push(row("decryption", t));
    let t = opening(&params, count, &mut rng)?;
    report.figures.push(row("opening", t));
    let t = planted(count, &mut rng);
    let planted = Figure::of(area, "timing_of_a_planted_leak", "t", Better::Higher, &[t]);
    report.figures.push(planted.must(welch::LEAK, 4.0 * welch::LEAK));
    Ok(())
}

/// Times of two classes in random order; `run` gets the class: whether the secret is fixed.
fn classes(count: usize, rng: &mut ChaCha20Rng, mut run: impl FnMut(bool, &mut ChaCha20Rng) -> f64) -> f64 {
    let mut times = [Vec::with_capacity(count), Vec::with_capacity(count)];
    while times.iter().any(|t| t.len() < count) {
        let fixed = rng.next_u32() & 1 == 1;
        let time = run(fixed, rng);
        times[usize::from(fixed)].push(time);
    }
    welch::largest(&times[0], &times[1])
}

/// One call's time.
fn time<T>(f: impl FnMut() -> T) -> f64 {
    // The first call is not counted: it finds memory and caches as the second does.
    milliseconds(1, 1, f)[0]
}

/// A generator of its own for each secret: the same one for all of the fixed class. What is done to make a secret is the same in both,
/// or memory and caches would tell the classes apart.
fn of_class(fixed: bool, rng: &mut ChaCha20Rng) -> ChaCha20Rng {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    ChaCha20Rng::from_seed(if fixed { [0; 32] } else { seed })
}

fn message(params: &Parameters, rng: &mut ChaCha20Rng) -> Plaintext {
    let q = params.q();
    let values: Vec<i64> = (0..q.n()).map(|_| i64::from(rng.next_u32() as i32)).collect();
    Plaintext::from_polynomial(params, q.signed_to_ntt(&values), Scale::ONE)
}

fn encryption(params: &Parameters, count: usize, rng: &mut ChaCha20Rng) -> Result<f64, Error> {
    let mut refused = None;
    let t = classes(count, rng, |fixed, rng| {
        let mut own = of_class(fixed, rng);
        let (m, s) = (message(params, &mut own), KeyGenerator::new(params).secret_key(&mut own));
        let encryptor = Encryptor::new(&s);
        time(|| encryptor.encrypt(&m, rng).map_err(|e| refused = Some(e)).ok())
    });
    refused.map_or(Ok(t), |e| Err(e.into()))
}

fn decryption(params: &Parameters, count: usize, rng: &mut ChaCha20Rng) -> Result<f64, Error> {
    let owner = KeyGenerator::new(params).secret_key(rng);
    let m = message(params, rng);
    let c: Ciphertext = Encryptor::new(&owner).encrypt(&m, rng)?.into_ciphertext();
    let mut refused = None;
    let t = classes(count, rng, |fixed, rng| {
        let s = KeyGenerator::new(params).secret_key(&mut of_class(fixed, rng));
        let decryptor = Decryptor::new(&s);
        time(|| decryptor.decrypt(&c).map_err(|e| refused = Some(e)).ok())
    });
    refused.map_or(Ok(t), |e| Err(e.into()))
}

/// A member's share: session and product, masks and pads.
fn opening(params: &Parameters, count: usize, rng: &mut ChaCha20Rng) -> Result<f64, Error> {
    let roster = Roster::new((0..3).map(|i| Digest([i; 32])).collect(), 2)?;
    let ceremony = Transcript::new(params, &roster, b"ceremony", 0);
    let owner = KeyGenerator::new(params).secret_key(rng);
    let c = Encryptor::new(&owner).encrypt(&message(params, rng), rng)?.into_ciphertext();
    let c = blindscope_ckks::Evaluator::new(params).drop_to_level(&c, Level(0))?;
    let committee = Committee::new(&roster, &[PartyId(0), PartyId(1)])?;
    let round = Transcript::new(params, &roster, b"job", 0);
    let flooding = Flooding::for_fresh(params, 3, 1, 1, 2, 30)?;
    let opening = Opening { flooding, room_log2: 58.0, ciphertexts: 1 };
    let mut refused = None;
    let t = classes(count, rng, |fixed, rng| {
        let key = match key_share(&ceremony, &roster, &mut of_class(fixed, rng)) {
            Ok(key) => key,
            Err(e) => {
                refused = Some(e);
                return 0.0;
            }
        };
        let share = || {
            let ledger = &mut MemoryLedger::default();
            let session = DecryptionSession::begin(&ceremony, &round, &key, &committee, opening, ledger)?;
            Ok::<_, Error>(session.share(&c)?.0)
        };
        time(|| share().map_err(|e| refused = Some(e)).ok())
    });
    refused.map_or(Ok(t), Err)
}

/// The key share of the first site in a ceremony of which nothing else is kept.
fn key_share(ceremony: &Transcript, roster: &Roster, rng: &mut ChaCha20Rng) -> Result<KeyShare, Error> {
    let mut parts = Vec::new();
    for party in roster.iter() {
        let secret = SiteSecret::generate(ceremony, party, rng)?;
        parts.extend(secret.split(ceremony, rng).into_iter().filter(|part| part.to() == PartyId(0)));
    }
    Ok(KeyShare::combine(ceremony, PartyId(0), parts)?)
}

/// A comparison that stops at the first difference, as a password must not be compared: what a leak looks like here.
fn planted(count: usize, rng: &mut ChaCha20Rng) -> f64 {
    const LEN: usize = 1 << 14;
    let secret = vec![7u8; LEN];
    classes(count, rng, |fixed, rng| {
        let mut guess = secret.clone();
        let place = rng.next_u32() as usize % LEN;
        guess[place] ^= u8::from(!fixed);
        let equal = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| std::hint::black_box(a == b));
        time(|| equal(&secret, &guess))
    })
}
