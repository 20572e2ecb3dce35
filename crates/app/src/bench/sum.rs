//! Figures of encrypted sums.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use super::memory::{peak_mib, reset_peak};
use super::{Better, Error, Figure, Peers, Report};
use crate::clock::of_process;
use blindscope_aggregate::{FixedPoint, SumPlan, SumPlanLiteral, presets, write_sum, write_upload};
use blindscope_ckks::{Parameters, ParametersLiteral};
use blindscope_threshold::WideKey;

mod ceremony;
mod small;

pub(super) const AREA: &str = "sum";
/// Values of a vision transformer of base size.
const UPDATE: u64 = 86_600_000;
/// Chunks a key may open in its life: thousands of whole updates.
const BUDGET: u64 = 1 << 20;
/// Whole updates are long enough to be measured few times.
const UPDATE_RUNS: usize = 3;

pub(super) fn run(runs: usize, peers: &Peers) -> Result<Report, Error> {
    let mut rng = ChaCha20Rng::from_seed([11; 32]);
    let params = Parameters::new(presets::sum())?;
    let backend = format!("arithmetic path: {}", params.q().prime(0).arithmetic());
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    bytes(&params, &mut report)?;
    let key = ceremony::wide_key(&params, 3, presets::SUM_WIDTH, &mut rng)?;
    whole_update(&plan(&params, UPDATE, 64, 64)?, &key, &mut rng, &mut report)?;
    ceremony::figures(&mut rng, &mut report)?;
    small::figures(runs, peers, &mut rng, &mut report)?;
    Ok(report)
}

/// Sums of 16-bit integers under the preset of large sums.
fn plan(params: &Parameters, values: u64, sites: u32, threshold: u32) -> Result<SumPlan, Error> {
    let literal = SumPlanLiteral {
        values,
        max: (1 << 16) - 1,
        sites,
        threshold,
        width: presets::SUM_WIDTH as u32,
        budget: BUDGET,
        statistical_bits: 30,
        attempts: 3,
    };
    Ok(SumPlan::new(params, literal)?)
}

fn bytes(params: &Parameters, report: &mut Report) -> Result<(), Error> {
    for sites in [64, 16, 3] {
        let plan = plan(params, UPDATE, sites, sites)?;
        let name = format!("bytes_per_16_bit_value_{sites}_sites");
        let figure = Figure::of(AREA, name, "bytes", Better::Lower, &[plan.bytes_per_value()]);
        report.figures.push(figure.must(8.0, 5.4));
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

fn whole_update(
    plan: &SumPlan,
    key: &WideKey,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> Result<(), Error> {
    let fixed = FixedPoint::new(0.5, 16)?;
    let encrypt = measured(|| {
        let mut sink = Sink(0);
        write_upload(plan, key, update(fixed), rng, &mut sink, &mut |_| {})?;
        Ok(sink.0)
    })?;
    push("encode_encrypt_86_6m", &encrypt, ((30.0, 8.0), (1024.0, 300.0)), report);
    let per_float = encrypt.bytes as f64 / (4.0 * UPDATE as f64);
    report
        .figures
        .push(Figure::of(AREA, "update_over_f32", "x of f32", Better::Lower, &[per_float]).must(2.0, 1.4));
    let file = Temporary::new("upload");
    let io = |source| Error::Io { path: file.0.clone(), source };
    let mut out = BufWriter::new(File::create(&file.0).map_err(io)?);
    write_upload(plan, key, update(fixed), rng, &mut out, &mut |_| {})?;
    out.flush().map_err(io)?;
    let add = measured(|| {
        let mut inputs = [File::open(&file.0).map_err(io)?, File::open(&file.0).map_err(io)?];
        let mut sink = Sink(0);
        write_sum(plan, &mut inputs, &mut sink)?;
        Ok(sink.0)
    })?;
    push("server_adds_86_6m_to_another", &add, ((10.0, f64::NAN), (300.0, f64::NAN)), report);
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

/// A file that goes away.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("blindscope-bench-{}-{name}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _: io::Result<()> = std::fs::remove_file::<&Path>(&self.0);
    }
}

/// Parameters by name of a preset, for the submodules.
fn parameters(literal: ParametersLiteral) -> Result<Parameters, Error> {
    Ok(Parameters::new(literal)?)
}
