//! Long benches, told part by part to those who wait for them.

use super::Figure;

/// Where a bench is between two of its parts.
#[derive(Debug)]
pub struct Part<'a> {
    /// Parts that are done.
    pub done: u64,
    /// Parts in all.
    pub of: u64,
    /// What follows.
    pub next: &'a str,
    /// What the part before found.
    pub figures: &'a [Figure],
}

/// Told before each part, and at the end.
pub type OnPart<'a> = &'a mut (dyn FnMut(&Part<'_>) + Send);

/// A bench of so many parts on its way.
pub(super) struct Parts<'a> {
    tell: OnPart<'a>,
    of: u64,
    done: u64,
    /// Figures that were told.
    told: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn new(of: u64, tell: OnPart<'a>) -> Self {
        Self { tell, of, done: 0, told: 0 }
    }

    /// Another part begins; `figures` are those of all parts before it.
    pub(super) fn begin(&mut self, next: &str, figures: &[Figure]) {
        self.say(self.done, next, figures);
        self.done += 1;
    }

    /// The last part is done, or those that were left out would have followed.
    pub(super) fn end(mut self, figures: &[Figure]) {
        self.say(self.of, "done", figures);
    }

    fn say(&mut self, done: u64, next: &str, figures: &[Figure]) {
        (self.tell)(&Part { done, of: self.of, next, figures: &figures[self.told..] });
        self.told = figures.len();
    }
}
