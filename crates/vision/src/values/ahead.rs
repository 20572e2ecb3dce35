//! Rows of files, a block at a time, of which the next is read while one is worked on.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::{BLOCK, Parts};
use crate::error::{Error, Result};

/// Whole rows, about [`BLOCK`] numbers at a time: three blocks are in memory together.
pub(super) struct Ahead {
    blocks: Receiver<Result<Vec<f32>>>,
    /// Blocks that have not been handed on.
    left: usize,
}

impl Ahead {
    pub(super) fn new(parts: Parts) -> Self {
        let (rows, step) = (parts.len(), (BLOCK / parts.width.max(1)).max(1));
        let (found, blocks) = sync_channel(1);
        // Where there is no thread, nothing comes, which is told at the first block.
        drop(thread::Builder::new().name("rows".into()).spawn(move || {
            for from in (0..rows).step_by(step) {
                // Whoever works on them has seen enough, or cannot go on.
                if found.send(parts.range(from, (from + step).min(rows))).is_err() {
                    return;
                }
            }
        }));
        Self { blocks, left: rows.div_ceil(step) }
    }
}

impl Iterator for Ahead {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let ended = || io::Error::other("the thread that reads ahead came to no end");
        Some(self.blocks.recv().unwrap_or_else(|_| Err(Error::io("reading", "rows")(ended()))))
    }
}
