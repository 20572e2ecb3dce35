//! Parameters: an open literal, a closed checked form, the security table, presets.

mod checked;
mod literal;
pub mod presets;
mod security;
mod switching;

pub use checked::Parameters;
pub use literal::{ModulusLiteral, ParametersLiteral};
pub use security::Security;
pub(crate) use switching::SwitchTables;

/// Most ciphertext primes of a parameter set.
pub(crate) const MAX_PRIMES: usize = 40;

/// How many rescalings a ciphertext can still take; 0 is the last level. Level `l` has `l + 1` primes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub usize);

impl Level {
    /// Residue limbs of a polynomial at this level.
    pub fn limbs(self) -> usize {
        self.0 + 1
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
