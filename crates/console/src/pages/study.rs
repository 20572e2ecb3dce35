//! The study: its terms, its sites, what has been used of its budget.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Page, Place, alone, link_of, mark, part};
use super::{Console, jobs, words};
use crate::door::Word;
use crate::live::{Known, Link};
use blindscope_federation::Study;
use blindscope_node::SiteView;

/// How long a part is waited for.
pub(super) const WAIT: Duration = Duration::from_secs(20);

/// What a browser has seen.
#[derive(Deserialize)]
pub(super) struct Seen {
    #[serde(default)]
    pub(super) seen: u64,
}

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    let known = console.live.now();
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Study,
        title: "Study",
        word: &word.0,
        live: true,
    };
    page.around(&html! { (changing(&console, &known)) (terms(known.coordinator.study())) })
}

/// Its part that changes.
pub(super) async fn live(State(console): State<Arc<Console>>, Query(seen): Query<Seen>) -> Response {
    let known = console.live.after(seen.seen, WAIT).await;
    alone(&changing(&console, &known))
}

fn changing(console: &Console, known: &Known) -> Markup {
    let now = &known.coordinator;
    let views = now.jobs();
    let open = views.iter().filter(|view| !view.is_over()).count();
    let literal = console.study().literal();
    let contents = html! {
        (link_of(&known.link))
        ul.heads {
            li { b { (open) } span { @if open == 1 { "job open" } @else { "jobs open" } } small { (views.len()) " in all" } }
            li { b { (words::count(now.opened())) } span { "ciphertexts opened" } small { "of " (words::count(literal.decryptions)) " in the study's life" } }
            li { b { (words::bytes(known.sent.values().sum())) } span { "sent by sites" } small { "all encrypted" } }
            li { b { (words::count(now.head().0)) } span { "records verified" } small { @if known.link == Link::There { "the log is followed" } @else { "not followed now" } } }
        }
        h2 { "Sites" }
        (sites(known))
        h2 { "Open jobs" }
        (jobs::table(now.study(), views.iter().rev().filter(|view| !view.is_over())))
    };
    part("/live/study", known.version, &contents)
}

fn sites(known: &Known) -> Markup {
    let heard = |name: &str| known.sites.iter().find(|site| site.name == name);
    let told = !known.sites.is_empty();
    html! {
        div.scroll tabindex="0" { table {
            caption { "The study's sites, and how they were last heard" }
            thead { tr {
                th scope="col" { "Site" }
                @if told { th scope="col" { "Now" } th scope="col" { "Seen" } th scope="col" { "Release" } th.n scope="col" { "Clock" } th.n scope="col" { "Room on its disk" } }
                th.n scope="col" { "Sent" }
            } }
            tbody {
                @for member in known.coordinator.study().members() {
                    tr {
                        th scope="row" { (member.entry.name) }
                        @if told {
                            @match heard(&member.entry.name) {
                                Some(site) => { (presence(site)) }
                                None => { td {} td {} td {} td {} td {} }
                            }
                        }
                        td.n { (words::bytes(known.sent.get(&member.site).copied().unwrap_or_default())) }
                    }
                }
            }
        } }
    }
}

fn presence(site: &SiteView) -> Markup {
    let seen = site.silent_ms.map_or_else(|| "not yet".to_owned(), |ms| format!("{} ago", words::span(ms)));
    html! {
        td { @match site.absence() {
            None => (mark("there")),
            Some(words) => { (mark("absent")) " " small { (words) } }
        } }
        td { (seen) }
        td { @if let Some(software) = &site.state.software { (software) } }
        td.n { @if let Some(ahead) = site.state.ahead_ms { (clock(ahead)) } }
        td.n { @if let Some(free) = site.state.free_bytes { (words::bytes(free)) } }
    }
}

/// How far a clock is off, the message's way included.
fn clock(ahead_ms: i64) -> String {
    let off = words::span(ahead_ms.unsigned_abs());
    match ahead_ms {
        -500..=500 => "right".to_owned(),
        501.. => format!("{off} ahead"),
        _ => format!("{off} behind"),
    }
}

fn terms(study: &Study) -> Markup {
    let literal = study.literal();
    html! {
        h2 { "What everybody agreed on" }
        dl {
            dt { "Digest of the study" } dd { code { (study.digest()) } }
            dt { "Classes" } dd { (literal.classes.join(", ")) }
            dt { "Backbone" } dd { code { (literal.backbone) } " of width " (literal.width) }
            dt { "Shares that decrypt" } dd { (literal.threshold) " of " (study.members().len()) " sites" }
            dt { "Fewest contributions in a sum that is opened" } dd { (literal.minimum_cohort) }
            dt { "Sites that may collude and still learn nothing of another" } dd { (literal.colluders()) }
            dt { "Openings of a round before it fails" } dd { (literal.attempts) }
        }
    }
}
