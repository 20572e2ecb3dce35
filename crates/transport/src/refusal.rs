//! A refusal on its way through a gRPC status and back.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, Status};

use crate::message::{Detail, Fact};

/// What kind of refusal: decides the gRPC status, and whether the caller, its configuration or the moment is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Not known here: no certificate of the study.
    Unauthenticated,
    /// Known, but may not do this.
    Forbidden,
    /// The bytes are wrong, whenever they come.
    Invalid,
    /// The bytes do not fit the present state.
    Conflict,
    /// No such job, blob or key.
    Missing,
    /// A quota, a limit or the disk is full.
    Exhausted,
    /// Too slow.
    Late,
    /// The service stops or is overloaded; the same call later may work.
    Unavailable,
    /// The service's own failure.
    Internal,
}

/// Class and status, both ways.
const CODES: [(Class, Code); 9] = [
    (Class::Unauthenticated, Code::Unauthenticated),
    (Class::Forbidden, Code::PermissionDenied),
    (Class::Invalid, Code::InvalidArgument),
    (Class::Conflict, Code::FailedPrecondition),
    (Class::Missing, Code::NotFound),
    (Class::Exhausted, Code::ResourceExhausted),
    (Class::Late, Code::DeadlineExceeded),
    (Class::Unavailable, Code::Unavailable),
    (Class::Internal, Code::Internal),
];

/// Numbers of one refusal on the wire.
const MAX_FACTS: usize = 16;

/// Why a call was refused. It crosses the wire, so its fields are words and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Kind.
    pub class: Class,
    /// Stable word for programs, `wrong-study`.
    pub code: Cow<'static, str>,
    /// For people: what was tried, the values, the repair.
    pub message: String,
    /// When the same call makes sense again; `None`: never.
    pub retry: Option<Duration>,
    /// The numbers of it, by name.
    pub facts: Vec<(Cow<'static, str>, u64)>,
}

impl Refusal {
    /// A refusal for good.
    pub fn new(class: Class, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code: code.into(), message: message.into(), retry: None, facts: Vec::new() }
    }

    /// With a number.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: u64) -> Self {
        self.facts.push((name.into(), value));
        self
    }

    /// To be tried again after `wait`, at least a millisecond.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry = Some(wait.max(Duration::from_millis(1)));
        self
    }

    /// The refusal of a status, if a refusal made it.
    pub(crate) fn from_status(status: &Status) -> Option<Self> {
        let class = CODES.iter().find(|(_, code)| *code == status.code())?.0;
        let detail = Detail::decode(status.details()).ok().filter(|d| !d.code.is_empty())?;
        let facts = detail.facts.into_iter().take(MAX_FACTS).map(|f| (f.name.into(), f.value)).collect();
        Some(Self {
            class,
            code: detail.code.into(),
            message: status.message().to_owned(),
            retry: (detail.retry_ms > 0).then(|| Duration::from_millis(detail.retry_ms)),
            facts,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code =
            CODES.iter().find(|(class, _)| *class == refusal.class).map_or(Code::Unknown, |pair| pair.1);
        let facts = refusal.facts.into_iter().map(|(name, value)| Fact { name: name.into_owned(), value });
        let detail = Detail {
            code: refusal.code.into_owned(),
            retry_ms: refusal.retry.map_or(0, |wait| wait.as_millis() as u64),
            facts: facts.collect(),
        };
        Self::with_details(code, refusal.message, Bytes::from(detail.encode_to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_crosses_the_wire_unchanged() {
        for (class, _) in CODES {
            let sent = Refusal::new(class, "too-large", "upload: 12 bytes announced, 10 expected")
                .fact("announced", 12)
                .fact("expected", u64::MAX)
                .retry_after(Duration::from_millis(1500));
            assert_eq!(Refusal::from_status(&Status::from(sent.clone())), Some(sent));
        }
    }

    #[test]
    fn a_status_of_another_origin_is_no_refusal() {
        assert_eq!(Refusal::from_status(&Status::unavailable("connection reset")), None);
        assert_eq!(Refusal::from_status(&Status::ok("")), None);
        let garbage = Status::with_details(Code::Internal, "", Bytes::from_static(&[0xff; 40]));
        assert_eq!(Refusal::from_status(&garbage), None);
    }
}
