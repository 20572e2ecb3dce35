//! Figures of encrypted sums under one-round keys.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Instant;

use super::memory::{peak_mib, reset_peak};
use super::scratch::Scratch;
use super::{Arithmetic, Better, Error, Figure, Peers, Report};
use crate::clock::of_process;
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::one_round::{Plan, PlanLiteral, SiteRound, ValuesDigest, write_sum};
use blindscope_wire::Digest;

mod protocol;
mod round;
mod small;

pub(super) const AREA: &str = "sum";
/// Values of a vision transformer of base size.
const UPDATE: u64 = 86_600_000;
/// Whole updates are long enough to be measured few times.
const UPDATE_RUNS: usize = 3;

pub(super) fn run(path: Arithmetic, runs: usize, peers: &Peers) -> Result<Report, Error> {
    let update = plan(path, UPDATE, 64)?;
    let backend = format!("arithmetic path: {}", update.arithmetic());
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    bytes(&mut report)?;
    protocol::figures(path, &mut report)?;
    whole_update(&update, &mut report)?;
    round::figure(path, &mut report)?;
    small::figures(path, runs, peers, &mut report)?;
    Ok(report)
}

/// Sums of 16-bit integers of so many sites, more than half of which open.
fn plan(path: Arithmetic, values: u64, sites: u32) -> Result<Plan, Error> {
    let threshold = sites / 2 + 1;
    let literal = PlanLiteral {
        values,
        max: (1 << 16) - 1,
        sites,
        holders: sites,
        threshold,
        colluders: 0,
        colluding_holders: 0,
        coins: 168,
    };
    Ok(Plan::on(path, literal)?)
}

fn bytes(report: &mut Report) -> Result<(), Error> {
    for (sites, bar, aim) in [(64, 3.0, 2.9), (16, 2.7, 2.6), (3, 2.4, 2.3)] {
        let plan = plan(Arithmetic::fastest(), UPDATE, sites)?;
        let name = format!("bytes_per_16_bit_value_{sites}_sites");
        let figure = Figure::of(AREA, name, "bytes", Better::Lower, &[plan.bytes_per_value()]);
        report.figures.push(figure.must(bar, aim));
    }
    Ok(())
}

/// Values of an update, made as they are taken.
fn update(fixed: FixedPoint) -> impl Iterator<Item = u64> {
    (0..UPDATE).map(move |k| {
        let unit = (k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1u64 << 24) as f32;
        // A finite number: it has an integer.
        fixed.encode_one(0, f64::from(unit - 0.5)).unwrap_or_default()
    })
}

/// Counts what it throws away.
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names the values, then encrypts them: the values are encoded twice.
fn write_body(plan: &Plan, fixed: FixedPoint, out: &mut impl Write) -> Result<(), Error> {
    let mut named = ValuesDigest::new(plan);
    update(fixed).for_each(|value| named.push(value));
    let named = named.finish();
    let round = plan.round(&Digest([7; 32]));
    let site = SiteRound::new(plan, round, &[1; 32], &[2; 32], &named);
    Ok(site.write_body(update(fixed), &named, out, &mut |_| {})?)
}

fn whole_update(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let fixed = FixedPoint::new(0.5, 16)?;
    let encrypt = measured(|| {
        let mut sink = Sink(0);
        write_body(plan, fixed, &mut sink)?;
        Ok(sink.0)
    })?;
    let ifma = plan.arithmetic() == Arithmetic::Ifma;
    let seconds = if ifma { (2.0, 1.2) } else { (5.0, 3.0) };
    push("encode_encrypt_86_6m", &encrypt, (seconds, (64.0, 40.0)), report);
    let per_float = encrypt.bytes as f64 / (4.0 * UPDATE as f64);
    report
        .figures
        .push(Figure::of(AREA, "update_over_f32", "x of f32", Better::Lower, &[per_float]).must(0.75, 0.73));
    let scratch = Scratch::new("sum")?;
    let file = scratch.path().join("upload");
    let io = |source| Error::Io { path: file.clone(), source };
    let mut out = BufWriter::new(File::create(&file).map_err(io)?);
    write_body(plan, fixed, &mut out)?;
    out.flush().map_err(io)?;
    let add = measured(|| {
        let mut inputs = [File::open(&file).map_err(io)?, File::open(&file).map_err(io)?];
        let mut sink = Sink(0);
        write_sum(plan, &mut inputs, &mut sink)?;
        Ok(sink.0)
    })?;
    push("server_adds_86_6m_to_another", &add, ((1.0, f64::NAN), (64.0, f64::NAN)), report);
    Ok(())
}

struct Measured {
    wall: Vec<f64>,
    cpu: Vec<f64>,
    peak: Vec<f64>,
    bytes: u64,
}

fn measured(mut f: impl FnMut() -> Result<u64, Error>) -> Result<Measured, Error> {
    let mut all = Measured { wall: Vec::new(), cpu: Vec::new(), peak: Vec::new(), bytes: 0 };
    for _ in 0..UPDATE_RUNS {
        let counted = reset_peak();
        let (wall, cpu) = (Instant::now(), of_process());
        all.bytes = f()?;
        all.cpu.push(of_process() - cpu);
        all.wall.push(wall.elapsed().as_secs_f64());
        all.peak.extend(peak_mib().filter(|_| counted));
    }
    Ok(all)
}

/// Bar and aim; no number where the aim is none.
type Goal = (f64, f64);

fn push(name: &str, m: &Measured, (seconds, memory): (Goal, Goal), report: &mut Report) {
    let figure = |suffix: &str, unit, samples: &[f64], (bar, aim): Goal| {
        let mut figure =
            Figure::of(AREA, format!("{name}{suffix}"), unit, Better::Lower, samples).must(bar, aim);
        figure.aim = figure.aim.filter(|a| a.is_finite());
        figure
    };
    report.figures.push(figure("", "s wall", &m.wall, seconds));
    report.figures.push(Figure::of(AREA, format!("{name}_cpu"), "s cpu", Better::Lower, &m.cpu));
    if m.peak.is_empty() {
        return report.missing.push(format!("{name}_peak: this system has no /proc/self/clear_refs"));
    }
    report.figures.push(figure("_peak", "MiB", &m.peak, memory));
}
