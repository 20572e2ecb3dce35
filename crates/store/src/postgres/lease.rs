//! Who leads. The lease is one row: a term, and until when it holds by the database's own clock. Whoever finds it run out takes the next
//! term; whatever is written is written by a statement that finds its own term still there, and holds it anew. So a leader that was
//! stopped for a while, or cut off, can write nothing any more once another one leads, whatever it believes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{PgPool, Row};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, PAUSE, patiently, pool, within};
use crate::engine::Engine;
use crate::{Error, Result};

/// The lease of a leader, renewed on threads of the store's own.
#[derive(Debug)]
pub(crate) struct Lease {
    term: i64,
    lasts: Duration,
    engine: Arc<Engine>,
    /// For what is not asked along the log: connections that live on those threads.
    side: PgPool,
    lost: Arc<watch::Sender<bool>>,
    released: Arc<AtomicBool>,
}

/// Holds the lease anew, if it is still that term's.
const HOLD: &str = "
UPDATE lease SET until = clock_timestamp() + $2 * interval '1 millisecond' WHERE one = 1 AND term = $1";

/// Waits until nobody leads, and leads: the new term.
pub(super) async fn acquire(pool: &PgPool, holder: &str, lasts: Duration) -> Result<i64> {
    const TAKE: &str = "
UPDATE lease SET term = term + 1, holder = $1, until = clock_timestamp() + $2 * interval '1 millisecond'
WHERE one = 1 AND until < clock_timestamp() RETURNING term";
    let look = (lasts / 20).clamp(PAUSE, Duration::from_millis(500));
    let mut told = false;
    loop {
        let taken = patiently(|| async {
            let asked = sqlx::query(TAKE).bind(holder).bind(lasts.as_millis() as i64).fetch_optional(pool);
            within("take the lease", asked).await
        });
        if let Some(row) = taken.await? {
            let term = row.get(0);
            tracing::info!(term, "this coordinator leads");
            return Ok(term);
        }
        if !told {
            let asked = || within("read the lease", sqlx::query("SELECT holder FROM lease").fetch_one(pool));
            let leader: String = patiently(asked).await?.get(0);
            tracing::info!(%leader, "another coordinator leads; waiting behind it");
            told = true;
        }
        sleep(look).await;
    }
}

impl Lease {
    pub(super) fn begin(
        options: PgConnectOptions,
        term: i64,
        lasts: Duration,
        engine: &Arc<Engine>,
    ) -> Result<Self> {
        let side = engine.wait(async move { Ok(pool(2).connect_lazy_with(options)) })?;
        let (lost, released) = (Arc::new(watch::Sender::new(false)), Arc::new(AtomicBool::new(false)));
        engine.spawn(renew(side.clone(), (term, lasts), lost.clone(), released.clone()));
        Ok(Self { term, lasts, engine: engine.clone(), side, lost, released })
    }

    pub(crate) fn term(&self) -> i64 {
        self.term
    }

    pub(super) fn lasts_ms(&self) -> i64 {
        self.lasts.as_millis() as i64
    }

    /// What a fenced statement found: its term once, or not at all.
    pub(super) fn checked(&self, found: i64) -> Result<()> {
        if found == 1 {
            return Ok(());
        }
        self.lost.send_replace(true);
        Err(Error::Deposed { term: self.term as u64 })
    }

    /// Asks on the store's own threads, and waits.
    pub(super) fn wait<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
        &self,
        ask: impl FnOnce(PgPool) -> F,
    ) -> Result<T> {
        self.engine.wait(ask(self.side.clone()))
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Returns once another leads, or nobody can tell who does any more.
    pub(crate) async fn lost(&self) -> Error {
        let mut lost = self.lost.subscribe();
        // The sender lives as long as this.
        let _ = lost.wait_for(|lost| *lost).await;
        Error::Deposed { term: self.term as u64 }
    }

    /// Lets the lease run out now.
    pub(super) async fn release(&self, pool: &PgPool) {
        self.released.store(true, Ordering::Relaxed);
        let ended = sqlx::query("UPDATE lease SET until = '-infinity' WHERE one = 1 AND term = $1")
            .bind(self.term)
            .execute(pool);
        // Without it, it runs out by itself.
        let _ = within("release the lease", ended).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.released.store(true, Ordering::Relaxed);
    }
}

/// Holds the lease until it is released, is another's, or could not be held for longer than anybody waits for the database.
async fn renew(
    side: PgPool,
    (term, lasts): (i64, Duration),
    lost: Arc<watch::Sender<bool>>,
    released: Arc<AtomicBool>,
) {
    let mut held = Instant::now();
    loop {
        sleep(lasts / 3).await;
        if released.load(Ordering::Relaxed) {
            return;
        }
        let asked = sqlx::query(HOLD).bind(term).bind(lasts.as_millis() as i64).execute(&side);
        match within("hold the lease", asked).await {
            Ok(done) if done.rows_affected() == 1 => held = Instant::now(),
            Err(_) if held.elapsed() < PATIENCE.max(lasts) => {}
            ended => {
                tracing::error!(?ended, "the lease is lost: this coordinator stops leading");
                lost.send_replace(true);
                return;
            }
        }
    }
}
