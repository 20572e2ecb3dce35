//! A site's own rules, held against the jobs of the study: what would leave, and to whom.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::entrance::foreign;
use super::frame::{Page, Place, mark};
use super::{Console, words};
use crate::door::{Word, same};
use crate::live::Known;
use crate::plain::plain_page;
use blindscope_federation::{JobId, JobKind, JobView, Policy, Sizes};
use blindscope_node::kit::Approvals;
use blindscope_node::{kit, system};

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    if console.me.is_none() {
        return plain_page(
            StatusCode::NOT_FOUND,
            "Rules are a site's own; this console runs from an administrator's kit.",
        );
    }
    let known = console.live.now();
    let page = Page {
        console: &console,
        known: &known,
        place: Place::Rules,
        title: "Our rules",
        word: &word.0,
        live: false,
    };
    let policy = match console.kit.policy() {
        Ok(policy) => policy,
        Err(error) => return page.around(&html! { p.note.bad role="alert" { (error) } }),
    };
    let approvals = match Approvals::of(&console.kit) {
        Ok(approvals) => approvals,
        Err(error) => return page.around(&html! { p.note.bad role="alert" { (error) } }),
    };
    let site = Site { known: &known, policy: &policy, approvals: &approvals, word: &word.0 };
    page.around(&html! {
        p { "They stand in " code { "local/policy.toml" } " of this kit. Neither the coordinator nor an administrator sees or changes them." }
        (rules(&policy))
        h2 { "What would leave" }
        p { "Images, features and labels do not leave. What does is encrypted under a key that lives for one round and that no party holds; it goes to \
            the coordinator, which sees its length. What becomes readable is the sum over at least " (policy.minimum_cohort)
            " sites' contributions." }
        (site.leaving())
        (site.asking())
    })
}

fn rules(policy: &Policy) -> Markup {
    let kinds: Vec<&str> = policy.jobs.iter().map(|kind| kind.name()).collect();
    html! {
        dl {
            dt { "Fewest contributions in a sum that we help to open" } dd { (policy.minimum_cohort) }
            @if let Some(least) = policy.minimum_difference {
                dt { "Sites that two sums of one kind have to differ in" } dd { "none, or at least " (least) }
            }
            dt { "Kinds of jobs that we take part in" } dd { (kinds.join(", ")) }
            dt { "Most ciphertexts that we help to open" } dd { (words::count(policy.maximum_decryptions)) }
            dt { "Most rounds of one job" } dd { (words::count(policy.maximum_rounds)) }
            @if let Some(most) = policy.max_epsilon { dt { "Most that one job may give away" } dd { "\u{3b5} = " (most) } }
            @if let Some(most) = policy.max_delta { dt { "Largest chance that a promise fails" } dd { "\u{3b4} = " (most) } }
            @if let Some(most) = policy.lifetime_epsilon { dt { "Most that all jobs may give away" } dd { "\u{3b5} = " (most) } }
            @if let Some(unit) = policy.privacy_unit { dt { "Whose presence noise has to hide" } dd { "one " (unit) } }
            dt { "The backbone that may see our images" } dd { code { (policy.backbone) } }
        }
    }
}

/// What the page is made from.
struct Site<'a> {
    known: &'a Known,
    policy: &'a Policy,
    approvals: &'a Approvals,
    /// The word that forms carry.
    word: &'a str,
}

impl Site<'_> {
    /// Open jobs, held against the rules and what people here said of them.
    fn leaving(&self) -> Markup {
        let views = self.known.coordinator.jobs();
        let mut open = views.iter().rev().filter(|view| !view.is_over()).peekable();
        html! {
            @if open.peek().is_none() { p { "No job is open, so nothing is asked of us." } } @else {
                div.scroll tabindex="0" { table {
                    caption { "Open jobs, and what each asks of us" }
                    thead { tr {
                        th scope="col" { "Job" } th scope="col" { "What we would send" } th.n scope="col" { "Bytes a round" }
                        th scope="col" { "By our rules" } th scope="col" { "Our word" }
                    } }
                    tbody { @for view in open { (self.row(view)) } }
                } }
            }
        }
    }

    fn row(&self, view: &JobView) -> Markup {
        let study = self.known.coordinator.study();
        let spec = self.known.coordinator.spec(view.id);
        let sizes = spec.and_then(|spec| Sizes::of(study, spec).ok());
        let judged = spec.zip(sizes.as_ref()).map(|(spec, sizes)| self.policy.allows(study, spec, sizes, 0));
        html! {
            tr {
                th scope="row" { a href={ "/jobs/" (view.name) } { (view.name) } br; small { code { (view.id) } } }
                td { (view.kind.asks()) }
                td.n { @if let Some(sizes) = sizes { (words::bytes(sizes.upload + sizes.key_share + sizes.share)) } }
                td { @match judged {
                    Some(Ok(())) => { (mark("allowed")) }
                    Some(Err(rule)) => { (mark("forbidden")) " " small { (rule) } }
                    None => {}
                } }
                td { (self.said(view)) }
            }
        }
    }

    /// What was said of a job, and the forms to say it.
    fn said(&self, view: &JobView) -> Markup {
        if view.kind == JobKind::Question {
            return html! { small { "questions are allowed by the rules or not at all" } };
        }
        let said = self.approvals.said(view.id);
        html! {
            @match said {
                Some(said) if said.consent == kit::Consent::Approved => { (mark("approved")) " " small { (words::moment(said.at_ms)) } }
                Some(said) => { (mark("refused")) " " small { (words::moment(said.at_ms)) } }
                None if self.approvals.ask => { (mark("waiting")) " " small { "nothing is computed before somebody says a word" } }
                None => small { "not asked for" }
            }
            form.words method="post" action={ "/rules/" (view.id) } {
                input type="hidden" name="word" value=(self.word);
                button.quiet type="submit" name="say" value="approved" aria-label={ "Approve " (view.name) } { "Approve" }
                " " button.quiet type="submit" name="say" value="refused" aria-label={ "Refuse " (view.name) } { "Refuse" }
            }
        }
    }

    fn asking(&self) -> Markup {
        let (now, then) = if self.approvals.ask { ("wait", "off") } else { ("do not wait", "on") };
        html! {
            h2 { "Asking people" }
            p { "Jobs that the rules allow " strong { (now) } " for a word of somebody here, by the job's id, which is the digest of its file. Words stand in "
                code { "local/approvals.toml" } "." }
            form method="post" action="/rules/ask" {
                input type="hidden" name="word" value=(self.word);
                button type="submit" name="say" value=(then) {
                    @if self.approvals.ask { "Let allowed jobs run without a word" } @else { "Ask us about each job" }
                }
            }
        }
    }
}

/// A form with something to say.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    word: String,
    #[serde(default)]
    say: String,
}

/// Changes what is kept of people's words, for a form of this session by a site.
fn change(console: &Console, word: &Word, form: &Sent, change: impl FnOnce(&mut Approvals)) -> Response {
    if !same(&word.0, &form.word) {
        return foreign();
    }
    if console.me.is_none() {
        return plain_page(StatusCode::NOT_FOUND, "Only a site has a word on its part in a job.");
    }
    let kept = Approvals::of(&console.kit).and_then(|mut approvals| {
        change(&mut approvals);
        approvals.keep(&console.kit)
    });
    match kept {
        Ok(()) => (StatusCode::SEE_OTHER, [(header::LOCATION, "/rules")]).into_response(),
        Err(error) => plain_page(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Says a word on a job.
pub(super) async fn say(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Path(job): Path<String>,
    Form(form): Form<Sent>,
) -> Response {
    let said = match form.say.as_str() {
        "approved" => kit::Consent::Approved,
        "refused" => kit::Consent::Refused,
        _ => return plain_page(StatusCode::BAD_REQUEST, "The form says neither approved nor refused."),
    };
    let known = console.live.now();
    let Some(job) = JobId::parse(&job).filter(|job| known.coordinator.spec(*job).is_some()) else {
        return plain_page(StatusCode::NOT_FOUND, "The log has no job of this id.");
    };
    change(&console, &word, &form, |approvals| approvals.say(job, said, system::now_ms()))
}

/// Whether jobs wait for a word.
pub(super) async fn ask(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Form(form): Form<Sent>,
) -> Response {
    change(&console, &word, &form, |approvals| approvals.ask = form.say == "on")
}
