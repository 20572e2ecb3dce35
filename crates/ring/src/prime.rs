//! One prime of a ring: its modulus, its transform, and the vector operations on its residue limbs.

use crate::kernels::{self, MAX_ROW_TERMS, MAX_TERMS, portable};
use crate::ntt::{self, Twiddles};
use crate::{Arithmetic, Error, MAX_LOG_N, MIN_LOG_N, Modulus, Shoup, is_prime_vartime};

/// A prime with the transform of one degree `N`; limbs are slices of `N` residues.
///
/// Unless a method says otherwise, residues are below `p` on entry and on exit.
pub struct Prime {
    modulus: Modulus,
    log_n: u32,
    twiddles: Twiddles,
    path: Path,
}

/// What the prime's vectors are worked on with; both fast ones are built only where the processor has the instructions.
enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Doubles(ntt::doubles::Tables, kernels::doubles::Kernels),
    #[cfg(target_arch = "x86_64")]
    Ifma(ntt::ifma::Tables, kernels::ifma::Kernels),
}

impl Path {
    /// The fastest path up to `ceiling` that the processor has and the prime fits.
    fn choose(ceiling: Arithmetic, modulus: &Modulus, twiddles: &Twiddles) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let ifma = || ntt::ifma::Tables::new(modulus, twiddles);
            if let Some(tables) = (ceiling >= Arithmetic::Ifma).then(ifma).flatten() {
                return Self::Ifma(tables, kernels::ifma::Kernels::new(modulus));
            }
            let doubles = || ntt::doubles::Tables::new(modulus, twiddles);
            if let Some(tables) = (ceiling >= Arithmetic::Doubles).then(doubles).flatten() {
                return Self::Doubles(tables, kernels::doubles::Kernels::new(modulus));
            }
        }
        Self::Portable
    }
}

impl std::fmt::Debug for Prime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prime({}, 2^{}, {:?})", self.modulus.value(), self.log_n, self.arithmetic())
    }
}

/// Runs a kernel on the prime's path; on the portable one, the expression.
macro_rules! dispatch {
    ($self:ident, $kernel:ident($($arg:expr),*), $portable:expr) => {{
        match &$self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Ifma(_, kernels) => kernels.$kernel($($arg),*),
            #[cfg(target_arch = "x86_64")]
            Path::Doubles(_, kernels) => kernels.$kernel($($arg),*),
            Path::Portable => $portable,
        }
    }};
}

impl Prime {
    /// The prime `value` with the transform of degree `2^log_n`, on the fastest path of this processor.
    ///
    /// # Errors
    /// [`Error::Degree`] for a degree outside what the transforms support; [`Error::ModulusSize`] for an even
    /// number or one of more than 61 bits; [`Error::NotPrime`] for a composite one; [`Error::NoRoot`] where there
    /// is no primitive 2N-th root of unity.
    pub fn new(value: u64, log_n: u32) -> Result<Self, Error> {
        Self::on(Arithmetic::fastest(), value, log_n)
    }

    /// As [`Self::new`], on no faster path than `ceiling`: to measure and compare paths.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(ceiling: Arithmetic, value: u64, log_n: u32) -> Result<Self, Error> {
        if !(MIN_LOG_N..=MAX_LOG_N).contains(&log_n) {
            return Err(Error::Degree { log_n, min: MIN_LOG_N, max: MAX_LOG_N });
        }
        let modulus = Modulus::new(value)?;
        if !is_prime_vartime(value) {
            return Err(Error::NotPrime { value });
        }
        let twiddles = Twiddles::new(&modulus, log_n)?;
        let path = Path::choose(ceiling, &modulus, &twiddles);
        Ok(Self { modulus, log_n, twiddles, path })
    }

    /// The modulus.
    #[inline]
    pub fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// The prime as a number.
    #[inline]
    pub fn value(&self) -> u64 {
        self.modulus.value()
    }

    /// `log2 N`.
    pub fn log_n(&self) -> u32 {
        self.log_n
    }

    /// Which path this prime runs on.
    pub fn arithmetic(&self) -> Arithmetic {
        match &self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Ifma(..) => Arithmetic::Ifma,
            #[cfg(target_arch = "x86_64")]
            Path::Doubles(..) => Arithmetic::Doubles,
            Path::Portable => Arithmetic::Portable,
        }
    }

    /// Coefficients to evaluations, in place. Range: below `max(p, 2^51)` in, below `p` out.
    ///
    /// # Panics
    /// If `a` has not `N` words.
    pub fn forward(&self, a: &mut [u64]) {
        debug_assert!(
            a.iter().all(|&x| x < self.value().max(1 << 51)),
            "forward: word above the stated range"
        );
        assert_eq!(a.len(), 1 << self.log_n, "transform of another length");
        match &self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Ifma(tables, _) => tables.forward(a),
            #[cfg(target_arch = "x86_64")]
            Path::Doubles(tables, _) => tables.forward(a),
            Path::Portable => ntt::portable::forward(&self.modulus, &self.twiddles, a),
        }
    }

    /// Evaluations to coefficients, in place.
    ///
    /// # Panics
    /// If `a` has not `N` words.
    pub fn inverse(&self, a: &mut [u64]) {
        assert_eq!(a.len(), 1 << self.log_n, "transform of another length");
        match &self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Ifma(tables, _) => tables.inverse(a),
            #[cfg(target_arch = "x86_64")]
            Path::Doubles(tables, _) => tables.inverse(a),
            Path::Portable => ntt::portable::inverse(&self.modulus, &self.twiddles, a),
        }
    }

    /// `a += b`
    pub fn add_assign(&self, a: &mut [u64], b: &[u64]) {
        debug_assert_eq!(a.len(), b.len());
        dispatch!(self, add_assign(a, b), portable::add_assign(self.value(), a, b));
    }

    /// `a -= b`
    pub fn sub_assign(&self, a: &mut [u64], b: &[u64]) {
        debug_assert_eq!(a.len(), b.len());
        dispatch!(self, sub_assign(a, b), portable::sub_assign(self.value(), a, b));
    }

    /// `a = -a`
    pub fn neg_assign(&self, a: &mut [u64]) {
        dispatch!(self, neg_assign(a), portable::neg_assign(self.value(), a));
    }

    /// `a *= b`
    pub fn mul_assign(&self, a: &mut [u64], b: &[u64]) {
        debug_assert_eq!(a.len(), b.len());
        dispatch!(self, mul_assign(a, b), portable::mul_assign(&self.modulus, a, b));
    }

    /// `out = a·b`
    pub fn mul_into(&self, out: &mut [u64], a: &[u64], b: &[u64]) {
        debug_assert!(out.len() == a.len() && a.len() == b.len());
        dispatch!(self, mul_into(out, a, b), portable::mul_into(&self.modulus, out, a, b));
    }

    /// `acc += a·b`
    pub fn mul_add_assign(&self, acc: &mut [u64], a: &[u64], b: &[u64]) {
        debug_assert!(acc.len() == a.len() && a.len() == b.len());
        dispatch!(self, mul_add_assign(acc, a, b), portable::mul_add_assign(&self.modulus, acc, a, b));
    }

    /// `out = Σ a·b`, reducing once for several products.
    pub fn mul_sum(&self, out: &mut [u64], terms: &[(&[u64], &[u64])]) {
        match &self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Ifma(_, kernels) => {
                let mut chunks = terms.chunks(MAX_TERMS);
                kernels.mul_sum(out, chunks.next().unwrap_or(&[]));
                for (a, b) in chunks.flatten() {
                    kernels.mul_add_assign(out, a, b);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Doubles(_, kernels) => kernels.mul_sum(out, terms),
            Path::Portable => portable::mul_sum(&self.modulus, out, terms),
        }
    }

    /// `out_h = Σ x·y_h` for `h` 0 and 1, a key's two halves: as [`Self::mul_sum`] twice, with each `x` read once.
    pub fn mul_sums(&self, out: [&mut [u64]; 2], x: &[&[u64]], y: [&[&[u64]]; 2]) {
        debug_assert!(y.iter().all(|half| half.len() == x.len()));
        #[cfg(target_arch = "x86_64")]
        if let Path::Ifma(_, kernels) = &self.path
            && x.len() <= MAX_TERMS
        {
            return kernels.mul_sums(out, x, y);
        }
        for (out, y) in out.into_iter().zip(y) {
            let terms: Vec<_> = x.iter().copied().zip(y.iter().copied()).collect();
            self.mul_sum(out, &terms);
        }
    }

    /// `acc_r += Σ_j w_(r,j)·x_j` for each row `r`: a matrix of constants times a column of vectors. `w` holds its rows one
    /// after the other. Vectors may be parts of limbs. Range: all of one length, a multiple of eight; weights below `p`.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn mul_rows_add_assign(&self, acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]) {
        assert_eq!(w.len(), acc.len() * x.len(), "a weight for each row and column");
        if x.len() > MAX_ROW_TERMS {
            let (near, far) = x.split_at(MAX_ROW_TERMS);
            let part = |from: usize, to: usize| -> Vec<u64> {
                w.chunks_exact(x.len()).flat_map(|row| &row[from..to]).copied().collect()
            };
            self.mul_rows_add_assign(acc, near, &part(0, near.len()));
            return self.mul_rows_add_assign(acc, far, &part(near.len(), x.len()));
        }
        dispatch!(
            self,
            mul_rows_add_assign(acc, x, w),
            portable::mul_rows_add_assign(&self.modulus, acc, x, w)
        );
    }

    /// A constant prepared for the methods below. Range: `w < p`.
    pub fn constant(&self, w: u64) -> Shoup {
        self.modulus.shoup(w)
    }

    /// `a *= w`. Range: below `2^52` in.
    pub fn mul_constant_assign(&self, a: &mut [u64], w: Shoup) {
        dispatch!(self, mul_constant_assign(a, w), portable::mul_constant_assign(&self.modulus, a, w));
    }

    /// `acc += a·w`. Range: `a` below `2^52`.
    pub fn mul_constant_add_assign(&self, acc: &mut [u64], a: &[u64], w: Shoup) {
        debug_assert_eq!(acc.len(), a.len());
        dispatch!(
            self,
            mul_constant_add_assign(acc, a, w),
            portable::mul_constant_add_assign(&self.modulus, acc, a, w)
        );
    }

    /// `a = (a - b)·w`
    pub fn sub_mul_constant_assign(&self, a: &mut [u64], b: &[u64], w: Shoup) {
        debug_assert_eq!(a.len(), b.len());
        dispatch!(
            self,
            sub_mul_constant_assign(a, b, w),
            portable::sub_mul_constant_assign(&self.modulus, a, b, w)
        );
    }

    /// The evaluations of the polynomial with these signed coefficients, in constant time for each of two widths: the
    /// narrow one below `2^49` in size. Range: `out` and `coefficients` have `N` words.
    pub fn signed_to_ntt(&self, out: &mut [u64], coefficients: &[i64]) {
        debug_assert_eq!(out.len(), coefficients.len());
        let p = self.value();
        let size = coefficients.iter().fold(0, |acc, v| acc | (v ^ (v >> 63)));
        if size >> 49 == 0 && p >> 50 == 0 {
            // A multiple of p not below 2^49, so below 2^49 + p: sums lie within [0, 2^51), which the transform takes.
            let lift = ((1u64 << 49).div_ceil(p) * p) as i64;
            for (o, v) in out.iter_mut().zip(coefficients) {
                *o = (v + lift) as u64;
            }
        } else {
            for (o, &v) in out.iter_mut().zip(coefficients) {
                *o = self.modulus.from_i64(v);
            }
        }
        self.forward(out);
    }

    /// The centred representatives of `x mod from` as input to [`Self::forward`]: congruent modulo `p`, below
    /// `max(p, 2^51)`, not reduced.
    pub fn lift_centred_lazy(&self, out: &mut [u64], x: &[u64], from: &Modulus) {
        debug_assert_eq!(out.len(), x.len());
        let p = self.value();
        // x - from, made non-negative by the multiple of p just above it: at most from + p in size.
        let lift = from.value().div_ceil(p) * p - from.value();
        dispatch!(
            self,
            lift_centred(out, x, from.value() / 2, lift),
            portable::lift_centred(out, x, from.value() / 2, lift)
        );
        // Words are at most from + p. The fast paths' primes are below 2^50.
        if from.bits() > 50 || self.modulus.bits() > 50 {
            portable::reduce_assign(&self.modulus, out);
        }
    }
}
