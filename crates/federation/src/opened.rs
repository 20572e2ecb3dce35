//! What a sealing key has opened, as long as it is in memory. Opening a pair key takes two kinds of keys and the checking of a signature, and a
//! holder needs each of a thousand twice a round; whoever reads this memory has the sealing key beside it, which opens all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use blindscope_wire::Digest;

/// Keys that are kept: a roster's pair keys, and those of the one before.
const MOST: usize = 4096;

/// Keys by what they were sealed as. Secret; zeroed on drop.
#[derive(Default)]
pub(crate) struct Opened(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    known: HashMap<Digest, Zeroizing<[u8; 32]>>,
    order: VecDeque<Digest>,
}

impl Opened {
    /// What stands under this name.
    pub(crate) fn get(&self, name: &Digest) -> Option<Zeroizing<[u8; 32]>> {
        // Every change leaves both in order.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.get(name).cloned()
    }

    /// Keeps a key; the oldest goes where there are too many.
    pub(crate) fn keep(&self, name: Digest, key: &Zeroizing<[u8; 32]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.known.insert(name, key.clone()).is_some() {
            return;
        }
        kept.order.push_back(name);
        if kept.order.len() > MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscope_wire::Hasher;

    #[test]
    fn the_newest_are_kept() {
        let opened = Opened::default();
        let name = |k: u64| Hasher::new("test/opened").absorb_u64(k).finish();
        for k in 0..2 * MOST as u64 {
            opened.keep(name(k), &Zeroizing::new([k as u8; 32]));
            opened.keep(name(k), &Zeroizing::new([k as u8; 32]));
        }
        assert!(opened.get(&name(MOST as u64 - 1)).is_none());
        for k in MOST as u64..2 * MOST as u64 {
            assert_eq!(*opened.get(&name(k)).unwrap(), [k as u8; 32]);
        }
    }
}
