//! Polynomials as residue limbs, their representation in the type.

use std::marker::PhantomData;

use zeroize::Zeroize;

use crate::buffer::Buffer;

mod sealed {
    /// Outside, nothing can be one.
    pub trait Sealed {}
}

/// How a polynomial is written down: [`Coeff`] or [`Ntt`].
pub trait Representation: sealed::Sealed + Copy + std::fmt::Debug + Default + 'static {}

/// By its coefficients, `X^0` first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coeff;

/// By its values, in [`crate::EvaluationOrder`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ntt;

impl sealed::Sealed for Coeff {}
impl sealed::Sealed for Ntt {}
impl Representation for Coeff {}
impl Representation for Ntt {}

/// A polynomial: limb `i` holds `N` residues modulo the `i`-th prime of its basis, each below the prime.
///
/// `Debug` shows its shape only, since it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Poly<R> {
    n: usize,
    words: Buffer,
    representation: PhantomData<R>,
}

impl<R: Representation> Poly<R> {
    /// Zero, with `limbs` limbs of `n` residues. Range: `n` is a power of two, at least 16.
    pub fn zero(n: usize, limbs: usize) -> Self {
        Self { n, words: Buffer::zeroed(n * limbs), representation: PhantomData }
    }

    /// Any words, for a caller that overwrites them all. Range: as [`Self::zero`].
    pub fn unspecified(n: usize, limbs: usize) -> Self {
        Self { n, words: Buffer::unspecified(n * limbs), representation: PhantomData }
    }

    /// The ring degree `N`.
    #[inline]
    pub fn n(&self) -> usize {
        self.n
    }

    /// How many limbs.
    #[inline]
    pub fn limb_count(&self) -> usize {
        self.words.words().len() / self.n
    }

    /// Residues modulo the `i`-th prime.
    #[inline]
    pub fn limb(&self, i: usize) -> &[u64] {
        &self.words.words()[i * self.n..(i + 1) * self.n]
    }

    /// Residues modulo the `i`-th prime, to be kept below it.
    #[inline]
    pub fn limb_mut(&mut self, i: usize) -> &mut [u64] {
        &mut self.words.words_mut()[i * self.n..(i + 1) * self.n]
    }

    /// All limbs in order.
    pub fn limbs(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.words.words().chunks_exact(self.n)
    }

    /// All limbs in order, to be kept below their primes.
    pub fn limbs_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u64]> {
        self.words.words_mut().chunks_exact_mut(self.n)
    }

    /// All words, limb after limb.
    pub fn words(&self) -> &[u64] {
        self.words.words()
    }

    /// All words, limb after limb, to be kept below their primes.
    pub fn words_mut(&mut self) -> &mut [u64] {
        self.words.words_mut()
    }

    /// Keeps the first `limbs` limbs: the same polynomial modulo fewer primes.
    pub fn truncate(&mut self, limbs: usize) {
        self.words.truncate(limbs * self.n);
    }

    /// A copy of the first `limbs` limbs.
    #[must_use]
    pub fn prefix(&self, limbs: usize) -> Self {
        let mut out = Self::unspecified(self.n, limbs);
        out.words_mut().copy_from_slice(&self.words()[..limbs * self.n]);
        out
    }

    /// Overwrites `self` with the limbs of `other` that it has room for.
    pub fn copy_from(&mut self, other: &Self) {
        let len = self.words().len();
        self.words_mut().copy_from_slice(&other.words()[..len]);
    }

    /// The same words under the other label; the caller has transformed them.
    pub(crate) fn relabel<S: Representation>(self) -> Poly<S> {
        Poly { n: self.n, words: self.words, representation: PhantomData }
    }
}

impl<R: Representation> std::fmt::Debug for Poly<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Poly<{:?}>({} limbs of {})", R::default(), self.limb_count(), self.n)
    }
}

impl<R> Zeroize for Poly<R> {
    fn zeroize(&mut self) {
        self.words.zeroize();
    }
}
