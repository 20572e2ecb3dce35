//! Residue memory on cache-line boundaries, so that 512-bit loads never straddle two lines.

use zeroize::Zeroize;

#[repr(C, align(64))]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Line([u64; 8]);

/// A fixed-length run of words, a multiple of eight, 64-byte aligned.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Buffer(Vec<Line>);

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Line {}

impl Buffer {
    /// `len` zeros. Range: `len` is a multiple of 8.
    pub(crate) fn zeroed(len: usize) -> Self {
        debug_assert!(len.is_multiple_of(8));
        Self(vec![Line([0; 8]); len / 8])
    }

    #[inline]
    pub(crate) fn words(&self) -> &[u64] {
        bytemuck::cast_slice(&self.0)
    }

    #[inline]
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        bytemuck::cast_slice_mut(&mut self.0)
    }

    /// Keeps the first `len` words.
    pub(crate) fn truncate(&mut self, len: usize) {
        debug_assert!(len.is_multiple_of(8));
        self.0.truncate(len / 8);
    }
}

impl Zeroize for Buffer {
    fn zeroize(&mut self) {
        self.words_mut().zeroize();
    }
}
