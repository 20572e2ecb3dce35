//! A site's own rules, held against the jobs of the study: what would leave, and to whom.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::frame::{Page, Place, mark, plain_page};
use super::{Console, words};
use crate::door::Word;
use crate::live::Known;
use blindscope_federation::{JobKind, JobView, Policy, Sizes, Study};

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Extension(word): Extension<Word>) -> Response {
    if console.me.is_none() {
        return plain_page(StatusCode::NOT_FOUND, "Rules are a site's own; this console runs from an administrator's kit.");
    }
    let known = console.live.now();
    let page =
        Page { console: &console, known: &known, place: Place::Rules, title: "Our rules", word: &word.0, live: false };
    let policy = match console.kit.policy() {
        Ok(policy) => policy,
        Err(error) => return page.around(&html! { p.note.bad role="alert" { (error) } }),
    };
    page.around(&html! {
        p { "They stand in " code { "local/policy.toml" } " of this kit. Neither the coordinator nor an administrator sees or changes them." }
        (rules(&policy))
        h2 { "What would leave" }
        p { "Images, features and labels do not leave. What does is encrypted under a key that lives for one round and that no party holds; it goes to \
            the coordinator, which sees its length. What becomes readable is the sum over at least " (policy.minimum_cohort)
            " sites' contributions." }
        (leaving(&console, &known, &policy))
    })
}

fn rules(policy: &Policy) -> Markup {
    let kinds: Vec<&str> = policy.jobs.iter().map(|kind| kind.name()).collect();
    html! {
        dl {
            dt { "Fewest contributions in a sum that we help to open" } dd { (policy.minimum_cohort) }
            dt { "Kinds of jobs that we take part in" } dd { (kinds.join(", ")) }
            dt { "Most ciphertexts that we help to open" } dd { (words::count(policy.maximum_decryptions)) }
            dt { "Most rounds of one job" } dd { (words::count(policy.maximum_rounds)) }
            dt { "The backbone that may see our images" } dd { code { (policy.backbone) } }
        }
    }
}

fn leaving(console: &Console, known: &Known, policy: &Policy) -> Markup {
    let views = known.coordinator.jobs();
    let mut open = views.iter().rev().filter(|view| !view.is_over()).peekable();
    html! {
        @if open.peek().is_none() { p { "No job is open, so nothing is asked of us." } } @else {
            div.scroll { table {
                caption { "Open jobs, and what each asks of us" }
                thead { tr {
                    th scope="col" { "Job" } th scope="col" { "What we would send" } th.n scope="col" { "Bytes a round" } th scope="col" { "By our rules" }
                } }
                tbody { @for view in open { (row(console.study(), known, policy, view)) } }
            } }
        }
    }
}

fn row(study: &Study, known: &Known, policy: &Policy, view: &JobView) -> Markup {
    let spec = known.coordinator.spec(view.id);
    let sizes = spec.and_then(|spec| Sizes::of(study, spec).ok());
    let judged = spec.zip(sizes.as_ref()).map(|(spec, sizes)| policy.allows(study, spec, sizes, 0));
    html! {
        tr {
            th scope="row" { a href={ "/jobs/" (view.name) } { (view.name) } br; small { code { (view.id.short()) } } }
            td { (sent(view.kind)) }
            td.n { @if let Some(sizes) = sizes { (words::bytes(sizes.upload + sizes.key_share + sizes.share)) } }
            td { @match judged {
                Some(Ok(())) => { (mark("allowed")) }
                Some(Err(rule)) => { (mark("forbidden")) " " small { (rule) } }
                None => {}
            } }
        }
    }
}

/// What a kind of job asks of a site, in words.
fn sent(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Statistics => "encrypted counts and sums of features by class, and their products in pairs",
        JobKind::Fedavg => "encrypted weights of a head that was trained here",
        JobKind::Update => "the encrypted change of the backbone that was trained here",
        JobKind::ClsMean => "encrypted counts and sums of features by class",
        JobKind::Metrics => "encrypted counts of a model's right and wrong answers here",
        JobKind::Sum => "encrypted integers from the file that our settings name",
        JobKind::InferenceKeys | JobKind::Ceremony => "a share of a key that nobody will hold alone",
        JobKind::EncryptedHead => "an encrypted first layer that was trained here; nobody ever decrypts it",
        JobKind::Question => "a share of the answer, encrypted to whoever asked; nothing of our data",
    }
}
