//! What a process tells while it runs: its log, and in builds with the feature `traces` spans, to a collector of OpenTelemetry.

use std::io::IsTerminal as _;

use tracing::Level;

/// Where a collector is, as OpenTelemetry has it.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Whether spans are wanted.
fn is_traced() -> bool {
    std::env::var_os(COLLECTOR).is_some_and(|endpoint| !endpoint.is_empty())
}

/// What a process tells. Dropped, it sends what is left.
pub(crate) struct Telling {
    #[cfg(feature = "traces")]
    _spans: Option<traced::Spans>,
}

/// Begins to tell.
///
/// # Errors
/// A collector that spans cannot be sent to.
#[cfg(not(feature = "traces"))]
#[allow(clippy::unnecessary_wraps, reason = "as with the feature")]
pub(crate) fn begin(level: Level) -> anyhow::Result<Telling> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(level)
        .init();
    if is_traced() {
        tracing::warn!("{COLLECTOR} is set, and this build sends no spans: build it with --features traces");
    }
    Ok(Telling {})
}

/// Begins to tell.
///
/// # Errors
/// A collector that spans cannot be sent to.
#[cfg(feature = "traces")]
pub(crate) fn begin(level: Level) -> anyhow::Result<Telling> {
    use tracing_subscriber::filter::{LevelFilter, filter_fn};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    use tracing_subscriber::{Layer as _, registry};

    let spans = is_traced().then(traced::Spans::begin).transpose()?;
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(LevelFilter::from_level(level));
    let ours = filter_fn(|of| of.is_span() && of.target() == blindscope_node::traces::TARGET);
    let traced = spans.as_ref().map(|spans| spans.layer().with_filter(ours));
    registry().with(log).with(traced).init();
    Ok(Telling { _spans: spans })
}

#[cfg(feature = "traces")]
mod traced {
    use anyhow::Context as _;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
    use tracing_opentelemetry::OpenTelemetryLayer;

    /// Spans on their way to a collector.
    pub(crate) struct Spans(SdkTracerProvider);

    impl Spans {
        /// To where OpenTelemetry's own variables say, over HTTP; called by `OTEL_SERVICE_NAME`, or `blindscope`.
        pub(super) fn begin() -> anyhow::Result<Self> {
            // The client of HTTP asks for one where another feature gave it TLS. Where there is one already, it stays.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
            let exporter = exporter.with_context(|| {
                format!(
                    "{}: give the address of a collector on this machine, such as http://127.0.0.1:4318",
                    super::COLLECTOR
                )
            })?;
            let named = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "blindscope".into());
            let resource = Resource::builder().with_service_name(named).build();
            let spans = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
            Ok(Self(spans.build()))
        }

        pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
        where
            S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
        {
            tracing_opentelemetry::layer().with_tracer(self.0.tracer("blindscope"))
        }
    }

    impl Drop for Spans {
        /// Sends what is left. A collector that does not answer loses it: nobody waits for it long.
        fn drop(&mut self) {
            let _ = self.0.shutdown_with_timeout(std::time::Duration::from_secs(2));
        }
    }
}
