//! An append-only log of texts, numbered from 0, over one of two databases, and the blobs that ride with its entries.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::journal::{Journal, Riding};
#[cfg(feature = "scale")]
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{BlobStore, Error, Result};
use blindscope_federation::{Blob, Study};

/// A log of texts, and the store whose small blobs it carries.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) rows: Rows,
    blobs: Arc<OnceLock<BlobStore>>,
    /// One more than the number of entries, where it is known; else zero.
    known: Arc<AtomicU64>,
}

/// The database.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    Sqlite(Sqlite),
    #[cfg(feature = "scale")]
    Postgres(Postgres),
}

/// Blobs of one statement, and their bytes.
const ROWS: usize = 64;
const BYTES: u64 = 8 << 20;

/// What goes into the database in one piece.
pub(crate) struct Parcel<'a> {
    /// Number of the first line.
    pub(crate) seq: u64,
    pub(crate) lines: &'a [String],
    /// What rides along; [`Self::bytes`] reads it.
    riding: &'a Riding,
    blobs: Option<&'a BlobStore>,
}

/// Names and bytes of blobs.
pub(crate) type Named = Vec<(String, Vec<u8>)>;

impl Parcel<'_> {
    /// Bytes of all.
    pub(crate) fn needed(&self) -> u64 {
        let carried: u64 = self.riding.fresh.iter().map(|blob| blob.len).sum();
        carried + self.lines.iter().map(|l| l.len() as u64).sum::<u64>()
    }

    /// Names of blobs whose rows go.
    pub(crate) fn gone(&self) -> &[String] {
        &self.riding.gone
    }

    /// Blobs that get a row, in pieces that fit into a statement.
    pub(crate) fn pieces(&self) -> Vec<&[Blob]> {
        let (mut pieces, mut rest) = (Vec::new(), self.riding.fresh.as_slice());
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(ROWS).take_while(|blob| {
                bytes += blob.len;
                bytes <= BYTES
            });
            let (piece, left) = rest.split_at(fits.count().max(1));
            pieces.push(piece);
            rest = left;
        }
        pieces
    }

    /// Names and bytes of a piece, as far as its blobs were not deleted meanwhile.
    pub(crate) fn bytes(&self, piece: &[Blob]) -> Result<Named> {
        let Some(blobs) = self.blobs else { return Ok(Vec::new()) };
        let rows = piece.iter().map(|blob| Ok(blobs.riding(blob)?.map(|b| (blob.digest.to_string(), b))));
        Ok(rows.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

impl Log {
    pub(crate) fn over(rows: Rows) -> Self {
        Self { rows, blobs: Arc::default(), known: Arc::default() }
    }

    /// Appends lines, the first of them as number `first` if one is given.
    pub(crate) async fn append(&self, first: Option<u64>, lines: &[String]) -> Result<()> {
        // Beside another append, or after one that failed, it is not known how far the log goes.
        let seq = match self.known.swap(0, Ordering::Relaxed).checked_sub(1) {
            Some(seq) => seq,
            None => self.len().await?,
        };
        if let Some(found) = first.filter(|first| *first != seq) {
            self.known.fetch_max(seq + 1, Ordering::Relaxed);
            return Err(Error::Gap { expected: seq, found });
        }
        let riding = self.blobs.get().and_then(BlobStore::journal).map(Journal::riding).unwrap_or_default();
        let parcel = Parcel { seq, lines, riding: &riding, blobs: self.blobs.get() };
        match &self.rows {
            Rows::Sqlite(rows) => rows.append(&parcel).await?,
            #[cfg(feature = "scale")]
            Rows::Postgres(rows) => rows.append(&parcel).await?,
        }
        self.known.fetch_max(seq + lines.len() as u64 + 1, Ordering::Relaxed);
        self.arrived(&riding);
        Ok(())
    }

    /// What rode is on the disk. Once there is much of it, the blobs are flushed and the rows go next time; where that fails, they
    /// stay.
    fn arrived(&self, riding: &Riding) {
        let Some((blobs, journal)) = self.blobs.get().and_then(|b| Some((b, b.journal()?))) else { return };
        journal.rode(riding);
        let settling = journal.settling();
        if !settling.is_empty() && blobs.flush(&settling).is_ok() {
            journal.settled(&settling);
        }
    }

    /// Carries the small blobs of a store from now on; see [`BlobStore`].
    pub(crate) async fn carry(&self, blobs: &BlobStore) -> Result<()> {
        let bytes = match &self.rows {
            Rows::Sqlite(rows) => rows.blobs().await?,
            #[cfg(feature = "scale")]
            Rows::Postgres(rows) => rows.blobs().await?,
        };
        blobs.ride(&bytes)?;
        // One log, one store: a second one is not carried.
        let _ = self.blobs.set(blobs.clone());
        Ok(())
    }

    /// Lines from number `from` on.
    pub(crate) async fn read(&self, from: u64) -> Result<Vec<String>> {
        let rows = match &self.rows {
            Rows::Sqlite(rows) => rows.read(from).await?,
            #[cfg(feature = "scale")]
            Rows::Postgres(rows) => rows.read(from).await?,
        };
        let numbered = (from..).zip(rows).map(|(expected, (found, line))| {
            if found == expected { Ok(line) } else { Err(Error::Gap { expected, found }) }
        });
        numbered.collect()
    }

    async fn len(&self) -> Result<u64> {
        match &self.rows {
            Rows::Sqlite(rows) => rows.len().await,
            #[cfg(feature = "scale")]
            Rows::Postgres(rows) => rows.len().await,
        }
    }

    pub(crate) async fn close(&self) {
        match &self.rows {
            Rows::Sqlite(rows) => rows.close().await,
            #[cfg(feature = "scale")]
            Rows::Postgres(rows) => rows.close().await,
        }
    }
}

/// Whose log it is, as it stands in the database.
pub(crate) struct Owner<'a> {
    pub(crate) role: &'a str,
    pub(crate) study: String,
}

impl<'a> Owner<'a> {
    pub(crate) fn of(role: &'a str, study: &Study) -> Self {
        Self { role, study: study.digest().to_string() }
    }

    /// Refuses what is somebody else's.
    pub(crate) fn check(&self, role: &str, study: &str) -> Result<()> {
        if role == self.role && study == self.study {
            return Ok(());
        }
        let name = |role: &str, study: &str| format!("{role} of study {study}");
        Err(Error::Owner { expected: name(self.role, &self.study), found: name(role, study) })
    }
}
