//! The run: a thread opens slides and decodes tiles, two batches ahead and across the ends of slides, while the model works.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use super::journal::Journal;
use super::layout::RunFolder;
use super::pace::{Pace, SlideProgress};
use super::prepare::SlideSettings;
use super::reading::Reading;
use super::record::{SlideRecord, read_records};
use super::writing::Writing;
use crate::data::Preprocess;
use crate::error::{Error, Result};
use crate::features::backbone_digest;
use crate::slides::TilePlan;
use crate::slides::list::SlideEntry;
use crate::vit::{Engine, Vit};

/// Batches decoded ahead of the model.
const AHEAD: usize = 2;

/// A run over slides.
#[derive(Debug)]
pub struct SlideRun<'a> {
    /// The slides, all shards' alike.
    pub slides: &'a [SlideEntry],
    /// How they become tiles.
    pub settings: SlideSettings,
    /// The folder that results go to.
    pub out: &'a Path,
    /// What the folder of features is called after.
    pub encoder: &'a str,
    /// The backbone.
    pub model: &'a Vit,
    /// Its preprocessing.
    pub preprocess: Preprocess,
    /// Tiles a batch.
    pub batch: usize,
    /// Which of how many parts of the slides, from one on.
    pub shard: Option<(usize, usize)>,
}

/// What the decoding thread sends.
pub(super) enum Message {
    /// A slide that an earlier run finished, or that is set aside.
    Settled(Box<SlideRecord>),
    /// A slide whose tiles follow.
    Begin(Box<Begun>),
    /// The next tiles of the slide at hand.
    Batch(Vec<std::result::Result<Loaded, String>>),
    /// The run cannot go on.
    Failed(Error),
}

pub(super) struct Begun {
    pub(super) journal: Journal,
    pub(super) record: SlideRecord,
    pub(super) tiles: Vec<[u64; 2]>,
    pub(super) plan: TilePlan,
    pub(super) size: (u64, u64),
    pub(super) mpp: f64,
}

pub(super) struct Loaded {
    pub(super) digest: [u8; 32],
    pub(super) pixels: Vec<f32>,
}

/// Features of every slide, written into the run's folder as each is whole; returns what became of them.
///
/// `progress` is called after every batch; when it breaks, the run stops there, and the same call takes up at the next batch.
///
/// # Errors
/// [`Error::Cancelled`] when `progress` breaks; [`Error::Data`] for a folder of another run; [`Error::Io`] when results cannot be
/// written; [`Error::Gpu`] when the graphics processor is lost.
pub fn extract_slides(
    engine: &Engine,
    run: &SlideRun<'_>,
    progress: &mut dyn FnMut(&SlideProgress) -> ControlFlow<()>,
) -> Result<Vec<SlideRecord>> {
    let folder = RunFolder::new(run.out, &run.settings, run.encoder);
    let backbone = backbone_digest(run.model, &run.preprocess);
    folder.create(&run.settings, &backbone)?;
    let records_path = folder.records(run.shard);
    let before = read_records(&records_path)?;
    let before: BTreeMap<String, SlideRecord> = before.into_iter().map(|r| (r.slide.clone(), r)).collect();
    let mine: Vec<&SlideEntry> = match run.shard {
        None => run.slides.iter().collect(),
        Some((i, n)) => run.slides.iter().skip(i - 1).step_by(n).collect(),
    };
    let reader = Reading { run, folder: &folder, backbone, before: &before };
    let mut writer = Writing {
        run,
        engine,
        folder: &folder,
        records: BTreeMap::new(),
        records_path: &records_path,
        current: None,
        pace: Pace::new(mine.len()),
    };
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(AHEAD);
        let (reader, mine) = (&reader, &mine);
        std::thread::Builder::new()
            .name("slides".into())
            .spawn_scoped(scope, move || reader.read(mine, &send))
            .map_err(Error::io("starting a thread for", run.out))?;
        writer.write(&receive, progress)
    })?;
    Ok(writer.records.into_values().collect())
}
