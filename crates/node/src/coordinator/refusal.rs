//! Refusals of the protocol and the store, as they cross the wire.

use std::time::Duration;

use blindscope_transport::{Class, Refusal};

/// Wait before another try when the disk is full.
const FULL: Duration = Duration::from_secs(10);

/// A refusal of the state machine: its own name is the code, its own text the message.
pub(super) fn protocol(refusal: &blindscope_federation::Refusal) -> Refusal {
    let class =
        match refusal {
            blindscope_federation::Refusal::ForeignSite { .. }
            | blindscope_federation::Refusal::Sender { .. }
            | blindscope_federation::Refusal::Signature { .. } => Class::Forbidden,
            blindscope_federation::Refusal::Length { .. }
            | blindscope_federation::Refusal::JobFile { .. } => Class::Invalid,
            blindscope_federation::Refusal::UnknownJob { .. } => Class::Missing,
            blindscope_federation::Refusal::Budget { .. }
            | blindscope_federation::Refusal::ManyJobs { .. } => Class::Exhausted,
            _ => Class::Conflict,
        };
    let code = match serde_json::to_value(refusal) {
        Ok(serde_json::Value::Object(map)) => map.keys().next().cloned(),
        Ok(serde_json::Value::String(name)) => Some(name),
        _ => None,
    };
    let mut crossing = Refusal::new(class, "refused", refusal.to_string());
    if let Some(code) = code {
        crossing.code = code.into();
    }
    crossing
}

/// A failure of the disk.
pub(crate) fn store(error: &blindscope_store::Error) -> Refusal {
    use blindscope_store::Error::{Full, OtherBytes};
    match error {
        Full { needed, .. } => Refusal::new(Class::Exhausted, "disk-full", error.to_string())
            .fact("needed", *needed)
            .retry_after(FULL),
        OtherBytes { .. } => Refusal::new(Class::Invalid, "other-bytes", error.to_string()),
        _ => internal(error),
    }
}

/// A failure of ours. The details stay in our own log.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a call failed here");
    Refusal::new(Class::Internal, "internal", "the coordinator failed; its log says why").retry_after(FULL)
}
