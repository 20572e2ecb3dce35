//! Servers that a study of several coordinators leans on, as processes of its own on loopback: they can be killed like all others, and come back over
//! the same files.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::kill;
use crate::error::{Error, Result};
use crate::files::failed;
use crate::system;

/// How long a server may take until it listens, what a kill has left of it included.
const LISTENS: Duration = Duration::from_mins(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Where Debian puts PostgreSQL's commands, a folder a version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A server. Dropped, it is killed, and its files go.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    address: String,
    url: String,
    command: PathBuf,
    arguments: Vec<String>,
    /// Whom it runs as, where it refuses to be root.
    user: Option<(u32, u32)>,
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// NATS with `JetStream`, by `nats-server` or the command that is named, with its files in a folder for temporary ones.
    ///
    /// # Errors
    /// [`Error::File`] where there is no such command or the folder cannot be made; [`Error::Defect`] where it does not listen.
    pub fn nats(command: Option<&Path>) -> Result<Self> {
        let address = system::free_port()?;
        let folder = own_folder("nats", &address)?;
        let (host, port) = parts(&address);
        let arguments = ["-js", "-a", host, "-p", port, "-sd"].map(str::to_owned);
        let arguments = arguments.into_iter().chain([folder.display().to_string()]).collect();
        let command = command.unwrap_or(Path::new("nats-server")).to_owned();
        let url = format!("nats://{address}");
        Self { name: "nats", address, url, command, arguments, user: None, folder, child: None }.listening()
    }

    /// `PostgreSQL`, by the newest commands that Debian has, or those on the path, with its files in a folder for temporary ones. It refuses to be run by
    /// root: for root the user `postgres` runs it.
    ///
    /// # Errors
    /// As [`Self::nats`].
    pub fn postgres() -> Result<Self> {
        let (address, user) = (system::free_port()?, unprivileged()?);
        let folder = own_folder("postgres", &address)?;
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).map_err(failed("hand over", &folder))?;
        }
        let data = folder.join("data").display().to_string();
        let founding = ["-D", &data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale"];
        let mut initdb = as_user(&of_postgres("initdb"), user, &folder);
        let founded = initdb.args(founding).stdout(Stdio::null()).stderr(log(&folder)?).status();
        if !founded.map_err(failed("start", Path::new("initdb")))?.success() {
            return Err(Error::Defect { what: "the founding of a PostgreSQL server" });
        }
        let (host, port) = parts(&address);
        let listen = format!("listen_addresses={host}");
        let arguments = ["-D", &data, "-p", port, "-c", &listen, "-c", "unix_socket_directories="];
        let arguments = arguments.map(str::to_owned).into();
        let (url, command) = (format!("postgres://postgres@{address}/postgres"), of_postgres("postgres"));
        Self { name: "postgres", address, url, command, arguments, user, folder, child: None }.listening()
    }

    /// `nats` or `postgres`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its address, as a setting.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        kill(&mut self.child);
    }

    /// Starts it again over the same files, unless it runs, and waits until it listens.
    ///
    /// # Errors
    /// As [`Self::nats`].
    pub fn again(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !(self.runs() && TcpStream::connect(&self.address).is_ok()) {
            if begun.elapsed() > LISTENS {
                return Err(Error::Defect { what: "a server that does not listen" });
            }
            // What the killed one has left, processes of PostgreSQL's that go after it, may keep it from starting for a moment.
            if !self.runs() {
                let mut command = as_user(&self.command, self.user, &self.folder);
                command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null());
                let child = command.stderr(log(&self.folder)?).spawn();
                self.child = Some(child.map_err(failed("start", &self.command))?);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn listening(mut self) -> Result<Self> {
        self.again()?;
        Ok(self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // What cannot be removed stays in the folder for temporary files, which the system empties.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that only this user reads, named after the port, which nobody else has.
fn own_folder(name: &str, address: &str) -> Result<PathBuf> {
    let (_, port) = parts(address);
    let folder = std::env::temp_dir().join(format!("blindscope-{name}-{}-{port}", std::process::id()));
    let made = fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(failed("create the folder", &folder))?;
    Ok(folder)
}

fn parts(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or((address, ""))
}

/// What it says, for whoever looks why it does not run.
fn log(folder: &Path) -> Result<Stdio> {
    let path = folder.join("log");
    let opened = fs::File::options().create(true).append(true).open(&path);
    Ok(opened.map_err(failed("open", &path))?.into())
}

fn as_user(command: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(command);
    command.current_dir(folder);
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// A command of `PostgreSQL`'s: the newest of Debian's folders, or whatever is on the path.
fn of_postgres(name: &str) -> PathBuf {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let there = versions.map(|version| version.path()).filter(|path| path.join("bin").join(name).exists());
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    there.max_by_key(number).map_or_else(|| name.into(), |path| path.join("bin").join(name))
}

/// User and group `postgres` where this process is root's; nobody else otherwise.
fn unprivileged() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = Path::new("/etc/passwd");
    let text = fs::read_to_string(passwd).map_err(failed("read", passwd))?;
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, user, group) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (name == "postgres").then_some((user.parse().ok()?, group.parse().ok()?))
    });
    let nobody = || io::Error::new(io::ErrorKind::NotFound, "no user postgres, whom root runs PostgreSQL as");
    found.map(Some).ok_or_else(nobody).map_err(failed("find a user in", passwd))
}
