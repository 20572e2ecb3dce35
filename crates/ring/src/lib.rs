//! Polynomial rings `R_q = Z_q[X]/(X^N + 1)` in residue (RNS) form, and nothing about keys.
//!
//! From bottom to top: [`Modulus`] is arithmetic modulo one prime; [`Prime`] adds the number-theoretic
//! transform of one ring degree and the vector kernels; [`Basis`] is a row of primes and [`Poly`] a
//! polynomial with one residue limb a prime, whose representation (coefficients or evaluations) is in its
//! type. Around them: [`galois`] automorphisms, [`extend`] basis extension, [`sample`] distributions,
//! [`lift`] exact signed values from residues, [`integers`] the same as words.
//!
//! Every vector operation has a path in portable words, one in doubles for processors with AVX2 and FMA and primes of at most 50
//! bits, and one with AVX-512 IFMA for primes of at most 46 bits ([`Arithmetic`]). All give the same bytes.

mod arithmetic;
mod basis;
mod buffer;
#[cfg(target_arch = "x86_64")]
mod doubles;
mod error;
pub mod extend;
pub mod galois;
pub mod integers;
mod kernels;
pub mod lift;
mod modulus;
mod ntt;
mod poly;
mod prime;
mod primes;
pub mod sample;

pub use arithmetic::Arithmetic;
pub use basis::Basis;
pub use error::Error;
pub use modulus::{Modulus, Shoup};
pub use ntt::EvaluationOrder;
pub use poly::{Coeff, Ntt, Poly, Representation};
pub use prime::Prime;
pub use primes::{is_prime_vartime, ntt_primes};

/// Smallest supported `log2 N`.
pub const MIN_LOG_N: u32 = 4;
/// Largest supported `log2 N`.
pub const MAX_LOG_N: u32 = 16;
