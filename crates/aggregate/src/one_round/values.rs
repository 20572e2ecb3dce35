//! A site's integers on their way into a body: named in order, and taken a batch of chunks at a time.

use zeroize::{Zeroize, Zeroizing};

use super::plan::Plan;
use crate::{Error, Result};
use blindscope_wire::{Digest, Hasher};

/// Names a site's integers before they are encrypted: absorb them in order.
pub struct ValuesDigest {
    hasher: Hasher,
    held: Zeroizing<Vec<u64>>,
    bytes: Zeroizing<Vec<u8>>,
    width: usize,
    count: u64,
}

impl ValuesDigest {
    /// For values of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut hasher = Hasher::new("blindscope/one-round/values/v1");
        hasher.absorb(&plan.digest().0);
        let width = (64 - plan.literal().max.leading_zeros()).div_ceil(8) as usize;
        let held = Zeroizing::new(Vec::with_capacity(Self::RUN));
        Self { hasher, held, bytes: Zeroizing::new(Vec::with_capacity(Self::RUN * width)), width, count: 0 }
    }

    const RUN: usize = 8192;

    /// The next value. Range: at most the plan's largest; larger ones are refused when they are encrypted.
    #[inline]
    pub fn push(&mut self, value: u64) {
        self.held.push(value);
        if self.held.len() == Self::RUN {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.count += self.held.len() as u64;
        let (values, bytes) = (self.held.iter(), &mut self.bytes);
        match self.width {
            // The usual width, copied without a call a value.
            2 => bytes.extend(values.flat_map(|value| (*value as u16).to_le_bytes())),
            width => values.for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()[..width])),
        }
        self.hasher.absorb(bytes);
        bytes.zeroize();
        self.held.zeroize();
    }

    /// The name of all of them.
    pub fn finish(mut self) -> Digest {
        self.flush();
        self.hasher.absorb_u64(self.count);
        self.hasher.finish()
    }
}

impl std::fmt::Debug for ValuesDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ValuesDigest(..)")
    }
}

/// The values of one chunk, and which chunk it is.
pub(super) type Chunk = (u64, Zeroizing<Vec<u64>>);

/// Values that are cut into chunks, counted, checked and named as they are taken.
pub(super) struct Taking<'p, I> {
    plan: &'p Plan,
    values: std::iter::Fuse<I>,
    digest: ValuesDigest,
    /// The next chunk.
    next: u64,
    /// Values taken.
    taken: u64,
}

impl<'p, I: Iterator<Item = u64>> Taking<'p, I> {
    pub(super) fn new(plan: &'p Plan, values: I) -> Self {
        Self { plan, values: values.fuse(), digest: ValuesDigest::new(plan), next: 0, taken: 0 }
    }

    /// The next chunks, at most so many; none after the last one.
    pub(super) fn batch(&mut self, most: u64) -> Result<Vec<Chunk>> {
        let end = self.next.saturating_add(most).min(self.plan.chunks());
        let mut taken = Vec::with_capacity((end - self.next) as usize);
        while self.next < end {
            taken.push((self.next, self.chunk()?));
            self.next += 1;
        }
        Ok(taken)
    }

    fn chunk(&mut self) -> Result<Zeroizing<Vec<u64>>> {
        let (shape, max) = (self.plan.shape(self.next), self.plan.literal().max);
        let mut values = Zeroizing::new(Vec::with_capacity(shape.values));
        let mut largest = 0;
        for value in self.values.by_ref().take(shape.values) {
            largest = value.max(largest);
            self.digest.push(value);
            values.push(value);
        }
        self.taken += values.len() as u64;
        if values.len() != shape.values {
            return Err(self.miscounted(self.taken));
        }
        if largest > max {
            return Err(Error::Range { what: "integer", found: largest, max });
        }
        Ok(values)
    }

    /// Whether these were all values, and the ones that were named.
    pub(super) fn finish(mut self, named: &Digest) -> Result<()> {
        if self.values.next().is_some() {
            return Err(self.miscounted(self.taken + 1));
        }
        if self.digest.finish() != *named {
            let (expected, found) = (0, 1);
            return Err(Error::Mismatch { what: "values that differ from those named", expected, found });
        }
        Ok(())
    }

    fn miscounted(&self, found: u64) -> Error {
        Error::Mismatch { what: "number of values", expected: self.plan.literal().values, found }
    }
}
