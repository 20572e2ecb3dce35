//! What a demo is asked to do, and how large it is.

use std::path::PathBuf;

use blindscope_learn::features::{BackboneSource, TileList};

/// A demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where everything goes: tiles, kits, databases, results.
    pub folder: PathBuf,
    /// A smaller run of the same steps.
    pub quick: bool,
    /// Seed of tiles, splits and training. Keys, encryption and masks come from the system's generator all the same.
    pub seed: u64,
    /// Tiles and backbone of one's own; synthetic ones otherwise.
    pub own: Option<OwnData>,
    /// The program that coordinator and sites are run by: this one.
    pub program: PathBuf,
    /// The command as it was typed, for the report.
    pub command: String,
}

/// Tiles and backbone from outside.
#[derive(Debug, Clone)]
pub struct OwnData {
    /// The tiles, with their groups.
    pub tiles: TileList,
    /// The backbone that all sites share.
    pub backbone: BackboneSource,
    /// Most tiles of one group that are used; 0 for all. Copies of one tile teach little and take time.
    pub per_group: usize,
}

/// The sites' names.
pub const SITES: [&str; 3] = ["north", "south", "west"];

/// Shares that decrypt.
pub(super) const THRESHOLD: u32 = 2;

/// Sizes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Side of a synthetic tile.
    pub(super) side: usize,
    /// Patients of each class at each site: to learn from, to validate on, held out from everybody.
    pub(super) patients: [usize; 3],
    /// Tiles of each patient.
    pub(super) tiles: usize,
    /// Patients of each class behind the public backbone.
    pub(super) public_patients: usize,
    /// Passes over the public tiles.
    pub(super) public_epochs: usize,
    /// Width and depth of the synthetic backbone.
    pub(super) width: usize,
    pub(super) depth: usize,
    /// Rounds of `fedavg`, and epochs in each: thirty in all, as in the paper.
    pub(super) rounds: u64,
    pub(super) epochs: usize,
    /// Rounds of `update`, and epochs in each.
    pub(super) update_rounds: u64,
    pub(super) update_epochs: usize,
}

impl Size {
    pub(super) fn of(options: &DemoOptions) -> Self {
        let whole = Self {
            side: 64,
            patients: [12, 3, 12],
            tiles: 3,
            public_patients: 40,
            public_epochs: 14,
            width: 64,
            depth: 3,
            rounds: 5,
            epochs: 6,
            update_rounds: 3,
            update_epochs: 2,
        };
        let quick = Self {
            patients: [8, 2, 8],
            tiles: 2,
            public_patients: 24,
            public_epochs: 8,
            width: 48,
            update_rounds: 1,
            ..whole
        };
        match (&options.own, options.quick) {
            (None, false) => whole,
            (None, true) => quick,
            // A backbone from outside is large: one pass over its last block is what two cores do in a minute.
            (Some(_), _) => Self { update_rounds: 1, update_epochs: 1, ..whole },
        }
    }
}
