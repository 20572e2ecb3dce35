//! A change as people read it.

use super::{Change, Proposal, Says};
use crate::sums::Epoch;
use crate::{Event, Result, SiteEntry, SiteId, Study, in_groups};

/// What two people compare of a site's name and keys, as `cert request` shows it.
fn keys(entry: &SiteEntry) -> String {
    in_groups(&entry.digest())
}

impl Change {
    /// What it does, a sentence a site.
    pub fn in_words(&self, study: &Study) -> Vec<String> {
        let joins = |entry: &SiteEntry| format!("{} joins with keys {}", entry.name, keys(entry));
        let mut said: Vec<String> = self.joins.iter().map(joins).collect();
        said.extend(self.leaves.iter().map(|site| format!("{} leaves", study.name_of(*site))));
        said.extend(self.replaces.iter().map(|member| {
            let before =
                study.site(member.site).map_or_else(String::new, |e| format!(" in place of {}", keys(e)));
            format!("{} gets keys {}{before}", member.entry.name, keys(&member.entry))
        }));
        said
    }
}

impl Event {
    /// What happened to the roster; nothing of other events.
    pub fn of_roster_in_words(&self, study: &Study) -> Option<String> {
        Some(match self {
            Self::Proposed { change } => change.in_words(study).join("; "),
            Self::Withdrawn => "the change of the roster is withdrawn".to_owned(),
            Self::Said { word } => {
                let said = match word.says {
                    Says::Approve => "approves of",
                    Says::Refuse => "refuses",
                    Says::Sign => "signs",
                };
                format!("{} {said} roster {}", study.name_of(word.site), in_groups(&word.next))
            }
            Self::Changed { version, roster } => {
                format!("roster {version} stands from here on: {}", in_groups(roster))
            }
            _ => return None,
        })
    }
}

fn rules(epoch: &Epoch) -> String {
    let l = epoch.literal();
    let names: Vec<&str> = l.members.iter().map(|m| m.entry.name.as_str()).collect();
    format!(
        "roster {} has {} sites ({}); {} of them sign each set, {} open it, {} is the smallest cohort; {} colluding sites are withstood",
        l.version,
        names.len(),
        names.join(", "),
        epoch.succession_quorum(),
        l.threshold,
        l.minimum_cohort,
        l.colluders
    )
}

impl Change {
    /// Whose contribution two sums show, the last before the change and the first after it over the same data.
    fn shows(&self, study: &Study) -> Option<String> {
        let leaves = self.leaves.iter().map(|site| study.name_of(*site));
        let names: Vec<String> = self.joins.iter().map(|entry| entry.name.clone()).chain(leaves).collect();
        let whose = match &names[..] {
            [] => return None,
            [one] => format!("what {one} alone contributes; let several join or leave at once, or add noise"),
            several => format!("what {} contribute together", several.join(" and ")),
        };
        Some(format!(
            "beside the last sum before it, the first sum of the same data after this change shows, but for what changed elsewhere, {whose}"
        ))
    }
}

impl Proposal {
    /// The change in words, what it lets be seen, then who has said what of it and how many it takes. Show people words that were
    /// [verified](Self::verified).
    ///
    /// # Errors
    /// As [`Change::next`].
    pub fn in_words(&self, study: &Study) -> Result<Vec<String>> {
        let (old, mut said) = (study.epoch()?, self.change.in_words(study));
        let next = self.change.next(&old)?;
        said.push(rules(&next));
        said.extend(self.change.shows(study));
        let members = &old.literal().members;
        let word = |m: &crate::sums::Member| format!("{} {}", m.entry.name, self.stand(m.site, &old));
        said.extend(members.iter().map(word));
        let (quorum, all) = (old.succession_quorum(), members.len());
        said.push(format!(
            "{quorum} of {all} sites have to approve and sign; its digest is {}",
            next.digest()
        ));
        Ok(said)
    }

    /// How a site stands to the change.
    fn stand(&self, site: SiteId, old: &Epoch) -> &'static str {
        let waits = self.approvals() >= old.succession_quorum();
        match (self.has_signed(site), self.said(site)) {
            (true, _) => "has signed",
            (false, Some(Says::Refuse)) => "refuses",
            (false, Some(_)) if waits => "approves, has not signed",
            (false, Some(_)) => "approves",
            (false, None) => "has said nothing",
        }
    }
}

impl Study {
    /// Name and digest of the study, number and digest of the roster in force: what a site that joins compares with one that is there.
    pub fn digests_in_words(&self) -> String {
        let study = format!("{} {}", self.literal().name, in_groups(&self.digest()));
        let roster =
            self.epoch().map(|epoch| format!(", roster {} {}", self.version(), in_groups(&epoch.digest())));
        study + &roster.unwrap_or_default()
    }

    /// The roster in force, in words: its sites with what people compare of their keys, and its rules.
    ///
    /// # Errors
    /// As [`Study::epoch`].
    pub fn roster_in_words(&self) -> Result<Vec<String>> {
        let epoch = self.epoch()?;
        let line = |m: &crate::sums::Member| format!("{}: {}, keys {}", m.site, m.entry.name, keys(&m.entry));
        let mut said: Vec<String> = epoch.literal().members.iter().map(line).collect();
        said.extend(epoch.literal().former.iter().map(|f| {
            let left = if epoch.member(f.site).is_some() { "has new keys since" } else { "has left" };
            format!("{}: {} {left}", f.site, f.name)
        }));
        said.push(rules(&epoch));
        said.push(format!("digest of the roster {}", in_groups(&epoch.digest())));
        Ok(said)
    }
}
