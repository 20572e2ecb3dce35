//! Who may call, by the key of the certificate.

use std::collections::HashMap;

use blindscope_federation::{SiteId, Study};
use blindscope_transport::{Answer, Class, Peer, PeerId, Refusal};

use crate::certificates::Role;
use crate::kit::Members;

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

/// Everybody the coordinator knows.
pub(super) struct Callers(HashMap<PeerId, Caller>);

impl Callers {
    pub(super) fn new(study: &Study, members: &Members) -> Self {
        let others = members.member.iter().filter_map(|member| {
            let caller = match member.role {
                Role::Admin => Caller::Admin,
                Role::Asker => Caller::Asker,
                // Only the study itself makes a site.
                Role::Site => return None,
            };
            Some((PeerId::of_ed25519(&member.identity.0), caller))
        });
        let sites = study
            .sites()
            .filter_map(|site| Some((PeerId::of_ed25519(&study.site(site)?.identity.0), Caller::Site(site))));
        // A key that is a site's stays one: it comes last.
        Self(others.chain(sites).collect())
    }

    /// Who calls.
    pub(super) fn known(&self, peer: Peer) -> Answer<&Caller> {
        self.0.get(&peer.id).ok_or_else(|| {
            let message = format!("the key {} is neither a site's nor a member's of this study", peer.id);
            Refusal::new(Class::Unauthenticated, "not-in-study", message)
        })
    }

    /// The site that calls.
    pub(super) fn site(&self, peer: Peer) -> Answer<SiteId> {
        match self.known(peer)? {
            Caller::Site(site) => Ok(*site),
            other => Err(forbidden(other, "a site")),
        }
    }

    /// Whether an administrator calls.
    pub(super) fn admin(&self, peer: Peer) -> Answer<()> {
        match self.known(peer)? {
            Caller::Admin => Ok(()),
            other => Err(forbidden(other, "an administrator")),
        }
    }
}

impl Callers {
    /// Whether somebody calls who may ask for predictions: an asker, or a site.
    pub(super) fn asker(&self, peer: Peer) -> Answer<()> {
        match self.known(peer)? {
            Caller::Asker | Caller::Site(_) => Ok(()),
            other @ Caller::Admin => Err(forbidden(other, "an asker or a site")),
        }
    }
}

fn forbidden(caller: &Caller, needed: &str) -> Refusal {
    let message = format!("this call is for {needed}; the certificate is that of {caller:?}");
    Refusal::new(Class::Forbidden, "wrong-role", message)
}
