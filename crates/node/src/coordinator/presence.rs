//! When sites were last heard, and what they did then. For people and for the choice of holders: nothing is decided by it, and
//! a restart forgets it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::documents::{Machine, Presence, SiteView};
use crate::system;
use blindscope_federation::{SiteId, Study};

/// Sites as they were last heard.
#[derive(Default)]
pub(super) struct Presences(Mutex<BTreeMap<SiteId, Heard>>);

/// What a site did and said, and when.
struct Heard {
    presence: Presence,
    at_ms: u64,
    state: Machine,
}

impl Presences {
    /// A site is heard, and says this of itself.
    pub(super) fn hear(&self, site: SiteId, presence: Presence, state: Machine) {
        self.all().insert(site, Heard { presence, at_ms: system::now_ms(), state });
    }

    /// So many sites, those that asked for work last, in the study's order.
    pub(super) fn newest(&self, study: &Study, count: usize) -> Vec<SiteId> {
        let all = self.all();
        let asked = |site: &SiteId| match all.get(site) {
            Some(Heard { presence: Presence::Asks, at_ms, .. }) => *at_ms,
            _ => 0,
        };
        let mut sites: Vec<SiteId> = study.sites().collect();
        sites.sort_by_key(|site| std::cmp::Reverse(asked(site)));
        sites.truncate(count);
        sites.sort_unstable();
        sites
    }

    /// All sites of the study, in its order.
    pub(super) fn views(&self, study: &Study) -> Vec<SiteView> {
        let (all, now) = (self.all(), system::now_ms());
        let view = |site: SiteId| {
            let name = study.site(site).map_or_else(|| site.to_string(), |entry| entry.name.clone());
            let heard = all.get(&site);
            let silent_ms = heard.map(|heard| now.saturating_sub(heard.at_ms));
            let presence = heard.map(|heard| heard.presence).unwrap_or_default();
            let state = heard.map(|heard| heard.state.clone()).unwrap_or_default();
            SiteView { name, presence, silent_ms, state }
        };
        study.sites().map(view).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<SiteId, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
