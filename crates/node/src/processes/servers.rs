//! Servers that a study of several coordinators leans on, as processes of its own on loopback: they can be killed like all others, and come back over
//! the same files.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand_core::Rng as _;
use rustix::process::{Pid, Signal, kill_process};

use super::kill;
use crate::error::{Error, Result};
use crate::files::{self, failed};
use crate::system;
use blindscope_wire::hex;

/// How long a server may take until it listens, what a kill has left of it included.
const LISTENS: Duration = Duration::from_mins(1);
/// How long it may take until it has ended.
const ENDS: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Where Debian puts PostgreSQL's commands, a folder a version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A server. Dropped, it is ended, and its files go; where this process is killed itself, it goes on.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    address: String,
    url: String,
    /// What its clients find in their environment.
    environment: Vec<(String, String)>,
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
        let (url, environment) = (format!("nats://{address}"), Vec::new());
        Self { name: "nats", address, url, environment, command, arguments, user: None, folder, child: None }
            .listening()
    }

    /// `PostgreSQL`, by the newest commands that Debian has, or those on the path, with its files in a folder for temporary ones. It refuses to be run by
    /// root: for root the user `postgres` runs it.
    ///
    /// # Errors
    /// As [`Self::nats`].
    pub fn postgres() -> Result<Self> {
        let (address, user) = (system::free_port()?, unprivileged()?);
        let folder = own_folder("postgres", &address)?;
        // The log stays this process's, out of reach of whom the server runs as.
        let data = folder.join("data");
        make(&data, 0o700)?;
        let (password, secret) = (drawn()?, folder.join("password"));
        files::write_secret(&secret, password.as_bytes())?;
        if let Some((user, group)) = user {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))
                .map_err(failed("open", &folder))?;
            for path in [&data, &secret] {
                chown(path, Some(user), Some(group)).map_err(failed("hand over", path))?;
            }
        }
        let (data, secret) = (data.display().to_string(), format!("--pwfile={}", secret.display()));
        let founding =
            ["-D", &data, "-U", "postgres", "--auth=scram-sha-256", &secret, "-E", "UTF8", "--no-locale"];
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
        let environment = vec![("PGPASSWORD".to_owned(), password)];
        Self { name: "postgres", address, url, environment, command, arguments, user, folder, child: None }
            .listening()
    }

    /// `nats` or `postgres`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What its clients have to find in their environment: a password.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Its address, as a setting.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        kill(&mut self.child);
    }

    /// Tells it to end, for PostgreSQL frees shared memory of the system's then, and kills it where it does not.
    fn end(&mut self) {
        let id = self.child.as_ref().and_then(|child| Pid::from_raw(child.id() as i32));
        // Both end by this one at once.
        if id.is_some_and(|id| kill_process(id, Signal::QUIT).is_ok()) {
            let begun = Instant::now();
            while self.runs() && begun.elapsed() < ENDS {
                std::thread::sleep(PAUSE);
            }
        }
        self.kill();
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
        self.end();
        // What cannot be removed stays in the folder for temporary files, which the system empties.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that only this user reads, named after the port, which nobody else has.
fn own_folder(name: &str, address: &str) -> Result<PathBuf> {
    let (_, port) = parts(address);
    let folder = std::env::temp_dir().join(format!("blindscope-{name}-{}-{port}", std::process::id()));
    make(&folder, 0o700)?;
    Ok(folder)
}

/// A folder that must not be there yet.
fn make(folder: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new().mode(mode).create(folder).map_err(failed("create the folder", folder))
}

/// A password that nobody guesses.
fn drawn() -> Result<String> {
    let mut bytes = [0; 16];
    system::rng()?.fill_bytes(&mut bytes);
    Ok(hex(&bytes))
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
