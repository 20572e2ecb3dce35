//! What was released: every sum that was opened and every result, over whose contributions, and who opened it.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::frame::{Page, Place};
use super::{Console, words};
use crate::door::Word;
use crate::live::Known;
use blindscope_federation::{Blob, Event, JobId, JobKind, JobSpec, Phase, SiteId, Study};

/// Rows of the page.
const MOST: usize = 500;

/// Something that became readable.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Readable {
    job: JobId,
    round: u64,
    at_ms: u64,
    what: Blob,
    /// Whether it is the job's result, and no step to it.
    result: bool,
    over: Vec<SiteId>,
    openers: Vec<SiteId>,
}

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    let known = console.live.now();
    let title = "Released";
    let page =
        Page { console: &console, known: &known, place: Place::Opened, title, word: &word.0, live: false };
    let releases = releases(&known);
    let literal = console.study().literal();
    page.around(&html! {
        p { "Everything that became readable in this study, to whom results go: sums of contributions, never a contribution alone. A sum tells of the \
            data of all its sites together; of fewer than " (literal.minimum_cohort) " none is opened." }
        dl {
            dt { "Ciphertexts opened" } dd { (words::count(known.coordinator.opened())) " of " (words::count(literal.decryptions)) }
            dt { "Releases" } dd { (words::count(releases.len() as u64)) }
        }
        (table(&console, &known, &releases))
        h2 { "What they may tell" }
        p { "How much of an image, of features or of membership gets out of gradients, tokens, sums and heads is measured by "
            code { "blindscope audit" } " on the study's own model and data; its report has the figures and pictures." }
    })
}

fn table(console: &Console, known: &Known, releases: &[Readable]) -> Markup {
    let study = known.coordinator.study();
    html! {
        @if releases.is_empty() { p { "Nothing was released yet." } } @else {
            div.scroll tabindex="0" { table {
                caption { "Releases, the newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Job" } th.n scope="col" { "Round" } th scope="col" { "What" }
                    th scope="col" { "Over the contributions of" } th scope="col" { "Opened by" }
                    @if console.me.is_some() { th scope="col" { "We" } }
                } }
                tbody { @for one in releases.iter().rev().take(MOST) { (row(console, study, known, one)) } }
            } }
        }
    }
}

fn row(console: &Console, study: &Study, known: &Known, one: &Readable) -> Markup {
    let name = known.coordinator.spec(one.job).map_or_else(|| one.job.short(), |spec| spec.name.clone());
    html! {
        tr {
            td { (words::moment(one.at_ms)) }
            th scope="row" { a href={ "/jobs/" (name) } { (name) } }
            td.n { (one.round + 1) }
            td { @if one.result { "result, " } @else { "sum of a round, " } (one.what) }
            td { (words::sites(study, one.over.iter().copied())) }
            td { (words::sites(study, one.openers.iter().copied())) }
            @if let Some(me) = console.me { td { (part_of(me, one)) } }
        }
    }
}

/// What a site had to do with a release.
fn part_of(me: SiteId, one: &Readable) -> &'static str {
    match (one.over.contains(&me), one.openers.contains(&me)) {
        (true, true) => "contributed and opened",
        (true, false) => "contributed",
        (false, true) => "opened",
        (false, false) => "took no part",
    }
}

/// Every release of the log, oldest first. Keys and encrypted heads become readable to nobody.
fn releases(known: &Known) -> Vec<Readable> {
    let mut over: Vec<SiteId> = Vec::new();
    let mut openers: Vec<SiteId> = Vec::new();
    let mut found = Vec::new();
    for record in known.records.iter() {
        let at_ms = record.body.at_ms;
        let mut release =
            |job: JobId, round: u64, what: Blob, result: bool, over: &[SiteId], openers: &[SiteId]| {
                let kind = known.coordinator.spec(job).map(JobSpec::runs);
                if kind.is_some_and(|kind| kind.is_sum() || kind == JobKind::Question) {
                    let (over, openers) = (over.to_vec(), openers.to_vec());
                    found.push(Readable { job, round, at_ms, what, result, over, openers });
                }
            };
        match &record.body.event {
            Event::Closed { step, committed, .. } if step.phase == Phase::Upload => {
                over.clone_from(committed);
            }
            Event::Closed { step, committed, .. } if matches!(step.phase, Phase::Open | Phase::Share) => {
                openers.clone_from(committed);
            }
            Event::Combined { output, .. } => {
                if let Some(named) = &output.named {
                    over.clone_from(&named.sites);
                }
            }
            Event::Advanced { job, round, input } => release(*job, *round, *input, false, &over, &openers),
            Event::Done { job, result } => {
                let rounds = known.coordinator.job(*job).map_or(1, |view| view.rounds);
                release(*job, rounds - 1, *result, true, &over, &openers);
            }
            _ => {}
        }
    }
    found
}
