//! The distributions of lattice cryptography, each from a 32-byte seed through `ChaCha20`, in constant time.
//!
//! Secret distributions take their seed from the caller's generator and wipe the key stream. The uniform one is
//! public: anyone with the seed expands the same polynomial, so it stands for half a ciphertext on the wire.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Basis, Ntt, Poly};

/// 32 bytes that expand to a uniform polynomial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// A fresh seed.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

/// 32 bytes that expand to secrets: neither printed nor copied, wiped on drop.
pub struct SecretSeed(Zeroizing<[u8; 32]>);

impl SecretSeed {
    /// A fresh seed.
    ///
    /// # Timing
    /// The same for any seed.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self(bytes)
    }

    /// The seed of these bytes, which the caller wipes where they came from.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes: for what derives from them, and for their sealed form.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SecretSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretSeed(..)")
    }
}

/// Bits a side of the centred binomial: variance 21/2, so `σ = 3.24`.
const BINOMIAL_BITS: u32 = 21;
/// Coins of one draw of [`error`]: both sides together.
pub const ERROR_COINS: u32 = 2 * BINOMIAL_BITS;
/// Standard deviation of [`error`], `sqrt(21/2)`.
pub const ERROR_STD: f64 = 3.240_370_349_203_93;
/// Largest size of a coefficient of [`error`].
pub const ERROR_BOUND: i64 = BINOMIAL_BITS as i64;

/// A uniform polynomial over the basis, in evaluations.
///
/// Limb `i` reads the `ChaCha20` key stream of the seed under the nonce `domain (u64 LE) ‖ i (u32 LE)` in words of
/// `ceil(bits(q_i)/8)` bytes, little-endian, masked to `bits(q_i)`; words not below `q_i` are skipped. `domain`
/// separates the polynomials of one seed.
pub fn uniform(basis: &Basis, seed: &Seed, domain: u64) -> Poly<Ntt> {
    expand(basis, &seed.0, domain)
}

/// As [`uniform`], of a secret seed. Wiping the polynomial is the caller's.
///
/// # Timing
/// How many words are skipped shows, which says nothing of the seed: `ChaCha20`'s stream is not told from a random one.
pub fn uniform_secret(basis: &Basis, seed: &SecretSeed, domain: u64) -> Poly<Ntt> {
    expand(basis, &seed.0, domain)
}

fn expand(basis: &Basis, seed: &[u8; 32], domain: u64) -> Poly<Ntt> {
    let mut out = Poly::unspecified(basis.n(), basis.len());
    for (i, (limb, prime)) in out.limbs_mut().zip(basis.primes()).enumerate() {
        uniform_limb(limb, prime.value(), seed, domain, i as u32);
    }
    out
}

/// Words read from a key stream at a time.
const WORDS: usize = 512;

fn uniform_limb(limb: &mut [u64], q: u64, seed: &[u8; 32], domain: u64, index: u32) {
    let bits = 64 - q.leading_zeros();
    let width = bits.div_ceil(8) as usize;
    let mask = (1 << bits) - 1;
    // The width as a constant: words are then taken without a check each.
    let take = match width {
        1 => take_below::<1>,
        2 => take_below::<2>,
        3 => take_below::<3>,
        4 => take_below::<4>,
        5 => take_below::<5>,
        6 => take_below::<6>,
        7 => take_below::<7>,
        _ => take_below::<8>,
    };
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&domain.to_le_bytes());
    nonce[8..].copy_from_slice(&index.to_le_bytes());
    let mut stream = ChaCha20::new(&(*seed).into(), &nonce.into());
    let mut bytes = [0; WORDS * 8 + 8];
    let mut filled = 0;
    while filled < limb.len() {
        let run = &mut bytes[..WORDS * width];
        run.fill(0);
        stream.apply_keystream(run);
        filled += take(q, mask, &bytes, &mut limb[filled..]);
    }
}

/// Fills `out` with the words of `WIDTH` bytes below `q` of a run of key stream; how many there were and fit.
///
/// Public data: time may depend on it. As good as every run has no other words, and is copied without a look at each.
fn take_below<const WIDTH: usize>(q: u64, mask: u64, bytes: &[u8; WORDS * 8 + 8], out: &mut [u64]) -> usize {
    let word = |k: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[k * WIDTH..k * WIDTH + 8]);
        u64::from_le_bytes(word) & mask
    };
    if let Some(run) = out.get_mut(..WORDS) {
        let mut most = 0;
        for (k, x) in run.iter_mut().enumerate() {
            *x = word(k);
            most = most.max(*x);
        }
        if most < q {
            return WORDS;
        }
    }
    let mut filled = 0;
    for k in 0..WORDS {
        if filled == out.len() {
            break;
        }
        // A word not below q is overwritten by the next.
        out[filled] = word(k);
        filled += usize::from(out[filled] < q);
    }
    filled
}

/// Key stream of a one-time seed.
fn stream(seed: &SecretSeed) -> ChaCha20 {
    ChaCha20::new(&(*seed.0).into(), &[0; 12].into())
}

/// Fills `out` with `f` of one key-stream word of `W` bytes each.
fn fill<const W: usize>(seed: &SecretSeed, out: &mut [i64], f: impl Fn(u64) -> i64) {
    let mut stream = stream(seed);
    let mut bytes = Zeroizing::new([0u8; WORDS * 8]);
    for run in out.chunks_mut(WORDS) {
        let bytes = &mut bytes[..run.len() * W];
        bytes.fill(0);
        stream.apply_keystream(bytes);
        for (o, b) in run.iter_mut().zip(bytes.chunks_exact(W)) {
            let mut word = [0; 8];
            word[..W].copy_from_slice(b);
            *o = f(u64::from_le_bytes(word));
        }
    }
}

/// Standard deviation of a centred binomial of so many coins, `√(coins/4)`: of [`error`] with [`ERROR_COINS`].
pub fn binomial_std(coins: u32) -> f64 {
    (f64::from(coins) / 4.0).sqrt()
}

/// Centred binomial coefficients: the difference of two counts of ones among 21 bits.
///
/// Reference: Bossuat et al., "Security guidelines for implementing homomorphic encryption", ia.cr/2024/463, §2.
///
/// # Timing
/// Depends on the number of coefficients alone.
pub fn error(rng: &mut impl CryptoRng, out: &mut [i64]) {
    error_of(&SecretSeed::generate(rng), out);
}

/// What [`error`] gives for a generator whose next 32 bytes are this seed: for errors that several threads draw at once, in the
/// order of one generator.
///
/// # Timing
/// Depends on the number of coefficients alone.
pub fn error_of(seed: &SecretSeed, out: &mut [i64]) {
    fill::<6>(seed, out, |w| {
        const SIDE: u64 = (1 << BINOMIAL_BITS) - 1;
        // Both counts at once, one in each 32-bit half.
        let mut x = (w & SIDE) | ((w >> BINOMIAL_BITS & SIDE) << 32);
        x -= x >> 1 & 0x5555_5555_5555_5555;
        x = (x & 0x3333_3333_3333_3333) + (x >> 2 & 0x3333_3333_3333_3333);
        x = (x + (x >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
        x += x >> 8;
        x += x >> 16;
        (x & 0x3f) as i64 - (x >> 32 & 0x3f) as i64
    });
}

/// Uniform coefficients in `{-1, 0, 1}`, up to a bias below `2^-62`.
///
/// # Timing
/// Depends on the number of coefficients alone.
pub fn ternary(rng: &mut impl CryptoRng, out: &mut [i64]) {
    fill::<8>(&SecretSeed::generate(rng), out, |w| ((u128::from(w) * 3) >> 64) as i64 - 1);
}

/// An error polynomial over the basis, in evaluations.
pub fn error_poly(basis: &Basis, rng: &mut impl CryptoRng) -> Poly<Ntt> {
    error_poly_of(basis, &SecretSeed::generate(rng))
}

/// As [`error_poly`], of a seed: see [`error_of`]. Wiping the polynomial is the caller's.
///
/// # Timing
/// Depends on the basis alone.
pub fn error_poly_of(basis: &Basis, seed: &SecretSeed) -> Poly<Ntt> {
    let mut coefficients = Zeroizing::new(vec![0; basis.n()]);
    error_of(seed, &mut coefficients);
    basis.signed_to_ntt(&coefficients)
}

/// A ternary polynomial over the basis, in evaluations.
pub fn ternary_poly(basis: &Basis, rng: &mut impl CryptoRng) -> Poly<Ntt> {
    let mut coefficients = Zeroizing::new(vec![0; basis.n()]);
    ternary(rng, &mut coefficients);
    basis.signed_to_ntt(&coefficients)
}

/// Flooding: the sum of four uniform integers below `width`, less its mean, up to a bias below `width·2^-62`. Its variance is
/// [`flood_std`] squared, no value is larger than `2·width`. Range: `1 <= width <= 2^52`.
///
/// # Timing
/// Depends on the number of coefficients alone.
pub fn flood(rng: &mut impl CryptoRng, width: u64, out: &mut [i64]) {
    debug_assert!((1..=1 << 52).contains(&width));
    let mut part = Zeroizing::new(vec![0; out.len()]);
    out.fill(-2 * (width as i64 - 1));
    for _ in 0..4 {
        fill::<8>(&SecretSeed::generate(rng), &mut part, |w| {
            ((u128::from(w) * u128::from(width)) >> 64) as i64
        });
        out.iter_mut().zip(part.iter()).for_each(|(sum, x)| *sum += x);
    }
}

/// Standard deviation of [`flood`]: `√((width² − 1)/3)`.
pub fn flood_std(width: u64) -> f64 {
    (((width as f64).powi(2) - 1.0) / 3.0).sqrt()
}

/// The width whose deviation is closest to this one, at least one, where nothing is added.
pub fn flood_width(std: f64) -> u64 {
    ((3.0 * std * std + 1.0).sqrt().round() as u64).clamp(1, 1 << 52)
}
