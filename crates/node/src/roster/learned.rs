//! What a party learns of the roster from the coordinator: nothing but what is signed.

use bytes::Bytes;

use crate::documents::RosterCall;
use crate::error::{Error, Result};
use crate::kit::{Kit, keep};
use blindscope_federation::{RosterView, SignedChange, Study};
use blindscope_transport::{Client, Command};

/// A call about the roster.
///
/// # Errors
/// [`Error::Transport`] where the coordinator cannot be reached or refuses; [`Error::Federation`] for an answer that is no such document.
pub(crate) async fn see(client: &Client, call: &RosterCall) -> Result<RosterView> {
    // A document of our own types: this cannot fail.
    let document = serde_json::to_vec(call).unwrap_or_default();
    let answer = client.command(Command::Roster, Bytes::from(document)).await?;
    serde_json::from_slice(&answer).map_err(|e| {
        let (what, reason) = ("roster", e.to_string());
        blindscope_federation::Error::Message { what, reason }.into()
    })
}

/// The study under the coordinator's roster, each change on the way to it verified and kept; and what the coordinator shows of it, of words
/// on a change those alone that are signed.
///
/// # Errors
/// [`Error::Roster`] for a coordinator that is at an earlier version than was known here, or at another one;
/// [`Error::Federation`] for a change that a quorum of the version before has not signed. Nothing of it is kept then.
pub(crate) async fn catch_up(
    client: &Client,
    kit: &Kit,
    mut study: Study,
) -> Result<(Study, RosterView, Vec<SignedChange>)> {
    let mut learned = Vec::new();
    loop {
        let view = see(client, &RosterCall::See { from: study.version() }).await?;
        let more = !view.changes.is_empty();
        for signed in &view.changes {
            study = study.succeeded(signed)?;
            learned.push(signed.clone());
        }
        if more && study.version() < view.version {
            continue;
        }
        check(&study, &view)?;
        if !learned.is_empty() {
            keep(kit, &learned)?;
        }
        let view = verified(view, &study);
        return Ok((study, view, learned));
    }
}

/// The view with the words on a change alone that are of who is said to have said them. A change that cannot be made is none.
fn verified(mut view: RosterView, study: &Study) -> RosterView {
    view.proposal = view.proposal.and_then(|shown| {
        let verified = study.epoch().and_then(|old| shown.verified(&old));
        verified
            .inspect_err(
                |error| tracing::error!(%error, "a change of the roster is shown that cannot be made"),
            )
            .ok()
    });
    view
}

fn check(study: &Study, view: &RosterView) -> Result<()> {
    let known = study.version();
    let same = study.epoch().map_or(view.version == 0, |epoch| epoch.digest() == view.roster);
    let wrong = |reason: String| Err(Error::Roster { reason });
    if view.version != known {
        let shown = view.version;
        return wrong(format!(
            "the coordinator is at version {shown}, here version {known} is known and signed: it runs from an old copy or hides a \
             change; nothing is done under its roster. Restore the coordinator's newest state"
        ));
    }
    if same {
        Ok(())
    } else {
        wrong(format!("the coordinator's version {known} is another one than is signed here; compare logs"))
    }
}
