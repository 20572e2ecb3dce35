//! What a site that cannot take part tells the coordinator: that it is so, and nothing of why.

use std::time::Duration;

use crate::documents::REFUSED;
use crate::error::Result;
use crate::kit::{Kit, PartySettings};

/// The longest that the coordinator is waited for: the reason is in the site's own log already.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says that the site of this kit ends at its start, so that an administrator who waits for it hears of it. One try: where the
/// coordinator does not hear it, this site's own log says so.
pub async fn decline(kit: &Kit, overrides: &[String]) {
    if let Err(error) = say(kit, overrides).await {
        tracing::warn!(%error, "the coordinator does not hear that this site ends");
    }
}

async fn say(kit: &Kit, overrides: &[String]) -> Result<()> {
    let settings: PartySettings = kit.settings(overrides)?;
    let client = kit.client(&settings.coordinator)?;
    let saying = client.next(REFUSED.into(), Duration::ZERO);
    // Whoever does not answer in time does not hear it.
    if let Ok(said) = tokio::time::timeout(PATIENCE, saying).await {
        said?;
    }
    Ok(())
}
