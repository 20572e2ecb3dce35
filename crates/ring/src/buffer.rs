//! Residue memory on cache-line boundaries, so that 512-bit loads never straddle two lines.
//!
//! Polynomials are hundreds of kilobytes and live for microseconds. Left to the system allocator, their pages go back to
//! the kernel and are faulted in again: three quarters of a rotation's time when it was measured. So each thread keeps
//! a bounded set of freed runs and hands them out again. Secrets are wiped by their owners before that.

use std::cell::RefCell;

use zeroize::Zeroize;

/// Eight words on a cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Line(pub(crate) [u64; 8]);

/// Most lines a thread keeps: 32 MiB, a run of sixty-four ciphertexts of a batch and what is made of it.
const MOST_KEPT: usize = (32 << 20) / size_of::<Line>();

#[derive(Default)]
struct Kept {
    runs: Vec<Vec<Line>>,
    lines: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

impl Kept {
    /// A kept run of exactly this capacity.
    fn take(&mut self, lines: usize) -> Option<Vec<Line>> {
        let at = self.runs.iter().rposition(|run| run.capacity() == lines)?;
        self.lines -= lines;
        Some(self.runs.swap_remove(at))
    }

    fn keep(&mut self, run: Vec<Line>) {
        if run.capacity() > 0 && self.lines + run.capacity() <= MOST_KEPT {
            self.lines += run.capacity();
            self.runs.push(run);
        }
    }
}

/// A fixed-length run of words, a multiple of eight, 64-byte aligned.
#[derive(PartialEq, Eq)]
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// `len` zeros. Range: `len` is a multiple of 8.
    pub(crate) fn zeroed(len: usize) -> Self {
        let mut buffer = Self::unspecified(len);
        buffer.0.fill(Line([0; 8]));
        buffer
    }

    /// `len` words of any content, to be overwritten. Range: `len` is a multiple of 8.
    pub(crate) fn unspecified(len: usize) -> Self {
        debug_assert!(len.is_multiple_of(8));
        let lines = len / 8;
        // While a thread ends there is nothing to take from.
        let kept = KEPT.try_with(|kept| kept.borrow_mut().take(lines)).ok().flatten();
        let mut run = kept.unwrap_or_else(|| Vec::with_capacity(lines));
        run.resize(lines, Line([0; 8]));
        Self(run)
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

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::unspecified(8 * self.0.len());
        copy.0.copy_from_slice(&self.0);
        copy
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let run = std::mem::take(&mut self.0);
        let _ = KEPT.try_with(|kept| kept.borrow_mut().keep(run));
    }
}

impl Zeroize for Buffer {
    fn zeroize(&mut self) {
        // Lines cut off by `truncate` are still in the memory behind.
        let lines = self.0.len();
        self.0.resize(self.0.capacity(), Line([0; 8]));
        self.words_mut().zeroize();
        self.0.truncate(lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recycled_memory_is_zeroed_aligned_and_bounded() {
        for len in [64, 8192, 64] {
            let mut b = Buffer::zeroed(len);
            assert!(b.words().iter().all(|&w| w == 0) && b.words().len() == len);
            assert_eq!(b.words().as_ptr() as usize % 64, 0);
            b.words_mut().fill(u64::MAX);
        }
        let many: Vec<Buffer> = (0..80).map(|_| Buffer::zeroed(1 << 16)).collect();
        drop(many);
        KEPT.with(|kept| assert!(kept.borrow().lines <= MOST_KEPT));
    }
}
