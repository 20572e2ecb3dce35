//! `blindscope provision` and `blindscope cert`

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};

use blindscope_node::kit::Kit;
use blindscope_node::kit::certificates::{Request, Role};
use blindscope_node::kit::config;
use blindscope_node::kit::provision::{self, Founded, Project};
use blindscope_node::system;

/// Founds a study and writes a kit for everybody.
#[derive(Debug, Args)]
pub(crate) struct ProvisionOptions {
    /// The project file.
    project: PathBuf,
    /// Where the kits go, one folder a party.
    #[arg(long, short)]
    out: PathBuf,
    /// Requests of the parties (`cert request`).
    #[arg(long = "request", value_name = "FILE", num_args = 1..)]
    requests: Vec<PathBuf>,
    /// Make everybody's keys here, for a first try on one machine.
    #[arg(long, conflicts_with = "requests")]
    all_local: bool,
    /// Replace a key of the project file.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Keys and certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make this party's keys and a request for the coordinator.
    #[command(after_help = "Example: blindscope cert request --name hospital-a --kit hospital-a")]
    Request(RequestOptions),
    /// Sign a request: a renewal, or a new administrator or asker.
    #[command(
        after_help = "Example: blindscope cert sign request.toml --kit coordinator --out certificate.pem"
    )]
    Sign(SignOptions),
}

#[derive(Debug, Args)]
pub(crate) struct RequestOptions {
    /// The party's name, as in the project file.
    #[arg(long)]
    name: String,
    /// What it is.
    #[arg(long, value_enum, default_value_t = RoleName::Site)]
    role: RoleName,
    /// The party's folder; keys that are in it already are used again.
    #[arg(long)]
    kit: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignOptions {
    /// The request.
    request: PathBuf,
    /// The coordinator's kit.
    #[arg(long)]
    kit: PathBuf,
    /// Where the certificate goes.
    #[arg(long, short)]
    out: PathBuf,
    /// Days that it lasts.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    Site,
    Admin,
    Asker,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Site => Self::Site,
            RoleName::Admin => Self::Admin,
            RoleName::Asker => Self::Asker,
        }
    }
}

pub(crate) fn run(options: &ProvisionOptions) -> anyhow::Result<()> {
    let project: Project = config::load(&options.project, &options.overrides)?;
    anyhow::ensure!(
        !project.address.ends_with(":0"),
        "address is {}, expected a port that everybody can dial, such as 8443",
        project.address
    );
    let mut rng = system::rng()?;
    let now = system::now_ms();
    let founded = if options.all_local {
        provision::all_local(&project, &options.out, now, &mut rng)?
    } else {
        let requests: Result<Vec<Request>, _> =
            options.requests.iter().map(|path| Request::read(path)).collect();
        provision::found(&project, &requests?, &options.out, now, &mut rng)?
    };
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &founded)?;
        return Ok(writeln!(out)?);
    }
    show(&mut out, &founded, options.all_local)
}

fn show(out: &mut impl io::Write, founded: &Founded, all_local: bool) -> anyhow::Result<()> {
    let Founded { study, digest, sums, coordinator, kits } = founded;
    writeln!(out, "study {study}, digest {digest}")?;
    writeln!(out, "{sums}")?;
    writeln!(out, "coordinator: blindscope coordinator serve --kit {}", coordinator.display())?;
    for (name, folder) in kits {
        writeln!(out, "{name}: {}", folder.display())?;
    }
    if !all_local {
        writeln!(out, "Send each party its startup/ and local/policy.toml; everybody compares the digest.")?;
    }
    Ok(())
}

pub(crate) fn cert(command: &CertCommand) -> anyhow::Result<()> {
    match command {
        CertCommand::Request(options) => request(options),
        CertCommand::Sign(options) => sign(options),
    }
}

fn request(options: &RequestOptions) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let request = provision::request(&kit, &options.name, options.role.into(), &mut system::rng()?)?;
    let (path, print) = (kit.transfer("request.toml"), request.fingerprint());
    say(
        options.json,
        &request.name,
        &path,
        &print,
        "Send this file to the coordinator and compare the fingerprint by telephone.",
    )
}

fn sign(options: &SignOptions) -> anyhow::Result<()> {
    let request = Request::read(&options.request)?;
    let pem = provision::sign(&Kit::at(&options.kit), &request, options.days, system::now_ms())?;
    std::fs::write(&options.out, pem).with_context(|| format!("write {}", options.out.display()))?;
    let print = request.fingerprint();
    say(
        options.json,
        &request.name,
        &options.out,
        &print,
        "Put it into the party's startup/ as certificate.pem.",
    )
}

fn say(json: bool, name: &str, file: &std::path::Path, print: &str, next: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let object = serde_json::json!({ "name": name, "file": file, "fingerprint": print });
        return Ok(writeln!(out, "{object:#}")?);
    }
    Ok(writeln!(out, "{name}: {}\nfingerprint {print}\n{next}", file.display())?)
}
