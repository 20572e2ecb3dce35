//! What is done for a step, as spans that tracing tools follow: one trace a round, the same at the coordinator and at every site.
//!
//! Nobody sends a trace's number along: it follows from job and round, which everybody knows. A span holds what is done, for which step,
//! and when; no value, no name of a tile or patient, no key. Without a listener, which takes the feature `traces`, a span costs a comparison.

use tracing::Span;

use blindscope_federation::Step;

/// What tells these spans from what is logged.
pub const TARGET: &str = "blindscope::traces";

/// A span of `what` is done for a step.
pub(crate) fn of_step(step: &Step, what: &'static str) -> Span {
    let span = tracing::trace_span!(target: TARGET, "step", otel.name = what, %step);
    #[cfg(feature = "traces")]
    join(&span, step);
    span
}

/// A span of `what` is done for nobody's step, such as an answer to a question: a trace of its own.
pub(crate) fn alone(what: &'static str) -> Span {
    tracing::trace_span!(target: TARGET, "alone", otel.name = what)
}

/// Puts the span into the trace of its round.
#[cfg(feature = "traces")]
fn join(span: &Span, step: &Step) {
    use blindscope_wire::Hasher;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let mut hasher = Hasher::new("blindscope/node/trace/v1");
    let name = hasher.absorb(&step.job.0.0).absorb_u64(step.round).finish().0;
    let (mut trace, mut root) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&name[..16]);
    root.copy_from_slice(&name[16..24]);
    let (trace, root) = (TraceId::from_bytes(trace), SpanId::from_bytes(root));
    let context = SpanContext::new(trace, root, TraceFlags::SAMPLED, true, TraceState::default());
    // A span that nobody listens to has no place for it.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(context));
}
