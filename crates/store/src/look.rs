//! A look at a shared place before a coordinator starts there: whether database and bucket answer, and let it do what it has to.

use crate::{Result, Shared};
use blindscope_federation::Study;

/// What a look at a shared place found.
#[derive(Debug)]
pub struct Look {
    /// Who leads there now, as it calls itself; nobody, or a schema that no coordinator has used yet.
    pub store: Result<Option<String>>,
    /// Whether objects can be listed, written, read and deleted.
    pub blobs: Result<()>,
}

impl Look {
    /// Looks at both sides of a place, a few seconds each. Records and blobs stay as they are; one small object comes and goes.
    #[cfg(feature = "scale")]
    pub async fn at(place: &Shared, study: &Study) -> Self {
        use crate::entries::Owner;
        use crate::{bucket, postgres};
        let owner = Owner::of(crate::log::COORDINATOR, study);
        let store = postgres::look(&place.store, &owner);
        let blobs = async {
            let access = bucket::Access::parse(&place.blobs, &place.environment)?;
            bucket::look(&access, &place.holder).await
        };
        let (store, blobs) = tokio::join!(store, blobs);
        Self { store, blobs }
    }

    /// Finds a build that has neither side.
    #[cfg(not(feature = "scale"))]
    pub async fn at(place: &Shared, _: &Study) -> Self {
        // As the other one, which waits.
        let (store, blobs) =
            std::future::ready((crate::home::not_built(place), crate::home::not_built(place))).await;
        Self { store, blobs }
    }
}
