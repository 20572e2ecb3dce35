//! RNS-CKKS: approximate arithmetic on encrypted vectors of complex numbers.
//!
//! A day with this crate: write a [`ParametersLiteral`], check it into [`Parameters`], make keys with a
//! [`KeyGenerator`], turn numbers into a [`Plaintext`] with an [`Encoder`], encrypt, compute with an
//! [`Evaluator`], decrypt, decode. Levels are aligned by name (`drop_to_level`, `rescale`), never silently; scales
//! are exact ([`Scale`]) and compared by equality. Keys know nothing of parties: see the threshold crate.
//!
//! References: Cheon, Kim, Kim, Song 2017 (CKKS); Cheon, Han, Kim, Kim, Song 2018 (RNS form); Han and Ki 2020
//! (hybrid key switching); Halevi and Shoup 2018 (hoisting).

mod ciphertext;
pub mod codec;
mod decrypt;
mod encode;
mod encrypt;
mod error;
mod evaluate;
mod keys;
pub mod noise;
mod params;
mod plaintext;
pub mod ring_switch;
mod scale;
pub mod zeros;

pub use blindscope_ring::Arithmetic;
pub use blindscope_ring::galois::{conjugation_element, rotation_element};
pub use blindscope_ring::sample::{SecretSeed, Seed};
pub use ciphertext::{Ciphertext, SeededCiphertext};
pub use decrypt::Decryptor;
pub use encode::{Encoder, Strand, join_pairs, split_pairs};
pub use encrypt::{EncryptionDraws, Encryptor, PublicEncryptor};
pub use error::{Error, Result};
pub use evaluate::{Decomposed, Evaluator, GaussianMatrix, LazyCiphertext, RaisedCiphertext};
pub use keys::{
    GaloisKey, GaloisKeys, KeyGenerator, PublicKey, RelinKey, SecretKey, SwitchingKey, UniformHalf,
};
pub use num_complex::Complex64;
pub use params::{Level, ModulusLiteral, Parameters, ParametersLiteral, Security, presets};
pub use plaintext::{Plaintext, RaisedPlaintext};
pub use scale::Scale;
