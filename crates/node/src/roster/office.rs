//! What an administrator does about the roster, and what anybody sees of it.

use super::{catch_up, see};
use crate::documents::RosterCall;
use crate::error::{Error, Result};
use crate::kit::certificates::{Request, Role};
use crate::kit::{Kit, PartySettings};
use blindscope_federation::{Change, Member, Proposal, RosterView, SiteEntry, SiteId, Study};
use blindscope_transport::Client;

/// Whoever looks at the roster, with a connection.
pub struct Office {
    client: Client,
    kit: Kit,
    study: Study,
}

impl Office {
    /// That of a kit. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Settings`] for a kit whose settings or study cannot be read; [`Error::Transport`] for
    /// certificates that cannot be used.
    pub fn of(kit: &Kit, overrides: &[String]) -> Result<Self> {
        let settings: PartySettings = kit.settings(overrides)?;
        let client = kit.client(&settings.coordinator)?;
        Ok(Self { client, kit: kit.clone(), study: kit.study_now()? })
    }

    /// The study under the roster that is known here.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// What is on its way, once every change so far is verified and kept.
    ///
    /// # Errors
    /// [`Error::Roster`] and [`Error::Federation`] where the coordinator's roster does not follow from the one known here;
    /// [`Error::Transport`] where the coordinator cannot be reached.
    pub async fn look(&mut self) -> Result<Option<Proposal>> {
        let (study, view, _) = catch_up(&self.client, &self.kit, self.study.clone()).await?;
        self.study = study;
        Ok(view.proposal)
    }

    /// Proposes a change. The same again changes nothing.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached, or refuses it with the reason.
    pub async fn propose(&self, change: &Change) -> Result<RosterView> {
        let change = Box::new(change.clone());
        see(&self.client, &RosterCall::Propose { change }).await
    }

    /// Withdraws the change that is on its way.
    ///
    /// # Errors
    /// [`Error::Transport`] where none is, or a quorum has approved it.
    pub async fn withdraw(&self) -> Result<RosterView> {
        see(&self.client, &RosterCall::Withdraw).await
    }
}

/// A change of a study's roster: requests of sites that join, names of sites that leave, requests of sites that get new keys.
///
/// # Errors
/// [`Error::Unknown`] for a name that no site has, or a request that is no site's; [`Error::Federation`] for a change that the study
/// cannot make, with the reason.
pub fn change(study: &Study, joins: &[Request], leaves: &[String], replaces: &[Request]) -> Result<Change> {
    let epoch = study.epoch()?;
    let joins = joins.iter().map(entry).collect::<Result<_>>()?;
    let leaves = leaves.iter().map(|name| named(study, name)).collect::<Result<_>>()?;
    let replaces = replaces
        .iter()
        .map(|request| Ok(Member { site: named(study, &request.name)?, entry: entry(request)? }))
        .collect::<Result<_>>()?;
    let change = Change { study: study.digest(), from: epoch.digest(), joins, leaves, replaces };
    change.next(&epoch)?;
    Ok(change)
}

fn entry(request: &Request) -> Result<SiteEntry> {
    let sealing = request.sealing.clone().filter(|_| request.role == Role::Site);
    let sealing = sealing.ok_or_else(|| Error::Unknown {
        what: "site's request",
        name: request.name.clone(),
        repair: "make it with `blindscope cert request --role site`",
    })?;
    Ok(SiteEntry { name: request.name.clone(), identity: request.identity, sealing })
}

fn named(study: &Study, name: &str) -> Result<SiteId> {
    let unknown = || Error::Unknown {
        what: "site",
        name: name.to_owned(),
        repair: "`blindscope study roster` lists the sites",
    };
    study.site_named(name).ok_or_else(unknown)
}
