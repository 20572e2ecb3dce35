//! The logs of a study: a coordinator's records, a site's marks.

use std::path::Path;

use crate::entries::{Log, Owner, Rows};
use crate::sqlite::Sqlite;
use crate::{BlobStore, Result};
use blindscope_federation::{Mark, Record, SiteId, Study};

/// The role of a coordinator's log.
pub(crate) const COORDINATOR: &str = "coordinator";

/// A log in SQLite.
async fn embedded(path: &Path, role: &str, study: &Study) -> Result<Log> {
    Ok(Log::over(Rows::Sqlite(Sqlite::open(path, &Owner::of(role, study)).await?)))
}

/// The coordinator's records.
#[derive(Debug, Clone)]
pub struct Records(Log);

impl Records {
    /// The records in the database at `path`, made if it is not there.
    ///
    /// # Errors
    /// [`crate::Error::InUse`] where another process has it open; [`crate::Error::Owner`] where it belongs to another study or
    /// role; [`crate::Error::Database`] where the database refuses.
    pub async fn open(path: &Path, study: &Study) -> Result<Self> {
        Ok(Self(embedded(path, COORDINATOR, study).await?))
    }

    #[cfg(feature = "scale")]
    pub(crate) fn over(log: Log) -> Self {
        Self(log)
    }

    /// Appends records in one piece; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`crate::Error::Gap`] or [`crate::Error::Conflict`] where they do not follow; [`crate::Error::Deposed`] where another coordinator
    /// leads; [`crate::Error::Full`] where the disk is full; [`crate::Error::Database`] where it fails.
    /// Nothing is appended then.
    pub async fn append(&self, records: &[Record]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let lines: Vec<String> = records.iter().map(Record::to_line).collect();
        self.0.append(Some(first.body.seq), &lines).await
    }

    /// Lets the log grow to this many pages of 4 KiB (what it has already stays): a full disk that can be tried out.
    ///
    /// # Errors
    /// [`crate::Error::Database`] where the database refuses; [`crate::Error::Setting`] where it is not SQLite.
    pub async fn limit_pages(&self, pages: u32) -> Result<()> {
        match &self.0.rows {
            Rows::Sqlite(rows) => rows.limit_pages(pages).await,
            #[cfg(feature = "scale")]
            Rows::Postgres(_) => Err(crate::Error::Setting {
                what: "pages",
                found: pages.to_string(),
                repair: "limit the disk of the database's server instead",
            }),
        }
    }

    /// Carries the small blobs of a store from now on: they are durable with the next entries that are appended, at the cost of
    /// no flush of their own. Blobs that a power cut took are put back first.
    ///
    /// # Errors
    /// [`crate::Error::Full`] where the disk, or what the store may take of it, is full; [`crate::Error::Io`] where the system
    /// refuses; [`crate::Error::Database`] where the database refuses.
    pub async fn carry(&self, blobs: &BlobStore) -> Result<()> {
        self.0.carry(blobs).await
    }

    /// Lets go of the database: another process may open it when this returns.
    pub async fn close(&self) {
        self.0.close().await;
    }

    /// The log's lines from number `from` on.
    ///
    /// # Errors
    /// [`crate::Error::Gap`] where the log has a gap; [`crate::Error::Database`] where the database refuses.
    pub async fn lines(&self, from: u64) -> Result<Vec<String>> {
        self.0.read(from).await
    }

    /// All records.
    ///
    /// # Errors
    /// As [`Self::lines`]; [`crate::Error::Entry`] for a line that is no entry.
    pub async fn all(&self) -> Result<Vec<Record>> {
        let lines = self.lines(0).await?;
        lines.iter().map(|line| Ok(Record::from_line(line.as_bytes())?)).collect()
    }
}

/// A site's marks.
#[derive(Debug, Clone)]
pub struct Marks(Log);

impl Marks {
    /// The marks in the database at `path`, made if it is not there.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub async fn open(path: &Path, study: &Study, site: SiteId) -> Result<Self> {
        Ok(Self(embedded(path, &site.to_string(), study).await?))
    }

    /// Appends marks in one piece; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`crate::Error::Full`] where the disk is full; [`crate::Error::Database`] where it fails. Nothing is appended then.
    pub async fn append(&self, marks: &[Mark]) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = marks.iter().map(Mark::to_text).collect();
        self.0.append(None, &lines).await
    }

    /// Carries the small blobs of a store from now on: they are durable with the next entries that are appended, at the cost of
    /// no flush of their own. Blobs that a power cut took are put back first.
    ///
    /// # Errors
    /// [`crate::Error::Full`] where the disk, or what the store may take of it, is full; [`crate::Error::Io`] where the system
    /// refuses; [`crate::Error::Database`] where the database refuses.
    pub async fn carry(&self, blobs: &BlobStore) -> Result<()> {
        self.0.carry(blobs).await
    }

    /// Lets go of the database: another process may open it when this returns.
    pub async fn close(&self) {
        self.0.close().await;
    }

    /// All marks.
    ///
    /// # Errors
    /// [`crate::Error::Gap`] where the log has a gap; [`crate::Error::Entry`] for an entry that is none; [`crate::Error::Database`]
    /// where the database refuses.
    pub async fn all(&self) -> Result<Vec<Mark>> {
        let lines = self.0.read(0).await?;
        lines.iter().map(|line| Ok(Mark::from_text(line)?)).collect()
    }
}
