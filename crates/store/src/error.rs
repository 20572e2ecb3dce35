//! What could not be kept or found.

use std::path::PathBuf;

use thiserror::Error;

use blindscope_federation::Blob;

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What could not be kept or found. What was there before is unchanged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or what the store may take of it, is full.
    #[error("{op}: no space for {needed} bytes more; free some or raise the limit, then try again")]
    Full {
        /// The operation.
        op: &'static str,
        /// Bytes that did not fit, as far as known.
        needed: u64,
    },
    /// Another process has the store open.
    #[error("open store {}: another process uses it; stop that process first", .path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The store belongs to another study or role.
    #[error("open store: it is of {found}, expected {expected}; use another folder")]
    Owner {
        /// Role and study asked for.
        expected: String,
        /// Role and study found.
        found: String,
    },
    /// Entries that would not follow the last one: somebody else appended.
    #[error("append: entry {seq} is there already; reload the log, another process appended to it")]
    Conflict {
        /// Its number.
        seq: u64,
    },
    /// The log has a gap.
    #[error(
        "read log: expected entry {expected}, found {found}; a coordinator takes its newest copy, a site enrols with new keys"
    )]
    Gap {
        /// Number expected.
        expected: u64,
        /// Number found.
        found: u64,
    },
    /// Another coordinator leads.
    #[error(
        "append: another coordinator leads since term {term} ended; start this one again, it waits until it is needed"
    )]
    Deposed {
        /// The term that has ended.
        term: u64,
    },
    /// A setting that names no place.
    #[error("setting {what}: found {found}; {repair}")]
    Setting {
        /// Its name.
        what: &'static str,
        /// What it says.
        found: String,
        /// What to do.
        repair: &'static str,
    },
    /// Threads that do not start, or ended with their work undone.
    #[error("threads of the store: {source}; start the service again")]
    Threads {
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Bytes that are not those of their name.
    #[error(
        "read blob {blob}: the bytes on disk are {found}; put back this one file from a copy (its name says what it has to hold)"
    )]
    Damaged {
        /// The name.
        blob: Blob,
        /// What the bytes are.
        found: Blob,
    },
    /// A payload that is not the one announced, or longer.
    #[error("keep blob: announced {expected}, received {found}; send it again")]
    OtherBytes {
        /// The name announced.
        expected: Blob,
        /// What came.
        found: Blob,
    },
    /// An entry that is not one.
    #[error(transparent)]
    Entry(#[from] blindscope_federation::Error),
    /// What the system says.
    #[error("{op} {}: {source}", .path.display())]
    Io {
        /// The operation.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// What the database says.
    #[error("{op}: {source}")]
    Database {
        /// The operation.
        op: &'static str,
        /// What it says.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought to this version.
    #[error("migrate store: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl Error {
    pub(crate) fn io(
        op: &'static str,
        path: &std::path::Path,
        needed: u64,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { op, needed },
            _ => Self::Io { op, path, source },
        }
    }

    pub(crate) fn database(op: &'static str, needed: u64) -> impl FnOnce(sqlx::Error) -> Self {
        /// `SQLITE_FULL`, and `disk_full` of PostgreSQL
        const FULL: [&str; 2] = ["13", "53100"];
        move |source| match source.as_database_error().and_then(sqlx::error::DatabaseError::code) {
            Some(code) if FULL.contains(&&*code) => Self::Full { op, needed },
            _ => Self::Database { op, source },
        }
    }

    /// Whether a database is away, and not against what it was asked.
    #[cfg(feature = "scale")]
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Database { source, .. } => crate::postgres::is_passing(source),
            Self::Migrate(sqlx::migrate::MigrateError::Execute(source)) => {
                crate::postgres::is_passing(source)
            }
            _ => false,
        }
    }
}
