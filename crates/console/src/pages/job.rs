//! One job: what it does, how it went, what came of it, and how it is ended.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::entrance::{Signed, foreign};
use super::frame::{Page, Place, alone, link_of, mark, part};
use super::study::{Seen, WAIT};
use super::{Console, course, outcome, words};
use crate::door::Word;
use crate::live::Known;
use crate::plain::plain_page;
use blindscope_federation::{JobStatus, JobView};
use blindscope_node::admin::Course;

/// The page of a job.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Path(name): Path<String>,
) -> Response {
    let known = console.live.now();
    let Some(view) = named(&known, &name) else { return unknown() };
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Jobs,
        title: &view.name,
        word: &word.0,
        live: !view.is_over(),
    };
    let spec = known.coordinator.spec(view.id);
    let file = spec.and_then(|spec| serde_json::to_string_pretty(spec).ok()).unwrap_or_default();
    page.around(&html! {
        (changing(&known, &view))
        @if let JobStatus::Done { .. } = view.status { (outcome::shown(&console, &view).await) }
        @if console.me.is_none() && !view.is_over() {
            p { a.button href={ "/jobs/" (view.name) "/abort" } { "End this job without a result" } }
        }
        h2 { "Its file" }
        details { summary { "As everybody in the study sees it" } pre tabindex="0" { code { (file) } } }
    })
}

/// Its part that changes. A job that has just ended is shown with its result by a page of its own.
pub(super) async fn live(
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    Query(seen): Query<Seen>,
) -> Response {
    let known = console.live.after(seen.seen, WAIT).await;
    let Some(view) = named(&known, &name) else { return unknown() };
    if view.is_over() {
        return ([(header::HeaderName::from_static("hx-refresh"), "true")], "").into_response();
    }
    alone(&changing(&known, &view))
}

fn named(known: &Known, name: &str) -> Option<JobView> {
    let now = &known.coordinator;
    now.job_named(name).and_then(|id| now.job(id))
}

fn unknown() -> Response {
    plain_page(StatusCode::NOT_FOUND, "No job has this name in the log so far. Go back to the list of jobs.")
}

fn changing(known: &Known, view: &JobView) -> Markup {
    let study = known.coordinator.study();
    let round = (view.round + 1).min(view.rounds);
    let course = Course::of(known.records.iter().map(|record| &**record), view.id);
    let bytes: u64 =
        course.iter().flat_map(|course| &course.steps).map(blindscope_node::admin::StepCourse::bytes).sum();
    let contents = html! {
        @if !view.is_over() { (link_of(&known.link)) }
        p.now role="status" { (mark(words::state(view))) " " (words::doing(study, view)) }
        dl {
            dt { "Kind" } dd { (view.kind) }
            dt { "Id" } dd { code { (view.id) } }
            dt { "Round" } dd {
                (round) " of " (view.rounds) " "
                progress max=(view.rounds) value=(if view.is_over() { view.rounds } else { view.round }) aria-label="Rounds that are done" {}
            }
            dt { "Submitted" } dd { (words::moment(view.submitted_ms)) }
            @if let Some(ended) = view.ended_ms {
                dt { "Ended" } dd { (words::moment(ended)) ", after " (words::span(ended.saturating_sub(view.submitted_ms))) }
            }
            dt { "Sent by sites" } dd { (words::bytes(bytes)) }
        }
        @if let Some(course) = course {
            (course::curves(&course))
            (course::steps(study, &course))
        }
    };
    if view.is_over() {
        contents
    } else {
        part(&format!("/live/jobs/{}", view.name), known.version, &contents)
    }
}

/// Asks whether it is meant.
pub(super) async fn ask_abort(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Path(name): Path<String>,
) -> Response {
    let known = console.live.now();
    let Some(view) = named(&known, &name) else { return unknown() };
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Jobs,
        title: "End a job",
        word: &word.0,
        live: false,
    };
    page.around(&html! {
        p { "The job " strong { (view.name) } " ends without a result. Its name stays taken, and what sites have sent of it is thrown away." }
        form method="post" action={ "/jobs/" (view.name) "/abort" } {
            input type="hidden" name="word" value=(*word.0);
            button.bad type="submit" { "End " (view.name) }
            " " a href={ "/jobs/" (view.name) } { "Let it run" }
        }
    })
}

/// Ends it.
pub(super) async fn abort(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Path(name): Path<String>,
    Form(form): Form<Signed>,
) -> Response {
    if !form.is_of(&word) {
        return foreign();
    }
    match console.admin.abort(&name).await {
        Ok(view) => {
            (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/jobs/{}", view.name))]).into_response()
        }
        Err(error) => {
            let known = console.live.now();
            let (place, title) = (Place::Jobs, "End a job");
            let page = Page { console: &console, known: &known, place, title, word: &word.0, live: false };
            let said = html! { p.note.bad role="alert" { "It was not ended: " (error) } p { a href="/jobs" { "Back to the jobs" } } };
            page.with_status(StatusCode::CONFLICT, &said)
        }
    }
}
