//! A change as people read it.

use super::{Change, Proposal, Says};
use crate::sums::Epoch;
use crate::{Event, Result, SiteEntry, Study};
use blindscope_wire::{Digest, Hasher};

/// What two people compare of a site's keys: 64 bits, in four groups of four hexadecimal digits.
fn keys(entry: &SiteEntry) -> String {
    let mut h = Hasher::new("blindscope/roster/keys/v1");
    let digest = h.absorb(&entry.identity.0).absorb(&entry.sealing.0).finish();
    fingerprint(&digest)
}

fn fingerprint(digest: &Digest) -> String {
    let text = digest.to_string();
    let groups: Vec<&str> = (0..4).filter_map(|i| text.get(4 * i..4 * i + 4)).collect();
    groups.join("-")
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
                format!("{} {said} roster {}", study.name_of(word.site), fingerprint(&word.next))
            }
            Self::Changed { version, roster } => {
                format!("roster {version} stands from here on: {}", fingerprint(roster))
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

impl Proposal {
    /// The change in words, then who has said what of it and how many it takes.
    ///
    /// # Errors
    /// As [`Change::next`].
    pub fn in_words(&self, study: &Study) -> Result<Vec<String>> {
        let (old, mut said) = (study.epoch()?, self.change.in_words(study));
        let next = self.change.next(&old)?;
        said.push(rules(&next));
        for member in &old.literal().members {
            let word = match (self.has_signed(member.site), self.said(member.site)) {
                (true, _) => "has signed",
                (false, Some(Says::Refuse)) => "refuses",
                (false, Some(_)) => "approves",
                (false, None) => "has said nothing",
            };
            said.push(format!("{} {word}", member.entry.name));
        }
        let digest = next.digest();
        said.push(format!(
            "{} of {} sites have to approve and sign; its digest is {digest}",
            old.succession_quorum(),
            old.literal().members.len()
        ));
        Ok(said)
    }
}

impl Study {
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
        Ok(said)
    }
}
