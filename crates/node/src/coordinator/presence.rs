//! When sites were last heard, and what they did then. For people and for the choice of holders: nothing is decided by it, and
//! a restart forgets it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::documents::{Presence, SiteView};
use crate::system;
use blindscope_federation::{SiteId, Study};

/// Sites as they were last heard.
#[derive(Default)]
pub(super) struct Presences(Mutex<BTreeMap<SiteId, (Presence, u64)>>);

impl Presences {
    /// A site is heard.
    pub(super) fn hear(&self, site: SiteId, presence: Presence) {
        self.all().insert(site, (presence, system::now_ms()));
    }

    /// So many sites, those that asked for work last, in the study's order.
    pub(super) fn newest(&self, study: &Study, count: usize) -> Vec<SiteId> {
        let all = self.all();
        let asked = |site: &SiteId| match all.get(site) {
            Some((Presence::Asks, when)) => *when,
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
            let (presence, heard) = all.get(&site).copied().unzip();
            let silent_ms = heard.map(|heard| now.saturating_sub(heard));
            SiteView { name, presence: presence.unwrap_or_default(), silent_ms }
        };
        study.sites().map(view).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<SiteId, (Presence, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
