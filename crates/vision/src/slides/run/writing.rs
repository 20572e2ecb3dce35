//! The model's side of a run: batches become features, a slide whose tiles are done becomes files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::journal::Outcome;
use super::layout::RunFolder;
use super::pace::{Pace, SlideProgress};
use super::pipeline::{Begun, Loaded, Message, SlideRun};
use super::record::{DONE, SlideRecord, TileRecord, write_records};
use crate::error::{Error, Result};
use crate::slides::SlideProblem;
use crate::slides::h5::{self, TileFacts};
use crate::vit::Engine;

/// The side of the model.
pub(super) struct Writing<'a> {
    pub(super) run: &'a SlideRun<'a>,
    pub(super) engine: &'a Engine,
    pub(super) folder: &'a RunFolder,
    pub(super) records: BTreeMap<String, SlideRecord>,
    pub(super) records_path: &'a Path,
    pub(super) current: Option<Box<Begun>>,
    pub(super) pace: Pace,
}

impl Writing<'_> {
    pub(super) fn write(
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
