//! A coordinator's log in PostgreSQL. What is appended is committed there before an append returns, and only by whoever leads: the lease's
//! term is checked in the same statement ([`lease`]).

mod documents;
mod lease;
mod look;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgExecutor, PgPool, Row};
use tokio::time::{Instant, sleep, timeout};

use crate::engine::Engine;
use crate::entries::{Named, Owner, Parcel};
use crate::migrations::{Dialect, migrations};
use crate::{Error, Result};

pub(crate) use documents::Table;
pub(crate) use lease::Lease;
pub(crate) use look::look;

/// Rows of one schema, for whoever leads.
#[derive(Debug, Clone)]
pub(crate) struct Postgres {
    pool: PgPool,
    lease: Arc<Lease>,
}

/// How long a database that is away is waited for, and the pause between tries.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// The longest statement: one that takes longer is lost with its connection.
const STATEMENT: Duration = Duration::from_secs(20);

/// `unique_violation`
const TAKEN: &str = "23505";

/// Lines, blobs and deletions in one statement, which is one transaction: all of it while the term is the newest, or nothing.
const APPEND: &str = "
WITH fence AS (
    UPDATE lease SET until = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE one = 1 AND term = $1 RETURNING 1
), lines AS (
    INSERT INTO log (seq, line)
    SELECT t.seq, t.line FROM unnest($3::bigint[], $4::text[]) AS t (seq, line), fence
), blobs AS (
    INSERT INTO blob (digest, bytes)
    SELECT t.digest, t.bytes FROM unnest($5::text[], $6::bytea[]) AS t (digest, bytes), fence
    ON CONFLICT DO NOTHING
), gone AS (
    DELETE FROM blob WHERE digest = ANY ($7::text[]) AND EXISTS (SELECT FROM fence)
)
SELECT count(*) FROM fence";

impl Postgres {
    /// The log at `url`, once its lease is ours: until then this waits.
    pub(crate) async fn lead(
        url: &str,
        owner: &Owner<'_>,
        holder: &str,
        lasts: Duration,
        engine: &Arc<Engine>,
    ) -> Result<Self> {
        let options = options(url)?;
        // A pool would only say that it has waited.
        patiently(|| async { within("open store", PgConnection::connect_with(&options)).await }).await?;
        let pool = pool(4).connect_lazy_with(options.clone());
        patiently(|| async { migrations(Dialect::Postgres).run(&pool).await.map_err(Error::from) }).await?;
        patiently(|| own(&pool, owner)).await?;
        let term = lease::acquire(&pool, holder, lasts).await?;
        let lease = Lease::begin(options, term, lasts, engine)?;
        Ok(Self { pool, lease: Arc::new(lease) })
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Appends in one transaction. A database that goes away meanwhile is waited for, and asked what it has kept.
    pub(crate) async fn append(&self, parcel: &Parcel<'_>) -> Result<()> {
        let begun = Instant::now();
        let mut lost = false;
        loop {
            match self.try_append(parcel).await {
                // An earlier try may have come to its end after its connection.
                Err(Error::Conflict { .. }) if lost && self.has_landed(parcel).await? => return Ok(()),
                Err(error) if error.is_passing() && begun.elapsed() < PATIENCE => {
                    tracing::warn!(%error, "the database is away; waiting");
                    lost = true;
                    sleep(PAUSE).await;
                    match self.has_landed(parcel).await {
                        Ok(true) => return Ok(()),
                        Err(error) if !error.is_passing() => return Err(error),
                        _ => {}
                    }
                }
                other => return other,
            }
        }
    }

    async fn try_append(&self, parcel: &Parcel<'_>) -> Result<()> {
        let fail = || Error::database("append", parcel.needed());
        let pieces = parcel.pieces();
        if pieces.len() < 2 {
            let named = pieces.first().map_or_else(|| Ok(Vec::new()), |piece| parcel.bytes(piece))?;
            return self.put(&self.pool, parcel, (parcel.lines, named, parcel.gone())).await;
        }
        let mut transaction = self.pool.begin().await.map_err(fail())?;
        self.put(&mut *transaction, parcel, (parcel.lines, Vec::new(), parcel.gone())).await?;
        for piece in pieces {
            self.put(&mut *transaction, parcel, (&[], parcel.bytes(piece)?, &[])).await?;
        }
        transaction.commit().await.map_err(fail())
    }

    /// One statement of an append.
    async fn put(
        &self,
        at: impl PgExecutor<'_>,
        parcel: &Parcel<'_>,
        (lines, named, gone): (&[String], Named, &[String]),
    ) -> Result<()> {
        let seqs: Vec<i64> = (parcel.seq..).zip(lines).map(|(seq, _)| seq as i64).collect();
        let (names, bytes): (Vec<String>, Vec<Vec<u8>>) = named.into_iter().unzip();
        let asked = sqlx::query(APPEND)
            .bind(self.lease.term())
            .bind(self.lease.lasts_ms())
            .bind(seqs)
            .bind(lines)
            .bind(names)
            .bind(bytes)
            .bind(gone)
            .fetch_one(at);
        let row = within("append", asked).await.map_err(|error| match error {
            Error::Database { source, .. } => match code(&source) {
                Some(TAKEN) => Error::Conflict { seq: parcel.seq },
                _ => Error::database("append", parcel.needed())(source),
            },
            other => other,
        })?;
        self.lease.checked(row.get(0))
    }

    /// Whether the lines of this very parcel are in the log, and with them all that rode along.
    ///
    /// # Errors
    /// [`Error::Conflict`] where others stand in their place.
    async fn has_landed(&self, parcel: &Parcel<'_>) -> Result<bool> {
        let asked = sqlx::query("SELECT line FROM log WHERE seq >= $1 ORDER BY seq LIMIT $2")
            .bind(parcel.seq as i64)
            .bind(parcel.lines.len() as i64)
            .fetch_all(&self.pool);
        let rows = within("read log", asked).await?;
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        match found.len() {
            0 => Ok(false),
            _ if found == parcel.lines => Ok(true),
            _ => Err(Error::Conflict { seq: parcel.seq }),
        }
    }

    /// The bytes of all blobs that have a row.
    pub(crate) async fn blobs(&self) -> Result<Vec<Vec<u8>>> {
        patiently(|| async {
            let asked = sqlx::query("SELECT bytes FROM blob").fetch_all(&self.pool);
            Ok(within("read blobs", asked).await?.iter().map(|row| row.get(0)).collect())
        })
        .await
    }

    /// Numbers and lines from number `from` on.
    pub(crate) async fn read(&self, from: u64) -> Result<Vec<(u64, String)>> {
        patiently(|| async {
            let asked = sqlx::query("SELECT seq, line FROM log WHERE seq >= $1 ORDER BY seq")
                .bind(from as i64)
                .fetch_all(&self.pool);
            let rows = within("read log", asked).await?;
            Ok(rows.iter().map(|row| (row.get::<i64, _>(0) as u64, row.get(1))).collect())
        })
        .await
    }

    pub(crate) async fn len(&self) -> Result<u64> {
        patiently(|| async {
            let asked = sqlx::query("SELECT coalesce(max(seq) + 1, 0) FROM log").fetch_one(&self.pool);
            Ok(within("read log", asked).await?.get::<i64, _>(0) as u64)
        })
        .await
    }

    /// Lets go of the lease, so that whoever waits leads at once, and of the database.
    pub(crate) async fn close(&self) {
        self.lease.release(&self.pool).await;
        self.pool.close().await;
    }
}

/// Settles whose log it is.
async fn own(pool: &PgPool, owner: &Owner<'_>) -> Result<()> {
    let asked = sqlx::query("INSERT INTO owner (one, role, study) VALUES (1, $1, $2) ON CONFLICT DO NOTHING")
        .bind(owner.role)
        .bind(&owner.study)
        .execute(pool);
    within("open store", asked).await?;
    let row = within("open store", sqlx::query("SELECT role, study FROM owner").fetch_one(pool)).await?;
    owner.check(row.get(0), row.get(1))
}

/// How to connect. A commit is on the server's disk when it is reported, whatever the server's default.
fn options(url: &str) -> Result<PgConnectOptions> {
    let wrong = |found: &str| Error::Setting {
        what: "store",
        found: found.to_owned(),
        repair: "write postgres://USER@HOST/DATABASE; its password goes into the file that PGPASSFILE names, or into PGPASSWORD",
    };
    let authority = url.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    // Settings are no place for secrets, and errors show them.
    if user.contains(':') || url.contains("password=") {
        return Err(wrong("an address with a password"));
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| wrong(url))?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name("blindscope") };
    Ok(options.options([("synchronous_commit", "on")]))
}

fn pool(connections: u32) -> PgPoolOptions {
    // A connection that is gone is found out by the statement itself, which is tried again.
    PgPoolOptions::new().max_connections(connections).test_before_acquire(false).acquire_timeout(STATEMENT)
}

/// An answer, unless it takes too long.
async fn within<T>(op: &'static str, asked: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match timeout(STATEMENT, asked).await {
        Ok(answer) => answer.map_err(Error::database(op, 0)),
        Err(_) => Err(Error::Database { op, source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()) }),
    }
}

/// Asks again while the database is away, up to [`PATIENCE`]. Only for what may be asked twice.
async fn patiently<T, F: Future<Output = Result<T>>>(mut ask: impl FnMut() -> F) -> Result<T> {
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if error.is_passing() && begun.elapsed() < PATIENCE => sleep(PAUSE).await,
            other => return other,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<&str> {
    let code = error.as_database_error()?.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    Some(code.code())
}

/// Whether the database is away, and not against what it was asked.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        // Connection failures, and servers that stop, crash, start or take no more connections.
        _ => code(error).is_some_and(|code| {
            code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "53300")
        }),
    }
}
