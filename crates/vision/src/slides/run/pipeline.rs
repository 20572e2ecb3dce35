//! The run: a thread opens slides and decodes tiles, two batches ahead and across the ends of slides, while the model works.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::journal::{Journal, Outcome};
use super::layout::RunFolder;
use super::prepare::{Prepared, SlideSettings, TissueSource, prepare};
use super::record::{DONE, SlideRecord, TileRecord, read_records, write_records};
use crate::data::{Filter, Preprocess, Rgb, resize};
use crate::error::{Error, Result};
use crate::features::{backbone_digest, hex};
use crate::replace::replace;
use crate::slides::h5::{self, TileFacts};
use crate::slides::list::SlideEntry;
use crate::slides::{Opener, OverviewPlan, Slide, SlideProblem, TilePlan, write_outlines};
use crate::vit::{Engine, Vit};
use blindscope_pixels::slides::Thumbnail;

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

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideProgress {
    /// Slides done or set aside, of this shard.
    pub slides: usize,
    /// Slides of this shard.
    pub of_slides: usize,
    /// Slides among those that were set aside.
    pub set_aside: usize,
    /// The slide at hand.
    pub slide: String,
    /// Tiles done of it.
    pub tiles: usize,
    /// Tiles that it has.
    pub of_tiles: usize,
    /// Tiles that this call has computed.
    pub computed: usize,
    /// Those a second.
    pub rate: f64,
    /// Time left at that rate, slides not yet opened taken for average ones; none before the first batch.
    pub remaining: Option<Duration>,
    /// Time in the model and time in all, for what a faster disk or decoder could win.
    pub in_model: (Duration, Duration),
}

/// What the decoding thread sends.
enum Message {
    /// A slide that an earlier run finished, or that is set aside.
    Settled(Box<SlideRecord>),
    /// A slide whose tiles follow.
    Begin(Box<Begun>),
    /// The next tiles of the slide at hand.
    Batch(Vec<std::result::Result<Loaded, String>>),
    /// The run cannot go on.
    Failed(Error),
}

struct Begun {
    journal: Journal,
    record: SlideRecord,
    tiles: Vec<[u64; 2]>,
    plan: TilePlan,
    size: (u64, u64),
    mpp: f64,
}

struct Loaded {
    digest: [u8; 32],
    pixels: Vec<f32>,
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

/// The decoding side.
struct Reading<'a> {
    run: &'a SlideRun<'a>,
    folder: &'a RunFolder,
    backbone: [u8; 32],
    before: &'a BTreeMap<String, SlideRecord>,
}

impl Reading<'_> {
    fn read(&self, slides: &[&SlideEntry], send: &SyncSender<Message>) {
        for entry in slides {
            // A closed channel means that the run has stopped.
            let sent = match self.slide(entry, send) {
                Ok(sent) => sent,
                Err(e) => {
                    let _ = send.send(Message::Failed(e));
                    false
                }
            };
            if !sent {
                return;
            }
        }
    }

    /// Sends all of a slide; false when nobody listens any more.
    fn slide(&self, entry: &SlideEntry, send: &SyncSender<Message>) -> Result<bool> {
        let mut record = SlideRecord {
            slide: entry.name.clone(),
            path: entry.path.clone(),
            case: entry.facts.case.clone(),
            label: entry.facts.label.clone(),
            site: entry.facts.site.clone(),
            ..SlideRecord::default()
        };
        let job = match self.job(entry) {
            Ok(job) => job,
            Err(problem) => return Ok(set_aside(record, &problem, send)),
        };
        record.job = hex(&job);
        let known = self.before.get(&entry.name).filter(|known| known.job == record.job && known.is_done());
        if let Some(known) = known.filter(|_| self.folder.features(&entry.name).is_file()) {
            let SlideRecord { case, label, site, path, .. } = record;
            let known = SlideRecord { path, case, label, site, ..known.clone() };
            return Ok(send.send(Message::Settled(Box::new(known))).is_ok());
        }
        let prepared = match prepare(entry, &self.run.settings) {
            Ok(prepared) => prepared,
            Err(problem) => return Ok(set_aside(record, &problem, send)),
        };
        describe(&mut record, &prepared);
        self.draw(entry, &prepared)?;
        if let Some(problem) = prepared.problem() {
            return Ok(set_aside(record, &problem, send));
        }
        let (width, batch) = (self.run.model.config().feature_width(), self.run.batch.max(1));
        let journal = Journal::open(&self.folder.journal(&entry.name), &job, width, batch)?;
        let done = journal.done().min(prepared.tiles.len());
        let begun = Begun {
            journal,
            record,
            tiles: prepared.tiles.clone(),
            plan: prepared.plan,
            size: (prepared.slide.levels()[0].width, prepared.slide.levels()[0].height),
            mpp: prepared.mpp.mean(),
        };
        if send.send(Message::Begin(Box::new(begun))).is_err() {
            return Ok(false);
        }
        for corners in prepared.tiles[done..].chunks(batch) {
            let load = |corner: &[u64; 2]| {
                let tile = read_tile(&prepared.slide, &prepared.plan, *corner)?;
                self.run.preprocess.admit(&tile).map_err(|e| e.to_string())?;
                let digest = Sha256::digest(&tile.pixels).into();
                Ok(Loaded { digest, pixels: self.run.preprocess.pixels(&tile) })
            };
            if send.send(Message::Batch(corners.par_iter().map(load).collect())).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everything that a slide's features depend on.
    fn job(&self, entry: &SlideEntry) -> std::result::Result<[u8; 32], SlideProblem> {
        let slide = Slide::open(&entry.path, self.run.settings.opener)?;
        let mut hash = Sha256::new();
        hash.update(b"blindscope slide job 1");
        hash.update(slide.fingerprint()?);
        hash.update(self.backbone);
        let settings = serde_json::to_vec(&self.run.settings).unwrap_or_default();
        hash.update((settings.len() as u64).to_le_bytes());
        hash.update(settings);
        hash.update(format!("{:?} {}", entry.facts.mpp, self.run.settings.opener == Opener::OpenSlide));
        if let TissueSource::Outlines(folder) = &self.run.settings.tissue {
            for end in ["geojson", "json"] {
                hash.update(std::fs::read(folder.join(format!("{}.{end}", entry.name))).unwrap_or_default());
            }
        }
        Ok(hash.finalize().into())
    }

    /// The picture, the outlines and the coordinates: what a person looks at before features are there.
    fn draw(&self, entry: &SlideEntry, prepared: &Prepared) -> Result<()> {
        let finer = OverviewPlan::for_picture(prepared.slide.levels(), &prepared.overview);
        let finer = finer.map(|plan| plan.make(&prepared.slide));
        let mut picture = Thumbnail::new(finer.as_ref().unwrap_or(&prepared.overview));
        picture.tiles(&prepared.tiles, prepared.plan.side_level0);
        picture.outlines(&prepared.outlines);
        let path = self.folder.thumbnail(&entry.name);
        let png = picture.png().map_err(|e| Error::format("PNG", &path, e))?;
        replace(&path, &png)?;
        replace(
            &self.folder.contours(&entry.name),
            write_outlines(&prepared.outlines).to_string().as_bytes(),
        )?;
        let facts = TileFacts {
            name: &entry.name,
            plan: &prepared.plan,
            overlap: self.run.settings.overlap,
            size: (prepared.slide.levels()[0].width, prepared.slide.levels()[0].height),
            mpp: prepared.mpp.mean(),
        };
        if prepared.tiles.is_empty() {
            return Ok(());
        }
        h5::write(&self.folder.patches(&entry.name), &facts, &prepared.tiles, None)
    }
}

/// Sends a slide that is set aside.
fn set_aside(mut record: SlideRecord, problem: &SlideProblem, send: &SyncSender<Message>) -> bool {
    problem.status().clone_into(&mut record.status);
    record.reason = problem.to_string();
    send.send(Message::Settled(Box::new(record))).is_ok()
}

/// A tile as the model's preprocessing takes it: read from its level, resampled as Pillow does where sizes differ.
///
/// # Errors
/// The reason, for a person.
pub fn read_tile(slide: &Slide, plan: &TilePlan, corner: [u64; 2]) -> std::result::Result<Rgb, String> {
    let (x, y) = plan.on_level(corner, slide.levels());
    let region =
        slide.region(plan.level, x, y, plan.side_level, plan.side_level).map_err(|e| e.to_string())?;
    if plan.side_level == plan.side {
        return Ok(region);
    }
    Ok(resize(&region, plan.side, plan.side, Filter::Bicubic))
}

fn describe(record: &mut SlideRecord, prepared: &Prepared) {
    let base = prepared.slide.levels()[0];
    record.format = prepared.slide.format();
    record.mpp = Some(prepared.mpp.mean());
    let source = serde_json::to_value(prepared.mpp.source).ok();
    record.mpp_source = source.and_then(|s| s.as_str().map(str::to_owned));
    record.size = Some([base.width, base.height]);
    record.level = Some(prepared.plan.level);
    record.tile_level0 = Some(prepared.plan.side_level0);
    record.overview_unreadable = prepared.overview.unreadable;
}

/// The side of the model.
struct Writing<'a> {
    run: &'a SlideRun<'a>,
    engine: &'a Engine,
    folder: &'a RunFolder,
    records: BTreeMap<String, SlideRecord>,
    records_path: &'a Path,
    current: Option<Box<Begun>>,
    pace: Pace,
}

impl Writing<'_> {
    fn write(
        &mut self,
        receive: &Receiver<Message>,
        progress: &mut dyn FnMut(&SlideProgress) -> ControlFlow<()>,
    ) -> Result<()> {
        while let Ok(message) = receive.recv() {
            match message {
                Message::Failed(e) => return Err(e),
                Message::Settled(record) => self.settle(*record)?,
                Message::Begin(begun) => {
                    self.pace.begin(begun.tiles.len(), begun.journal.done());
                    self.current = Some(begun);
                    self.finish_if_whole()?;
                }
                Message::Batch(tiles) => {
                    self.forward(tiles)?;
                    self.finish_if_whole()?;
                }
            }
            let now = self.pace.now(self.current.as_deref(), self.records.values());
            if progress(&now).is_break() && now.slides < now.of_slides {
                let (done, total) = (now.slides, now.of_slides);
                return Err(Error::Cancelled { operation: "feature extraction from slides", done, total });
            }
        }
        Ok(())
    }

    fn settle(&mut self, record: SlideRecord) -> Result<()> {
        self.records.insert(record.slide.clone(), record);
        write_records(self.records_path, &self.records)
    }

    #[allow(clippy::disallowed_methods, reason = "a duration that is reported; no result depends on it")]
    fn forward(&mut self, tiles: Vec<std::result::Result<Loaded, String>>) -> Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let pixels: Vec<f32> = tiles.iter().flatten().flat_map(|tile| &tile.pixels).copied().collect();
        let begin = Instant::now();
        let tokens =
            if pixels.is_empty() { Vec::new() } else { self.engine.features(self.run.model, &pixels)? };
        self.pace.batch(tiles.len(), begin.elapsed());
        let mut rows = tokens.chunks_exact(self.run.model.config().feature_width());
        let outcome = |tile: std::result::Result<Loaded, String>| match tile {
            Ok(tile) => {
                Outcome::Features { digest: tile.digest, values: rows.next().unwrap_or_default().to_vec() }
            }
            Err(reason) => Outcome::SetAside(reason),
        };
        let outcomes: Vec<Outcome> = tiles.into_iter().map(outcome).collect();
        current.journal.append(&outcomes)
    }

    /// Writes a slide whose tiles are all done.
    fn finish_if_whole(&mut self) -> Result<()> {
        let Some(mut begun) = self.current.take_if(|c| c.journal.done() >= c.tiles.len()) else {
            return Ok(());
        };
        let (mut values, mut corners, mut at) = (Vec::new(), Vec::new(), 0);
        let (tiles, set_aside) = (&begun.tiles, &mut begun.record.set_aside);
        begun.journal.outcomes(&mut |outcome| {
            let [x, y] = tiles.get(at).copied().unwrap_or_default();
            at += 1;
            match outcome {
                Outcome::Features { values: row, .. } => {
                    values.extend(row);
                    corners.push([x, y]);
                }
                Outcome::SetAside(reason) => set_aside.push(TileRecord { x, y, reason }),
            }
        })?;
        begun.record.tiles = corners.len();
        if corners.is_empty() {
            let first = begun.record.set_aside.first().map(|t| t.reason.clone()).unwrap_or_default();
            let problem = SlideProblem::NoTiles { tiles: begun.tiles.len(), first };
            problem.status().clone_into(&mut begun.record.status);
            begun.record.reason = problem.to_string();
        } else {
            DONE.clone_into(&mut begun.record.status);
            let facts = TileFacts {
                name: &begun.record.slide,
                plan: &begun.plan,
                overlap: self.run.settings.overlap,
                size: begun.size,
                mpp: begun.mpp,
            };
            let features = (self.run.model.config().feature_width(), values, self.run.encoder);
            h5::write(&self.folder.features(&begun.record.slide), &facts, &corners, Some(features))?;
        }
        self.settle(begun.record)?;
        begun.journal.remove()
    }
}

/// Tiles and time.
struct Pace {
    start: Instant,
    in_model: Duration,
    /// Tiles computed by this run.
    computed: usize,
    /// Tiles of the slides that were opened, and how many those are.
    listed: usize,
    opened: usize,
    /// Tiles that earlier runs had done of them.
    kept: usize,
    slides: usize,
}

#[allow(clippy::disallowed_methods, reason = "a duration that is reported; no result depends on it")]
impl Pace {
    fn new(slides: usize) -> Self {
        let (start, in_model) = (Instant::now(), Duration::ZERO);
        Self { start, in_model, computed: 0, listed: 0, opened: 0, kept: 0, slides }
    }

    fn begin(&mut self, tiles: usize, kept: usize) {
        self.listed += tiles;
        self.kept += kept.min(tiles);
        self.opened += 1;
    }

    fn batch(&mut self, tiles: usize, in_model: Duration) {
        self.computed += tiles;
        self.in_model += in_model;
    }

    fn now<'a>(
        &self,
        current: Option<&Begun>,
        records: impl ExactSizeIterator<Item = &'a SlideRecord>,
    ) -> SlideProgress {
        let slides = records.len();
        let set_aside = records.filter(|r| r.status != DONE).count();
        let elapsed = self.start.elapsed();
        let rate = self.computed as f64 / elapsed.as_secs_f64().max(1e-6);
        let unopened = self.slides.saturating_sub(slides + usize::from(current.is_some()));
        let average = self.listed as f64 / self.opened.max(1) as f64;
        let left = (self.listed - self.kept).saturating_sub(self.computed) as f64 + average * unopened as f64;
        let remaining = (self.computed > 0).then(|| Duration::from_secs_f64((left / rate).min(3e9)));
        SlideProgress {
            slides,
            of_slides: self.slides,
            set_aside,
            slide: current.map(|c| c.record.slide.clone()).unwrap_or_default(),
            tiles: current.map_or(0, |c| c.journal.done()),
            of_tiles: current.map_or(0, |c| c.tiles.len()),
            computed: self.computed,
            rate,
            remaining,
            in_model: (self.in_model, elapsed),
        }
    }
}
