//! A change of the roster, and the version that it makes.

use serde::{Deserialize, Serialize};

use crate::study::is_name;
use crate::sums::{Epoch, EpochLiteral, Former, Member, Succession, SumRefusal};
use crate::{Result, Signature, SiteEntry, SiteId, message};
use blindscope_wire::Digest;

/// Who joins, leaves, or gets new keys. It is of one version of one study's roster and makes exactly one next version; cohort,
/// threshold, colluding sites withstood and coins stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The study.
    #[serde(with = "crate::text")]
    pub study: Digest,
    /// The roster that it changes, by its digest.
    #[serde(with = "crate::text")]
    pub from: Digest,
    /// Sites that join. They are given the next numbers in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<SiteEntry>,
    /// Sites that leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<SiteId>,
    /// Sites that go on under their numbers and names with new keys, both of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Member>,
}

impl Change {
    /// Most bytes of one, which has to fit into a call: some 20 sites join at a time.
    pub const MAX_LEN: usize = 60 << 10;

    /// The version that follows from it.
    ///
    /// # Errors
    /// [`SumRefusal::Successor`] for a change of another study or version, of a site that is not there or named twice, for one that changes
    /// nothing (of a site: keys that it has already), gives a number, a name or a key a second time, or is too long; [`SumRefusal::Roster`] and [`crate::Error::Aggregate`] where
    /// the study's cohort, threshold and colluding sites do not fit the sites that would be there.
    pub fn next(&self, old: &Epoch) -> Result<Epoch> {
        let refuse = |reason| Err(SumRefusal::Successor { reason }.into());
        if message::to_text(self).len() > Self::MAX_LEN {
            return refuse("the change is too long; let fewer sites join at a time");
        }
        if self.study != old.literal().study || self.from != old.digest() {
            return refuse("the change is of another study, or of another version than the one in force");
        }
        if self.joins.is_empty() && self.leaves.is_empty() && self.replaces.is_empty() {
            return refuse("the change says nothing; name who joins, leaves or gets new keys");
        }
        let mut named = self.leaves.clone();
        named.extend(self.replaces.iter().map(|m| m.site));
        if named.iter().any(|site| old.member(*site).is_none()) {
            return refuse("the change names a site that is not of this version");
        }
        named.sort_unstable();
        if named.windows(2).any(|w| w.first() == w.last()) {
            return refuse("the change names a site twice");
        }
        if self.replaces.iter().any(|new| old.member(new.site) == Some(new)) {
            return refuse("a site gets the keys that it has already; let it make new ones");
        }
        let literal = self.literal(old)?;
        let named = |entry: &SiteEntry| literal.members.iter().filter(|m| m.entry.name == entry.name).count();
        if self.joins.iter().any(|entry| !is_name(&entry.name) || named(entry) > 1) {
            return refuse(
                "a site that joins has a name that nobody else has, 1 to 64 of a-z, 0-9, -, _ and .",
            );
        }
        let next = Epoch::new(literal)?;
        crate::sums::follows(old, &next)?;
        Ok(next)
    }

    fn literal(&self, old: &Epoch) -> Result<EpochLiteral> {
        let o = old.literal();
        let mut members: Vec<Member> =
            o.members.iter().filter(|m| !self.leaves.contains(&m.site)).cloned().collect();
        for member in &mut members {
            if let Some(new) = self.replaces.iter().find(|m| m.site == member.site) {
                *member = new.clone();
            }
        }
        let given = o.members.iter().map(|m| m.site).chain(o.former.iter().map(|f| f.site)).max();
        let mut last = given.unwrap_or(SiteId(0)).0;
        for entry in &self.joins {
            let out = SumRefusal::Successor { reason: "all numbers of sites are given; found a new study" };
            last = last.checked_add(1).ok_or(out)?;
            members.push(Member { site: SiteId(last), entry: entry.clone() });
        }
        let everybody = o.holders.len() == o.members.len();
        let holders = members.iter().map(|m| m.site).filter(|s| everybody || o.holders.contains(s)).collect();
        let gone = |m: &&Member| !members.iter().any(|now| now == *m);
        let former = o.former.iter().cloned().chain(o.members.iter().filter(gone).map(Former::of)).collect();
        Ok(EpochLiteral { version: o.version.saturating_add(1), members, holders, former, ..o.clone() })
    }

    /// The change of these bytes; whether it may be made is not judged here.
    ///
    /// # Errors
    /// [`crate::Error::Oversize`] for more bytes than such a message has; [`crate::Error::Message`] for bytes that are no such message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        message::from_text("change", bytes, Self::MAX_LEN)
    }
}

/// A change with the signatures that make it the next version: an entry of the roster's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedChange {
    /// What changes.
    pub change: Change,
    /// Signatures of members of the version before.
    pub signatures: Vec<(SiteId, Signature)>,
}

impl SignedChange {
    /// Most bytes of one: the change, and a signature of each of a thousand sites.
    pub const MAX_LEN: usize = 512 << 10;

    /// The next version, if a quorum of the one before has signed it and it follows.
    ///
    /// # Errors
    /// As [`Change::next`]; as [`Succession::check`].
    pub fn next(&self, old: &Epoch) -> Result<Epoch> {
        let next = self.change.next(old)?;
        let succession = Succession { next: next.clone(), signatures: self.signatures.clone() };
        succession.check(old)?;
        Ok(next)
    }

    /// It as one line.
    pub fn to_line(&self) -> String {
        message::to_text(self)
    }

    /// That of a line; its signatures are not judged here.
    ///
    /// # Errors
    /// [`crate::Error::Oversize`] for more bytes than such a message has; [`crate::Error::Message`] for bytes that are no such message.
    pub fn from_line(line: &[u8]) -> Result<Self> {
        message::from_text("signed change", line, Self::MAX_LEN)
    }
}
