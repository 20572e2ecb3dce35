//! `blindscope bench`

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;

use crate::args::{Area, BenchOptions};
use crate::audit::{attacks, tell};
use blindscope_app::bench::federation::FederationOptions;
use blindscope_app::bench::federation::scale::{self, Server, Shared, Sharing};
use blindscope_app::bench::{self, Arithmetic, AuditBench, Figure, Part, Peers, Report, SlidesBench};

pub(crate) fn run(options: &BenchOptions) -> anyhow::Result<()> {
    let folder = (!options.no_peers).then(|| options.peers.clone());
    let peers = Peers { folder, python: options.python.clone(), environments: environments() };
    let path = path(options)?;
    let report = match options.area {
        Area::Core => bench::core(path, options.runs as usize, &peers)?,
        Area::Vision => bench::vision(options.runs as usize, options.data.as_deref(), &peers)?,
        Area::Inference => {
            bench::inference(path, options.runs as usize, &peers, options.data.as_deref(), &mut told())?
        }
        Area::Input => bench::input(options.runs as usize, &peers)?,
        Area::Sum => bench::sum(path, options.runs as usize, &peers)?,
        Area::Trust => bench::trust(options.runs as usize)?,
        Area::Audit => audit(options)?,
        Area::Slides => slides(options, &peers)?,
        Area::Learn => bench::learn(options.data.as_deref(), &peers, &mut told())?,
        Area::Federation => federation(options.runs, bench::federation::run)?,
        Area::Scale => {
            let place = shared(options)?;
            federation(options.runs, |of| scale::run(of, place))?
        }
    };
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        table(&mut out, &report)?;
    }
    Ok(())
}

/// The path that is asked for, where an area takes one.
fn path(options: &BenchOptions) -> anyhow::Result<Arithmetic> {
    match (options.arithmetic, options.area) {
        (None, _) => Ok(Arithmetic::fastest()),
        (Some(path), Area::Core | Area::Inference | Area::Sum) => Ok(path),
        (Some(path), area) => anyhow::bail!(
            "--arithmetic {path}: bench {} takes the fastest path of this processor, whatever is asked; leave it out, or measure \
             core, inference or sum",
            area.name()
        ),
    }
}

/// Where `bench/peers/setup.py` puts the peers, one environment each.
fn environments() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("blindscope-peers"))
}

fn audit(options: &BenchOptions) -> anyhow::Result<Report> {
    let below = |path: &str| options.data.as_ref().map(|d| d.join(path)).filter(|p| p.exists());
    let plan = AuditBench {
        data: below("lung-histology"),
        model: below("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors"),
        images: options.images as usize,
        seed: 1,
        attacks: attacks(&options.attacks),
        out: options.out.clone(),
    };
    Ok(bench::audit(&plan, &mut tell())?)
}

fn slides(options: &BenchOptions, peers: &Peers) -> anyhow::Result<Report> {
    let plan = SlidesBench {
        runs: options.runs as usize,
        data: options.data.clone(),
        binary: std::env::current_exe()?,
        whole: options.whole,
    };
    Ok(bench::slides(&plan, peers, &mut told())?)
}

/// Tells whoever waits at the terminal of each part, and what the one before found.
fn told() -> impl FnMut(&Part<'_>) + Send {
    let start = Instant::now();
    move |part| {
        let (seconds, Part { done, of, next, figures }) = (start.elapsed().as_secs_f64(), part);
        let mut err = io::stderr().lock();
        // A closed terminal must not end a measurement.
        for figure in *figures {
            let _ = row(&mut err, figure);
        }
        let _ = writeln!(err, "[{seconds:>4.0} s] {done} of {of}: {next}");
    }
}

/// The place that coordinators of `bench scale` share, if one is named.
fn shared(options: &BenchOptions) -> anyhow::Result<Option<Shared>> {
    let Some(blobs) = options.blobs.clone() else { return Ok(None) };
    anyhow::ensure!(
        cfg!(feature = "scale"),
        "bench scale: this build has neither PostgreSQL nor S3; build with --features scale"
    );
    let mut environment = Vec::new();
    let (store, queue, servers) = if options.own_servers {
        let (postgres, nats) = (
            Server::postgres()?,
            Server::nats(std::env::var_os("BLINDSCOPE_NATS_SERVER").map(PathBuf::from).as_deref())?,
        );
        environment.extend_from_slice(postgres.environment());
        (postgres.url().to_owned(), Some(nats.url().to_owned()), vec![postgres, nats])
    } else {
        let store = options.store.clone();
        let store =
            store.context("bench scale: name an empty schema with --store postgres://…, or --own-servers")?;
        (store, options.queue.clone(), Vec::new())
    };
    let sharing = Sharing { store, blobs, queue, environment, lease_seconds: 1 };
    Ok(Some(Shared { sharing, servers }))
}

/// In a folder of its own, which is removed afterwards.
fn federation(
    runs: u32,
    run: impl FnOnce(&FederationOptions) -> blindscope_node::Result<Report>,
) -> anyhow::Result<Report> {
    let number =
        |name, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let folder = std::env::temp_dir().join(format!("blindscope-bench-{}", std::process::id()));
    let options = FederationOptions {
        binary: std::env::current_exe()?,
        folder: folder.clone(),
        rounds: u64::from(runs),
        kills: number("BLINDSCOPE_KILLS", 500),
        sites: number("BLINDSCOPE_SITES", 64) as usize,
        many: number("BLINDSCOPE_MANY", 1000) as usize,
        seed: number("BLINDSCOPE_SEED", 1),
    };
    let report = run(&options);
    // What cannot be removed stays in the folder for temporary files, which the system empties.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(report?)
}

fn table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}; median [quartiles]", report.backend)?;
    writeln!(
        out,
        "{:32} {:>12} {:5} {:>23} {:>10} {:>10}  holds",
        "figure", "median", "unit", "quartiles", "bar", "aim"
    )?;
    for f in &report.figures {
        row(out, f)?;
    }
    for missing in &report.missing {
        writeln!(out, "not measured: {missing}")?;
    }
    Ok(())
}

fn row(out: &mut impl Write, f: &Figure) -> io::Result<()> {
    let number = |v: f64| match v.abs() {
        _ if v.fract() == 0.0 => format!("{v:.0}"),
        small if small < 0.001 => format!("{v:.1e}"),
        _ => format!("{v:.3}"),
    };
    let optional = |v: Option<f64>| v.map_or_else(|| "-".into(), number);
    let spread = format!("[{}, {}]", number(f.spread[0]), number(f.spread[1]));
    let holds = match f.holds {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    let (value, bar, aim) = (number(f.value), optional(f.bar), optional(f.aim));
    writeln!(out, "{:32} {value:>12} {:5} {spread:>23} {bar:>10} {aim:>10}  {holds}", f.figure, f.unit)
}

#[cfg(test)]
mod tests {
    use clap::{Parser, ValueEnum};

    use super::*;
    use crate::args::{Args, Command};

    /// A path is taken where it has a meaning, and refused elsewhere instead of being passed over.
    #[test]
    fn a_path_is_taken_or_refused() {
        for area in Area::value_variants() {
            let name = area.name();
            let parse = |more: &[&str]| {
                let words = ["blindscope", "bench", &name].into_iter().chain(more.iter().copied());
                match Args::try_parse_from(words).map(|args| args.command) {
                    Ok(Command::Bench(options)) => path(&options),
                    other => anyhow::bail!("{other:?}"),
                }
            };
            assert!(parse(&[]).is_ok_and(|path| path == Arithmetic::fastest()), "{name}");
            let forced = parse(&["--arithmetic", "portable"]);
            if matches!(area, Area::Core | Area::Inference | Area::Sum) {
                assert!(forced.is_ok_and(|path| path == Arithmetic::Portable), "{name}");
            } else {
                let said = forced.map_err(|e| e.to_string());
                assert!(
                    said.is_err_and(|said| said.contains(&format!("bench {name} takes the fastest"))),
                    "{name}"
                );
            }
        }
    }
}
