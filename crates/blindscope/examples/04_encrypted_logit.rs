//! A linear head by hand: `w·x + b` of an encrypted feature vector `x`, with weights in the clear.
//!
//! The weights are multiplied slot by slot, then the slots are added up: rotate by 1 and add, by 2 and add, by 4 and add, and
//! every slot holds the sum over eight. A transformer's CLS token has 768 features rather than 8, and a server that did it
//! so would turn ten times a class; `05_ask_a_head` uses a packing that turns less.
//!
//! ```text
//! in the clear 1.3250
//! encrypted    1.3250
//! rotations    3
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope::ckks::{Decryptor, Encoder, Encryptor, Error, Evaluator, KeyGenerator, Parameters, presets};

const FEATURES: [f64; 8] = [0.5, -1.0, 0.25, 2.0, 0.0, 1.5, -0.5, 1.0];
const WEIGHTS: [f64; 8] = [1.0, 0.5, -0.3, 0.25, 2.0, 0.4, -0.2, 0.1];
const BIAS: f64 = 0.1;

fn main() -> Result<(), Error> {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let params = Parameters::new(presets::depth_two())?;
    let encoder = Encoder::new(&params);

    // The asker: keys, and the question.
    let keys = KeyGenerator::new(&params);
    let secret = keys.secret_key(&mut rng);
    let steps = [1, 2, 4];
    let rotations = keys.galois_keys(&secret, &steps, &mut rng)?;
    let message = encoder.encode_real(&FEATURES, params.top_level(), params.default_scale())?;
    let question = Encryptor::new(&secret).encrypt(&message, &mut rng)?.into_ciphertext();

    // The server: knows the weights, sees neither features nor answer.
    let evaluator = Evaluator::new(&params);
    let weights = encoder.encode_real(&WEIGHTS, question.level(), params.default_scale())?;
    let products = evaluator.rescale(&evaluator.mul_plain(&question, &weights)?)?;
    let sum = evaluator.inner_sum(&products, 8, 1, &rotations)?;
    let logit = evaluator.add_scalar(&sum, BIAS)?;

    // The asker again. Only slot 0 is the logit; what else the slots hold depends on the packing, and a server that did
    // not want it seen would mask it.
    let opened = encoder.decode_real(&Decryptor::new(&secret).decrypt(&logit)?)?;
    let clear: f64 = FEATURES.iter().zip(WEIGHTS).map(|(x, w)| x * w).sum::<f64>() + BIAS;
    println!("in the clear {clear:.4}");
    println!("encrypted    {:.4}", opened[0]);
    println!("rotations    {}", steps.len());
    Ok(())
}
