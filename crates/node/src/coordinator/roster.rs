//! Calls about the roster: anybody of the study sees it, administrators propose, sites say their own words.

use std::sync::Arc;

use bytes::Bytes;

use super::callers::{Caller, Callers, forbidden};
use super::desk::Desk;
use super::refusal;
use crate::documents::RosterCall;
use crate::error::Result;
use crate::kit::Kit;
use blindscope_federation::{Change, Coordinator, Input, SiteEntry};
use blindscope_transport::{Answer, Class, Peer, Refusal};

/// Answers a call with what the roster is after it.
pub(super) async fn call(
    desk: &Arc<Desk>,
    (callers, peer): (&Callers, Peer),
    document: &Bytes,
) -> Answer<Bytes> {
    let caller = &callers.known(peer)?;
    let call: RosterCall = serde_json::from_slice(document)
        .map_err(|e| Refusal::new(Class::Invalid, "document", e.to_string()))?;
    let (from, input) = match call {
        RosterCall::See { from } => (from, None),
        RosterCall::Propose { change } => (u64::MAX, Some(Input::Propose(change))),
        RosterCall::Withdraw => (u64::MAX, Some(Input::Withdraw)),
        RosterCall::Say { word } => (u64::MAX, Some(Input::Word(word))),
    };
    match (&input, caller) {
        (None, _) | (Some(Input::Propose(_) | Input::Withdraw), Caller::Admin) => {}
        (Some(Input::Word(word)), Caller::Site(site)) if word.site == *site => {}
        (Some(Input::Word(word)), Caller::Site(site)) => {
            let found = word.site;
            let other = blindscope_federation::Refusal::Sender { expected: *site, found };
            return Err(refusal::protocol(&other));
        }
        (Some(Input::Word(_)), other) => return Err(forbidden(other, "a site")),
        (Some(_), other) => return Err(forbidden(other, "an administrator")),
    }
    if let Some(Input::Propose(change)) = &input {
        no_member(callers, change)?;
    }
    if let Some(input) = input {
        desk.handle(input).await?;
    }
    let view = desk.now().roster(from);
    serde_json::to_vec(&view).map(Bytes::from).map_err(|e| refusal::internal(&e))
}

/// Refuses a site with the key of an administrator or an asker: it would be no member's any more, and as a site see what those may not.
fn no_member(callers: &Callers, change: &Change) -> Answer<()> {
    let entries = change.joins.iter().chain(change.replaces.iter().map(|member| &member.entry));
    let taken = |entry: &&SiteEntry| callers.is_member(&entry.identity);
    match entries.into_iter().find(taken) {
        None => Ok(()),
        Some(entry) => {
            let reason = format!(
                "{} has the key of an administrator or asker; let it make one of its own",
                entry.name
            );
            Err(refusal::protocol(&blindscope_federation::Refusal::Change { reason }))
        }
    }
}

/// Keeps the roster's history in the coordinator's kit, where certificates are signed from.
pub(super) fn keep(now: &Coordinator, kit: &Kit) -> Result<()> {
    if now.history().is_empty() { Ok(()) } else { crate::kit::keep(kit, now.history()) }
}
