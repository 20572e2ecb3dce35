//! Places in the line that an asker's questions stand in: taken when an upload is admitted, not when it has arrived.
//!
//! An asker that begins many uploads at once would otherwise be admitted with each of them before the first is counted. A place is free
//! again when its upload ends without a question; that of a question is the log's to count, until it is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::desk::Desk;
use blindscope_federation::Line;
use blindscope_transport::{Answer, Class, Refusal};

/// Uploads of questions that were admitted and are no questions yet, by line.
#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<Line, usize>>);

/// A place that an upload has; free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    line: Line,
}

impl Places {
    /// A place for one more question of this line, of which `most` may be unanswered at a time, those on their way in among them.
    ///
    /// # Errors
    /// A refusal of `many-questions` where all are taken.
    pub(super) fn take(this: &Arc<Self>, desk: &Desk, line: Line, most: u32) -> Answer<Place> {
        let mut taken = this.taken();
        // A place is given back after its question is in the state, so whatever is not counted here is counted there.
        let open = taken.get(&line).copied().unwrap_or(0) + desk.now().questions_of(line);
        if open >= most as usize {
            let message = format!(
                "infer: {open} questions of this asker wait to be answered, {most} may; ask again when one is answered"
            );
            return Err(
                Refusal::new(Class::Exhausted, "many-questions", message).fact("most", u64::from(most))
            );
        }
        *taken.entry(line).or_default() += 1;
        Ok(Place { places: this.clone(), line })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<Line, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let Some(left) = taken.get_mut(&self.line) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            taken.remove(&self.line);
        }
    }
}
