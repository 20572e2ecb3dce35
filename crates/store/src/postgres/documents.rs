//! What a leader keeps beside the log: small documents, and which objects of the bucket are to be deleted.

use std::sync::Arc;

use sqlx::{PgPool, Row};

use super::{Lease, patiently, within};
use crate::Result;

/// Tables beside the log. Calls wait for the database.
#[derive(Debug, Clone)]
pub(crate) struct Table(Arc<Lease>);

const FENCE: &str = "
WITH fence AS (
    UPDATE lease SET until = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE one = 1 AND term = $1 RETURNING 1
), ";

impl Table {
    pub(crate) fn beside(lease: &Arc<Lease>) -> Self {
        Self(lease.clone())
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.0
    }

    /// A document, if it was ever written.
    pub(crate) fn read(&self, name: &'static str) -> Result<Option<Vec<u8>>> {
        self.0.wait(|side| async move {
            patiently(|| async {
                let asked = sqlx::query("SELECT bytes FROM document WHERE name = $1").bind(name);
                let found = within("read document", asked.fetch_optional(&side)).await?;
                Ok(found.map(|row| row.get(0)))
            })
            .await
        })
    }

    /// Writes a document in place of what it was, if this is still the leader.
    pub(crate) fn write(&self, name: &'static str, bytes: &[u8]) -> Result<()> {
        const WRITE: &str = "written AS (
    INSERT INTO document (name, bytes) SELECT $3, $4 FROM fence
    ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes
) SELECT count(*) FROM fence";
        let bytes = bytes.to_vec();
        let (term, lasts) = (self.0.term(), self.0.lasts_ms());
        let found = self.0.wait(|side| async move {
            patiently(|| async {
                let asked = sqlx::query(sqlx::AssertSqlSafe(format!("{FENCE}{WRITE}")))
                    .bind(term)
                    .bind(lasts)
                    .bind(name)
                    .bind(&bytes);
                Ok(within("write document", asked.fetch_one(&side)).await?.get(0))
            })
            .await
        });
        self.0.checked(found?)
    }

    /// Objects that were to be deleted.
    pub(crate) fn doomed(&self) -> Result<Vec<String>> {
        self.0.wait(|side| async move {
            patiently(|| async {
                let asked = sqlx::query("SELECT object FROM doomed").fetch_all(&side);
                Ok(within("read deletions", asked).await?.iter().map(|row| row.get(0)).collect())
            })
            .await
        })
    }

    /// Writes down that these objects are to be deleted, if this is still the leader: whoever leads next does not count on them.
    pub(crate) fn doom(&self, objects: Vec<String>) -> Result<()> {
        const DOOM: &str = "doom AS (
    INSERT INTO doomed (object) SELECT t.object FROM unnest($3::text[]) AS t (object), fence
    ON CONFLICT DO NOTHING
) SELECT count(*) FROM fence";
        let (term, lasts) = (self.0.term(), self.0.lasts_ms());
        let found = self.0.wait(|side| async move {
            patiently(|| async {
                let asked = sqlx::query(sqlx::AssertSqlSafe(format!("{FENCE}{DOOM}")))
                    .bind(term)
                    .bind(lasts)
                    .bind(&objects);
                Ok(within("write deletions", asked.fetch_one(&side)).await?.get(0))
            })
            .await
        });
        self.0.checked(found?)
    }

    /// These objects are deleted. Their names are never used again, so it does not matter who says so.
    pub(crate) fn gone(&self, objects: Vec<String>) -> Result<()> {
        self.0.wait(|side| async move { forget(&side, &objects).await })
    }
}

async fn forget(side: &PgPool, objects: &[String]) -> Result<()> {
    let asked = sqlx::query("DELETE FROM doomed WHERE object = ANY ($1::text[])").bind(objects);
    within("forget deletions", asked.execute(side)).await.map(drop)
}
