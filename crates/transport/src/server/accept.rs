//! From a TCP connection to an authenticated one.
//!
//! Until its handshake is done a connection is a stranger's: it costs one small task, has a deadline, and gives way to
//! newer ones when there are too many.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::slots::{Slot, Slots};
use super::stop::Stop;
use crate::handler::Handler;
use crate::identity::{Peer, PeerId};
use crate::limits::Limits;
use crate::refusal::{Class, Refusal};
use crate::tls::ServerTls;

/// Wait after a failed accept; the usual reason is that no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// An authenticated connection.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _slot: Slot,
}

/// Starts to accept; what comes out has shown a certificate of the authority.
pub(super) fn accept(
    listener: TcpListener,
    tls: ServerTls,
    limits: &Limits,
    handler: Arc<dyn Handler>,
    stop: Stop,
) -> mpsc::Receiver<io::Result<Connection>> {
    let (out, incoming) = mpsc::channel(64);
    let gate = Gate {
        acceptor: TlsAcceptor::from(tls.0),
        slots: Slots::new(limits.connections),
        handshake: limits.handshake,
        handler,
        out,
    };
    let strangers = Strangers { most: limits.handshakes, tasks: JoinSet::new(), order: VecDeque::new() };
    tokio::spawn(async move {
        tokio::select! {
            () = run(listener, Arc::new(gate), strangers) => {}
            () = stop.stopped() => {}
        }
    });
    incoming
}

async fn run(listener: TcpListener, gate: Arc<Gate>, mut strangers: Strangers) {
    loop {
        match listener.accept().await {
            Ok((tcp, address)) => strangers.add(gate.clone().admit(tcp, address)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Handshakes under way, oldest first.
struct Strangers {
    most: usize,
    tasks: JoinSet<()>,
    order: VecDeque<AbortHandle>,
}

impl Strangers {
    fn add(&mut self, handshake: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        if self.order.len() >= self.most {
            self.order.retain(|handle| !handle.is_finished());
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.tasks.spawn(handshake));
    }
}

/// What a handshake needs.
struct Gate {
    acceptor: TlsAcceptor,
    slots: Slots,
    handshake: Duration,
    /// Hears of connections that come to no call.
    handler: Arc<dyn Handler>,
    out: mpsc::Sender<io::Result<Connection>>,
}

impl Gate {
    async fn admit(self: Arc<Self>, tcp: TcpStream, address: SocketAddr) {
        match tokio::time::timeout(self.handshake, self.greet(tcp, address)).await {
            Ok(Ok(connection)) => {
                // The receiver is gone when the server stops; then so is the connection.
                let _ = self.out.send(Ok(connection)).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "handshake refused");
                let many = error.kind() == io::ErrorKind::QuotaExceeded;
                self.turned_away(if many { "too-many-connections" } else { "handshake" });
            }
            Err(_) => {
                tracing::debug!(%address, "handshake too slow");
                self.turned_away("too-slow");
            }
        }
    }

    fn turned_away(&self, code: &'static str) {
        self.handler.refused("handshake", &Refusal::new(Class::Unauthenticated, code, ""));
    }

    async fn greet(&self, tcp: TcpStream, address: SocketAddr) -> io::Result<Connection> {
        tcp.set_nodelay(true)?;
        let stream = self.acceptor.accept(tcp).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let id = shown.and_then(PeerId::of_certificate).ok_or(io::ErrorKind::InvalidData)?;
        let Some(slot) = self.slots.take(id) else {
            tracing::warn!(%address, peer = %id, "more connections than one certificate may hold");
            return Err(io::ErrorKind::QuotaExceeded.into());
        };
        Ok(Connection { stream, peer: Peer { id, address }, _slot: slot })
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
