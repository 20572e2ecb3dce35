//! `blindscope data`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::interrupt;
use crate::progress::Bar;
use crate::shown::print_json;
use crate::tiles::{TileOptions, copies_line};
use blindscope_learn::features::{self, Limits, SyntheticPlan};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Draw synthetic H&E-like tiles of three classes that differ in structure alone.
    #[command(after_help = "Example: blindscope data synth tiles/ --side 64 --patients 20")]
    Synth(SynthArgs),
    /// List tiles and open each: classes, groups, files that cannot be used and why.
    #[command(after_help = "Example: blindscope data check tiles/ --group-duplicates")]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// Folder to draw into.
    folder: PathBuf,
    /// Side of a tile in pixels.
    #[arg(long, default_value_t = 224, value_parser = clap::value_parser!(u16).range(16..=2048))]
    side: u16,
    /// Hospitals, each with a stain of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    sites: u16,
    /// Patients of each class at each hospital.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    patients: u16,
    /// Tiles of each patient.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    tiles: u16,
    /// Seed: the same one draws the same tiles.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    tiles: TileOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Synth(args) => synth(args),
        Command::Check(args) => check(args),
    }
}

fn synth(args: &SynthArgs) -> anyhow::Result<()> {
    let plan = SyntheticPlan {
        side: args.side.into(),
        patients: args.patients.into(),
        tiles: args.tiles.into(),
        sites: args.sites.into(),
        seed: args.seed,
    };
    let dataset = features::synthesise(&plan, &args.folder)?;
    let list = args.folder.join("tiles.csv");
    if args.json {
        return print_json(&serde_json::json!({ "tiles": dataset.samples.len(), "list": list }));
    }
    writeln!(io::stdout(), "{} tiles listed in {}", dataset.samples.len(), list.display())?;
    Ok(())
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let cancel = interrupt::flag()?;
    let (mut dataset, copies) = args.tiles.open(&cancel)?;
    let mut bar = Bar::new("opening");
    let mut show = |done: usize, total: usize| bar.show(done as u64, total as u64, "tiles");
    let groups = features::open_tiles(&mut dataset, Limits::default(), &mut show, &cancel)?;
    drop(bar);
    let counts: Vec<_> = dataset.classes.iter().zip(dataset.class_counts()).collect();
    if args.json {
        let classes: Vec<_> =
            counts.iter().map(|(name, tiles)| serde_json::json!({ "name": name, "tiles": tiles })).collect();
        let skipped = dataset.rejected.iter();
        let skipped: Vec<_> =
            skipped.map(|r| serde_json::json!({ "id": r.id, "reason": r.reason })).collect();
        let near_duplicates = copies.map(|c| {
            serde_json::json!({
                "sets": c.sets, "tiles": c.tiles, "across_groups": c.across_groups,
                "across_labels": c.across_labels, "unread": c.unread
            })
        });
        print_json(&serde_json::json!({
            "tiles": dataset.samples.len(), "classes": classes, "groups": groups, "skipped": skipped,
            "near_duplicates": near_duplicates
        }))?;
        return usable(dataset.samples.len());
    }
    let mut out = io::stdout().lock();
    for tile in &dataset.rejected {
        writeln!(out, "cannot be used: {}: {}", tile.id, tile.reason)?;
    }
    for (name, tiles) in counts {
        writeln!(out, "{name}: {tiles} tiles")?;
    }
    writeln!(out, "{} tiles in {groups} independent groups", dataset.samples.len())?;
    if let Some(copies) = copies {
        writeln!(out, "{}", copies_line(&copies))?;
    }
    usable(dataset.samples.len())
}

/// A listing without a tile that can be used is a failure.
fn usable(tiles: usize) -> anyhow::Result<()> {
    anyhow::ensure!(tiles > 0, "no tile can be used");
    Ok(())
}
