//! Where a coordinator keeps what it knows, by its settings: below its kit, or in a place that several coordinators share.

use crate::error::Result;
use crate::files;
use crate::kit::{CoordinatorSettings, Kit, shared};
use blindscope_federation::Study;
use blindscope_store::Home;
use blindscope_transport::Stop;

/// Opens it. In a shared place this waits until no other coordinator leads; nothing, where it was told to stop before.
pub(super) async fn open(
    kit: &Kit,
    settings: &CoordinatorSettings,
    study: &Study,
    disk: u64,
    stop: &Stop,
) -> Result<Option<Home>> {
    let state = kit.state();
    files::folder(&state)?;
    let Some(shared) = shared(settings)? else {
        return Ok(Some(Home::here(&state, study, disk).await?));
    };
    tokio::select! {
        opened = Home::shared(&shared, &state, study, disk) => Ok(Some(opened?)),
        () = stop.clone().stopped() => Ok(None),
    }
}
