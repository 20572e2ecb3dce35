//! `blindscope study`: sites come and go.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use blindscope_node::kit::Kit;
use blindscope_node::kit::certificates::Request;
use blindscope_node::kit::provision;
use blindscope_node::roster::{self, Office};
use blindscope_node::system;

/// The roster of a study.
#[derive(Debug, Subcommand)]
pub(crate) enum StudyCommand {
    /// Which sites there are, and which change is on its way: who joins, leaves or gets new keys, who has said what.
    #[command(after_help = "Example: blindscope study roster --kit hospital-a")]
    Roster(LookOptions),
    /// Propose a change of the roster. The sites of the roster before say their word and sign it.
    #[command(
        after_help = "Examples: blindscope study change --join hospital-d.toml --kit admin\n          blindscope study change --leave \
        hospital-b --replace hospital-c.toml --kit admin"
    )]
    Change(ChangeOptions),
    /// Withdraw the change that is on its way, as long as too few approve it.
    #[command(after_help = "Example: blindscope study withdraw --kit admin")]
    Withdraw(LookOptions),
    /// Write the folder of a site that a signed change let in, or gave new keys.
    #[command(
        after_help = "Example: blindscope study kit hospital-d.toml --kit coordinator --address host:8443 --out hospital-d"
    )]
    Kit(KitOptions),
}

#[derive(Debug, Args)]
pub(crate) struct LookOptions {
    /// The folder of an administrator, a site or an asker.
    #[arg(long)]
    kit: PathBuf,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeOptions {
    /// Requests of sites that join (`cert request`).
    #[arg(long = "join", value_name = "FILE")]
    joins: Vec<PathBuf>,
    /// Names of sites that leave.
    #[arg(long = "leave", value_name = "NAME")]
    leaves: Vec<String>,
    /// Requests of sites that go on with new keys, under their names.
    #[arg(long = "replace", value_name = "FILE")]
    replaces: Vec<PathBuf>,
    #[command(flatten)]
    look: LookOptions,
}

#[derive(Debug, Args)]
pub(crate) struct KitOptions {
    /// The site's request.
    request: PathBuf,
    /// The coordinator's kit.
    #[arg(long)]
    kit: PathBuf,
    /// Where the site finds the coordinator.
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
    /// The site's folder, without its keys: what is in it already of its own stays.
    #[arg(long, short)]
    out: PathBuf,
    /// Days that its certificate lasts.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

pub(crate) fn run(command: &StudyCommand) -> anyhow::Result<()> {
    let runtime = system::runtime()?;
    match command {
        StudyCommand::Roster(look) => runtime.block_on(show(look)),
        StudyCommand::Change(options) => runtime.block_on(propose(options)),
        StudyCommand::Withdraw(look) => runtime.block_on(async {
            Office::of(&Kit::at(&look.kit), &look.overrides)?.withdraw().await?;
            show(look).await
        }),
        StudyCommand::Kit(options) => kit(options),
    }
}

async fn propose(options: &ChangeOptions) -> anyhow::Result<()> {
    let read =
        |paths: &[PathBuf]| paths.iter().map(|path| Request::read(path)).collect::<Result<Vec<_>, _>>();
    let (joins, replaces) = (read(&options.joins)?, read(&options.replaces)?);
    let mut office = Office::of(&Kit::at(&options.look.kit), &options.look.overrides)?;
    office.look().await?;
    let change = roster::change(office.study(), &joins, &options.leaves, &replaces)?;
    office.propose(&change).await?;
    show(&options.look).await
}

async fn show(look: &LookOptions) -> anyhow::Result<()> {
    let mut office = Office::of(&Kit::at(&look.kit), &look.overrides)?;
    let proposal = office.look().await?;
    let study = office.study();
    let mut out = io::stdout().lock();
    if look.json {
        let epoch = study.epoch()?;
        let next =
            proposal.as_ref().map(|p| p.change.next(&epoch)).transpose()?.map(|e| e.digest().to_string());
        let object = serde_json::json!({ "version": study.version(), "digest": epoch.digest().to_string(),
            "members": epoch.literal().members, "former": epoch.literal().former, "proposal": proposal, "next": next });
        return Ok(writeln!(out, "{object:#}")?);
    }
    study.roster_in_words()?.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let Some(proposal) = proposal else { return Ok(writeln!(out, "no change is on its way")?) };
    writeln!(out, "on its way:")?;
    proposal.in_words(study)?.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    let next = proposal.change.next(&study.epoch()?)?.digest();
    Ok(writeln!(
        out,
        "a site says its word with `blindscope site approve --roster {next}` or `refuse --roster {next}`"
    )?)
}

fn kit(options: &KitOptions) -> anyhow::Result<()> {
    let request = Request::read(&options.request)?;
    let (kit, now) = (Kit::at(&options.kit), system::now_ms());
    provision::later(&kit, &request, &options.address, &options.out, options.days, now)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {}", request.name, options.out.display())?;
    writeln!(out, "{}", kit.study_now()?.digests_in_words())?;
    Ok(writeln!(
        out,
        "Send it to the site, which lays its own local/ beside it. It compares both digests by telephone with a site that takes part \
        already: `preflight` and `study roster` show them there."
    )?)
}
