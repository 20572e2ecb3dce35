//! What every question has to pass, to a clear head or an encrypted one.

use bytes::Bytes;

use crate::documents::Wish;
use blindscope_classify::Plan;
use blindscope_transport::{Answer, Class, Refusal};

/// What is wished, from a call's document.
pub(in crate::coordinator) fn wish(document: &Bytes) -> Answer<Wish> {
    serde_json::from_slice(document).map_err(|e| Refusal::new(Class::Invalid, "document", e.to_string()))
}

/// The refusal of a wish that this call does not serve.
pub(in crate::coordinator) fn misplaced(call: &str, wish: &Wish) -> Refusal {
    let message =
        format!("{call}: `{}` is not wished by this call; use the same release on both sides", wish.name());
    Refusal::new(Class::Invalid, "wish", message)
}

/// Refuses an empty question, and one of more tokens than its plan has room for.
pub(super) fn in_batch(plan: &Plan, tokens: usize) -> Answer<()> {
    let most = plan.literal().batch;
    if (1..=most).contains(&tokens) {
        return Ok(());
    }
    let message = format!("infer: {tokens} tokens in a question, 1 to {most} are taken");
    Err(Refusal::new(Class::Invalid, "batch", message).fact("most", most as u64))
}

/// Refuses another length than the plan says.
pub(super) fn exact(call: &str, expected: u64, found: u64) -> Answer<()> {
    if found == expected {
        return Ok(());
    }
    let message = format!("{call}: {found} bytes, the plan says {expected}; fetch the plan again");
    Err(Refusal::new(Class::Invalid, "length", message).fact("found", found).fact("expected", expected))
}

/// A head that cannot be asked, and why.
pub(super) fn no_head(name: &str, why: &str) -> Refusal {
    Refusal::new(Class::Missing, "no-head", format!("no head of {name} is offered: {why}"))
}
