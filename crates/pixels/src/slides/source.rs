//! A file read at positions, by many threads at once, never beyond a stated length.

use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::problem::SlideProblem;

/// Blocks that a fingerprint looks at, and their length.
const BLOCKS: u64 = 16;
const BLOCK: u64 = 64 << 10;

/// An open file and its length.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    #[cfg(feature = "openslide")]
    path: std::path::PathBuf,
    length: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, SlideProblem> {
        let unreadable = |e: std::io::Error| SlideProblem::Unreadable { reason: e.to_string() };
        let file = File::open(path).map_err(unreadable)?;
        let facts = file.metadata().map_err(unreadable)?;
        if !facts.is_file() {
            return Err(SlideProblem::Unreadable { reason: "it is no regular file".into() });
        }
        Ok(Self {
            file,
            #[cfg(feature = "openslide")]
            path: path.into(),
            length: facts.len(),
        })
    }

    #[cfg(feature = "openslide")]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Fills `out` from position `at`.
    ///
    /// # Errors
    /// [`SlideProblem::Truncated`] when the file ends before; [`SlideProblem::Unreadable`] when the disk fails.
    pub(super) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), SlideProblem> {
        let wanted = at.checked_add(out.len() as u64);
        if wanted.is_none_or(|end| end > self.length) {
            return Err(SlideProblem::Truncated { at, bytes: out.len() as u64, length: self.length });
        }
        read_exact_at(&self.file, at, out).map_err(|e| SlideProblem::Unreadable { reason: e.to_string() })
    }

    /// The `bytes` bytes from position `at`; the caller has bounded `bytes`.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub(super) fn bytes(&self, at: u64, bytes: u64) -> Result<Vec<u8>, SlideProblem> {
        if at.checked_add(bytes).is_none_or(|end| end > self.length) {
            return Err(SlideProblem::Truncated { at, bytes, length: self.length });
        }
        let mut out = vec![0; bytes as usize];
        self.read(at, &mut out)?;
        Ok(out)
    }

    /// Digest of the length and of blocks spread over the file: another file under the same name is noticed without
    /// reading gigabytes.
    pub(super) fn fingerprint(&self) -> Result<[u8; 32], SlideProblem> {
        let mut hash = Sha256::new();
        hash.update(self.length.to_le_bytes());
        let last = self.length.saturating_sub(BLOCK);
        for i in 0..BLOCKS {
            let at = (u128::from(last) * u128::from(i) / u128::from(BLOCKS - 1)) as u64;
            hash.update(self.bytes(at, BLOCK.min(self.length - at))?);
        }
        Ok(hash.finalize().into())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, at: u64, out: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut at: u64, mut out: &mut [u8]) -> std::io::Result<()> {
    while !out.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, out, at)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        at += read as u64;
        out = &mut out[read..];
    }
    Ok(())
}
