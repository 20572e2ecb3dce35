//! Lists of jobs.

use std::sync::Arc;

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::frame::{Page, Place, alone, link_of, mark, part};
use super::study::{Seen, WAIT};
use super::{Console, words};
use crate::door::Word;
use crate::live::Known;
use blindscope_federation::{JobKind, JobView, Study};

/// Rows of a list.
pub(super) const MOST: usize = 500;

/// All jobs but questions, newest first.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    let known = console.live.now();
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Jobs,
        title: "Jobs",
        word: &word.0,
        live: true,
    };
    page.around(&changing(&console, &known))
}

/// The list, as soon as something happened.
pub(super) async fn live(State(console): State<Arc<Console>>, Query(seen): Query<Seen>) -> Response {
    let known = console.live.after(seen.seen, WAIT).await;
    alone(&changing(&console, &known))
}

fn changing(console: &Console, known: &Known) -> Markup {
    let views = known.coordinator.jobs();
    let jobs = views.iter().rev().filter(|view| view.kind != JobKind::Question).take(MOST);
    let contents = html! {
        (link_of(&known.link))
        (table(known.coordinator.study(), jobs))
        @if views.is_empty() && console.me.is_none() { p { a href="/submit" { "Submit the first job" } } }
    };
    part("/live/jobs", known.version, &contents)
}

/// A table of jobs.
pub(super) fn table<'v>(study: &Study, views: impl Iterator<Item = &'v JobView>) -> Markup {
    let mut views = views.peekable();
    html! {
        @if views.peek().is_none() { p { "There are none." } }
        @else {
            div.scroll tabindex="0" { table {
                caption { "Jobs, the newest first" }
                thead { tr {
                    th scope="col" { "Job" } th scope="col" { "Kind" } th scope="col" { "State" }
                    th.n scope="col" { "Round" } th scope="col" { "Submitted" } th.n scope="col" { "Took" }
                } }
                tbody { @for view in views { (row(study, view)) } }
            } }
        }
    }
}

fn row(study: &Study, view: &JobView) -> Markup {
    let round = (view.round + 1).min(view.rounds);
    html! {
        tr {
            th scope="row" { a id={ "job-" (view.id.short()) } href={ "/jobs/" (view.name) } { (view.name) } }
            td { (view.kind) }
            td { (mark(words::state(view))) " " small { (words::doing(study, view)) } }
            td.n { (round) " of " (view.rounds) }
            td { (words::moment(view.submitted_ms)) }
            td.n { @if let Some(ended) = view.ended_ms { (words::span(ended.saturating_sub(view.submitted_ms))) } }
        }
    }
}
