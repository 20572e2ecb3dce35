//! Pages for the people of a study, served on loopback to one browser, over the kit's own connection to the coordinator.
//!
//! A study office sees sites, jobs and the verified log, and submits and aborts jobs; a hospital sees what would leave it, what was opened
//! and its own rules. The console opens no door in the coordinator: it makes the calls that the command line makes, with the same kit.

#![allow(clippy::disallowed_methods, reason = "an edge: the clock and a listener for one browser")]
#![forbid(unsafe_code)]

mod door;
mod error;
mod live;
mod pages;
mod plain;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::{Kit, PartySettings};
use blindscope_transport::{Pages, Stop};

pub use error::{Error, Result};

/// How a console is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens: an address of this machine alone.
    pub listen: SocketAddr,
    /// Replaces keys of the kit's settings.
    pub overrides: Vec<String>,
    /// Folder of an audit whose report is shown.
    pub audit: Option<PathBuf>,
}

/// Where a console is, and the word that lets one browser in.
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    token: Zeroizing<String>,
}

impl Ready {
    /// The address to open, once.
    pub fn url(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("http://{}/enter?token={}", self.address, *self.token))
    }
}

/// Serves the pages of a kit until `stop`. `ready` is called once, when a browser can come.
///
/// # Errors
/// [`Error::NotLoopback`] for an address that others could reach; [`Error::NoPages`] for a coordinator's kit; [`Error::Node`] for a kit
/// that cannot be read; [`Error::Transport`] where the address cannot be listened on.
pub async fn serve(
    kit: &Kit,
    options: &Options,
    stop: Stop,
    ready: impl FnOnce(&Ready) + Send,
) -> Result<()> {
    if !options.listen.ip().is_loopback() {
        return Err(Error::NotLoopback { address: options.listen });
    }
    if kit.local("authority.key").exists() {
        return Err(Error::NoPages { folder: kit.folder().to_owned() });
    }
    let settings: PartySettings = kit.settings(&options.overrides)?;
    let admin = Arc::new(Admin::of(kit, &options.overrides)?);
    let me = admin.study().site_named(&settings.name);
    let (doors, token) = door::Doors::new()?;
    let pages = Pages::bind(options.listen).await?;
    let address = pages.address();
    let live = live::Live::follow(admin.clone(), me, stop.clone());
    let names = [
        format!("127.0.0.1:{0}", address.port()),
        format!("localhost:{0}", address.port()),
        address.to_string(),
    ];
    let cookie = format!("{}-{}", door::COOKIE, address.port());
    let gate = door::Gate { cookie, names: names.into(), doors };
    let console = pages::Console {
        gate: Arc::new(gate),
        live,
        admin,
        me,
        party: settings.name,
        kit: kit.clone(),
        audit: options.audit.clone(),
    };
    let router = pages::router(Arc::new(console));
    ready(&Ready { address, token });
    pages.serve(router, stop).await;
    Ok(())
}
