//! A job from a form: what is written is a job file, and is judged as one.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::entrance::foreign;
use super::frame::{Page, Place};
use crate::door::{Word, same};
use blindscope_federation::{JobKind, JobSpec};
use blindscope_node::Error;
use blindscope_node::admin::jobs::file_text;

/// Kinds that people submit, each with the rest of its smallest file.
fn kinds() -> impl Iterator<Item = (JobKind, &'static str)> {
    JobKind::ALL.iter().filter_map(|kind| Some((*kind, kind.example()?)))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    kind: String,
}

/// The form, with the smallest file of a kind.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let first = (JobKind::Statistics, JobKind::Statistics.example().unwrap_or_default());
    let (kind, rest) = kinds().find(|(kind, _)| kind.name() == wanted.kind).unwrap_or(first);
    let file = format!("name = \"{}-1\"\nkind = \"{}\"\n{rest}", kind.name(), kind.name());
    let form = Filled { file, refused: None, checked: None };
    answer(&console, &word, StatusCode::OK, &form)
}

/// What the form shows.
struct Filled {
    file: String,
    /// Why it was refused.
    refused: Option<String>,
    /// What would be submitted.
    checked: Option<String>,
}

fn answer(console: &Console, word: &Word, status: StatusCode, form: &Filled) -> Response {
    let known = console.live.now();
    let (place, title) = (Place::Submit, "New job");
    let page = Page { console, known: &known, place, title, word: &word.0, live: false };
    page.with_status(status, &shown(word, form))
}

fn shown(word: &Word, form: &Filled) -> Markup {
    let described = if form.refused.is_some() { "refused help" } else { "help" };
    html! {
        p { "Begin with a kind, or write the file yourself: it is the file that `blindscope job submit` takes, and is judged as that is." }
        ul.kinds { @for (kind, _) in kinds() { li { a href={ "/submit?kind=" (kind) } { (kind) } " " small { (kind.about()) } } } }
        form method="post" action="/jobs" {
            input type="hidden" name="word" value=(*word.0);
            @if let Some(refused) = &form.refused {
                div #refused.note.bad role="alert" { (why_not(refused)) }
            }
            @if let Some(checked) = &form.checked {
                div.note role="status" {
                    p { strong { "It holds together. " } "Nothing was submitted yet; this is what would be, with what follows filled in:" }
                    pre tabindex="0" { code { (checked) } }
                }
            }
            label for="file" { "Job file" }
            textarea #file name="file" rows="14" spellcheck="false" autocomplete="off" required
                aria-invalid=[form.refused.is_some().then_some("true")] aria-describedby=(described) { (form.file) }
            p #help { small { "TOML. Width, classes and their names are the study's where settings leave them out. Everybody in the study sees the file; \
                its name is given once." } }
            button type="submit" name="what" value="submit" { "Submit" }
            " " button.quiet type="submit" name="what" value="check" { "Check only" }
        }
    }
}

/// Why a file was refused. A parser points at the place, in lines that are a picture.
fn why_not(refused: &str) -> Markup {
    html! {
        @match refused.split_once('\n') {
            None => p { strong { "Not submitted. " } (refused) },
            Some((what, place)) => {
                p { strong { "Not submitted. " } (what) }
                pre tabindex="0" { code { (place) } }
            }
        }
    }
}

/// The form as it comes back.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    word: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    what: String,
}

/// Judges the file, and submits it where that was asked.
pub(super) async fn submit(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Form(sent): Form<Sent>,
) -> Response {
    if !same(&word.0, &sent.word) {
        return foreign();
    }
    // Browsers end lines as letters do.
    let file = sent.file.replace("\r\n", "\n");
    match judged(&console, &file).await {
        Err(error) => {
            let refused = Some(error.to_string());
            let form = Filled { file, refused, checked: None };
            answer(&console, &word, StatusCode::UNPROCESSABLE_ENTITY, &form)
        }
        Ok(spec) if sent.what == "submit" => match console.admin.submit(&spec).await {
            Ok(_) => {
                (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/jobs/{}", spec.name))]).into_response()
            }
            Err(error) => {
                let refused = Some(error.to_string());
                let form = Filled { file, refused, checked: None };
                answer(&console, &word, StatusCode::UNPROCESSABLE_ENTITY, &form)
            }
        },
        Ok(spec) => {
            let checked = serde_json::to_string_pretty(&spec).ok();
            answer(&console, &word, StatusCode::OK, &Filled { file, refused: None, checked })
        }
    }
}

/// The job of a file, with what follows filled in.
async fn judged(console: &Console, file: &str) -> Result<JobSpec, Error> {
    console.admin.complete(file_text(file)?).await
}
