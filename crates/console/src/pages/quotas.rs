//! Questions: who was answered how much, of what is allowed, and those to encrypted heads, each of which is a job.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::frame::{Page, Place};
use super::{Console, jobs, words};
use crate::door::Word;
use blindscope_federation::JobKind;
use blindscope_node::{Answered, Quotas};

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    let known = console.live.now();
    let views = known.coordinator.jobs();
    let asked = views.iter().rev().filter(|view| view.kind == JobKind::Question);
    let title = "Questions";
    let page =
        Page { console: &console, known: &known, place: Place::Questions, title, word: &word.0, live: false };
    let key = known.coordinator.inference_key();
    let quotas = console.admin.quotas().await;
    page.around(&html! {
        h2 { "Tokens that askers were answered" }
        @match quotas {
            Ok(quotas) => { (shown(&quotas)) }
            Err(error) => p.note.bad role="alert" { "What askers have done cannot be told: " (error) }
        }
        h2 { "Questions to encrypted heads" }
        p { "Each is a job in which sites take part: the log says who was asked and when, sizes and digests." }
        @if let Some(key) = key {
            dl {
                dt { "Inference key, made by" } dd { code { (key.ceremony.short()) } }
                dt { "Ciphertexts re-encrypted under it" } dd { (words::count(key.answered)) }
            }
        } @else { p { "There is no inference key." } }
        (jobs::table(known.coordinator.study(), asked.take(jobs::MOST)))
    })
}

fn shown(quotas: &Quotas) -> Markup {
    let Some(limits) = &quotas.limits else {
        return html! { p { "The coordinator's settings release no head, so nobody may ask." } };
    };
    let hour = limits.tokens_an_hour;
    let life = limits.tokens_in_all;
    html! {
        dl {
            dt { "Heads that may be asked" } dd { @if limits.jobs.is_empty() { "none" } @else { (limits.jobs.join(", ")) } }
            dt { "Most tokens of one question" } dd { (words::count(limits.batch as u64)) }
        }
        div.scroll tabindex="0" { table {
            caption { "Answered, of what is allowed: enough chosen questions give a head away" }
            thead { tr { th scope="col" { "Asker" } th.n scope="col" { "This hour" } th.n scope="col" { "In all" } } }
            tbody {
                (row("The whole study", quotas.study, limits.study_tokens_an_hour, limits.study_tokens_in_all))
                @for (name, answered) in &quotas.askers { (row(name, *answered, hour, life)) }
            }
        } }
    }
}

fn row(name: &str, answered: Answered, hour: u64, life: u64) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td.n { (words::count(answered.hour)) " of " (words::count(hour)) }
            td.n { (words::count(answered.life)) " of " (words::count(life)) }
        }
    }
}
