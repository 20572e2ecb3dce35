//! The negacyclic number-theoretic transform: a polynomial's values at the odd powers of `ψ`.
//!
//! `ψ` is the smallest primitive `2N`-th root of unity modulo `p`. With `ψ` merged into the twiddle factors
//! (Pöppelmann, Oder, Güneysu 2015) the forward transform is Cooley–Tukey from natural to bit-reversed order,
//! the inverse Gentleman–Sande back. [`EvaluationOrder`] says which value stands where.

#[cfg(target_arch = "x86_64")]
pub(crate) mod doubles;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
mod order;
pub(crate) mod portable;

pub use order::EvaluationOrder;

use crate::{Error, Modulus, Shoup};

/// Powers of `ψ` and `ψ^-1` in bit-reversed order, for the portable transform.
pub(crate) struct Twiddles {
    /// `ψ^brv(i)`
    pub(crate) forward: Vec<Shoup>,
    /// `ψ^-brv(i)`
    pub(crate) inverse: Vec<Shoup>,
    /// `N^-1`
    pub(crate) n_inverse: Shoup,
}

impl Twiddles {
    pub(crate) fn new(modulus: &Modulus, log_n: u32) -> Result<Self, Error> {
        let n = 1usize << log_n;
        let psi = smallest_root(modulus, log_n)?;
        let powers = |root: u64| {
            let mut table = vec![modulus.shoup(1); n];
            let mut x = 1;
            for i in 0..n {
                table[order::bit_reverse(i, log_n)] = modulus.shoup(x);
                x = modulus.mul(x, root);
            }
            table
        };
        let n_inverse = modulus.shoup(modulus.inv(modulus.reduce(n as u64)));
        Ok(Self { forward: powers(psi), inverse: powers(modulus.inv(psi)), n_inverse })
    }
}

/// The smallest `ψ` with `ψ^N = -1 mod p`.
fn smallest_root(modulus: &Modulus, log_n: u32) -> Result<u64, Error> {
    let p = modulus.value();
    let two_n = 2u64 << log_n;
    if p % two_n != 1 {
        return Err(Error::NoRoot { value: p, two_n });
    }
    let mut generator = 2;
    let root = loop {
        let candidate = modulus.pow_vartime(generator, (p - 1) / two_n);
        if modulus.pow_vartime(candidate, two_n / 2) == p - 1 {
            break candidate;
        }
        generator += 1;
    };
    // The primitive roots are the odd powers of any one of them.
    let square = modulus.mul(root, root);
    let (mut smallest, mut power) = (root, root);
    for _ in 1..two_n / 2 {
        power = modulus.mul(power, square);
        smallest = smallest.min(power);
    }
    Ok(smallest)
}
