//! A log in SQLite: write-ahead, flushed to the disk before an append returns, one process at a time.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row, SqlitePool, Transaction};

use crate::entries::{Owner, Parcel};
use crate::migrations::{Dialect, migrations};
use crate::{Error, Result};

/// Rows of one database.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite {
    pool: SqlitePool,
}

/// Lines of one statement.
const ROWS: usize = 64;

/// Pages of the write-ahead log after which it is folded into the database: 16 MiB, since entries carry blobs.
const CHECKPOINT_PAGES: &str = "4096";

/// `SQLITE_CONSTRAINT_PRIMARYKEY`
const TAKEN: &str = "1555";
/// `SQLITE_BUSY`
const BUSY: &str = "5";

impl Sqlite {
    pub(crate) async fn open(path: &Path, owner: &Owner<'_>) -> Result<Self> {
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
        migrations(Dialect::Sqlite).run(&pool).await?;
        let rows = Self { pool };
        rows.own(owner).await?;
        Ok(rows)
    }

    /// Settles whose log it is.
    async fn own(&self, owner: &Owner<'_>) -> Result<()> {
        let fail = || Error::database("open store", 0);
        sqlx::query("INSERT INTO owner (one, role, study) VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
            .bind(owner.role)
            .bind(&owner.study)
            .execute(&self.pool)
            .await
            .map_err(fail())?;
        let row = sqlx::query("SELECT role, study FROM owner").fetch_one(&self.pool).await.map_err(fail())?;
        owner.check(row.get(0), row.get(1))
    }

    /// Appends in one transaction: each statement is a way to the database's thread and back, so there is one for many lines and one
    /// for many blobs.
    pub(crate) async fn append(&self, parcel: &Parcel<'_>) -> Result<()> {
        let fail = || Error::database("append", parcel.needed());
        let mut transaction = self.pool.begin().await.map_err(fail())?;
        for (from, lines) in (parcel.seq..).step_by(ROWS).zip(parcel.lines.chunks(ROWS)) {
            let mut insert = QueryBuilder::<sqlx::Sqlite>::new("INSERT INTO log (seq, line) ");
            insert.push_values((from..).zip(lines), |mut row, (seq, line)| {
                row.push_bind(seq as i64).push_bind(line);
            });
            let inserted = insert.build().execute(&mut *transaction).await;
            inserted.map_err(|e| match e.as_database_error().and_then(sqlx::error::DatabaseError::code) {
                Some(code) if code == TAKEN => Error::Conflict { seq: from },
                _ => fail()(e),
            })?;
        }
        carry_along(&mut transaction, parcel).await?;
        transaction.commit().await.map_err(fail())
    }

    /// The bytes of all blobs that have a row.
    pub(crate) async fn blobs(&self) -> Result<Vec<Vec<u8>>> {
        let rows = sqlx::query("SELECT bytes FROM blob").fetch_all(&self.pool).await;
        let rows = rows.map_err(Error::database("read blobs", 0))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Numbers and lines from number `from` on.
    pub(crate) async fn read(&self, from: u64) -> Result<Vec<(u64, String)>> {
        let rows = sqlx::query("SELECT seq, line FROM log WHERE seq >= ? ORDER BY seq")
            .bind(from as i64)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::database("read log", 0))?;
        Ok(rows.iter().map(|row| (row.get::<i64, _>(0) as u64, row.get(1))).collect())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Lets the database grow to so many pages.
    pub(crate) async fn limit_pages(&self, pages: u32) -> Result<()> {
        let limit = format!("PRAGMA max_page_count = {pages}");
        let set = sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&self.pool).await;
        set.map(drop).map_err(Error::database("limit store", 0))
    }

    pub(crate) async fn len(&self) -> Result<u64> {
        let row = sqlx::query("SELECT coalesce(max(seq) + 1, 0) FROM log").fetch_one(&self.pool).await;
        Ok(row.map_err(Error::database("read log", 0))?.get::<i64, _>(0) as u64)
    }
}

/// Puts the bytes of small blobs into the transaction, and takes those out that are not needed any more.
async fn carry_along(transaction: &mut Transaction<'_, sqlx::Sqlite>, parcel: &Parcel<'_>) -> Result<()> {
    for piece in parcel.pieces() {
        let rows = parcel.bytes(piece)?;
        if rows.is_empty() {
            continue;
        }
        let mut insert = QueryBuilder::<sqlx::Sqlite>::new("INSERT INTO blob (digest, bytes) ");
        insert.push_values(rows, |mut row, (name, bytes)| {
            row.push_bind(name).push_bind(bytes);
        });
        insert.push(" ON CONFLICT DO NOTHING");
        let needed = piece.iter().map(|blob| blob.len).sum();
        let inserted = insert.build().execute(&mut **transaction).await;
        inserted.map_err(Error::database("append", needed))?;
    }
    for names in parcel.gone().chunks(ROWS) {
        let mut delete = QueryBuilder::<sqlx::Sqlite>::new("DELETE FROM blob WHERE digest IN (");
        let mut listed = delete.separated(", ");
        for name in names {
            listed.push_bind(name);
        }
        delete.push(")");
        delete.build().execute(&mut **transaction).await.map_err(Error::database("append", 0))?;
    }
    Ok(())
}
