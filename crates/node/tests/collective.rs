//! A head in the clear, tokens under a key that nobody holds: sites make the keys together, a server answers, any two of three
//! sites re-encrypt the answer to the asker.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helper functions of tests")]

use chacha20::ChaCha20Rng;

use blindscope_ckks::noise::Noise;
use blindscope_ckks::{Ciphertext, GaloisKeys, KeyGenerator, PublicKey, RelinKey};
use blindscope_classify::{
    Affine, Asker, Collective, Error, EvaluationKeys, Head, HeadLiteral, KeyOwner, Map, Normalisation,
    Packing, Plan, Policy, Server, class,
};
use blindscope_testkit::{real_values, rng};
use blindscope_threshold::{
    Committee, Decryption, DecryptionSession, Flooding, GaloisKeyProtocol, KeyShare, MemoryLedger, Message,
    Opening, PartCollector, PartyId, PublicKeyProtocol, RelinKeyProtocol, RelinKeyRoundTwo, Roster,
    SiteSecret, Transcript,
};
use blindscope_wire::Digest;

const WIDTH: usize = 96;
/// Bits of statistical security of the masks, over all answers in the key's life.
const STATISTICAL_BITS: u32 = 30;
/// Answers in the key's life.
const ANSWERS: u64 = 1 << 10;
/// The largest error of a logit once the sites' masks are on it.
const TOLERATED: f64 = 1.0 / 512.0;
/// The same where tokens share a ciphertext, whose answers are less exact: what encrypted heads allow unless told otherwise.
const COARSE: f64 = 0.25;

fn affine(r: &mut ChaCha20Rng, rows: usize, width: usize) -> Affine {
    let size = (3.0 / width as f64).sqrt();
    Affine {
        weights: (0..rows).map(|_| real_values(r, width, size)).collect(),
        bias: real_values(r, rows, 0.3),
    }
}

fn head(r: &mut ChaCha20Rng, tokens: &[Vec<f64>]) -> Head {
    let (inner, outer) = (affine(r, 8, WIDTH), affine(r, 3, 8));
    let map = Map::Polynomial { inner, polynomial: vec![0.1, 0.5, 0.2], outer };
    let normalisation = Normalisation::identity(WIDTH, 2.0);
    let head = Head::new(HeadLiteral { normalisation, map, range: None }).unwrap();
    head.calibrated(tokens, 1.5).unwrap()
}

/// What is left of a ceremony: no site's own secret.
struct Keys {
    ceremony: Transcript,
    public: PublicKey,
    evaluation: EvaluationKeys,
    shares: Vec<KeyShare>,
}

/// The ceremony of a plan among three sites, of which any two open.
fn ceremony(plan: &Plan, r: &mut ChaCha20Rng) -> Keys {
    let roster = Roster::new((0..3).map(|i| Digest([i; 32])).collect(), 2).unwrap();
    let t = Transcript::new(plan.params(), &roster, b"inference keys", 0);
    let sites: Vec<_> = roster.iter().map(|p| SiteSecret::generate(&t, p, r).unwrap()).collect();
    let mut collector = PublicKeyProtocol::collector(&t);
    for s in &sites {
        collector.absorb(&PublicKeyProtocol::begin(&t).share(s, r)).unwrap();
    }
    let public = PublicKeyProtocol::finish(&t, collector).unwrap();
    let rotation = |(element, level)| {
        let mut collector = GaloisKeyProtocol::begin(&t, element).collector();
        for s in &sites {
            collector.absorb(&GaloisKeyProtocol::begin(&t, element).share(s, r).unwrap()).unwrap();
        }
        GaloisKeyProtocol::begin(&t, element).finish(collector).unwrap().at_level(level)
    };
    let galois = GaloisKeys::new(plan.galois_elements().into_iter().map(rotation));
    let relin = plan.relin_level().map(|level| relinearisation(&t, &sites, r).at_level(level));
    let mut parts: Vec<_> = roster.iter().map(|p| PartCollector::new(&t, p)).collect();
    for part in sites.iter().flat_map(|s| s.split(&t, r)) {
        parts[usize::from(part.to().0)].absorb(part).unwrap();
    }
    let shares = parts.into_iter().map(|p| p.finish().unwrap()).collect();
    let evaluation = EvaluationKeys { galois, relin, ring_switch: None, zeros: None };
    Keys { ceremony: t, public, evaluation, shares }
}

fn relinearisation(t: &Transcript, sites: &[SiteSecret], r: &mut ChaCha20Rng) -> RelinKey {
    let mut one = RelinKeyProtocol::collector(t);
    let mut second = Vec::new();
    for s in sites {
        let (message, next) = RelinKeyProtocol::begin(t).share(s, r).unwrap();
        one.absorb(&message).unwrap();
        second.push(next);
    }
    let sum = RelinKeyProtocol::finish(one).unwrap();
    let mut two = RelinKeyRoundTwo::collector(t);
    for (s, next) in sites.iter().zip(second) {
        two.absorb(&next.share(s, &sum, r).unwrap()).unwrap();
    }
    RelinKeyRoundTwo::finish(t, &sum, two).unwrap()
}

/// Re-encrypts an answer's ciphertexts to the asker, by two of the three sites; the second of them gives wrong shares where `wrong`.
fn re_encrypted(
    plan: &Plan,
    keys: &Keys,
    members: [PartyId; 2],
    answers: &[Ciphertext],
    asker: &PublicKey,
    (tolerated, wrong): (f64, bool),
) -> Vec<Ciphertext> {
    let params = plan.params();
    let round = Transcript::new(params, keys.ceremony.roster(), b"question", u64::from(members[0].0));
    let committee = Committee::new(keys.ceremony.roster(), &members).unwrap();
    // A logit's error is the promise's seventh part at most, and a coefficient's is no larger than the logit's.
    let scale = params.scale_value(&plan.answer());
    let std = plan.literal().error_bound / 7.0 * scale * (params.n() as f64).sqrt();
    let noise = Noise { std, bound: std };
    let flooding = Flooding::for_circuit(params, noise, ANSWERS, 2, STATISTICAL_BITS).unwrap();
    // A logit is a sum of two coefficients a token.
    let room_log2 = (tolerated * scale / 2.0).log2();
    let opening = Opening { flooding, room_log2, ciphertexts: answers.len() as u64 };
    let begin = |p: &PartyId| {
        let share = &keys.shares[usize::from(p.0)];
        let ledger = &mut MemoryLedger::default();
        DecryptionSession::begin(&keys.ceremony, &round, share, &committee, opening, ledger).unwrap()
    };
    let mut sessions: Vec<Option<DecryptionSession>> = members.iter().map(|p| Some(begin(p))).collect();
    let one = |(i, c): (usize, &Ciphertext)| {
        let decryption = Decryption::to_asker(&round, c, i as u64, asker).unwrap();
        let mut collector = decryption.collector(&committee);
        for (k, session) in sessions.iter_mut().enumerate() {
            let (mut message, next) = session.take().unwrap().share_for(c, asker).unwrap();
            if wrong && k == 1 {
                // Residues stay residues: by its form it is a share of this ciphertext.
                let mut bytes = message.to_bytes(&round, collector.shape());
                let half = bytes.len() / 2;
                bytes[half..].iter_mut().for_each(|byte| *byte ^= 1);
                message = Message::from_bytes(&bytes, &round, collector.shape()).unwrap();
            }
            collector.absorb(&message).unwrap();
            *session = Some(next);
        }
        decryption.finish_for(collector).unwrap()
    };
    answers.iter().enumerate().map(one).collect()
}

#[test]
fn a_committees_answer_is_the_clear_class() {
    let mut r = rng(71);
    let tokens: Vec<Vec<f64>> = (0..12).map(|_| real_values(&mut r, WIDTH, 1.7)).collect();
    let head = head(&mut r, &tokens);
    let collective = Collective { sites: 3, encryptions: 1 };
    let plan = Plan::new(&head, Policy { key: KeyOwner::Collective, collective, ..Policy::new(4) }).unwrap();
    let keys = ceremony(&plan, &mut r);
    let (server, asker) = (Server::new(&head, &plan).unwrap(), Asker::new(&plan));
    // The asker's own pair, under which answers come back.
    let generator = KeyGenerator::new(plan.params());
    let secret = generator.secret_key(&mut r);
    let own = generator.public_key(&secret, &mut r);
    let mut worst = 0f64;
    for (batch, members) in tokens.chunks(4).zip([[0, 1], [1, 2], [0, 2]]) {
        let question = asker.encrypt_public(batch, &keys.public, &mut r).unwrap();
        let (count, answers) = server.logits(&keys.evaluation, &question[..], &mut r).unwrap();
        assert_eq!(count, batch.len());
        let opened = re_encrypted(&plan, &keys, members.map(PartyId), &answers, &own, (TOLERATED, false));
        let got = asker.open_ciphertexts(batch.len(), &opened, &secret).unwrap();
        for (got, want) in got.iter().zip(head.logits(batch).unwrap()) {
            assert_eq!(class(got), class(&want));
            worst = got.iter().zip(&want).fold(worst, |w, (g, l)| w.max((g - l).abs()));
        }
    }
    println!(
        "worst logit with a committee's masks: 2^{:.1}, tolerated 2^{:.1}",
        worst.log2(),
        TOLERATED.log2()
    );
    assert!(worst < TOLERATED, "{worst:e}");
    // The masks are there: without them answers are exact to the promise.
    assert!(worst > plan.literal().error_bound, "{worst:e}");
}

/// One member of a committee gives a wrong share. What comes back is an answer by its form, and opens to nothing: the asker is told
/// so, whoever deviates and however many tokens it asked of.
#[test]
fn an_answer_with_a_wrong_share_does_not_open() {
    let mut r = rng(72);
    let tokens: Vec<Vec<f64>> = (0..12).map(|_| real_values(&mut r, WIDTH, 1.7)).collect();
    let head = head(&mut r, &tokens);
    let collective = Collective { sites: 3, encryptions: 1 };
    let policy =
        Policy { key: KeyOwner::Collective, collective, packing: Some(Packing::Token), ..Policy::new(4) };
    let plan = Plan::new(&head, policy).unwrap();
    let keys = ceremony(&plan, &mut r);
    let (server, asker) = (Server::new(&head, &plan).unwrap(), Asker::new(&plan));
    let generator = KeyGenerator::new(plan.params());
    let secret = generator.secret_key(&mut r);
    let own = generator.public_key(&secret, &mut r);
    for (batch, members) in [(&tokens[..1], [0, 1]), (&tokens[1..5], [1, 2]), (&tokens[5..7], [0, 2])] {
        let question = asker.encrypt_public(batch, &keys.public, &mut r).unwrap();
        let (_, answers) = server.logits(&keys.evaluation, &question[..], &mut r).unwrap();
        let opened = |wrong| {
            let opened = re_encrypted(&plan, &keys, members.map(PartyId), &answers, &own, (COARSE, wrong));
            asker.open_ciphertexts(batch.len(), &opened, &secret)
        };
        assert!(opened(false).is_ok());
        let refused = opened(true).unwrap_err();
        println!("{refused}");
        assert!(matches!(refused, Error::NotOpened { .. }), "{refused}");
    }
}
