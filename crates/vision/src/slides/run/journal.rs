//! What is done of a slide, on disk as it is done: an append-only file that survives Ctrl-C and kill.
//!
//! Header: magic, digest of the job (slide, settings, backbone, tiles), width (u32). Then one record for each tile in grid
//! order: kind (1 byte), SHA-256 of the tile's pixels and `width` values (f32, little endian), or a reason (u16 length,
//! UTF-8); then 8 bytes of the SHA-256 of all that. A record that was cut off, or fails its check, is dropped with all that
//! follows it.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const MAGIC: &[u8; 16] = b"blindscope tile1";
const FEATURES: u8 = 1;
const REASON: u8 = 0;
const CHECK: usize = 8;

/// What became of a tile.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Its CLS token, and the digest of its pixels.
    Features { digest: [u8; 32], values: Vec<f32> },
    /// Why it has none.
    SetAside(String),
}

/// An open journal. One process at a time holds it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    width: usize,
    done: usize,
}

impl Journal {
    /// Opens the journal of a job, or begins it anew where the file is another job's. Only whole batches are kept: a tile
    /// that is computed in other company could differ in its last bit.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, also when another process holds it.
    pub(super) fn open(path: &Path, job: &[u8; 32], width: usize, batch: usize) -> Result<Self> {
        let io = |operation| Error::io(operation, path);
        let file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io("opening"))?;
        file.try_lock()
            .map_err(|e| io("locking (another run works on this slide)")(std::io::Error::from(e)))?;
        let mut header = MAGIC.to_vec();
        header.extend(job);
        header.extend((width as u32).to_le_bytes());
        let mut journal = Self { path: path.into(), file, width, done: 0 };
        let kept = journal.replay(&header, batch, &mut |_| {})?;
        journal.file.set_len(kept).map_err(io("repairing"))?;
        if kept == 0 {
            journal.file.write_all(&header).map_err(io("writing"))?;
        }
        Ok(journal)
    }

    /// Tiles done.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Hands every record to `take`, in order; the bytes of whole batches.
    fn replay(&mut self, header: &[u8], batch: usize, take: &mut dyn FnMut(Outcome)) -> Result<u64> {
        let io = |e| Error::io("reading", &self.path)(e);
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut reader = BufReader::new(&self.file);
        let mut found = vec![0; header.len()];
        if reader.read_exact(&mut found).is_err() || found != header {
            return Ok(0);
        }
        let mut good = header.len() as u64;
        let mut kept = good;
        let mut read = 0;
        self.done = 0;
        while let Some((outcome, bytes)) = record(&mut reader, self.width) {
            take(outcome);
            good += bytes;
            read += 1;
            if read % batch == 0 {
                (kept, self.done) = (good, read);
            }
        }
        Ok(kept)
    }

    /// All outcomes so far.
    ///
    /// # Errors
    /// [`Error::Io`] where the journal cannot be read again.
    pub(super) fn outcomes(&mut self, take: &mut dyn FnMut(Outcome)) -> Result<()> {
        let mut header = vec![0; MAGIC.len() + 36];
        self.file.seek(SeekFrom::Start(0)).map_err(Error::io("reading", &self.path))?;
        self.file.read_exact(&mut header).map_err(Error::io("reading", &self.path))?;
        self.replay(&header, 1, take).map(|_| ())
    }

    /// Appends outcomes; a process that is killed afterwards has not lost them.
    ///
    /// # Errors
    /// [`Error::Io`] where the line cannot be written; what was there stays.
    pub(super) fn append(&mut self, outcomes: &[Outcome]) -> Result<()> {
        let mut bytes = Vec::new();
        for outcome in outcomes {
            let start = bytes.len();
            match outcome {
                Outcome::Features { digest, values } => {
                    bytes.push(FEATURES);
                    bytes.extend(digest);
                    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
                }
                Outcome::SetAside(reason) => {
                    let text = &reason.as_bytes()[..reason.floor_char_boundary(1000)];
                    bytes.push(REASON);
                    bytes.extend((text.len() as u16).to_le_bytes());
                    bytes.extend(text);
                }
            }
            let check = Sha256::digest(&bytes[start..]);
            bytes.extend(&check[..CHECK]);
        }
        self.file.write_all(&bytes).map_err(Error::io("writing", &self.path))?;
        self.done += outcomes.len();
        Ok(())
    }

    /// Removes the file: its slide is whole elsewhere.
    ///
    /// # Errors
    /// [`Error::Io`] where the system refuses to remove it.
    pub(super) fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io("removing", &self.path))
    }
}

/// The next whole record and its length.
fn record(reader: &mut impl Read, width: usize) -> Option<(Outcome, u64)> {
    let mut kind = [0];
    reader.read_exact(&mut kind).ok()?;
    let mut body = kind.to_vec();
    let mut more = |body: &mut Vec<u8>, bytes: usize| {
        let from = body.len();
        body.resize(from + bytes, 0);
        reader.read_exact(&mut body[from..]).ok()
    };
    match kind[0] {
        FEATURES => more(&mut body, 32 + 4 * width)?,
        REASON => {
            more(&mut body, 2)?;
            let length = u16::from_le_bytes([body[1], body[2]]);
            more(&mut body, length.into())?;
        }
        _ => return None,
    }
    let mut check = vec![0; CHECK];
    reader.read_exact(&mut check).ok()?;
    if Sha256::digest(&body)[..CHECK] != check[..] {
        return None;
    }
    let length = (body.len() + CHECK) as u64;
    let outcome = if kind[0] == FEATURES {
        let (digest, values) = body[1..].split_at(32);
        let values = values.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Outcome::Features { digest: digest.try_into().ok()?, values }
    } else {
        Outcome::SetAside(String::from_utf8(body[3..].to_vec()).ok()?)
    };
    Some((outcome, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Vec<Outcome> {
        vec![
            Outcome::Features { digest: [7; 32], values: vec![1.5, -2.0] },
            Outcome::SetAside("native tile 3,4 of level 0: cut off".into()),
            Outcome::Features { digest: [8; 32], values: vec![0.25, 4.0] },
        ]
    }

    /// Cut anywhere, a journal keeps its whole records, and only those.
    #[test]
    fn a_journal_cut_anywhere_keeps_its_whole_records() {
        let path = std::env::temp_dir().join(format!("blindscope-journal-{}", std::process::id()));
        let mut journal = Journal::open(&path, &[1; 32], 2, 1).unwrap();
        journal.append(&outcomes()).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let ends = [52, 52 + 1 + 40 + 8, 52 + 1 + 40 + 8 + 3 + 35 + 8];
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&path, &[1; 32], 2, 1).unwrap();
            let mut kept = Vec::new();
            journal.outcomes(&mut |o| kept.push(o)).unwrap();
            let expected =
                if cut == whole.len() { 3 } else { ends.iter().skip(1).filter(|end| **end <= cut).count() };
            assert_eq!(kept, outcomes()[..expected], "cut at {cut}");
            journal.append(&outcomes()[expected..]).unwrap();
            drop(journal);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {cut}");
        }
        let mut flipped = whole.clone();
        flipped[60] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert_eq!(Journal::open(&path, &[1; 32], 2, 1).unwrap().done(), 0);
        assert_eq!(
            Journal::open(&path, &[2; 32], 2, 1).unwrap().done(),
            0,
            "another job's journal begins anew"
        );
        std::fs::remove_file(&path).unwrap();
    }
}
