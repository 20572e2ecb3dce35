//! A channel whose connections are TLS 1.3 of our own settings.

use std::io;
use std::sync::Arc;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::tls::ClientTls;

/// Bytes under way on one call and on one connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// One address of a coordinator, and the name that its certificate has to bear.
#[derive(Clone)]
struct Target {
    address: String,
    name: ServerName<'static>,
}

/// A channel to `HOST:PORT`, or to the first of several, with commas between them, that answers. It connects when it is used.
pub(super) fn channel(address: &str, tls: ClientTls, limits: &Limits) -> Result<Channel> {
    let targets: Arc<[Target]> = address.split(',').map(target).collect::<Result<Vec<_>>>()?.into();
    let first = targets.first().ok_or_else(|| Error::Address { address: address.to_owned() })?;
    let uri = uri(&first.address)?;
    let connector = TlsConnector::from(tls.0);
    let within = limits.handshake;
    let endpoint = Endpoint::from(uri)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let (targets, connector) = (targets.clone(), connector.clone());
        async move {
            let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
            // Coordinators that wait for one another do not listen: the one that does is the one that leads.
            for target in targets.iter() {
                let dialled = timeout(within, dial(target, connector.clone())).await;
                match dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(stream) => return Ok(TokioIo::new(stream)),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        }
    })))
}

fn uri(address: &str) -> Result<Uri> {
    format!("http://{address}").parse().map_err(|_| Error::Address { address: address.to_owned() })
}

fn target(address: &str) -> Result<Target> {
    let address = address.trim();
    let wrong = || Error::Address { address: address.to_owned() };
    let uri = uri(address)?;
    let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
    uri.port_u16().ok_or_else(wrong)?;
    let name = ServerName::try_from(host).map_err(|_| wrong())?;
    Ok(Target { address: address.to_owned(), name })
}

async fn dial(target: &Target, connector: TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(&target.address).await?;
    tcp.set_nodelay(true)?;
    connector.connect(target.name.clone(), tcp).await
}
