//! How far a run is and how long it takes: what a person waits by. No result depends on it.

use std::time::{Duration, Instant};

use super::pipeline::Begun;
use super::record::{DONE, SlideRecord};

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

/// Tiles and time.
pub(super) struct Pace {
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
    pub(super) fn new(slides: usize) -> Self {
        let (start, in_model) = (Instant::now(), Duration::ZERO);
        Self { start, in_model, computed: 0, listed: 0, opened: 0, kept: 0, slides }
    }

    pub(super) fn begin(&mut self, tiles: usize, kept: usize) {
        self.listed += tiles;
        self.kept += kept.min(tiles);
        self.opened += 1;
    }

    pub(super) fn batch(&mut self, tiles: usize, in_model: Duration) {
        self.computed += tiles;
        self.in_model += in_model;
    }

    pub(super) fn now<'a>(
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
