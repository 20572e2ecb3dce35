//! A version of the roster: who takes part, with which keys, under which rules. One document, one digest.
//!
//! The next version is signed by a quorum of the *old* one, and an honest site signs one successor of a version, ever, and
//! nothing new under the old one after it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::SumRefusal;
use crate::{Error, PublicIdentity, PublicSealingKey, Result, Signature, Signer, SiteEntry, SiteId, message};
use blindscope_aggregate::one_round::{Plan, PlanLiteral};
use blindscope_wire::{Digest, Hasher};

/// A site of a roster. Numbers are never given twice in a study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its number.
    pub site: SiteId,
    /// Its name and keys.
    pub entry: SiteEntry,
}

/// A key pair that a study does not take any more: its site left, or has another one now. Neither its number, its name nor its keys
/// are anybody else's later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Former {
    /// The site's number.
    pub site: SiteId,
    /// Its name.
    pub name: String,
    /// What it signed with.
    pub identity: PublicIdentity,
    /// Digest of its sealing key.
    #[serde(with = "crate::text")]
    pub sealing: Digest,
}

impl Former {
    /// What is kept of a member that leaves, or of its keys that are replaced.
    pub fn of(member: &Member) -> Self {
        let SiteEntry { name, identity, sealing } = &member.entry;
        Self { site: member.site, name: name.clone(), identity: *identity, sealing: sealing_digest(sealing) }
    }
}

fn sealing_digest(key: &PublicSealingKey) -> Digest {
    Hasher::new("blindscope/sums/former-sealing/v1").absorb(&key.0).finish()
}

/// A version of the roster before any check. Check it with [`Epoch::new`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochLiteral {
    /// The study.
    #[serde(with = "crate::text")]
    pub study: Digest,
    /// Its number, from 0.
    pub version: u64,
    /// The sites, by rising number.
    pub members: Vec<Member>,
    /// Who holds parts of keys, by rising number: all members, or a committee of them.
    pub holders: Vec<SiteId>,
    /// Openings that give a sum of keys, `t`.
    pub threshold: u32,
    /// Sites, `z`, that may collude with a coordinator that does anything.
    pub colluders: u32,
    /// Holders among them, `f`.
    pub colluding_holders: u32,
    /// Fewest uploads of a sum.
    pub minimum_cohort: u32,
    /// Coins of one coefficient of a key or an error: 168 or 42.
    pub coins: u32,
    /// Keys that were of this study in earlier versions, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Former>,
}

/// A version of the roster that holds together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Epoch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    literal: EpochLiteral,
    digest: Digest,
    /// Plans that were asked for last: the steps of a round ask for one again and again, and choosing a ring takes time.
    plans: Mutex<VecDeque<Plan>>,
    /// Signatures that were right, by a digest of signer, message and signature: each stands in several messages of a round.
    right: Mutex<Right>,
}

/// Plans that are kept.
const PLANS: usize = 8;
/// Signatures that are kept of each member: a round has its header and its agreement, and there are two rounds at most that overlap.
const RIGHT_EACH: usize = 4;
/// And at least.
const RIGHT: usize = 256;

/// The newest signatures that were right.
#[derive(Debug, Default)]
struct Right {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl Right {
    fn keep(&mut self, name: Digest, most: usize) {
        if !self.known.insert(name) {
            return;
        }
        self.order.push_back(name);
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

/// Most bytes of a roster's document: a thousand sites with keys of 2.6 KB of text.
const MAX_LEN: usize = 4 << 20;

impl Epoch {
    /// The roster of this literal.
    ///
    /// # Errors
    /// [`SumRefusal::Roster`] names what does not hold together; [`Error::Aggregate`] for numbers that no plan takes.
    pub fn new(literal: EpochLiteral) -> Result<Self> {
        let rising = |ids: &mut dyn Iterator<Item = SiteId>| {
            let ids: Vec<_> = ids.collect();
            ids.windows(2).all(|w| w.first() < w.last())
        };
        let refuse = |what, found: usize, expected| {
            Err(SumRefusal::Roster { what, found: found as u64, expected }.into())
        };
        let (members, holders) = (&literal.members, &literal.holders);
        if !rising(&mut members.iter().map(|m| m.site)) {
            return refuse("members", members.len(), "each once, by rising number");
        }
        let known = |h: &SiteId| members.iter().any(|m| m.site == *h);
        if !rising(&mut holders.iter().copied()) || !holders.iter().all(known) {
            return refuse("holders", holders.len(), "members, each once, by rising number");
        }
        let keys = |m: &Member| m.entry.identity.is_valid() && m.entry.sealing.is_valid();
        if let Some(bad) = members.iter().find(|m| !keys(m)) {
            return refuse("keys of site", usize::from(bad.site.0), "an Ed25519 key and a sealing key");
        }
        let (mut identities, mut sealing) = (HashSet::new(), HashSet::new());
        for m in members {
            if !identities.insert(m.entry.identity.0) || !sealing.insert(&m.entry.sealing.0) {
                return refuse("keys of site", usize::from(m.site.0), "keys that nobody else has");
            }
        }
        if literal.minimum_cohort as usize > members.len() {
            return refuse(
                "minimum cohort",
                literal.minimum_cohort as usize,
                "at most the number of members",
            );
        }
        let digest = message::digest("blindscope/sums/roster/v1", &literal);
        let epoch =
            Self(Arc::new(Inner { literal, digest, plans: Mutex::default(), right: Mutex::default() }));
        epoch.plan(1, 1)?;
        Ok(epoch)
    }

    /// The document as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        message::to_text(&self.0.literal).into_bytes()
    }

    /// The roster of these bytes.
    ///
    /// # Errors
    /// [`Error::Oversize`] for more bytes than a roster has; [`Error::Message`] for bytes that are none; as [`Self::new`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(message::from_text("roster", bytes, MAX_LEN)?)
    }

    /// What it was made from.
    pub fn literal(&self) -> &EpochLiteral {
        &self.0.literal
    }

    /// What tells this version from any other.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// A member by its number.
    pub fn member(&self, site: SiteId) -> Option<&Member> {
        self.literal().members.get(self.place(site)?)
    }

    /// A member's place among the members, from 0.
    pub(super) fn place(&self, site: SiteId) -> Option<usize> {
        self.literal().members.binary_search_by_key(&site, |m| m.site).ok()
    }

    /// A holder's place among the holders, from 0.
    pub fn holder(&self, site: SiteId) -> Option<u32> {
        self.literal().holders.binary_search(&site).ok().map(|at| at as u32)
    }

    /// The plan of a sum among these sites.
    ///
    /// # Errors
    /// [`Error::Aggregate`] with the numbers.
    pub fn plan(&self, values: u64, max: u64) -> Result<Plan> {
        let l = self.literal();
        let literal = PlanLiteral {
            values,
            max,
            sites: l.members.len() as u32,
            holders: l.holders.len() as u32,
            threshold: l.threshold,
            colluders: l.colluders,
            colluding_holders: l.colluding_holders,
            coins: l.coins,
        };
        let mut plans = self.0.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = plans.iter().find(|plan| *plan.literal() == literal) {
            return Ok(known.clone());
        }
        let plan = Plan::new(literal)?;
        if plans.len() >= PLANS {
            plans.pop_front();
        }
        plans.push_back(plan.clone());
        Ok(plan)
    }

    /// Whether a member signed this digest. What was found right a moment ago is not computed again.
    pub(super) fn verifies(&self, member: &Member, digest: &Digest, signature: &Signature) -> bool {
        let identity = &member.entry.identity;
        let mut h = Hasher::new("blindscope/sums/right/v1");
        let name = h.absorb(&identity.0).absorb(&digest.0).absorb(&signature.0).finish();
        let right = || self.0.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right().known.contains(&name) {
            return true;
        }
        if !identity.verifies(digest, signature) {
            return false;
        }
        right().keep(name, RIGHT.max(RIGHT_EACH * self.literal().members.len()));
        true
    }

    /// Whether a site's signature counts for agreement: every member's, or a committee's holders' alone.
    pub fn signs(&self, site: SiteId) -> bool {
        let l = self.literal();
        if l.holders.len() == l.members.len() {
            self.member(site).is_some()
        } else {
            self.holder(site).is_some()
        }
    }

    /// Signatures that change the roster: `⌊(n + z)/2⌋ + 1` of this version's sites.
    pub fn succession_quorum(&self) -> u32 {
        let l = self.literal();
        (l.members.len() as u32).midpoint(l.colluders) + 1
    }
}

const DOMAIN: &str = "blindscope/sums/successor/v1";

/// What a member signs on the next version.
pub(crate) fn successor_digest(old: &Digest, new: &Digest) -> Digest {
    Hasher::new(DOMAIN).absorb(&old.0).absorb(&new.0).finish()
}

/// A member's signature on the next version. Store the mark of it first ([`super::SumSite::judge_successor`]).
pub fn sign_successor(old: &Epoch, new: &Epoch, signer: &dyn Signer) -> Signature {
    signer.sign(&successor_digest(&old.digest(), &new.digest()))
}

/// A change of the roster with its signatures.
#[derive(Debug, Clone)]
pub struct Succession {
    /// The next version.
    pub next: Epoch,
    /// Signatures of members of the version before.
    pub signatures: Vec<(SiteId, Signature)>,
}

impl Succession {
    /// The next version, if a quorum of the old one signed it and it follows.
    ///
    /// # Errors
    /// [`SumRefusal::Successor`] for a version that may not follow; [`SumRefusal::Stranger`] and [`SumRefusal::Signature`] for a signature that
    /// is no member's; [`SumRefusal::Quorum`] for too few.
    pub fn check(&self, old: &Epoch) -> Result<()> {
        follows(old, &self.next)?;
        let digest = successor_digest(&old.digest(), &self.next.digest());
        let mut signed: Vec<SiteId> = Vec::new();
        for (site, signature) in &self.signatures {
            let what = "roster";
            let member =
                old.member(*site).ok_or(SumRefusal::Stranger { what, site: *site, role: "member" })?;
            if !member.entry.identity.verifies(&digest, signature) {
                return Err(SumRefusal::Signature { what, site: *site }.into());
            }
            signed.push(*site);
        }
        signed.sort_unstable();
        signed.dedup();
        let (found, needed) = (signed.len() as u64, u64::from(old.succession_quorum()));
        if found < needed { Err(SumRefusal::Quorum { found, needed }.into()) } else { Ok(()) }
    }
}

/// Whether a version may follow another: the next number, the same study, numbers, names and keys not given twice, and rules that do
/// not weaken.
pub(crate) fn follows(old: &Epoch, new: &Epoch) -> std::result::Result<(), SumRefusal> {
    let (o, n) = (old.literal(), new.literal());
    let refuse = |reason| Err(SumRefusal::Successor { reason });
    if n.study != o.study || o.version.checked_add(1) != Some(n.version) {
        return refuse("it is not the next version of this study's roster");
    }
    let weaker = n.minimum_cohort < o.minimum_cohort
        || n.threshold < o.threshold
        || n.colluders < o.colluders
        || n.colluding_holders < o.colluding_holders
        || n.coins < o.coins;
    if weaker {
        return refuse("it weakens cohort, threshold, colluding sites withstood or coins");
    }
    if n.former != former(old, new) {
        return refuse("it forgets keys that were of this study, or names others");
    }
    if n.members.iter().any(|m| reuses(old, &n.former, m)) {
        return refuse("it gives a number, a name or a key a second time");
    }
    Ok(())
}

/// Keys that are of the study no more under the new version: those of the versions before, and of members that left or have others now.
fn former(old: &Epoch, new: &Epoch) -> Vec<Former> {
    let gone = |m: &&Member| new.member(m.site).is_none_or(|now| now.entry != m.entry);
    let o = old.literal();
    o.former.iter().cloned().chain(o.members.iter().filter(gone).map(Former::of)).collect()
}

/// Whether a member of the next version has what was somebody else's, or was laid aside. Whose keys are replaced gets a pair of which
/// both halves are new.
fn reuses(old: &Epoch, former: &[Former], member: &Member) -> bool {
    let (o, entry) = (old.literal(), &member.entry);
    let given = o.members.iter().map(|m| m.site).chain(former.iter().map(|f| f.site)).max();
    let number = match old.member(member.site) {
        Some(before) => before.entry.name != entry.name,
        None => given.is_some_and(|last| member.site <= last),
    };
    let sealing = sealing_digest(&entry.sealing);
    let taken = |f: &Former| {
        let name = f.name == entry.name && f.site != member.site;
        name || f.identity == entry.identity || f.sealing == sealing
    };
    number || former.iter().any(taken)
}

impl From<SumRefusal> for Error {
    fn from(refusal: SumRefusal) -> Self {
        Self::Sum(refusal)
    }
}
