//! An append-only log in SQLite: write-ahead, flushed to the disk before an append returns, one process at a time.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use crate::journal::{Journal, Riding};
use crate::migrations::migrations;
use crate::{Error, Folder, Result};
use blindscope_federation::{Mark, Record, SiteId, Study};

/// A log of texts, numbered from 0, and the folder whose small blobs it carries.
#[derive(Debug, Clone)]
struct Log {
    pool: SqlitePool,
    folder: Arc<OnceLock<Folder>>,
}

/// Pages of the write-ahead log after which it is folded into the database: 16 MiB, since entries carry blobs.
const CHECKPOINT_PAGES: &str = "4096";

/// `SQLITE_CONSTRAINT_PRIMARYKEY`
const TAKEN: &str = "1555";
/// `SQLITE_BUSY`
const BUSY: &str = "5";

impl Log {
    async fn open(path: &Path, role: &str, study: &Study) -> Result<Self> {
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(Error::database("open store", 0))?
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .locking_mode(SqliteLockingMode::Exclusive)
            .busy_timeout(Duration::from_millis(200));
        let in_use = |e: sqlx::Error| match e.as_database_error().and_then(sqlx::error::DatabaseError::code) {
            Some(code) if code == BUSY => Error::InUse { path: path.to_owned() },
            _ => Error::Database { op: "open store", source: e },
        };
        // One connection: SQLite has one writer, and an idle one must not give up the lock.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
        let pool = pool.connect_with(options).await.map_err(in_use)?;
        // The lock is taken by the first statement that writes.
        sqlx::query("PRAGMA user_version = 1").execute(&pool).await.map_err(in_use)?;
        migrations().run(&pool).await?;
        let log = Self { pool, folder: Arc::default() };
        log.own(role, &study.digest().to_string()).await?;
        Ok(log)
    }

    /// Settles whose log it is.
    async fn own(&self, role: &str, study: &str) -> Result<()> {
        let fail = || Error::database("open store", 0);
        sqlx::query("INSERT INTO owner (one, role, study) VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
            .bind(role)
            .bind(study)
            .execute(&self.pool)
            .await
            .map_err(fail())?;
        let row = sqlx::query("SELECT role, study FROM owner").fetch_one(&self.pool).await.map_err(fail())?;
        let found = (row.get::<String, _>(0), row.get::<String, _>(1));
        if found.0 != role || found.1 != study {
            let name = |role: &str, study: &str| format!("{role} of study {study}");
            return Err(Error::Owner { expected: name(role, study), found: name(&found.0, &found.1) });
        }
        Ok(())
    }

    async fn append(&self, first: u64, lines: &[String]) -> Result<()> {
        let riding = self.riding();
        let carried: u64 = riding.fresh.iter().map(|blob| blob.len).sum();
        let needed = carried + lines.iter().map(|l| l.len() as u64).sum::<u64>();
        let fail = || Error::database("append", needed);
        let mut transaction = self.pool.begin().await.map_err(fail())?;
        for (seq, line) in (first..).zip(lines) {
            let inserted = sqlx::query("INSERT INTO log (seq, line) VALUES (?, ?)")
                .bind(seq as i64)
                .bind(line)
                .execute(&mut *transaction)
                .await;
            inserted.map_err(|e| match e.as_database_error().and_then(sqlx::error::DatabaseError::code) {
                Some(code) if code == TAKEN => Error::Conflict { seq },
                _ => fail()(e),
            })?;
        }
        self.carry_along(&mut transaction, &riding).await?;
        transaction.commit().await.map_err(fail())?;
        self.arrived(&riding);
        Ok(())
    }

    fn riding(&self) -> Riding {
        self.folder.get().and_then(Folder::journal).map(Journal::riding).unwrap_or_default()
    }

    /// Puts the bytes of small blobs into the transaction, and takes those out that are not needed any more.
    async fn carry_along(&self, transaction: &mut Transaction<'_, Sqlite>, riding: &Riding) -> Result<()> {
        let Some(folder) = self.folder.get() else { return Ok(()) };
        for blob in &riding.fresh {
            let Some(bytes) = folder.riding(blob)? else { continue };
            sqlx::query("INSERT INTO blob (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(blob.digest.to_string())
                .bind(bytes)
                .execute(&mut **transaction)
                .await
                .map_err(Error::database("append", blob.len))?;
        }
        for name in &riding.gone {
            sqlx::query("DELETE FROM blob WHERE digest = ?")
                .bind(name)
                .execute(&mut **transaction)
                .await
                .map_err(Error::database("append", 0))?;
        }
        Ok(())
    }

    /// What rode is on the disk. Once there is much of it, the files are flushed and the rows go next time; where that fails, they
    /// stay.
    fn arrived(&self, riding: &Riding) {
        let Some((folder, journal)) = self.folder.get().and_then(|f| Some((f, f.journal()?))) else { return };
        journal.rode(riding);
        let settling = journal.settling();
        if !settling.is_empty() && folder.flush(&settling).is_ok() {
            journal.settled(&settling);
        }
    }

    /// Carries the small blobs of a folder from now on; see [`Folder`].
    async fn carry(&self, folder: &Folder) -> Result<()> {
        let rows = sqlx::query("SELECT bytes FROM blob").fetch_all(&self.pool).await;
        let rows = rows.map_err(Error::database("read blobs", 0))?;
        let bytes: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
        folder.ride(&bytes)?;
        // One log, one folder: a second one is not carried.
        let _ = self.folder.set(folder.clone());
        Ok(())
    }

    async fn read(&self, from: u64) -> Result<Vec<String>> {
        let rows = sqlx::query("SELECT seq, line FROM log WHERE seq >= ? ORDER BY seq")
            .bind(from as i64)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::database("read log", 0))?;
        let numbered = (from..).zip(&rows).map(|(expected, row)| {
            let found = row.get::<i64, _>(0) as u64;
            if found == expected { Ok(row.get(1)) } else { Err(Error::Gap { expected, found }) }
        });
        numbered.collect()
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn limit_pages(&self, pages: u32) -> Result<()> {
        let limit = format!("PRAGMA max_page_count = {pages}");
        let set = sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&self.pool).await;
        set.map(drop).map_err(Error::database("limit store", 0))
    }

    async fn len(&self) -> Result<u64> {
        let row = sqlx::query("SELECT coalesce(max(seq) + 1, 0) FROM log").fetch_one(&self.pool).await;
        Ok(row.map_err(Error::database("read log", 0))?.get::<i64, _>(0) as u64)
    }
}

/// The coordinator's records.
#[derive(Debug, Clone)]
pub struct Records(Log);

impl Records {
    /// The records in the database at `path`, made if it is not there.
    ///
    /// # Errors
    /// [`Error::InUse`] where another process has it open; [`Error::Owner`] where it belongs to another study or
    /// role; [`Error::Database`] where the database refuses.
    pub async fn open(path: &Path, study: &Study) -> Result<Self> {
        Ok(Self(Log::open(path, "coordinator", study).await?))
    }

    /// Appends records in one piece; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::Conflict`] where they do not follow; [`Error::Full`] where the disk is full; [`Error::Database`] where it fails.
    /// Nothing is appended then.
    pub async fn append(&self, records: &[Record]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let lines: Vec<String> = records.iter().map(Record::to_line).collect();
        let expected = self.0.len().await?;
        if expected != first.body.seq {
            return Err(Error::Gap { expected, found: first.body.seq });
        }
        self.0.append(first.body.seq, &lines).await
    }

    /// Lets the log grow to this many pages of 4 KiB (what it has already stays): a full disk that can be tried out.
    ///
    /// # Errors
    /// [`Error::Database`] where the database refuses.
    pub async fn limit_pages(&self, pages: u32) -> Result<()> {
        self.0.limit_pages(pages).await
    }

    /// Carries the small blobs of `folder` from now on: they are durable with the next entries that are appended, at the cost of
    /// no flush of their own. Blobs that a power cut took from the folder are put back first.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk, or what the store may take of it, is full; [`Error::Io`] where the system
    /// refuses; [`Error::Database`] where the database refuses.
    pub async fn carry(&self, folder: &Folder) -> Result<()> {
        self.0.carry(folder).await
    }

    /// Lets go of the database: another process may open it when this returns.
    pub async fn close(&self) {
        self.0.close().await;
    }

    /// The log's lines from number `from` on.
    ///
    /// # Errors
    /// [`Error::Gap`] where the log has a gap; [`Error::Database`] where the database refuses.
    pub async fn lines(&self, from: u64) -> Result<Vec<String>> {
        self.0.read(from).await
    }

    /// All records.
    ///
    /// # Errors
    /// As [`Self::lines`]; [`Error::Entry`] for a line that is no entry.
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
        Ok(Self(Log::open(path, &site.to_string(), study).await?))
    }

    /// Appends marks in one piece; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk is full; [`Error::Database`] where it fails. Nothing is appended then.
    pub async fn append(&self, marks: &[Mark]) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = marks.iter().map(Mark::to_text).collect();
        self.0.append(self.0.len().await?, &lines).await
    }

    /// Carries the small blobs of `folder` from now on: they are durable with the next entries that are appended, at the cost of
    /// no flush of their own. Blobs that a power cut took from the folder are put back first.
    ///
    /// # Errors
    /// [`Error::Full`] where the disk, or what the store may take of it, is full; [`Error::Io`] where the system
    /// refuses; [`Error::Database`] where the database refuses.
    pub async fn carry(&self, folder: &Folder) -> Result<()> {
        self.0.carry(folder).await
    }

    /// Lets go of the database: another process may open it when this returns.
    pub async fn close(&self) {
        self.0.close().await;
    }

    /// All marks.
    ///
    /// # Errors
    /// [`Error::Gap`] where the log has a gap; [`Error::Entry`] for an entry that is none; [`Error::Database`]
    /// where the database refuses.
    pub async fn all(&self) -> Result<Vec<Mark>> {
        let lines = self.0.read(0).await?;
        lines.iter().map(|line| Ok(Mark::from_text(line)?)).collect()
    }
}
