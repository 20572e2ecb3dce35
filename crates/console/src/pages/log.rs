//! The audit log as it was verified, record by record.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Page, Place};
use super::{Console, words};
use crate::door::Word;
use crate::live::{Known, Link};
use crate::plain::plain_page;
use blindscope_federation::{Answer, Event, Record, Study};

/// Records of a page.
const MOST: u64 = 100;

#[derive(Deserialize)]
pub(super) struct Until {
    /// The newest record of the page; the newest of all without.
    to: Option<u64>,
}

/// Records, the newest first.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Query(place): Query<Until>,
) -> Response {
    let known = console.live.now();
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Log,
        title: "Log",
        word: &word.0,
        live: false,
    };
    let count = known.records.len() as u64;
    let end = place.to.map_or(count, |to| to.saturating_add(1).min(count));
    let begin = end.saturating_sub(MOST);
    let some = known.records.get(begin as usize..end as usize).unwrap_or_default();
    page.around(&html! {
        (verdict(&known))
        div.scroll tabindex="0" { table {
            caption { "Records, the newest first" }
            thead { tr { th.n scope="col" { "Number" } th scope="col" { "When" } th scope="col" { "Event" } th scope="col" { "What" } } }
            tbody { @for record in some.iter().rev() { (row(known.coordinator.study(), record)) } }
        } }
        nav.turn aria-label="Older and newer records" {
            @if end < count { a href={ "/log?to=" (end + MOST - 1) } { "Newer" } }
            @if begin > 0 { a href={ "/log?to=" (begin - 1) } { "Older" } }
        }
    })
}

/// What has been checked, and what cannot be.
fn verdict(known: &Known) -> Markup {
    let (count, head) = known.coordinator.head();
    html! {
        @if matches!(known.link, Link::Broken { .. }) {
            p { "The records below were verified before the log broke." }
        }
        dl {
            dt { "Verified" } dd { (words::count(count)) " records: chain, signatures, every step by the rules" }
            dt { "Digest of the last" } dd { code { (head) } }
            dt { "Ciphertexts opened" } dd { (words::count(known.coordinator.opened())) }
        }
        p { small { "That no record was cut from the end is seen only with the receipts of a site: "
            code { "blindscope log verify --site" } "." } }
    }
}

fn row(study: &Study, record: &Record) -> Markup {
    let seq = record.body.seq;
    let (event, what) = told(study, &record.body.event);
    html! {
        tr {
            td.n { a href={ "/log/" (seq) } { (seq) } }
            td { (words::moment(record.body.at_ms)) }
            td { (event) }
            td { (what) }
        }
    }
}

/// An event's name, and what it says.
fn told(study: &Study, event: &Event) -> (&'static str, String) {
    match event {
        Event::Founded { .. } => ("founded", "the log begins".to_owned()),
        Event::Submitted { spec, .. } => ("submitted", format!("{} of kind {}", spec.name, spec.kind)),
        Event::Opened { step, expected, .. } => {
            ("opened", format!("{step}: asks {}", words::sites(study, expected.iter().copied())))
        }
        Event::Accepted { answer } => {
            let site = words::site(study, answer.header.site);
            let said = match answer.header.answer {
                Answer::Payload(blob) => format!("sent {}", words::bytes(blob.len)),
                Answer::Declined(cause) => cause.to_string(),
            };
            ("accepted", format!("{}: {site} {said}", answer.header.step))
        }
        Event::Closed { step, committed, missing } => {
            let gone = words::missing(study, missing).join("; ");
            let gone = if gone.is_empty() { gone } else { format!("; without: {gone}") };
            (
                "closed",
                format!("{step}: goes on with {}{gone}", words::sites(study, committed.iter().copied())),
            )
        }
        Event::Excluded { step, missing } => {
            ("excluded", format!("{step}: {}", words::missing(study, missing).join("; ")))
        }
        Event::Combined { step, output } => ("combined", format!("{step}: {}", output.shared)),
        Event::Advanced { job, round, input } => {
            ("advanced", format!("job {} round {}: next from {input}", job.short(), round + 1))
        }
        Event::Done { job, result } => ("done", format!("job {}: {result}", job.short())),
        Event::Proposed { .. } | Event::Withdrawn | Event::Said { .. } | Event::Changed { .. } => {
            ("roster", event.of_roster_in_words(study).unwrap_or_default())
        }
        Event::Failed { job, failure } => {
            ("failed", format!("job {}: {}", job.short(), failure.explain(study)))
        }
    }
}

/// One record, as it stands in the log.
pub(super) async fn record(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Path(seq): Path<u64>,
) -> Response {
    let known = console.live.now();
    let Some(record) = known.records.get(usize::try_from(seq).unwrap_or(usize::MAX)) else {
        return plain_page(StatusCode::NOT_FOUND, "The log has no record of this number so far.");
    };
    let title = format!("Record {seq}");
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Log,
        title: &title,
        word: &word.0,
        live: false,
    };
    let text = serde_json::to_string_pretty(&**record).unwrap_or_default();
    page.around(&html! {
        dl {
            dt { "Digest" } dd { code { (record.digest()) } }
            dt { "When" } dd { (words::moment(record.body.at_ms)) }
        }
        pre tabindex="0" { code { (text) } }
        p { a href={ "/log?to=" (seq) } { "Back to the log" } }
    })
}
