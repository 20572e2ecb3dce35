//! A NATS server of a test's own, with JetStream, on loopback: it can be killed and started again over the same files.
#![allow(
    clippy::disallowed_methods,
    clippy::missing_errors_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "of tests, which stop by panic"
)]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server's command, unless `BLINDSCOPE_NATS_SERVER` names another.
const COMMAND: &str = "nats-server";

/// The server. Dropped, it is killed.
#[derive(Debug)]
pub struct NatsServer {
    command: String,
    address: SocketAddr,
    folder: PathBuf,
    child: Option<Child>,
}

impl NatsServer {
    /// One with its files below `root`; nothing, said aloud, where there is none on this machine, unless `BLINDSCOPE_SERVICES` is `required`.
    pub fn start(root: &Path) -> Option<Self> {
        let command = std::env::var("BLINDSCOPE_NATS_SERVER").unwrap_or_else(|_| COMMAND.to_owned());
        let there = Command::new(&command).arg("--version").stdout(Stdio::null()).status();
        match there {
            Ok(_) => {}
            Err(error) if std::env::var("BLINDSCOPE_SERVICES").as_deref() != Ok("required") => {
                println!("LEFT OUT: there is no {command} (BLINDSCOPE_NATS_SERVER names another): {error}");
                return None;
            }
            Err(error) => panic!("BLINDSCOPE_SERVICES=required, and no {command}: {error}"),
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut server = Self { command, address, folder: root.join("nats"), child: None };
        server.again();
        Some(server)
    }

    /// Its address, as a setting.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again over the same files, and waits until it listens.
    pub fn again(&mut self) {
        self.kill();
        let mut command = Command::new(&self.command);
        command
            .args(["-js", "-a", "127.0.0.1", "-p", &self.address.port().to_string(), "-sd"])
            .arg(&self.folder);
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the NATS server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
