//! Whole slides to features: one run over a folder or a list, resumable and in shards.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::{Backbone, Error};
use blindscope_vision::slides::{
    self, SlideProgress, SlideRecord, SlideRun, SlideSettings, SlideTable, TilePrediction,
};
use blindscope_vision::vit::{Device, Engine};

/// A run over slides.
#[derive(Debug, Clone)]
pub struct SlideOptions {
    /// A folder of slides, or a CSV with a column `path`.
    pub slides: PathBuf,
    /// A CSV `slide_id[,case_id][,label][,site][,mpp]` about them.
    pub facts: Option<PathBuf>,
    /// The folder that results go to.
    pub out: PathBuf,
    /// How slides become tiles.
    pub settings: SlideSettings,
    /// What the folder of features is called after.
    pub encoder: String,
    /// Tiles a batch.
    pub batch: usize,
    /// What carries the forward pass out.
    pub device: Device,
    /// Which of how many shards, from one on.
    pub shard: Option<(usize, usize)>,
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct SlidesExtracted {
    /// What became of each slide, in the order of their names.
    pub slides: Vec<SlideRecord>,
    /// Slides whose features are whole.
    pub done: usize,
    /// Slides that were set aside.
    pub set_aside: usize,
    /// Tiles with features.
    pub tiles: usize,
    /// Tiles set aside in slides that are done.
    pub tiles_set_aside: usize,
    /// Where the records lie.
    pub records: PathBuf,
    /// Seconds taken by this call.
    pub seconds: f64,
    /// Share of them that the model did not work.
    pub share_outside_model: Option<f64>,
    /// The graphics processor that the forward pass ran on, if it was one.
    pub graphics: Option<String>,
}

/// Features of every slide. `progress` is called after each batch; once `cancel` is set, the run stops after the batch at
/// hand, and the same call takes up there.
///
/// # Errors
/// [`Error::Vision`]: stopped by `cancel`, no slide, a folder of another run, results that cannot be written.
pub fn extract_slides(
    options: &SlideOptions,
    backbone: &Backbone,
    progress: &mut dyn FnMut(&SlideProgress),
    cancel: &AtomicBool,
) -> Result<SlidesExtracted, Error> {
    let table = options.facts.as_deref().map(SlideTable::read).transpose()?;
    let list = slides::list_slides(&options.slides, table.as_ref())?;
    let engine = Engine::choose(options.device, &backbone.model, options.batch)?;
    let run = SlideRun {
        slides: &list.slides,
        settings: options.settings.clone(),
        out: &options.out,
        encoder: &options.encoder,
        model: &backbone.model,
        preprocess: backbone.preprocess.clone(),
        batch: options.batch,
        shard: options.shard,
    };
    let mut time = (Duration::ZERO, Duration::ZERO);
    let records = slides::extract_slides(&engine, &run, &mut |now| {
        time = now.in_model;
        progress(now);
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let graphics = engine.graphics_name().map(str::to_owned);
    let records_at =
        slides::RunFolder::new(&options.out, &options.settings, &options.encoder).records(options.shard);
    let rejected = if options.shard.is_none_or(|(i, _)| i == 1) { list.rejected } else { Vec::new() };
    let missing = rejected.into_iter().map(|row| SlideRecord {
        slide: row.id,
        status: "unreadable".into(),
        reason: row.reason,
        ..SlideRecord::default()
    });
    let records: Vec<SlideRecord> = records.into_iter().chain(missing).collect();
    let share = |(model, all): (Duration, Duration)| 1.0 - model.as_secs_f64() / all.as_secs_f64();
    let outside = Some(time).filter(|(model, _)| !model.is_zero()).map(share);
    Ok(SlidesExtracted { graphics, share_outside_model: outside, ..summary(records, records_at, time.1) })
}

fn summary(slides: Vec<SlideRecord>, records: PathBuf, elapsed: Duration) -> SlidesExtracted {
    let done = || slides.iter().filter(|record| record.is_done());
    SlidesExtracted {
        done: done().count(),
        set_aside: slides.len() - done().count(),
        tiles: done().map(|record| record.tiles).sum(),
        tiles_set_aside: done().map(|record| record.set_aside.len()).sum(),
        slides,
        records,
        seconds: elapsed.as_secs_f64(),
        share_outside_model: None,
        graphics: None,
    }
}

/// Joins the shards of a run's folder into one list.
///
/// # Errors
/// [`Error::Vision`] when a shard has not run.
pub fn merge_slides(folder: &Path) -> Result<SlidesExtracted, Error> {
    let records = slides::merge_records(folder)?;
    Ok(summary(records, folder.join("slides.json"), Duration::ZERO))
}

/// Draws the predictions of tiles on their slides: `NAME.png` and `NAME.geojson` in `out` for every slide that the ids
/// (`SLIDE/X_Y`) name, and `slides.csv` with one answer a slide. With `attention`, the logits of a tile are its slide's, and it is drawn the
/// stronger the more it counted. `run` is the folder whose `slides.json` tells where slides lie and how large their tiles are.
///
/// # Errors
/// [`Error::Vision`] when an id names no slide of the run, or a slide cannot be opened any more.
pub fn draw_predictions(
    run: &Path,
    ids: &[String],
    logits: &[&[f64]],
    attention: Option<&[f32]>,
    classes: &[String],
    out: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let records = slides::read_records(&run.join("slides.json"))?;
    let mut tiles: BTreeMap<&str, Vec<TilePrediction>> = BTreeMap::new();
    for (row, (id, logits)) in ids.iter().zip(logits).enumerate() {
        let Some((slide, corner)) = TilePrediction::place(id) else {
            return Err(Error::NoPlace { id: id.clone() });
        };
        tiles.entry(slide).or_default().push(TilePrediction {
            corner,
            logits: logits.to_vec(),
            attention: attention.and_then(|all| all.get(row)).map(|weight| f64::from(*weight)),
        });
    }
    let mut written = Vec::new();
    for (slide, tiles) in &mut tiles {
        let most = tiles.iter().filter_map(|tile| tile.attention).fold(f64::MIN_POSITIVE, f64::max);
        tiles.iter_mut().filter_map(|tile| tile.attention.as_mut()).for_each(|weight| *weight /= most);
        let record = records.iter().find(|record| record.slide == *slide);
        let record = record.ok_or_else(|| Error::NoPlace { id: (*slide).into() })?;
        written.extend(slides::draw_predictions(record, tiles, classes, out)?);
    }
    written.push(slides::write_slide_answers(&tiles, classes, out)?);
    Ok(written)
}
