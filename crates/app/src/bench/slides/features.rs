//! Features larger than memory: import, split and `statistics` of 300,000 × 1,024 numbers, beside copying the file. What an import or a
//! split ends with is on the disk, where a copy is in the system's memory yet, so a copy that is waited for stands beside them as well.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::{Better, Error, Figure, Report};
use super::{AREA, peak_mib, reset_peak};
use blindscope_federation::{Contribution as _, JobKind};
use blindscope_learn::features::{
    Features, ImportOptions, SplitRequest, SplitWays, import, split, write_parts,
};
use blindscope_learn::jobs::{Examples, SiteData, SiteLearner, StatisticsSettings, group_names, job};

const ROWS: usize = 300_000;
const WIDTH: usize = 1024;

pub(super) fn figures(scratch: &Path, report: &mut Report) -> Result<(), Error> {
    let folder = scratch.join("features");
    std::fs::create_dir_all(&folder)?;
    let (npy, csv) = (folder.join("f.npy"), folder.join("f.csv"));
    write(&npy, &csv)?;
    let [copying, durably] = [false, true].map(|durable| copying(&npy, &folder.join("copy.npy"), durable));
    let (copying, durably) = (copying?, durably?);
    for (name, seconds) in [("features_copying", copying), ("features_copying_to_the_disk", durably)] {
        report.figures.push(Figure::of(AREA, name, "s", Better::Lower, &[seconds]));
    }
    let ours = folder.join("f.safetensors");
    let options =
        ImportOptions { labels: Some(csv), scratch: Some(folder.clone()), ..ImportOptions::default() };
    measured(report, "import", copying, || {
        let features = import(&npy, &options).map_err(blindscope_learn::features::Error::from)?.features;
        Ok(features.save(&ours).map_err(blindscope_learn::features::Error::from)?)
    })?;
    std::fs::remove_file(&npy)?;
    measured(report, "split", copying, || {
        let features = Features::load(&ours)?;
        let request = SplitRequest { ways: SplitWays::Sites(2), seed: 1 };
        let parts = split(&features, &request)?;
        Ok(write_parts(&features, &parts, &folder.join("parts")).map(drop)?)
    })?;
    measured(report, "statistics", copying, || statistics(&ours))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The integers of a site, made to the last one.
fn statistics(path: &Path) -> Result<(), Error> {
    let features = Features::load(path)?;
    let labels = features.known_labels()?;
    // As a site has them: no group is in two folds.
    let groups = group_names(&features);
    let train = Examples { rows: features.values, labels, groups, ..Examples::default() };
    let site = SiteLearner::new(SiteData { train, ..SiteData::default() }, |_| {});
    let settings = StatisticsSettings {
        width: WIDTH,
        classes: 2,
        examples: ROWS as u64,
        ..StatisticsSettings::default()
    };
    let refused = |reason: String| Error::Slide { path: PathBuf::from(path), reason };
    let spec = job("statistics", JobKind::Statistics, &settings).map_err(|e| refused(e.to_string()))?;
    let values = site.values(&spec, 0, &[]).map_err(|e| refused(e.to_string()))?;
    std::hint::black_box(values.fold(0, u64::wrapping_add));
    Ok(())
}

/// Wall time over that of copying the file, and the most memory meanwhile.
fn measured(
    report: &mut Report,
    what: &str,
    copying: f64,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let (reset, begin) = (reset_peak(), Instant::now());
    work()?;
    let wall = begin.elapsed().as_secs_f64();
    let ratio = wall / copying;
    let figure = Figure::of(AREA, format!("features_{what}_over_copying"), "x", Better::Lower, &[ratio]);
    report.figures.push(figure.must(4.0, 2.0));
    report.figures.push(Figure::of(AREA, format!("features_{what}"), "s", Better::Lower, &[wall]));
    match peak_mib().filter(|_| reset) {
        Some(mib) => {
            let name = format!("features_{what}_peak_memory");
            let figure = Figure::of(AREA, name, "bytes", Better::Lower, &[mib * 1024.0 * 1024.0]);
            report.figures.push(figure.must(400e6, 150e6));
        }
        None => report.missing.push(format!("peak memory of {what}: this system does not tell it")),
    }
    Ok(())
}

/// Seconds of the median of three copies; `durable` ones end on the disk.
fn copying(from: &Path, to: &Path, durable: bool) -> Result<f64, Error> {
    let mut seconds = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        std::fs::copy(from, to)?;
        if durable {
            File::open(to)?.sync_all()?;
        }
        seconds.push(begin.elapsed().as_secs_f64());
        std::fs::remove_file(to)?;
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[1])
}

/// Numbers within ±1 in version 1.0 of NumPy's format, and a list of their rows: two classes, ten rows a group.
fn write(npy: &Path, csv: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(npy)?);
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ROWS}, {WIDTH}), }}\n");
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    let mut state = 1u32;
    let mut row = Vec::with_capacity(4 * WIDTH);
    for _ in 0..ROWS {
        row.clear();
        for _ in 0..WIDTH {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = f64::from(state) / f64::from(1u32 << 31) - 1.0;
            row.extend((value as f32).to_le_bytes());
        }
        out.write_all(&row)?;
    }
    out.flush()?;
    let mut out = BufWriter::new(File::create(csv)?);
    writeln!(out, "path,label,group")?;
    for i in 0..ROWS {
        writeln!(out, "{i},{},{}", if i / 10 % 2 == 0 { "a" } else { "b" }, i / 10)?;
    }
    out.flush()
}
