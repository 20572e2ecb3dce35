//! `blindscope demo`

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::{interrupt, progress};
use blindscope_app::demo::{self, DemoEvent, DemoOptions, DemoOutcome, OwnData};
use blindscope_learn::features::{BackboneSource, CsvColumns, TileList};

/// A whole study on this machine: three sites learn together through encryption, and a report says what came out.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where everything goes. The same command in the same folder goes on where it stopped.
    #[arg(long, default_value = "blindscope-demo")]
    folder: PathBuf,
    /// A smaller run of the same steps.
    #[arg(long)]
    quick: bool,
    /// Seed of tiles, splits and training.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Your own tiles: a folder a class, or a CSV file. Synthetic ones otherwise.
    #[arg(long, requires = "model", value_name = "FOLDER|CSV")]
    data: Option<PathBuf>,
    /// The backbone for your tiles: a safetensors file, a folder, or a fetched model.
    #[arg(long, requires = "data")]
    model: Option<String>,
    /// Column of the CSV file that names groups of tiles that must stay together.
    #[arg(long, requires = "data", default_value = "group")]
    group_column: String,
    /// Group names are numbered anew in each class.
    #[arg(long, requires = "data")]
    groups_within_label: bool,
    /// Most tiles of one group that are used, 0 for all.
    #[arg(long, requires = "data", default_value_t = 2)]
    per_group: usize,
    /// Print the results as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(crate) const EXAMPLES: &str = "Examples:
  blindscope demo
  blindscope demo --quick --folder /tmp/demo --seed 7
  blindscope demo --data lung/manifest.csv --group-column tile_group --groups-within-label --model deit_tiny.safetensors";

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let options = options(args)?;
    let cancel = interrupt::flag()?;
    let mut shown = Shown { bar: None, what: String::new() };
    match demo::run(&options, &mut |event| shown.tell(event), &cancel) {
        Ok(outcome) => print(args, &outcome),
        Err(e) if e.is_stop() => {
            drop(shown);
            eprint_stop(&options, &e);
            std::process::exit(interrupt::EXIT)
        }
        Err(e) => Err(e.into()),
    }
}

fn options(args: &DemoArgs) -> anyhow::Result<DemoOptions> {
    let own = match (&args.data, &args.model) {
        (Some(data), Some(model)) => {
            let columns = CsvColumns {
                group: args.group_column.clone(),
                groups_within_label: args.groups_within_label,
                ..CsvColumns::default()
            };
            Some(OwnData {
                tiles: TileList { path: data.clone(), columns },
                backbone: BackboneSource::new(model.clone()),
                per_group: args.per_group,
            })
        }
        _ => None,
    };
    let command: Vec<String> = std::env::args().skip(1).collect();
    Ok(DemoOptions {
        folder: args.folder.clone(),
        quick: args.quick,
        seed: args.seed,
        own,
        program: std::env::current_exe()?,
        command: format!("blindscope {}", command.join(" ")),
    })
}

#[allow(clippy::print_stderr, reason = "what to do next, after a stop")]
fn eprint_stop(options: &DemoOptions, e: &demo::Error) {
    eprintln!("{e}");
    eprintln!("go on:    {}", options.command);
    eprintln!("clean up: rm -r {}", options.folder.display());
}

fn print(args: &DemoArgs, outcome: &DemoOutcome) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &outcome.results)?;
        writeln!(out)?;
        return Ok(());
    }
    let results = &outcome.results;
    writeln!(out, "{:24} {:>9} {:>19} {:>7}", "held-out tiles", "accuracy", "95 % interval", "F1")?;
    for e in results.configurations.iter().chain(&results.others) {
        let interval = format!("{:.1}–{:.1} %", e.accuracy.low * 100.0, e.accuracy.high * 100.0);
        let (accuracy, f1) = (e.accuracy.value * 100.0, e.f1.value * 100.0);
        writeln!(out, "{:24} {accuracy:>7.1} % {interval:>19} {f1:>7.1}", e.name)?;
    }
    for a in &results.agreement {
        let (same, tokens, error, lead) = (a.same_class, a.tokens, a.worst_error, a.smallest_lead);
        writeln!(
            out,
            "{}: {same} of {tokens} encrypted answers name the clear class; largest logit error {error:.1e}, \
            smallest lead of a class {lead:.1e}",
            a.head
        )?;
    }
    for e in &results.exact {
        let equal = if e.equal { "equals" } else { "DIFFERS FROM" };
        writeln!(out, "{}: the encrypted result {equal} the clear one", e.job)?;
    }
    writeln!(out, "report:  {}", outcome.report.display())?;
    writeln!(out, "numbers: {}", outcome.json.display())?;
    Ok(())
}

/// Progress on stderr.
struct Shown {
    bar: Option<progress::Bar>,
    what: String,
}

impl Shown {
    fn tell(&mut self, event: &DemoEvent) {
        match event {
            DemoEvent::Step { number, of, name } => self.line(&format!("[{number}/{of}] {name}")),
            DemoEvent::Note(text) => self.line(&format!("      {text}")),
            DemoEvent::Done { seconds } => {
                let time = progress::duration(Duration::from_secs_f64(*seconds));
                self.line(&format!("      done in {time}"));
            }
            DemoEvent::Kept => self.line("      done by an earlier run"),
            DemoEvent::Progress { what, done, total } => {
                // A new operation gets a line of its own.
                let kind = what.split('(').next().unwrap_or_default();
                if kind != self.what {
                    self.bar = None;
                    kind.clone_into(&mut self.what);
                }
                self.bar.get_or_insert_with(|| progress::Bar::new("      done")).show(*done, *total, what);
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.bar = None;
        // A closed stderr must not stop the work.
        let _ = writeln!(io::stderr(), "{text}");
    }
}
