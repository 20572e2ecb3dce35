//! Which instructions a prime's vectors are worked on with.

use std::str::FromStr;

/// A path of arithmetic, the slowest first. All give the same bytes.
///
/// As a choice it is a ceiling: a prime that is too wide for a path, or a processor that lacks it, takes the next one down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Arithmetic {
    /// 64-bit words; every processor, primes of at most 61 bits.
    Portable,
    /// Integers in doubles, four at a time with AVX2 and FMA; primes of at most 50 bits.
    Doubles,
    /// AVX-512 IFMA, lazily modulo `2^52`; primes of at most 46 bits.
    Ifma,
}

impl Arithmetic {
    /// Every path, the slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Doubles, Self::Ifma];

    /// The ceiling that excludes nothing.
    pub const fn fastest() -> Self {
        Self::Ifma
    }

    /// Whether this processor has the path's instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Doubles => {
                std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                    && std::arch::is_x86_feature_detected!("avx512ifma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The paths of this processor, the slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|path| path.is_available())
    }

    /// `portable`, `doubles` or `ifma`: how users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Doubles => "doubles",
            Self::Ifma => "ifma",
        }
    }
}

impl std::fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arithmetic {
    type Err = String;

    /// # Errors
    /// A sentence for a name that is none, or a path that this processor lacks.
    fn from_str(name: &str) -> Result<Self, String> {
        let names: Vec<_> = Self::available().map(Self::name).collect();
        let path = Self::ALL.into_iter().find(|path| path.name() == name);
        match path {
            Some(path) if path.is_available() => Ok(path),
            Some(path) => {
                Err(format!("this processor lacks the instructions of {path}; it has {}", names.join(", ")))
            }
            None => Err(format!("no arithmetic is called {name:?}; this processor has {}", names.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_refused() {
        for path in Arithmetic::ALL {
            match path.name().parse::<Arithmetic>() {
                Ok(read) => assert_eq!(read, path),
                Err(why) => assert!(!path.is_available() && why.contains("lacks"), "{why}"),
            }
        }
        assert!("avx".parse::<Arithmetic>().is_err_and(|why| why.contains("portable")));
        assert!(Arithmetic::Portable < Arithmetic::Doubles && Arithmetic::Doubles < Arithmetic::fastest());
    }
}
