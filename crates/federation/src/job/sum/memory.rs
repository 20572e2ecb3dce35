//! Blobs in memory, for tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use crate::{Blob, Blobs, Result};
use blindscope_wire::Digest;

#[derive(Default)]
pub(super) struct Memory(RefCell<BTreeMap<Digest, Vec<u8>>>);

impl Memory {
    pub(super) fn put(&self, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        self.0.borrow_mut().insert(blob.digest, bytes);
        blob
    }

    /// Everything that is kept.
    pub(super) fn all(&self) -> Vec<Vec<u8>> {
        self.0.borrow().values().cloned().collect()
    }
}

impl Blobs for Memory {
    fn open(&self, blob: &Blob) -> std::io::Result<Box<dyn Read + Send>> {
        let all = self.0.borrow();
        let bytes = all.get(&blob.digest).ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }

    fn create(&self, _: u64, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        Ok(self.put(bytes))
    }
}
