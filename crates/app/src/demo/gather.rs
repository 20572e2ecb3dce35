//! Figures that lie in the demo's folder and in the results of jobs.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::{Result, read};
use super::options::SITES;
use super::results::{BackboneFigures, ClientCurve, DataFigures, Exactness};
use super::tiles::Lists;
use blindscope_learn::features::{self, Backbone, TileList};
use blindscope_learn::jobs::HistoryLine;

/// Results of the encrypted jobs, or of their clear twins.
pub(super) struct Learned {
    pub(super) statistics: Vec<u8>,
    pub(super) means: Vec<u8>,
    pub(super) fedavg: Vec<u8>,
    pub(super) update: Vec<u8>,
}

pub(super) fn backbone(backbone: &Backbone) -> BackboneFigures {
    let config = backbone.model.config();
    BackboneFigures {
        shape: [config.image, config.patch, config.width, config.depth],
        parameters: backbone.parameters(),
        digest: features::hex(&backbone.digest()),
    }
}

/// Tiles of every list.
pub(super) fn data(lists: &Lists) -> Result<Vec<DataFigures>> {
    let one = |name: String, list: &Path| -> Result<DataFigures> {
        let dataset = TileList::new(list).open()?;
        let groups: BTreeSet<_> = dataset.samples.iter().map(|s| &s.group).collect();
        Ok(DataFigures { list: name, tiles: dataset.class_counts(), groups: groups.len() })
    };
    let mut figures = Vec::new();
    for (site, name) in lists.sites.iter().zip(SITES) {
        figures.push(one(format!("{name}, training"), &site.train)?);
        figures.push(one(format!("{name}, validation"), &site.validation)?);
    }
    figures.push(one("held out".into(), &lists.test)?);
    Ok(figures)
}

/// The sites' own notes of their training.
pub(super) fn clients(kits: &Path) -> Result<Vec<ClientCurve>> {
    let one = |site: &&str| {
        let text = read(&kits.join(site).join("data").join("history.jsonl"))?;
        let lines = text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let mut epochs: Vec<HistoryLine> = lines.collect();
        // A round that was begun twice was written down twice; the later one counts.
        epochs.reverse();
        let mut seen = HashSet::new();
        epochs.retain(|e| seen.insert((e.job.clone(), e.epoch)));
        epochs.sort_by(|a, b| (&a.job, a.epoch).cmp(&(&b.job, b.epoch)));
        Ok(ClientCurve { site: (*site).to_owned(), epochs })
    };
    SITES.iter().map(one).collect()
}

/// Whether encrypted jobs equal their clear twins.
pub(super) fn exactness(encrypted: &Learned, clear: &Learned) -> Vec<Exactness> {
    let pairs = [
        ("statistics", &encrypted.statistics, &clear.statistics),
        ("class-means", &encrypted.means, &clear.means),
        ("fedavg", &encrypted.fedavg, &clear.fedavg),
        ("update", &encrypted.update, &clear.update),
    ];
    let digest = |bytes: &[u8]| features::hex(&Sha256::digest(bytes));
    let one = |(job, a, b): (&str, &Vec<u8>, &Vec<u8>)| Exactness {
        job: job.to_owned(),
        twin: "the same job with nothing encrypted".into(),
        encrypted: digest(a),
        clear: digest(b),
        equal: a == b,
    };
    pairs.into_iter().map(one).collect()
}

/// Processor and cores, as far as the system tells.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, m)| m.trim()));
    format!("{}, {cores} cores", model.unwrap_or(std::env::consts::ARCH))
}

/// `2026-01-31 12:34 UTC`
pub(super) fn utc(now_ms: u64) -> String {
    let seconds = i64::try_from(now_ms / 1000).unwrap_or_default();
    time::OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| "at an unknown time".to_owned(),
        |t| {
            let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
            format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", t.hour(), t.minute())
        },
    )
}
