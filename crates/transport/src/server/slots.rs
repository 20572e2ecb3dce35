//! Counts what each certificate holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::identity::PeerId;

/// At most so many of a thing for one certificate.
#[derive(Clone)]
pub(super) struct Slots {
    most: usize,
    held: Arc<Mutex<HashMap<PeerId, usize>>>,
}

/// One of them; given back on drop.
pub(super) struct Slot {
    peer: PeerId,
    held: Arc<Mutex<HashMap<PeerId, usize>>>,
}

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// `None` when the certificate holds as many as it may.
    pub(super) fn take(&self, peer: PeerId) -> Option<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(peer).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Slot { peer, held: self.held.clone() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_by_certificate_and_come_back() {
        let slots = Slots::new(1);
        let (a, b) = (PeerId([1; 32]), PeerId([2; 32]));
        let first = slots.take(a);
        assert!(first.is_some() && slots.take(a).is_none() && slots.take(b).is_some());
        drop(first);
        assert!(slots.take(a).is_some());
        assert!(slots.held.lock().unwrap().is_empty(), "nothing is remembered of callers that are gone");
    }
}
