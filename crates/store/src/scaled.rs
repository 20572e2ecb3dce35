//! PostgreSQL and an object store beside each other, under one lease.

use std::path::Path;
use std::sync::Arc;

use crate::blob_store::emptied;
use crate::bucket::{Access, Bucket};
use crate::engine::Engine;
use crate::entries::{Log, Owner, Rows};
use crate::log::COORDINATOR;
use crate::postgres::{Postgres, Table};
use crate::{BlobStore, Document, Error, Records, Result, Shared};
use blindscope_federation::Study;

/// What is beside the records of a shared place.
#[derive(Debug)]
pub(crate) struct Scaled {
    access: Access,
    table: Table,
}

impl Scaled {
    /// The place, once its lease is ours.
    pub(crate) async fn open(place: &Shared, study: &Study) -> Result<(Records, Self)> {
        let access = Access::parse(&place.blobs, &place.environment)?;
        let (engine, owner) = (Arc::new(Engine::start()?), Owner::of(COORDINATOR, study));
        let rows = Postgres::lead(&place.store, &owner, &place.holder, place.lease, &engine).await?;
        let table = Table::beside(rows.lease());
        Ok((Records::over(Log::over(Rows::Postgres(rows))), Self { access, table }))
    }

    /// The blobs of a folder; in `state` they lie until they are whole.
    pub(crate) fn blobs(&self, folder: &'static str, state: &Path, limit: u64) -> Result<BlobStore> {
        let unfinished = emptied(state.join(folder).join("unfinished"))?;
        BlobStore::over(Box::new(Bucket::open(&self.access, folder, &self.table)?), unfinished, limit)
    }

    pub(crate) fn document(&self, name: &'static str) -> Document {
        Document::row(&self.table, name)
    }

    pub(crate) async fn lost(&self) -> Error {
        self.table.lease().lost().await
    }
}
