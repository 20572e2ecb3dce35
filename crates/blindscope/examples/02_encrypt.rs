//! Keys, encryption, and the noise that hides a message.
//!
//! A ciphertext of `m` is `(c_0, c_1)` with `c_0 + c_1·s ≈ m` for the secret `s`. What stands between is *noise*, a small
//! random polynomial without which linear algebra would find `s`. Half of a fresh ciphertext is uniform and travels as the
//! 32 bytes that it is expanded from.
//!
//! ```text
//! a ciphertext takes 129 kB, its seed included
//! decrypted: 0.500, -1.250, 3.000
//! the same message again is another ciphertext: true
//! with the public key: 0.500, -1.250, 3.000
//! with another secret, the first number is off by more than a thousand: true
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope::ckks::{
    Ciphertext, Decryptor, Encoder, Encryptor, Error, KeyGenerator, Parameters, PublicEncryptor, SecretKey,
    codec, presets,
};

fn main() -> Result<(), Error> {
    // Randomness is an argument everywhere. A fixed seed makes this page repeatable; a program takes the system's.
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let params = Parameters::new(presets::depth_two())?;
    let keys = KeyGenerator::new(&params);
    let secret = keys.secret_key(&mut rng);

    let encoder = Encoder::new(&params);
    let message = encoder.encode_real(&[0.5, -1.25, 3.0], params.top_level(), params.default_scale())?;
    let fresh = Encryptor::new(&secret).encrypt(&message, &mut rng)?;
    println!("a ciphertext takes {} kB, its seed included", codec::encode_seeded(&fresh).len() / 1000);
    let first = fresh.into_ciphertext();
    println!("decrypted: {}", open(&encoder, &secret, &first)?);

    let again = Encryptor::new(&secret).encrypt(&message, &mut rng)?.into_ciphertext();
    println!("the same message again is another ciphertext: {}", again.components() != first.components());

    // Anybody may encrypt with the public key: an encryption of zero that is made random once more.
    let public = keys.public_key(&secret, &mut rng);
    let sent = PublicEncryptor::new(&public).encrypt(&message, &mut rng)?;
    println!("with the public key: {}", open(&encoder, &secret, &sent)?);

    let stranger = keys.secret_key(&mut rng);
    let nonsense = encoder.decode_real(&Decryptor::new(&stranger).decrypt(&first)?)?;
    println!(
        "with another secret, the first number is off by more than a thousand: {}",
        nonsense[0].abs() > 1000.0
    );
    Ok(())
}

fn open(encoder: &Encoder, secret: &SecretKey, c: &Ciphertext) -> Result<String, Error> {
    let slots = encoder.decode_real(&Decryptor::new(secret).decrypt(c)?)?;
    Ok(slots[..3].iter().map(|x| format!("{x:.3}")).collect::<Vec<_>>().join(", "))
}
