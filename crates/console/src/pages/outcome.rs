//! What came of a job: its model's card, counted answers, and the file.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::frame::drawn;
use super::{Console, words};
use crate::plain::plain_page;
use blindscope_federation::{JobKind, JobStatus, JobView};
use blindscope_learn::jobs::{Counts, HeadFigures, Model, leaves_a_model};
use blindscope_report::{ConfusionMatrix, Drawing};

/// Longest result that is looked into for a page.
const MOST_SHOWN: u64 = 64 << 20;
/// Longest result that is handed to a browser.
const MOST_GIVEN: u64 = 512 << 20;

/// The result of a job that is done.
pub(super) async fn shown(console: &Console, view: &JobView) -> Markup {
    let JobStatus::Done { result } = view.status else { return html! {} };
    let readable = console.me.is_none();
    let inner = if readable && result.len <= MOST_SHOWN {
        looked_into(console, view).await
    } else {
        html! {}
    };
    html! {
        h2 { "Result" }
        dl {
            dt { "SHA-256" } dd { code { (result.digest) } }
            dt { "Length" } dd { (words::bytes(result.len)) }
        }
        (inner)
        @if readable {
            @if result.len <= MOST_GIVEN {
                p { a.button href={ "/jobs/" (view.name) "/result" } download { "Download the result" } }
            } @else { p { "It is too long for a browser: " code { "blindscope job download " (view.name) } } }
        }
    }
}

async fn looked_into(console: &Console, view: &JobView) -> Markup {
    match console.admin.download(&view.id.to_string(), Vec::new()).await {
        Ok((bytes, _)) => card(view, &bytes),
        Err(error) => html! { p.note.bad role="alert" { "The result could not be fetched: " (error) } },
    }
}

/// What a result says of itself.
fn card(view: &JobView, bytes: &[u8]) -> Markup {
    match view.kind {
        JobKind::Metrics => match serde_json::from_slice::<Counts>(bytes) {
            Ok(counts) => html! {
                dl {
                    dt { "Model measured" } dd { code { (counts.model) } }
                    dt { "Sites that counted" } dd { (counts.sites) }
                    @if let Some(figures) = &counts.figures {
                        dt { "Right, with its 95 % interval" }
                        dd { (interval(figures)) }
                    }
                }
                (answers(&counts.classes, &counts.counts, "Answers of the model on what the sites held back"))
            },
            Err(error) => unreadable(&error),
        },
        kind if leaves_a_model(kind) => match Model::from_json(bytes) {
            Ok(model) => model_card(&model),
            Err(error) => unreadable(&error),
        },
        _ => html! {},
    }
}

/// A share of right answers, and where it may lie.
fn interval(figures: &HeadFigures) -> String {
    let [accuracy, low, high] =
        [figures.accuracy, figures.interval[0], figures.interval[1]].map(|v| 100.0 * v);
    format!(
        "{accuracy:.1} % [{low:.1}, {high:.1}] of {} answers in {} groups, patients where they are known",
        figures.examples, figures.groups
    )
}

fn unreadable(error: &dyn std::fmt::Display) -> Markup {
    html! { p.note { "The result is not of this release's form: " (error) } }
}

fn model_card(model: &Model) -> Markup {
    let names: Vec<&str> = model.heads.iter().map(|head| head.name.as_str()).collect();
    html! {
        h3 { "Model card" }
        dl {
            dt { "What it is" } dd { "Heads on the study's backbone: " (names.join(", ")) "; the first is recommended" }
            dt { "Learned by" } dd { "a job of kind " (model.kind) ", through encrypted sums" }
            dt { "Learned from" } dd { (words::count(model.examples)) " examples of " (model.sites) " sites" }
            @if !model.classes.is_empty() { dt { "Classes" } dd { (model.classes.join(", ")) } }
            @if let Some(clips) = model.clipped { dt { "Values clipped" } dd { (clips) } }
            @if let Some(privacy) = model.privacy {
                dt { "Noise" } dd { "Differential privacy, " (privacy) ": added by the sites before they encrypted" }
            }
            dt { "What it is not for" } dd { "Diagnosis without a pathologist; tissue, stains and scanners that no site has" }
            dt { "Who saw what" } dd { "Nobody saw another site's images, features, labels or gradients; the result itself tells of the data of \
                all sites together" }
        }
        @if let Some(counts) = &model.validation {
            (answers(&model.classes, counts, "Answers on what the sites held back, counted under encryption"))
        }
    }
}

/// Counted answers, as shares and as a drawing.
fn answers(classes: &[String], counts: &[Vec<u64>], caption: &str) -> Markup {
    let square = !counts.is_empty() && counts.iter().all(|row| row.len() == counts.len());
    if !square {
        return html! {};
    }
    let name = |class: usize| classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
    let names: Vec<String> = (0..counts.len()).map(name).collect();
    let total: u64 = counts.iter().flatten().sum();
    let right: u64 = (0..counts.len()).map(|class| counts[class][class]).sum();
    let recall = |class: usize| share(counts[class][class], counts[class].iter().sum());
    let precision = |class: usize| share(counts[class][class], counts.iter().map(|row| row[class]).sum());
    let matrix = ConfusionMatrix { classes: names.clone(), counts: counts.to_vec() };
    html! {
        p { strong { (share(right, total)) } " right, of " (words::count(total)) " answers." }
        figure {
            (drawn(Drawing::Confusion(matrix).element("confusion", caption)))
            figcaption { (caption) }
        }
        div.scroll tabindex="0" { table {
            caption { "By class" }
            thead { tr { th scope="col" { "Class" } th.n scope="col" { "Found of its own (recall)" } th.n scope="col" { "Right when named (precision)" } } }
            tbody { @for (class, name) in names.iter().enumerate() {
                tr { th scope="row" { (name) } td.n { (recall(class)) } td.n { (precision(class)) } }
            } }
        } }
    }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        "none to count".to_owned()
    } else {
        format!("{:.2} %", 100.0 * part as f64 / whole as f64)
    }
}

/// The file, its digest checked on the way.
pub(super) async fn download(State(console): State<Arc<Console>>, Path(name): Path<String>) -> Response {
    let view = match console.admin.status(&name).await {
        Ok(view) => view,
        Err(error) => return plain_page(StatusCode::NOT_FOUND, &error.to_string()),
    };
    if let JobStatus::Done { result } = view.status
        && result.len > MOST_GIVEN
    {
        let sentence = "The result is too long for a browser; fetch it with `blindscope job download`.";
        return plain_page(StatusCode::PAYLOAD_TOO_LARGE, sentence);
    }
    match console.admin.download(&view.id.to_string(), Vec::new()).await {
        Ok((bytes, _)) => {
            let ending = if bytes.first() == Some(&b'{') { "json" } else { "bin" };
            // Names of jobs have letters, digits and `-_.` alone.
            let attached = format!("attachment; filename=\"{}.{ending}\"", view.name);
            let attached = HeaderValue::from_str(&attached).unwrap_or(HeaderValue::from_static("attachment"));
            let plain = HeaderValue::from_static("application/octet-stream");
            ([(header::CONTENT_TYPE, plain), (header::CONTENT_DISPOSITION, attached)], bytes).into_response()
        }
        Err(error) => plain_page(StatusCode::CONFLICT, &error.to_string()),
    }
}
