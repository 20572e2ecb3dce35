//! The report of an audit: its figures and pictures, as `blindscope audit --out` wrote them.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::Console;
use super::frame::{Page, Place};
use crate::door::Word;
use crate::plain::plain_page;

/// Longest report: pictures are inside.
const MOST: u64 = 256 << 20;
/// What a report may do: show its own pictures and style. Whatever else is in the file does nothing.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; sandbox";

/// The page around the report.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    let known = console.live.now();
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Audit,
        title: "Audit",
        word: &word.0,
        live: false,
    };
    let Some(folder) = &console.audit else { return none() };
    page.around(&html! {
        p { "Attacks on the study's own model and data, as " code { "blindscope audit" } " measured them: what gets out of gradients, tokens, sums and heads. \
            It may show patients' images; it lies in " code { (folder.display()) } "." }
        p { a href="/audit/report" { "The report alone" } }
        iframe.report src="/audit/report" title="Report of the audit" {}
    })
}

/// The report itself.
pub(super) async fn report(State(console): State<Arc<Console>>) -> Response {
    let Some(folder) = &console.audit else { return none() };
    let path = folder.join("report.html");
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    let Ok(Ok(text)) = read else {
        return plain_page(
            StatusCode::NOT_FOUND,
            "There is no report.html of at most 256 MB in the folder of the audit; `blindscope audit --out FOLDER` writes one.",
        );
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    ];
    (headers, text).into_response()
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

fn none() -> Response {
    plain_page(
        StatusCode::NOT_FOUND,
        "This console shows no audit; start it with --audit FOLDER, where `blindscope audit --out` wrote one.",
    )
}
