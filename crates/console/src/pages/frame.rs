//! What every page has around it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Console, words};
use crate::live::{Known, Link};
use crate::plain::plain_page;

/// How our script behaves: no style of its own in the page, no code from attributes, no other machine.
const BEHAVIOUR: &str =
    r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// A page's place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Study,
    Jobs,
    Submit,
    Questions,
    Opened,
    Rules,
    Audit,
    Log,
}

impl Place {
    /// Path and name.
    fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Study => ("/", "Study"),
            Self::Jobs => ("/jobs", "Jobs"),
            Self::Submit => ("/submit", "New job"),
            Self::Questions => ("/questions", "Questions"),
            Self::Opened => ("/opened", "Released"),
            Self::Rules => ("/rules", "Our rules"),
            Self::Audit => ("/audit", "Audit"),
            Self::Log => ("/log", "Log"),
        }
    }

    /// The places of an administrator, or of a site, of a console that shows an audit or none.
    fn all(site: bool, audit: bool) -> impl Iterator<Item = Self> {
        let of_site = [Self::Study, Self::Jobs, Self::Opened, Self::Rules, Self::Audit, Self::Log].as_slice();
        let of_admin =
            [Self::Study, Self::Jobs, Self::Submit, Self::Questions, Self::Opened, Self::Audit, Self::Log]
                .as_slice();
        let all = if site { of_site } else { of_admin };
        all.iter().copied().filter(move |place| audit || *place != Self::Audit)
    }
}

/// A page of the console.
pub(super) struct Page<'a> {
    pub(super) console: &'a Console,
    pub(super) known: &'a Known,
    pub(super) place: Place,
    pub(super) title: &'a str,
    /// The word that forms carry.
    pub(super) word: &'a str,
    /// Whether it has a part that changes; a reader without scripts then sees it anew now and then.
    pub(super) live: bool,
}

impl Page<'_> {
    /// The page around its contents.
    pub(super) fn around(&self, contents: &Markup) -> Response {
        self.with_status(StatusCode::OK, contents)
    }

    /// As [`Self::around`], under another status.
    pub(super) fn with_status(&self, status: StatusCode, contents: &Markup) -> Response {
        let Self { console, known, place, title, word, live } = *self;
        let study = &console.study().literal().name;
        let body = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="htmx-config" content=(BEHAVIOUR);
                    title { (title) " · " (study) " · Blindscope" }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/style.css";
                    script src="/assets/htmx.min.js" defer {}
                    @if live { noscript { meta http-equiv="refresh" content="10"; } }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header.top {
                        p.brand { strong { "Blindscope" } " " span { (study) } }
                        nav aria-label="Pages" {
                            @for one in Place::all(console.me.is_some(), console.audit.is_some()) {
                                @let (path, name) = one.named();
                                a href=(path) aria-current=[(one == place).then_some("page")] { (name) }
                            }
                        }
                        form.leave method="post" action="/leave" {
                            input type="hidden" name="word" value=(word);
                            span { (console.party) }
                            button.quiet type="submit" { "Leave" }
                        }
                    }
                    main #content {
                        h1 { (title) }
                        // A part that changes says it itself.
                        @if !live { (link_of(&known.link)) }
                        (contents)
                    }
                    footer { p {
                        "Served to this machine alone. Times are the coordinator's, in UTC. What is said of jobs is folded from the verified log."
                    } }
                }
            }
        };
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body.into_string()).into_response()
    }
}

/// How the coordinator is, where that is worth a word.
pub(super) fn link_of(link: &Link) -> Markup {
    html! {
        @match link {
            Link::There => {}
            Link::Waiting => p.note role="status" { "The coordinator is being called." }
            Link::Away { since_ms, reason } => p.note.bad role="alert" {
                "The coordinator does not answer since " (words::moment(*since_ms)) ": " (reason)
                ". What is shown is what was known then; it is called again all the time."
            }
            Link::Broken { reason } => p.note.bad role="alert" {
                strong { "The log does not hold together." } " " (reason)
                ". Nothing of it is shown any more. Keep what you have (`blindscope log export`), compare it with the sites' receipts \
                 (`blindscope log verify --site`), and find out who changed it."
            }
        }
    }
}

/// A part of a page that is made anew when something happens: asked for again as soon as it is shown, answered when there is news.
pub(super) fn part(path: &str, version: u64, contents: &Markup) -> Markup {
    let (sign, path) = (if path.contains('?') { '&' } else { '?' }, path);
    html! {
        div.live hx-get=(format!("{path}{sign}seen={version}")) hx-trigger="load, every 3s" hx-sync="this:drop" hx-swap="outerHTML" {
            (contents)
        }
    }
}

/// A part alone.
pub(super) fn alone(contents: &Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], contents.clone().into_string()).into_response()
}

/// A mark of a state: its word, and a shape and colour beside it.
pub(super) fn mark(state: &str) -> Markup {
    html! { span class={ "state " (state) } { (state) } }
}

/// Markup that another crate of ours made, its text escaped there.
pub(super) fn drawn(svg: String) -> Markup {
    PreEscaped(svg)
}

/// No such page.
pub(super) async fn missing(State(_): State<Arc<Console>>) -> Response {
    plain_page(StatusCode::NOT_FOUND, "There is no such page. Go back, or begin at the study's own.")
}
