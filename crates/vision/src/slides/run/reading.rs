//! The decoding side of a run: slides are opened, looked at and cut, and their tiles sent ahead of the model.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::journal::Journal;
use super::layout::RunFolder;
use super::pipeline::{Begun, Loaded, Message, SlideRun};
use super::prepare::{Prepared, TissueSource, prepare};
use super::record::SlideRecord;
use crate::data::{Filter, Rgb, resize};
use crate::error::{Error, Result};
use crate::features::hex;
use crate::replace::replace;
use crate::slides::h5::{self, TileFacts};
use crate::slides::list::SlideEntry;
use crate::slides::{Opener, OverviewPlan, Slide, SlideProblem, TilePlan, write_outlines};
use blindscope_pixels::slides::Thumbnail;

/// The decoding side.
pub(super) struct Reading<'a> {
    pub(super) run: &'a SlideRun<'a>,
    pub(super) folder: &'a RunFolder,
    pub(super) backbone: [u8; 32],
    pub(super) before: &'a BTreeMap<String, SlideRecord>,
}

impl Reading<'_> {
    pub(super) fn read(&self, slides: &[&SlideEntry], send: &SyncSender<Message>) {
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
        // As the first release wrote it.
        let mpp = entry.facts.mpp.map_or_else(|| "None".to_owned(), |mpp| format!("Some({mpp:?})"));
        hash.update(format!("{mpp} {}", self.run.settings.opener == Opener::OpenSlide));
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
