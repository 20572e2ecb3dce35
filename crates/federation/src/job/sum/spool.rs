//! A site's integers between learning, which gives them once, and encryption, which goes through them twice: named, then encrypted.
//!
//! Few are kept in memory, packed. Many go into a blob under a key that is forgotten with this value: whoever finds that blob, or a
//! crash that leaves it, finds noise.

use std::io::Read;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Blob, Blobs, Error, JobSpec, Result};

/// Packed integers that together have at most these bytes stay in memory.
const SMALL: u64 = 1 << 20;
/// Bytes that are packed, encrypted and written at a time. A multiple of every width.
const RUN: usize = 8 * 7 * 5 * 3 * 64;

const OP: &str = "keep integers";

/// The integers, packed. Zeroed on drop.
pub(super) struct Spool<'a> {
    blobs: &'a dyn Blobs,
    key: Zeroizing<[u8; 32]>,
    kept: Kept,
    width: usize,
}

enum Kept {
    Here(Zeroizing<Vec<u8>>),
    There(Blob),
}

impl<'a> Spool<'a> {
    /// Takes a job's integers.
    ///
    /// # Errors
    /// [`Error::Aggregate`] for one above the job's largest, or another number of them; [`Error::Io`] where the disk takes no more.
    pub(super) fn new(
        values: impl Iterator<Item = u64>,
        spec: &JobSpec,
        blobs: &'a dyn Blobs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self> {
        let width = (64 - spec.max.leading_zeros()).div_ceil(8).max(1) as usize;
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        let len = spec.values.saturating_mul(width as u64);
        // One more than there should be is refused where they are counted; without end it does not go on.
        let mut packing = Packing { values: values.take(spec.values as usize + 1), spec, width, found: 0 };
        let kept = if len <= SMALL {
            let mut all = Zeroizing::new(Vec::with_capacity(len as usize));
            while packing.run(&mut all)? {}
            Kept::Here(all)
        } else {
            let mut cipher = keystream(&key);
            let mut run = Zeroizing::new(Vec::with_capacity(RUN));
            Kept::There(blobs.create(len, &mut |out| {
                while packing.run(&mut run)? {
                    cipher.apply_keystream(&mut run);
                    out.write_all(&run).map_err(Error::io(OP))?;
                    run.zeroize();
                }
                Ok(())
            })?)
        };
        Ok(Self { blobs, key, kept, width })
    }

    /// All of them, from the first. Where the disk gives some no more, they are too few, which encryption refuses.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        match &self.kept {
            Kept::Here(all) => Box::new(all.chunks_exact(self.width).map(unpacked)),
            Kept::There(blob) => {
                let cipher = keystream(&self.key);
                let Ok(reader) = self.blobs.open(blob) else { return Box::new(std::iter::empty()) };
                let run = Zeroizing::new(Vec::with_capacity(RUN));
                Box::new(Unpacking { reader, cipher, run, at: 0, width: self.width })
            }
        }
    }
}

/// A key serves one blob, so its nonce is always zero.
fn keystream(key: &[u8; 32]) -> ChaCha20 {
    ChaCha20::new(key.into(), (&[0; 12]).into())
}

fn unpacked(chunk: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..chunk.len()].copy_from_slice(chunk);
    u64::from_le_bytes(all)
}

/// Integers on their way in.
struct Packing<'s, I> {
    values: I,
    spec: &'s JobSpec,
    width: usize,
    found: u64,
}

impl<I: Iterator<Item = u64>> Packing<'_, I> {
    /// Packs the next ones at the end of `out`; whether there were any. At the end all have been there.
    fn run(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let (expected, max) = (self.spec.values, self.spec.max);
        let before = self.found;
        for value in self.values.by_ref().take(RUN / self.width) {
            if value > max {
                return Err(blindscope_aggregate::Error::Range { what: "integer", found: value, max }.into());
            }
            let mut bytes = value.to_le_bytes();
            out.extend_from_slice(&bytes[..self.width]);
            bytes.zeroize();
            self.found += 1;
        }
        let found = self.found;
        if found > expected || (found == before && found < expected) {
            let what = "number of values";
            return Err(blindscope_aggregate::Error::Mismatch { what, expected, found }.into());
        }
        Ok(found > before)
    }
}

/// Integers on their way out.
struct Unpacking {
    reader: Box<dyn Read + Send>,
    cipher: ChaCha20,
    run: Zeroizing<Vec<u8>>,
    at: usize,
    width: usize,
}

impl Iterator for Unpacking {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.at == self.run.len() {
            self.run.zeroize();
            self.at = 0;
            self.reader.by_ref().take(RUN as u64).read_to_end(&mut self.run).ok()?;
            self.cipher.apply_keystream(&mut self.run);
        }
        let value = self.run.get(self.at..self.at + self.width).map(unpacked)?;
        self.at += self.width;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::*;

    fn spec(values: u64, max: u64) -> JobSpec {
        JobSpec { values, max, ..JobSpec::named("spool") }
    }

    #[test]
    fn integers_come_back_twice_and_the_disk_sees_noise() {
        let mut rng = blindscope_testkit::rng(90);
        for (values, max) in [(1, 1), (1000, u64::MAX), (400_000, 0xff_ffff), (700_001, 0xffff)] {
            let (memory, spec) = (Memory::default(), spec(values, max));
            let of = |k: u64| if k.is_multiple_of(3) { max } else { k & max };
            let spool = Spool::new((0..values).map(of), &spec, &memory, &mut rng).unwrap();
            for _ in 0..2 {
                assert!(spool.iter().eq((0..values).map(of)), "{values} of {max}");
            }
            // Every third integer is all ones: written as they are, every eight bytes would have such a byte.
            for bytes in memory.all() {
                let runs = bytes.chunks(8).filter(|c| c.contains(&0xff)).count();
                assert!(runs < bytes.len() / 8 / 16, "{runs} of {}", bytes.len());
            }
            assert_eq!(memory.all().len(), usize::from(values > 300_000));
        }
    }

    #[test]
    fn another_number_of_integers_and_one_too_large_are_refused() {
        let mut rng = blindscope_testkit::rng(91);
        for values in [10, 600_000] {
            let (memory, spec) = (Memory::default(), spec(values, 1000));
            let mut take =
                |all: Box<dyn Iterator<Item = u64>>| Spool::new(all, &spec, &memory, &mut rng).map(drop);
            for found in [0, values - 1, values + 1] {
                let refused = take(Box::new((0..found).map(|_| 7))).unwrap_err().to_string();
                assert!(refused.contains("number of values"), "{refused}");
            }
            let refused = take(Box::new((0..values).map(|k| if k == 9 { 1001 } else { 0 }))).unwrap_err();
            assert!(refused.to_string().contains("1001"), "{refused}");
            assert!(take(Box::new(std::iter::repeat(1))).is_err(), "without end");
            assert!(memory.all().is_empty(), "nothing is kept");
        }
    }
}
