//! The rings that one-round keys may live in.
//!
//! A ring's modulus is bounded by the security of its degree for a key of which the sum with one other key is known; see
//! `docs/notes/one-round-sums.md` for the estimates. Every prime has at most 46 bits: all fast paths take it.

use std::sync::{Arc, OnceLock};

use crate::Result;
use blindscope_ring::lift::Lift;
use blindscope_ring::{Arithmetic, Basis, ntt_primes};

/// A ring: its degree and the widths of its primes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// `log2 N`
    pub log_n: u32,
    /// Bits of each prime of the modulus.
    pub widths: &'static [u32],
}

/// Smallest first: of two plans of one length the first is taken. The bounds are `log2 q <= 26`, 53, 106 and 210.
pub const RINGS: [Ring; 5] = [
    Ring { log_n: 10, widths: &[26] },
    Ring { log_n: 11, widths: &[27, 26] },
    Ring { log_n: 12, widths: &[36, 35, 35] },
    Ring { log_n: 13, widths: &[46, 46, 46] },
    Ring { log_n: 13, widths: &[46, 46, 46, 46] },
];

/// A ring's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) basis: Basis,
    pub(crate) lift: Arc<Lift>,
    /// The modulus as words.
    pub(crate) modulus: Vec<u64>,
}

impl Ring {
    /// Its primes: the largest of each width that have a transform.
    pub(crate) fn primes(&self) -> std::result::Result<Vec<u64>, blindscope_ring::Error> {
        let mut primes: Vec<u64> = Vec::new();
        for (i, &bits) in self.widths.iter().enumerate() {
            let nth = self.widths.iter().take(i).filter(|&&w| w == bits).count();
            primes.extend(ntt_primes(bits, self.log_n, nth + 1)?.get(nth));
        }
        Ok(primes)
    }

    /// Its tables on no faster path than `ceiling`, made once a process.
    pub(crate) fn tables(&self, ceiling: Arithmetic) -> Result<Tables> {
        static MADE: [OnceLock<Made>; RINGS.len() * Arithmetic::ALL.len()] =
            [const { OnceLock::new() }; RINGS.len() * Arithmetic::ALL.len()];
        let (ring, path) =
            (RINGS.iter().position(|r| r == self), Arithmetic::ALL.iter().position(|p| *p == ceiling));
        let place = ring.zip(path).and_then(|(ring, path)| MADE.get(ring * Arithmetic::ALL.len() + path));
        let tables = match place {
            Some(made) => made.get_or_init(|| make(self, ceiling)).clone(),
            None => make(self, ceiling),
        };
        tables.map_err(|e| blindscope_ckks::Error::from(e).into())
    }
}

type Made = std::result::Result<Tables, blindscope_ring::Error>;

fn make(ring: &Ring, ceiling: Arithmetic) -> Made {
    let basis = Basis::on(ceiling, &ring.primes()?, ring.log_n)?;
    let lift = Arc::new(Lift::new(&basis));
    let modulus = blindscope_ring::integers::product_words(&basis);
    Ok(Tables { basis, lift, modulus })
}
