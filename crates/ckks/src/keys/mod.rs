//! Keys, and how one party makes them. What several parties make together lives in the threshold crate.

mod galois;
mod generator;
mod level;
mod public;
mod secret;
mod switching;

pub use galois::{GaloisKey, GaloisKeys};
pub use generator::KeyGenerator;
pub use public::PublicKey;
pub use secret::SecretKey;
pub use switching::{RelinKey, SwitchingKey, UniformHalf};
