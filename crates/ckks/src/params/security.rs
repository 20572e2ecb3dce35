//! The 128-bit security table.
//!
//! `log2 QP`, special primes included, for a uniform ternary secret and errors of standard deviation 3.19.
//! Reference: Bossuat et al., "Security guidelines for implementing homomorphic encryption", ia.cr/2024/463,
//! tables 5.2 and 5.3.

/// Against which attacker 128 bits are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// Classical computers.
    Classical128,
    /// Quantum computers too.
    Quantum128,
}

/// `(log2 N, classical, quantum)`
const TABLE: [(u32, u32, u32); 7] = [
    (10, 26, 20),
    (11, 53, 40),
    (12, 106, 80),
    (13, 214, 161),
    (14, 430, 322),
    (15, 868, 644),
    (16, 1747, 1289),
];

impl Security {
    /// Most bits of `QP` at degree `2^log_n`, or `None` outside the table.
    pub fn max_log_qp(self, log_n: u32) -> Option<u32> {
        TABLE.iter().find(|row| row.0 == log_n).map(|row| match self {
            Self::Classical128 => row.1,
            Self::Quantum128 => row.2,
        })
    }

    /// The row's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classical128 => "classical-128",
            Self::Quantum128 => "quantum-128",
        }
    }
}
