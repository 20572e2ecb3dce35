//! An append-only log in SQLite: write-ahead, flushed to the disk before an append returns, one process at a time.

use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool, Transaction};

use crate::journal::{Journal, Riding};
use crate::migrations::migrations;
use crate::{Error, Folder, Result};
use blindscope_federation::Study;

/// A log of texts, numbered from 0, and the folder whose small blobs it carries.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pool: SqlitePool,
    folder: Arc<OnceLock<Folder>>,
    /// One more than the number of entries, where it is known; else zero.
    known: Arc<AtomicU64>,
}

/// Rows of one statement.
const ROWS: usize = 64;

/// Pages of the write-ahead log after which it is folded into the database: 16 MiB, since entries carry blobs.
const CHECKPOINT_PAGES: &str = "4096";

/// `SQLITE_CONSTRAINT_PRIMARYKEY`
const TAKEN: &str = "1555";
/// `SQLITE_BUSY`
const BUSY: &str = "5";

impl Log {
    pub(crate) async fn open(path: &Path, role: &str, study: &Study) -> Result<Self> {
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
        let log = Self { pool, folder: Arc::default(), known: Arc::default() };
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

    /// Appends lines, the first of them as number `first` if one is given: each statement is a way to the database's thread and back, so
    /// there is one for all lines and one for all blobs.
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
        let riding = self.riding();
        let carried: u64 = riding.fresh.iter().map(|blob| blob.len).sum();
        let needed = carried + lines.iter().map(|l| l.len() as u64).sum::<u64>();
        let fail = || Error::database("append", needed);
        let mut transaction = self.pool.begin().await.map_err(fail())?;
        for (from, lines) in (seq..).step_by(ROWS).zip(lines.chunks(ROWS)) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO log (seq, line) ");
            insert.push_values((from..).zip(lines), |mut row, (seq, line)| {
                row.push_bind(seq as i64).push_bind(line);
            });
            let inserted = insert.build().execute(&mut *transaction).await;
            inserted.map_err(|e| match e.as_database_error().and_then(sqlx::error::DatabaseError::code) {
                Some(code) if code == TAKEN => Error::Conflict { seq: from },
                _ => fail()(e),
            })?;
        }
        self.carry_along(&mut transaction, &riding).await?;
        transaction.commit().await.map_err(fail())?;
        self.known.fetch_max(seq + lines.len() as u64 + 1, Ordering::Relaxed);
        self.arrived(&riding);
        Ok(())
    }

    fn riding(&self) -> Riding {
        self.folder.get().and_then(Folder::journal).map(Journal::riding).unwrap_or_default()
    }

    /// Puts the bytes of small blobs into the transaction, and takes those out that are not needed any more.
    async fn carry_along(&self, transaction: &mut Transaction<'_, Sqlite>, riding: &Riding) -> Result<()> {
        let Some(folder) = self.folder.get() else { return Ok(()) };
        for blobs in riding.fresh.chunks(ROWS) {
            let rows =
                blobs.iter().map(|blob| Ok(folder.riding(blob)?.map(|b| (blob.digest.to_string(), b))));
            let rows: Vec<_> = rows.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            if rows.is_empty() {
                continue;
            }
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO blob (digest, bytes) ");
            insert.push_values(rows, |mut row, (name, bytes)| {
                row.push_bind(name).push_bind(bytes);
            });
            insert.push(" ON CONFLICT DO NOTHING");
            let needed = blobs.iter().map(|blob| blob.len).sum();
            let inserted = insert.build().execute(&mut **transaction).await;
            inserted.map_err(Error::database("append", needed))?;
        }
        for names in riding.gone.chunks(ROWS) {
            let mut delete = QueryBuilder::<Sqlite>::new("DELETE FROM blob WHERE digest IN (");
            let mut listed = delete.separated(", ");
            for name in names {
                listed.push_bind(name);
            }
            delete.push(")");
            delete.build().execute(&mut **transaction).await.map_err(Error::database("append", 0))?;
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
    pub(crate) async fn carry(&self, folder: &Folder) -> Result<()> {
        let rows = sqlx::query("SELECT bytes FROM blob").fetch_all(&self.pool).await;
        let rows = rows.map_err(Error::database("read blobs", 0))?;
        let bytes: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
        folder.ride(&bytes)?;
        // One log, one folder: a second one is not carried.
        let _ = self.folder.set(folder.clone());
        Ok(())
    }

    pub(crate) async fn read(&self, from: u64) -> Result<Vec<String>> {
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

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) async fn limit_pages(&self, pages: u32) -> Result<()> {
        let limit = format!("PRAGMA max_page_count = {pages}");
        let set = sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&self.pool).await;
        set.map(drop).map_err(Error::database("limit store", 0))
    }

    async fn len(&self) -> Result<u64> {
        let row = sqlx::query("SELECT coalesce(max(seq) + 1, 0) FROM log").fetch_one(&self.pool).await;
        Ok(row.map_err(Error::database("read log", 0))?.get::<i64, _>(0) as u64)
    }
}
