//! Where coordinators keep what they know: each by itself, or two of them in a place that they share.

use std::path::Path;

use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Processes;
#[cfg(feature = "scale")]
use blindscope_node::processes::{Server, Sharing};
#[cfg(feature = "scale")]
use blindscope_testkit::{nats::NatsServer, services::Services};

/// One of the two.
pub struct Place {
    dir: tempfile::TempDir,
    #[cfg(feature = "scale")]
    pub services: Option<Services>,
    /// Where workers are asked, in a shared place.
    #[cfg(feature = "scale")]
    pub queue: Option<String>,
}

/// Coordinators of a shared place, and seconds of their lease.
#[cfg(feature = "scale")]
pub const COORDINATORS: (usize, u32) = (2, 1);

impl Place {
    pub fn embedded() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            #[cfg(feature = "scale")]
            services: None,
            #[cfg(feature = "scale")]
            queue: None,
        }
    }

    /// PostgreSQL and an object store; nothing, said aloud, where there is no PostgreSQL and none is demanded.
    #[cfg(feature = "scale")]
    pub async fn shared() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let services = Some(Services::start(dir.path()).await?);
        Some(Self { dir, services, queue: None })
    }

    /// The same, with workers behind a queue of a server that can be killed.
    #[cfg(feature = "scale")]
    pub async fn with_queue() -> Option<(Self, NatsServer)> {
        let mut place = Self::shared().await?;
        let server = NatsServer::start(place.folder())?;
        place.queue = Some(server.url());
        Some((place, server))
    }

    /// The same, and PostgreSQL can be killed, too.
    #[cfg(feature = "scale")]
    pub async fn with_servers() -> Option<(Self, [Server; 2])> {
        let command = std::env::var_os("BLINDSCOPE_NATS_SERVER").map(std::path::PathBuf::from);
        let begun = Server::postgres().and_then(|postgres| Ok([postgres, Server::nats(command.as_deref())?]));
        let servers = match begun {
            Ok(servers) => servers,
            Err(error) if std::env::var("BLINDSCOPE_SERVICES").as_deref() != Ok("required") => {
                println!("LEFT OUT: no servers can be had on this machine: {error}");
                return None;
            }
            Err(error) => panic!("BLINDSCOPE_SERVICES=required, and no servers: {error}"),
        };
        let (dir, password) = (tempfile::tempdir().unwrap(), servers[0].environment()[0].1.as_str().into());
        let services = Some(Services::at(servers[0].url(), password, dir.path()).await?);
        let queue = Some(servers[1].url().to_owned());
        Some((Self { dir, services, queue }, servers))
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// A study of plain sums there. Nothing runs yet.
    pub fn processes(&self, project: Project) -> Processes {
        #[cfg_attr(not(feature = "scale"), allow(unused_mut, reason = "shared places change it"))]
        let mut study = super::processes(&self.folder().join("study"), project);
        #[cfg(feature = "scale")]
        if let Some(services) = &self.services {
            let (store, blobs, environment) = (services.store(), services.blobs(), services.environment());
            let queue = self.queue.clone();
            let sharing = Sharing { store, blobs, queue, environment, lease_seconds: COORDINATORS.1 };
            study.share(&sharing, COORDINATORS.0).unwrap();
        }
        study
    }
}

/// The same tests over both: `on_both!(name, …)`, each an `async fn(&Place)`.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::common::places::Place::embedded()).await;
            })*
        }
        #[cfg(feature = "scale")]
        mod shared {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(place) = super::common::places::Place::shared().await else { return };
                super::$name(&place).await;
            })*
        }
    };
}
