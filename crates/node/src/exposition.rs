//! Figures for a monitor: a registry shown as text at `/metrics`, on a listener of its own.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::error::{Error, Result};
use blindscope_transport::{Pages, Stop};

/// What the text is, for who reads it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of durations, in seconds: from a quick flush to a long computation.
pub(crate) const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0];

/// A registry whose names begin with `blindscope`, with the release in it.
pub(crate) fn registry(role: &'static str) -> Registry {
    let mut registry = Registry::with_prefix("blindscope");
    let build = Family::<[(&'static str, &'static str); 2], Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION")), ("role", role)]).set(1);
    registry.register("build", "The release that runs, as labels of a constant 1", build);
    registry
}

/// One number that is read at each look.
pub(crate) fn single(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value as i64).encode(metric)
}

/// Shows a registry at `listen` until `stop`; nothing where no address is set. It can be scraped once this returns.
///
/// # Errors
/// [`Error::Unknown`] for an address that is none; [`Error::Transport`] where it cannot be listened on.
pub(crate) async fn expose(listen: Option<&str>, registry: Registry, stop: &Stop) -> Result<()> {
    let Some(listen) = listen else { return Ok(()) };
    let pages = Pages::bind(address(listen)?).await?;
    let at = pages.address();
    if !at.ip().is_loopback() {
        tracing::warn!(%at, "metrics are shown without TLS to whoever reaches this address; loopback or a monitoring network is meant");
    }
    tracing::info!(%at, "metrics are shown");
    let registry = Arc::new(registry);
    let router = Router::new().route("/metrics", get(move || async move { shown(&registry) }));
    tokio::spawn(pages.serve(router, stop.clone()));
    Ok(())
}

fn shown(registry: &Registry) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn address(listen: &str) -> Result<SocketAddr> {
    let found = listen.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Error::Unknown {
        what: "address",
        name: listen.to_owned(),
        repair: "metrics are shown at ADDRESS:PORT: metrics = \"…\" in startup/settings.toml, of a worker --metrics …",
    })
}
