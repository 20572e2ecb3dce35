//! Primes with a transform: `p = 1 mod 2N`.

use crate::{Error, MAX_LOG_N, MIN_LOG_N, Modulus};

/// Whether `value` is prime: Miller–Rabin with the first twelve primes as bases, which is exact below
/// 3.3·10^24 (Sorenson and Webster, 2015). Time depends on the value.
pub fn is_prime_vartime(value: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    for b in BASES {
        if value.is_multiple_of(b) {
            return value == b;
        }
    }
    let Ok(m) = Modulus::new(value) else { return false };
    let s = (value - 1).trailing_zeros();
    let d = (value - 1) >> s;
    BASES.iter().all(|&b| {
        let mut x = m.pow_vartime(b, d);
        if x == 1 || x == value - 1 {
            return true;
        }
        for _ in 1..s {
            x = m.mul(x, x);
            if x == value - 1 {
                return true;
            }
        }
        false
    })
}

/// The `count` largest primes of exactly `bits` bits that are 1 modulo `2N`, descending.
///
/// # Errors
/// [`Error::Degree`] for a degree outside what the transforms support; [`Error::TooFewPrimes`] where fewer primes
/// of that width exist.
pub fn ntt_primes(bits: u32, log_n: u32, count: usize) -> Result<Vec<u64>, Error> {
    if !(MIN_LOG_N..=MAX_LOG_N).contains(&log_n) {
        return Err(Error::Degree { log_n, min: MIN_LOG_N, max: MAX_LOG_N });
    }
    let two_n = 2u64 << log_n;
    let mut found = Vec::with_capacity(count);
    if (log_n + 2..=61).contains(&bits) {
        let low = 1u64 << (bits - 1);
        let mut candidate = ((1u64 << bits) - 1) / two_n * two_n + 1;
        while candidate > low && found.len() < count {
            if candidate < 1 << bits && is_prime_vartime(candidate) {
                found.push(candidate);
            }
            candidate -= two_n;
        }
    }
    if found.len() < count {
        return Err(Error::TooFewPrimes { bits, two_n, wanted: count, found: found.len() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_trial_division() {
        let trial = |v: u64| v > 1 && (2..v).take_while(|d| d * d <= v).all(|d| !v.is_multiple_of(d));
        for v in 0..20_000 {
            assert_eq!(is_prime_vartime(v), trial(v), "{v}");
        }
        assert!(!is_prime_vartime(3_215_031_751)); // strong pseudoprime to 2, 3, 5 and 7
    }

    #[test]
    fn primes_are_descending_exact_width_and_have_roots() {
        let primes = ntt_primes(40, 13, 5).unwrap();
        assert!(primes.windows(2).all(|w| w[0] > w[1]));
        assert!(primes.iter().all(|p| p >> 39 == 1 && p % 16_384 == 1));
    }

    #[test]
    fn says_how_many_there_are() {
        let e = ntt_primes(15, 13, 3).unwrap_err();
        assert!(e.to_string().contains("of 15 bits"), "{e}");
    }
}
