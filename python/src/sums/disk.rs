//! A site's folder: keys that only their owner reads, marks that are on the disk before what they speak of leaves, uploads that are
//! sent again as they are.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use blindscope_federation::sums::{SumMark, SumSite};
use blindscope_federation::{IdentityKey, SealingKey, SiteId};
use blindscope_wire::Digest;

const KEYS: &str = "site.key";
const MARKS: &str = "marks.jsonl";

/// Number and keys of a site, as its folder holds them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    site: u16,
    identity: Zeroizing<[u8; 32]>,
    sealing: Zeroizing<[u8; 32]>,
}

/// A folder that one process at a time has open.
pub(crate) struct Disk {
    folder: PathBuf,
    marks: File,
    pub(crate) me: SiteId,
    pub(crate) identity: IdentityKey,
    pub(crate) sealing: SealingKey,
}

/// Makes a folder with these keys. Refuses one that has keys.
pub(crate) fn create(
    folder: &Path,
    site: u16,
    identity: &IdentityKey,
    sealing: &SealingKey,
) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let keys = Keys { site, identity: identity.to_bytes(), sealing: sealing.to_bytes() };
    let text = Zeroizing::new(serde_json::to_vec(&keys)?);
    write_new(&folder.join(KEYS), &text)?;
    sync(folder)
}

impl Disk {
    /// Opens a folder and replays its marks.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, SumSite)> {
        let text = Zeroizing::new(fs::read(folder.join(KEYS))?);
        let keys: Keys = serde_json::from_slice(&text)?;
        let path = folder.join(MARKS);
        let marks = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&path)?;
        marks.try_lock().map_err(|_| {
            io::Error::new(
                io::ErrorKind::WouldBlock,
                "another process has this site's folder open; end it first",
            )
        })?;
        let mut site = SumSite::default();
        let wrong = |what: &str, at: usize| {
            let text = format!("{} line {}: {what}; restore no copies, enrol anew", path.display(), at + 1);
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let mut end = 0;
        for (at, line) in BufReader::new(&marks).split(b'\n').enumerate() {
            let line = line?;
            match serde_json::from_slice::<SumMark>(&line) {
                Ok(mark) => site.apply(&mark).map_err(|what| wrong(what, at))?,
                // The last line may have been cut when a process died: nothing it spoke of has left.
                Err(_) if end + line.len() as u64 == marks.metadata()?.len() => break,
                Err(e) => return Err(wrong(&e.to_string(), at)),
            }
            end += line.len() as u64 + 1;
        }
        marks.set_len(end.min(marks.metadata()?.len()))?;
        let identity = IdentityKey::from_bytes(&keys.identity);
        let sealing = SealingKey::from_bytes(&keys.sealing);
        Ok((Self { folder: folder.into(), marks, me: SiteId(keys.site), identity, sealing }, site))
    }

    /// Makes a mark durable.
    pub(crate) fn mark(&mut self, mark: &SumMark) -> io::Result<()> {
        let mut line = serde_json::to_vec(mark)?;
        line.push(b'\n');
        self.marks.write_all(&line)?;
        self.marks.sync_data()
    }

    fn upload_path(&self, round: &Digest) -> PathBuf {
        self.folder.join(format!("upload-{round}.bin"))
    }

    /// Makes an upload durable, before its mark.
    pub(crate) fn keep_upload(&self, round: &Digest, bytes: &[u8]) -> io::Result<()> {
        let path = self.upload_path(round);
        // One without a mark was never sent.
        let _ = fs::remove_file(&path);
        write_new(&path, bytes)?;
        sync(&self.folder)
    }

    /// The upload of a round that has a mark.
    pub(crate) fn upload(&self, round: &Digest) -> io::Result<File> {
        File::open(self.upload_path(round))
    }

    /// Forgets the bytes of a finished round; its marks stay.
    pub(crate) fn forget(&self, round: &Digest) {
        let _ = fs::remove_file(self.upload_path(round));
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
