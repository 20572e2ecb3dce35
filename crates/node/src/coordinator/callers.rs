//! Who may call, by the key of the certificate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::desk::Desk;
use crate::error::Result;
use crate::kit::Kit;
use crate::kit::certificates::Role;
use blindscope_federation::{PublicIdentity, SiteId, Study};
use blindscope_transport::{Answer, Class, Peer, PeerId, Refusal};

/// Somebody the coordinator knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// A site of the study.
    Site(SiteId),
    /// Runs the study.
    Admin,
    /// Asks for predictions.
    Asker,
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Site(site) => write!(f, "site {site}"),
            Self::Admin => f.write_str("an administrator"),
            Self::Asker => f.write_str("an asker"),
        }
    }
}

/// Everybody the coordinator knows: the sites of the roster in force, and the members that its file names now.
pub(super) struct Callers {
    desk: Arc<Desk>,
    sites: Mutex<Sites>,
    kit: Kit,
    members: Mutex<Seen>,
}

/// The sites of a version of the roster, and the names of those that were of an earlier one.
struct Sites {
    version: u64,
    now: HashMap<PeerId, Caller>,
    former: HashMap<PeerId, String>,
}

impl Sites {
    fn of(study: &Study) -> Self {
        let peer = |identity: &PublicIdentity| PeerId::of_ed25519(&identity.0);
        let now = study.members().iter().map(|m| (peer(&m.entry.identity), Caller::Site(m.site)));
        let former = study.epoch().map_or_else(|_| Vec::new(), |epoch| epoch.literal().former.clone());
        let former = former.iter().map(|f| (peer(&f.identity), f.name.clone())).collect();
        Self { version: study.version(), now: now.collect(), former }
    }
}

/// The members' file as it was read last.
struct Seen {
    /// Its time and length; none before it was read.
    stamp: Option<(SystemTime, u64)>,
    members: HashMap<PeerId, Caller>,
}

impl Callers {
    /// # Errors
    /// [`crate::Error`] for a members' file that cannot be read.
    pub(super) fn new(desk: Arc<Desk>, kit: &Kit) -> Result<Self> {
        let sites = Mutex::new(Sites::of(desk.now().study()));
        let seen = Seen { stamp: stamp(kit), members: members(kit)? };
        Ok(Self { desk, sites, kit: kit.clone(), members: Mutex::new(seen) })
    }

    /// Who calls. A key that is or was a site's is no member's. The members' file is read again when it has changed, so that whoever was
    /// signed or struck out a moment ago is known or unknown at once.
    pub(super) fn known(&self, peer: Peer) -> Answer<Caller> {
        let refuse = |message| Err(Refusal::new(Class::Unauthenticated, "not-in-study", message));
        if let Some(known) = self.site_of(peer.id) {
            return known.or_else(|name| {
                refuse(format!(
                    "the key {} was that of {name}, which has left the study or has new keys",
                    peer.id
                ))
            });
        }
        let strange = format!("the key {} is neither a site's nor a member's of this study", peer.id);
        self.member(peer.id).map_or_else(|| refuse(strange), Ok)
    }

    /// The site of a key; the name of the one that it was of in an earlier roster.
    fn site_of(&self, id: PeerId) -> Option<std::result::Result<Caller, String>> {
        let now = self.desk.now();
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if sites.version != now.study().version() {
            *sites = Sites::of(now.study());
        }
        let site = sites.now.get(&id).cloned().map(Ok);
        site.or_else(|| sites.former.get(&id).cloned().map(Err))
    }

    fn member(&self, id: PeerId) -> Option<Caller> {
        let mut seen = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.kit);
        if now != seen.stamp {
            seen.stamp = now;
            match members(&self.kit) {
                Ok(members) => {
                    tracing::info!(members = members.len(), "members read again");
                    seen.members = members;
                }
                Err(error) => tracing::error!(%error, "members stay as they were"),
            }
        }
        seen.members.get(&id).cloned()
    }

    /// Whether a key is a member's, who is no site.
    pub(super) fn is_member(&self, identity: &PublicIdentity) -> bool {
        self.member(PeerId::of_ed25519(&identity.0)).is_some()
    }

    /// Names of sites and members, by their keys.
    ///
    /// # Errors
    /// A refusal where the members' file cannot be read.
    pub(super) fn names(&self, study: &Study) -> Answer<HashMap<PeerId, String>> {
        let members = self.kit.members().map_err(|e| super::refusal::internal(&e))?;
        let sites = study.members().iter().map(|m| (m.entry.identity, m.entry.name.clone()));
        let all = sites.chain(members.member.into_iter().map(|member| (member.identity, member.name)));
        Ok(all.map(|(identity, name)| (PeerId::of_ed25519(&identity.0), name)).collect())
    }

    /// The site that calls.
    pub(super) fn site(&self, peer: Peer) -> Answer<SiteId> {
        match self.known(peer)? {
            Caller::Site(site) => Ok(site),
            other => Err(forbidden(&other, "a site")),
        }
    }

    /// Whether an administrator calls.
    pub(super) fn admin(&self, peer: Peer) -> Answer<()> {
        match self.known(peer)? {
            Caller::Admin => Ok(()),
            other => Err(forbidden(&other, "an administrator")),
        }
    }
}

impl Callers {
    /// Whether somebody calls who may read jobs and the log: an administrator, or a site, whose own acts are in it.
    pub(super) fn reader(&self, peer: Peer) -> Answer<()> {
        match self.known(peer)? {
            Caller::Admin | Caller::Site(_) => Ok(()),
            other @ Caller::Asker => Err(forbidden(&other, "an administrator or a site")),
        }
    }

    /// Whether somebody calls who may ask for predictions: an asker, or a site.
    pub(super) fn asker(&self, peer: Peer) -> Answer<()> {
        match self.known(peer)? {
            Caller::Asker | Caller::Site(_) => Ok(()),
            other @ Caller::Admin => Err(forbidden(&other, "an asker or a site")),
        }
    }
}

/// Members by their keys. Only the study itself makes a site.
fn members(kit: &Kit) -> Result<HashMap<PeerId, Caller>> {
    let known = kit.members()?.member.into_iter().filter_map(|member| {
        let caller = match member.role {
            Role::Admin => Caller::Admin,
            Role::Asker => Caller::Asker,
            Role::Site => return None,
        };
        Some((PeerId::of_ed25519(&member.identity.0), caller))
    });
    Ok(known.collect())
}

fn stamp(kit: &Kit) -> Option<(SystemTime, u64)> {
    let data = std::fs::metadata(kit.local("members.toml")).ok()?;
    Some((data.modified().ok()?, data.len()))
}

pub(super) fn forbidden(caller: &Caller, needed: &str) -> Refusal {
    let message = format!("this call is for {needed}; the certificate is that of {caller}");
    Refusal::new(Class::Forbidden, "wrong-role", message)
}
