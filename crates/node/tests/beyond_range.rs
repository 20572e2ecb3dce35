//! Values beyond a plan's range: how far the noise that an answer then bears rises above the masks that were made for the range.
//!
//! Two encryptions of one head answer one question. Their logits are equal; what their answers differ by is the noise of the head's
//! encryptions, times what was asked. As long as that is below the masks it shows nothing; where it is above, an asker reads its high
//! bits, and they are of the head's ciphertexts and the key.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helper functions of tests"
)]

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope_ckks::noise::Noise;
use blindscope_ckks::{Ciphertext, Decryptor, Encoder, KeyGenerator, Plaintext, PublicEncryptor, SecretKey};
use blindscope_classify::{
    Affine, Asker, Collective, EncryptedHead, EvaluationKeys, Head, HeadLiteral, KeyOwner, Map,
    Normalisation, Packing, Plan, Policy, Server, question_of,
};
use blindscope_testkit::{real_values, rng};
use blindscope_threshold::Flooding;

const WIDTH: usize = 16;
const TOKENS: usize = 8;
/// Answers in the key's life, and bits of statistical security: as services have them unless told otherwise.
const ANSWERS: u64 = 4096;
const STATISTICAL_BITS: u32 = 40;

struct Study {
    plan: Plan,
    secret: SecretKey,
    keys: EvaluationKeys,
    /// Of one head, with encryptions of their own.
    servers: [Server; 2],
}

fn head(r: &mut ChaCha20Rng) -> Head {
    let mut affine = |rows: usize, width: usize| {
        let size = (3.0 / width as f64).sqrt();
        Affine {
            weights: (0..rows).map(|_| real_values(r, width, size)).collect(),
            bias: real_values(r, rows, 0.3),
        }
    };
    let map =
        Map::Polynomial { inner: affine(8, WIDTH), polynomial: vec![0.1, 0.5, 0.2], outer: affine(3, 8) };
    let normalisation = Normalisation::identity(WIDTH, 4.0);
    Head::new(HeadLiteral { normalisation, map, range: Some(8.0) }).unwrap()
}

impl Study {
    fn new(r: &mut ChaCha20Rng) -> Self {
        let head = head(r);
        let policy = Policy {
            packing: Some(Packing::Token),
            key: KeyOwner::Collective,
            encrypted_head: true,
            max_error: Some(0.25),
            collective: Collective { sites: 3, encryptions: 3 },
            ..Policy::new(TOKENS)
        };
        let plan = Plan::new(&head, policy).unwrap();
        let generator = KeyGenerator::new(plan.params());
        let secret = generator.secret_key(r);
        let public = generator.public_key(&secret, r);
        let keys = EvaluationKeys::for_secret(&plan, &secret, r).unwrap();
        let mut server = || {
            let first = EncryptedHead::encrypt(&head, &plan, 1.0, &public, r).unwrap();
            Server::encrypted(&head, &plan, first).unwrap()
        };
        let servers = [server(), server()];
        Self { plan, secret, keys, servers }
    }

    /// `log2` of the largest difference of the two answers, where logits are shown, to tokens `2^beyond` times as large as any may be.
    fn differ_by(&self, beyond: u32, r: &mut ChaCha20Rng) -> f64 {
        let (params, asker) = (self.plan.params(), Asker::new(&self.plan));
        let tokens: Vec<Vec<f64>> = (0..TOKENS).map(|_| real_values(r, WIDTH, 4.0)).collect();
        let mut poly = asker.encode(&tokens).unwrap()[0].poly().clone();
        params.q().mul_integer_assign(&mut poly, 1 << beyond);
        let message = Plaintext::from_polynomial(params, poly, self.plan.fresh());
        let public = KeyGenerator::new(params).public_key(&self.secret, r);
        let question = PublicEncryptor::new(&public).encrypt(&message, r).unwrap();
        let question = question_of(&self.plan, TOKENS, vec![question]).unwrap();
        let [one, two] = [0, 1].map(|k| {
            // What masks the other coefficients is the same for both.
            let masks = &mut ChaCha20Rng::seed_from_u64(1);
            let (_, answers) = self.servers[k].logits(&self.keys, &question[..], masks).unwrap();
            self.shown(&answers)
        });
        let q = i128::from(params.q().prime(0).value());
        let centred = |x: i128| (x + q / 2).rem_euclid(q) - q / 2;
        let most = one.iter().zip(&two).map(|(a, b)| centred(a - b).unsigned_abs()).max().unwrap();
        (most.max(1) as f64).log2()
    }

    /// The coefficients of an answer that hold logits.
    fn shown(&self, answers: &[Ciphertext]) -> Vec<i128> {
        let (decryptor, encoder) = (Decryptor::new(&self.secret), Encoder::new(self.plan.params()));
        let of = |(c, places): (&Ciphertext, Vec<usize>)| {
            let all = encoder.decode_integers(&decryptor.decrypt(c).unwrap()).unwrap();
            places.into_iter().map(move |place| all[place]).collect::<Vec<_>>()
        };
        answers.iter().zip(self.plan.shown(TOKENS)).flat_map(of).collect()
    }

    /// The masks of the plan's answers.
    fn flooding(&self) -> Flooding {
        let params = self.plan.params();
        let scale = params.scale_value(&self.plan.answer());
        let std = self.plan.literal().error_bound / 7.0 * scale * (params.n() as f64).sqrt();
        Flooding::for_circuit(params, Noise { std, bound: std }, ANSWERS, 2, STATISTICAL_BITS).unwrap()
    }
}

#[test]
fn noise_rises_above_its_masks_far_beyond_the_range_alone() {
    let mut r = rng(91);
    let study = Study::new(&mut r);
    let shown: usize = study.plan.shown(TOKENS).iter().map(Vec::len).sum();
    let modulus = study.plan.params().q().log2_product(1);
    let mask = study.flooding().std_log2();
    println!(
        "{shown} coefficients are shown, modulo 2^{modulus:.1}; a member's mask has a deviation of 2^{mask:.1}"
    );
    println!("so an answer to whatever is asked tells at most {:.1} bits in each", modulus - mask);
    let mut first = None;
    for beyond in (0..=32).step_by(4) {
        let differ = study.differ_by(beyond, &mut r);
        println!("2^{beyond} times the range: answers of two encryptions differ by 2^{differ:.1}");
        if differ > mask && first.is_none() {
            first = Some(beyond);
        }
        if beyond == 0 {
            // 2^20 openings later still nothing is to be seen.
            assert!(differ + f64::from(STATISTICAL_BITS) / 2.0 < mask, "{differ} under {mask}");
        }
    }
    // The attack is one: the masks were made for the range.
    let first = first.unwrap();
    println!("above the masks from 2^{first} times the range on");
    assert!(first >= 8, "2^{first}");
}
