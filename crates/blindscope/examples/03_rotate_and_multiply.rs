//! Arithmetic on what nobody can read.
//!
//! Sums cost nothing. A product multiplies scales, so it is *rescaled*: divided by the last prime, which is then gone, and
//! the *level* falls by one. A product of two ciphertexts has three components until the relinearisation key brings it back
//! to two. Slots move only by *rotation*, which needs a Galois key for each number of steps.
//!
//! ```text
//! a + b       = 5, 7, 9, 0
//! a · b       = 4, 10, 18, 0 at level 1
//! (a · b) · a = 4, 20, 54, 0 at level 0
//! a, left by 1 = 2, 3, 0, 0
//! refused: add: levels differ
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope::ckks::{
    Ciphertext, Decryptor, Encoder, Encryptor, Error, Evaluator, KeyGenerator, Parameters, presets,
};

fn main() -> Result<(), Error> {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let params = Parameters::new(presets::depth_two())?;
    let keys = KeyGenerator::new(&params);
    let secret = keys.secret_key(&mut rng);
    // What a server gets: it can multiply and rotate by one step, and open nothing.
    let relin = keys.relin_key(&secret, &mut rng)?;
    let rotations = keys.galois_keys(&secret, &[1], &mut rng)?;

    let (encoder, evaluator) = (Encoder::new(&params), Evaluator::new(&params));
    let mut encrypt = |numbers: &[f64]| -> Result<Ciphertext, Error> {
        let message = encoder.encode_real(numbers, params.top_level(), params.default_scale())?;
        Ok(Encryptor::new(&secret).encrypt(&message, &mut rng)?.into_ciphertext())
    };
    let (a, b) = (encrypt(&[1.0, 2.0, 3.0])?, encrypt(&[4.0, 5.0, 6.0])?);
    let show = |c: &Ciphertext| -> Result<String, Error> {
        let slots = encoder.decode_real(&Decryptor::new(&secret).decrypt(c)?)?;
        Ok(slots[..4].iter().map(|x| format!("{}", x.round() + 0.0)).collect::<Vec<_>>().join(", "))
    };

    println!("a + b       = {}", show(&evaluator.add(&a, &b)?)?);

    let product = evaluator.rescale(&evaluator.mul_relin(&a, &b, &relin)?)?;
    println!("a · b       = {} at level {}", show(&product)?, product.level().0);

    // Levels are aligned by name, never silently: `a` is brought down to the product's level first.
    let lower = evaluator.drop_to_level(&a, product.level())?;
    let cubic = evaluator.rescale(&evaluator.mul_relin(&product, &lower, &relin)?)?;
    println!("(a · b) · a = {} at level {}", show(&cubic)?, cubic.level().0);

    println!("a, left by 1 = {}", show(&evaluator.rotate(&a, 1, &rotations)?)?);

    if let Err(Error::LevelMismatch { op, .. }) = evaluator.add(&a, &product) {
        println!("refused: {op}: levels differ");
    }
    Ok(())
}
