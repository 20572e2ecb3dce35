//! `blindscope audit`

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::args::{AuditOptions, AuditTarget};
use blindscope_app::audit::{Attack, AuditPlan, AuditProgress, AuditReport, Source, audit, page};

pub(crate) fn run(options: &AuditOptions) -> anyhow::Result<()> {
    let plan = plan(options);
    let report = audit(&plan, &mut tell())?;
    if let Some(folder) = &options.out {
        write(&report, folder)?;
    }
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(())
}

/// The attacks named, or all.
pub(crate) fn attacks(named: &[AuditTarget]) -> Vec<Attack> {
    if named.is_empty() {
        return Attack::ALL.to_vec();
    }
    let one = |a: &AuditTarget| match a {
        AuditTarget::Gradient => Attack::Gradient,
        AuditTarget::Update => Attack::Update,
        AuditTarget::Batch => Attack::Batch,
        AuditTarget::Token => Attack::Token,
        AuditTarget::Member => Attack::Member,
        AuditTarget::Sum => Attack::Sum,
        AuditTarget::Answer => Attack::Answer,
        AuditTarget::Search => Attack::Search,
    };
    named.iter().map(one).collect()
}

fn plan(options: &AuditOptions) -> AuditPlan {
    AuditPlan {
        source: options.data.clone().map_or(Source::Synthetic, Source::Folder),
        model: options.model.clone(),
        attacks: attacks(&options.attacks),
        images: options.images as usize,
        seed: options.seed,
        quick: options.quick,
        out: options.out.clone(),
    }
}

/// Progress on stderr, at most every other second.
pub(crate) fn tell() -> impl FnMut(&AuditProgress<'_>) -> ControlFlow<()> {
    let (start, mut last) = (Instant::now(), None::<Instant>);
    move |at| {
        if at.done >= at.total || last.is_none_or(|l| l.elapsed() > Duration::from_secs(2)) {
            last = Some(Instant::now());
            let seconds = start.elapsed().as_secs_f64();
            // A closed terminal must not end a long audit.
            let _ = writeln!(io::stderr(), "[{seconds:>5.0} s] {}: {} of {}", at.attack, at.done, at.total);
        }
        ControlFlow::Continue(())
    }
}

fn write(report: &AuditReport, folder: &Path) -> anyhow::Result<()> {
    let json = folder.join("audit.json");
    std::fs::write(&json, serde_json::to_vec_pretty(report)?)
        .with_context(|| format!("writing {}", json.display()))?;
    let html = folder.join("report.html");
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    std::fs::write(&html, page(report, folder, &command)?)
        .with_context(|| format!("writing {}", html.display()))
}

fn print(out: &mut impl Write, report: &AuditReport) -> io::Result<()> {
    writeln!(out, "tiles: {}; backbone: {}; seed {}", report.tiles, report.backbone, report.seed)?;
    for conclusion in &report.conclusions {
        writeln!(out, "\n{conclusion}")?;
    }
    for (at, setting) in report.settings.iter().enumerate() {
        let before = if at == 0 { "\nWhat each setting buys:\n" } else { "" };
        writeln!(out, "{before}- {setting}")?;
    }
    writeln!(out, "\n{:44} {:>28} {:>28}  leaks", "figure", "reached [95 %]", "control [95 %]")?;
    for c in &report.cells {
        let shown = |m: f64, l: f64, h: f64| format!("{m:.3} [{l:.3}, {h:.3}]");
        let found = shown(c.found.mean, c.found.low, c.found.high);
        let control = shown(c.control.mean, c.control.low, c.control.high);
        writeln!(out, "{:44} {found:>28} {control:>28}  {}", c.key, if c.leaks { "yes" } else { "no" })?;
    }
    for note in &report.notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}
