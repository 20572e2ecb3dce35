//! Blobs in memory, and a site that learns nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};

use blindscope_federation::{Advance, Advanced, Blob, Blobs, Contribution, JobSpec, LearnError, Result};
use blindscope_wire::Digest;

/// Blobs in memory.
#[derive(Default)]
pub(crate) struct Memory(RefCell<BTreeMap<Digest, Vec<u8>>>);

impl Memory {
    pub(crate) fn put(&self, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        self.0.borrow_mut().insert(blob.digest, bytes);
        blob
    }

    pub(crate) fn get(&self, blob: &Blob) -> Vec<u8> {
        self.0.borrow()[&blob.digest].clone()
    }
}

impl Blobs for Memory {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.get(blob))))
    }

    fn create(&self, _: u64, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        Ok(self.put(bytes))
    }
}

/// Nothing is learned here.
pub(crate) struct Idle;

impl Contribution for Idle {
    fn values<'a>(
        &'a self,
        _: &JobSpec,
        _: u64,
        _: &[u8],
    ) -> std::result::Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        Err("idle".into())
    }
}

impl Advance for Idle {
    fn advance(
        &self,
        _: &JobSpec,
        _: u64,
        _: &[u8],
        _: &[u64],
        _: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        Err("idle".into())
    }
}
