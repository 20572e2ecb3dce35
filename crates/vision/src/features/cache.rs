//! Features already computed, by image digest, for one backbone: an append-only file that survives Ctrl-C.
//!
//! Header: magic, backbone digest (32 bytes), width (u32). Then records: image digest (32 bytes), `width` values (f32,
//! little endian), first 8 bytes of the SHA-256 of both. A record cut off by a crash, or one that fails its check, is
//! dropped with all that follows it; what stands before it is kept.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::hex;
use crate::error::{Error, Result};

const MAGIC: &[u8; 16] = b"blindscope cls 1";
const HEADER: u64 = 16 + 32 + 4;

/// An open cache. One process at a time holds it.
#[derive(Debug)]
pub struct FeatureCache {
    path: PathBuf,
    file: File,
    width: usize,
    rows: HashMap<[u8; 32], Vec<f32>>,
}

impl FeatureCache {
    /// Opens or creates the cache of `backbone` in `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be used, [`Error::Busy`] when another process holds the cache, [`Error::Format`] when the file
    /// is another backbone's (it is left alone).
    pub fn open(folder: &Path, backbone: &[u8; 32], width: usize) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("creating", folder))?;
        let path = folder.join(format!("{}.cls", hex(&backbone[..16])));
        let io = |operation| Error::io(operation, &path);
        let file =
            OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(io("opening"))?;
        let note = path.with_extension("process");
        match file.try_lock() {
            Ok(()) => {
                std::fs::write(&note, std::process::id().to_string()).map_err(Error::io("writing", &note))?;
            }
            Err(TryLockError::WouldBlock) => {
                let number = std::fs::read_to_string(&note).ok().filter(|n| n.trim().parse::<u32>().is_ok());
                let holder = number.map_or("another process".into(), |n| format!("process {}", n.trim()));
                return Err(Error::Busy { path, holder });
            }
            Err(TryLockError::Error(e)) => return Err(io("locking")(e)),
        }
        let mut header = MAGIC.to_vec();
        header.extend(backbone);
        header.extend((width as u32).to_le_bytes());
        let mut cache = Self { path: path.clone(), file, width, rows: HashMap::new() };
        if cache.file.metadata().map_err(io("reading"))?.len() == 0 {
            cache.file.write_all(&header).map_err(io("writing"))?;
        } else {
            cache.read(&header)?;
        }
        Ok(cache)
    }

    fn read(&mut self, header: &[u8]) -> Result<()> {
        let io = |e| Error::io("reading", &self.path)(e);
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut reader = BufReader::new(&self.file);
        let mut found = vec![0; header.len()];
        if reader.read_exact(&mut found).is_err() || found != header {
            return Err(Error::format(
                "feature cache",
                &self.path,
                "it belongs to another backbone; move it away",
            ));
        }
        let mut good = HEADER;
        let mut record = vec![0; 32 + 4 * self.width + 8];
        loop {
            match reader.read_exact(&mut record) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => break,
                Err(e) => return Err(io(e)),
            }
            let (body, check) = record.split_at(record.len() - 8);
            if Sha256::digest(body)[..8] != *check {
                break;
            }
            let (digest, values) = body.split_at(32);
            let digest = <[u8; 32]>::try_from(digest).unwrap_or_default();
            let values = values.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            self.rows.insert(digest, values);
            good += record.len() as u64;
        }
        self.file.set_len(good).map_err(Error::io("repairing", &self.path))
    }

    /// Images whose features are stored.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The features of an image.
    pub fn find(&self, image: &[u8; 32]) -> Option<&[f32]> {
        self.rows.get(image).map(Vec::as_slice)
    }

    /// Stores features of images; they are on disk when this returns.
    ///
    /// # Errors
    /// [`Error::Io`] where the cache cannot be written; what was stored before stays.
    pub fn insert(&mut self, rows: Vec<([u8; 32], Vec<f32>)>) -> Result<()> {
        let mut bytes = Vec::new();
        for (digest, values) in &rows {
            if values.len() != self.width {
                return Err(Error::shape("caching features", self.width, values.len()));
            }
            let start = bytes.len();
            bytes.extend(digest);
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            let check = Sha256::digest(&bytes[start..]);
            bytes.extend(&check[..8]);
        }
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(Error::io("writing", &self.path))?;
        self.rows.extend(rows);
        Ok(())
    }
}
