//! `blindscope audit`: attacks the study's own model and data, and says in figures and pictures what got out.

mod answers;
mod batches;
mod closed;
mod cohort;
mod conclusions;
mod error;
mod features;
mod gradients;
mod members;
mod noise;
mod outcome;
mod plan;
mod search;
mod section;
mod settings;
mod stage;
mod steps;
mod sums;
mod tiles;
mod tokens;
mod tokenwise;
mod updates;

pub use closed::{ClosedForm, ClosedTarget, closed_form};
pub use error::Error;
pub use outcome::{Cell, Evidence, Gallery, GalleryRow, Point, View};
pub use plan::{Attack, AuditPlan};
pub use section::page;
pub use stage::{AuditProgress, OnProgress, Stage};
pub use tiles::{Source, Tile, Tiles};

use serde::Serialize;

/// A whole audit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditReport {
    /// Where the tiles came from.
    pub tiles: String,
    /// The backbone whose tokens were attacked.
    pub backbone: String,
    /// Images of the attacks on gradients.
    pub images: usize,
    /// Seed of everything.
    pub seed: u64,
    /// Whether small models stood in.
    pub quick: bool,
    /// What the figures mean, decided by them.
    pub conclusions: Vec<String>,
    /// What each setting of a study buys, by them.
    pub settings: Vec<String>,
    /// Every figure.
    pub cells: Vec<Cell>,
    /// Remarks.
    pub notes: Vec<String>,
    /// Wall seconds of each attack by the key of its cells, without the gradient it works on.
    pub seconds: Vec<(String, Vec<f64>)>,
    /// Pictures.
    #[serde(skip)]
    pub galleries: Vec<Gallery>,
}

/// Runs an audit. Stages that an earlier run of the same plan finished are taken from `plan.out`.
///
/// # Errors
/// [`Error`] for what a stage cannot do, with its name; [`Error::Stopped`] when `progress` breaks, with finished stages kept.
pub fn audit(plan: &AuditPlan, progress: OnProgress<'_>) -> Result<AuditReport, Error> {
    if let Some(folder) = &plan.out {
        std::fs::create_dir_all(folder).map_err(|source| Error::Io {
            operation: "creating",
            path: folder.clone(),
            source,
        })?;
    }
    let tiles = Tiles::list(&plan.source, plan.seed)?;
    let mut stage = Stage::new(progress);
    let mut evidence = Evidence::default();
    let mut set = None;
    for attack in Attack::ALL.into_iter().filter(|a| plan.attacks.contains(a)) {
        if let Some(kept) = stage::kept(plan, attack.name()) {
            evidence.append(kept);
            continue;
        }
        let found = match attack {
            Attack::Gradient => gradients::run(plan, &tiles, &mut stage)?,
            Attack::Update => updates::run(plan, &tiles, &mut stage)?,
            Attack::Batch => batches::run(plan, &tiles, &mut stage)?,
            Attack::Token | Attack::Member | Attack::Sum | Attack::Answer | Attack::Search => {
                if set.is_none() {
                    set = Some(features::TokenSet::new(plan, &tiles, &mut stage)?);
                }
                let Some(set) = &set else { continue };
                match attack {
                    Attack::Token => tokens::run(plan, set)?,
                    Attack::Member => members::run(plan, set, &mut stage)?,
                    Attack::Sum => sums::run(plan, set, &mut stage)?,
                    Attack::Answer => answers::run(plan, set, &mut stage)?,
                    _ => search::run(plan, set, &mut stage)?,
                }
            }
        };
        stage::keep(plan, attack.name(), &found)?;
        evidence.append(found);
    }
    Ok(report(plan, &tiles, evidence))
}

fn report(plan: &AuditPlan, tiles: &Tiles, evidence: Evidence) -> AuditReport {
    let drawn = "a small one with drawn weights: its tokens are a random network's".to_owned();
    AuditReport {
        tiles: tiles.source.clone(),
        backbone: plan.model.as_ref().map_or(drawn, |m| m.display().to_string()),
        images: plan.images,
        seed: plan.seed,
        quick: plan.quick,
        conclusions: conclusions::conclude(&evidence),
        settings: settings::bought(&evidence),
        cells: evidence.cells,
        notes: evidence.notes,
        seconds: evidence.seconds,
        galleries: evidence.galleries,
    }
}
