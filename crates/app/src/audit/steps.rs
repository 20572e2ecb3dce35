//! Stage 2b, updates after several steps: batches by spans that leave the inputs room to drift.

use super::batches::{Case, Uploaded, pixels, told};
use super::{AuditPlan, Error, Stage};
use blindscope_audit::spans::{SearchPlan, recover_update};

/// Starts of one look for one image.
const STARTS: usize = 8;

/// An update after several steps. Nothing of the way between is known, and no label is asked for.
pub(super) fn by_update(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    (number, stage): (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let search = SearchPlan { starts: STARTS, seed: plan.seed, ..SearchPlan::default() };
    // Every image is looked for once, and once more beside the others where it may be wrong.
    let each = 2 * STARTS * case.images;
    let (mut starts, mut stopped) = (0, None);
    let found = recover_update(&uploaded.observed(), &search, &mut |at| {
        starts = at.starts;
        let name = format!("{}: {} images, the next at {:.0e}", case.name(), at.known, at.misfit);
        stopped = stage.tick(&name, each * number + starts.min(each), each * case.batches).err();
        stopped.is_none()
    })?;
    if let Some(e) = stopped {
        return Err(e);
    }
    notes.push(told(case, number, &found, &format!("{starts} starts")));
    Ok(pixels(case, uploaded, &found))
}
