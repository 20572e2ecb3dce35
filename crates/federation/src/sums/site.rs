//! A site in sums: a fold over its [`SumMark`]s, each on its disk before anything that it speaks of leaves the site.
//!
//! | before | stored |
//! | --- | --- |
//! | an upload | its header's digest, its input, what its integers are called here |
//! | a signature on a set | set, sum, evaluation |
//! | an opening | set, sum, list of evaluations |
//! | a declaration | the round is void |
//! | a signature on the next roster | which |

use std::collections::{BTreeMap, BTreeSet};

use super::epoch::follows;
use super::header::set_name;
use super::naming::{NamingSecret, ValuesName};
use super::{Agreed, Commitment, CommittedSet, Epoch, SignedUpload, SumMark, SumRefusal, SumRound, Void};
use crate::{JobId, PublicIdentity, Result, SiteId};
use blindscope_wire::Digest;

/// A round that the site has uploaded in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uploaded {
    pub(super) header: Digest,
    pub(super) input: Digest,
    /// Zeros where it is not known.
    pub(super) values: ValuesName,
}

/// A set that the site has signed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) sites: Vec<SiteId>,
    /// Zeros where it is not known.
    pub(super) about: Digest,
}

/// A site in sums.
#[derive(Debug, Clone, Default)]
pub struct SumSite {
    pub(super) uploads: BTreeMap<Digest, Uploaded>,
    steps: BTreeSet<(JobId, u64)>,
    pub(super) agreed: BTreeMap<Digest, (Digest, [u8; 32])>,
    /// Sets that were signed here.
    pub(super) signed: BTreeMap<Digest, Signed>,
    opened: BTreeMap<Digest, (Digest, Digest)>,
    pub(super) settled: BTreeMap<Digest, Vec<SiteId>>,
    pub(super) void: BTreeSet<Digest>,
    pub(super) voided: BTreeSet<Digest>,
    successors: BTreeMap<u64, Digest>,
    /// What integers are named with; nothing before the first upload.
    pub(super) naming: Option<NamingSecret>,
    /// Whether some were named by the sealing key, as releases without naming secrets did.
    pub(super) former_names: bool,
    /// Keys of this site that a copy was seen of. Marks of older releases do not say which: they are of any.
    copied: BTreeSet<Option<PublicIdentity>>,
}

pub(super) type Judged<T> = std::result::Result<T, SumRefusal>;

/// Inserts, unless something else is there.
fn once<K: Ord, V: PartialEq>(map: &mut BTreeMap<K, V>, key: K, value: V) -> bool {
    match map.get(&key) {
        Some(known) => *known == value,
        None => map.insert(key, value).is_none(),
    }
}

impl SumSite {
    /// Folds in a mark that is stored.
    ///
    /// # Errors
    /// What contradicts the marks before; nothing has changed then.
    pub fn apply(&mut self, mark: &SumMark) -> std::result::Result<(), &'static str> {
        let require = |fine, reason| if fine { Ok(()) } else { Err(reason) };
        match mark {
            SumMark::Naming { secret } => require(
                self.naming.get_or_insert_with(|| secret.clone()) == secret,
                "integers are named with another secret",
            ),
            SumMark::Uploaded { round, job, number, header, input, values, former } => {
                let values = ValuesName { now: *values, former: *former };
                let upload = Uploaded { header: *header, input: *input, values };
                require(self.upload(*round, (*job, *number), upload), "the round has an upload already")
            }
            SumMark::Agreed { round, commitment, evaluation, sites, about } => {
                require(
                    once(&mut self.agreed, *round, (*commitment, *evaluation)),
                    "another set of the round is signed",
                )?;
                if !sites.is_empty() {
                    self.signed.insert(*round, Signed { sites: sites.clone(), about: *about });
                }
                Ok(())
            }
            SumMark::Opened { round, commitment, list } => {
                require(!self.void.contains(round), "the round is void here")?;
                require(
                    once(&mut self.opened, *round, (*commitment, *list)),
                    "another set of the round is opened",
                )
            }
            SumMark::Settled { round, sites } => {
                require(once(&mut self.settled, *round, sites.clone()), "another set of the round is settled")
            }
            SumMark::Void { round } => {
                require(!self.opened.contains_key(round), "the round is opened here")?;
                self.void.insert(*round);
                Ok(())
            }
            SumMark::Voided { round } => {
                self.voided.insert(*round);
                Ok(())
            }
            SumMark::Copied { identity, .. } => {
                self.copied.insert(*identity);
                Ok(())
            }
            SumMark::Successor { version, next } => {
                require(once(&mut self.successors, *version, *next), "another successor is signed")
            }
        }
    }

    /// Whether an upload is its round's first, and its job's round's.
    fn upload(&mut self, round: Digest, step: (JobId, u64), upload: Uploaded) -> bool {
        if self.uploads.contains_key(&round) || !self.steps.insert(step) {
            return false;
        }
        self.former_names |= self.naming.is_none() && upload.values.now != Digest([0; 32]);
        self.uploads.insert(round, upload);
        true
    }

    /// The successor of a version that this site has signed.
    pub fn successor_of(&self, version: u64) -> Option<Digest> {
        self.successors.get(&version).copied()
    }

    /// Whether a mark on how a round ended says nothing new.
    pub fn remembers(&self, mark: &SumMark) -> bool {
        match mark {
            SumMark::Settled { round, sites } => self.settled.get(round) == Some(sites),
            SumMark::Voided { round } => self.voided.contains(round),
            _ => false,
        }
    }

    /// Rounds that were opened here.
    pub fn opened_rounds(&self) -> usize {
        self.opened.len()
    }

    /// Whether this site has an upload in a round.
    pub fn has_uploaded(&self, round: &SumRound) -> bool {
        self.uploads.contains_key(&round.name())
    }

    /// Refuses to go on under keys that a copy was seen of. A roster never takes keys a second time, so those of one that names them are
    /// this site's still; under new keys, which the copy has not, it goes on.
    pub(super) fn not_copied(&self, epoch: &Epoch) -> Judged<()> {
        let named = |key: &PublicIdentity| epoch.literal().members.iter().any(|m| m.entry.identity == *key);
        let stops = self.copied.iter().any(|key| key.as_ref().is_none_or(named));
        if stops { Err(SumRefusal::Stopped) } else { Ok(()) }
    }

    /// Refuses whatever is new once a copy of this site was seen or a successor of the roster was signed.
    pub(super) fn new_under(&self, epoch: &Epoch) -> Judged<()> {
        self.not_copied(epoch)?;
        if self.successors.contains_key(&epoch.literal().version) {
            return Err(SumRefusal::Successor {
                reason: "the next version was signed here; this one begins nothing",
            });
        }
        Ok(())
    }

    /// Whether this site may upload an input in a round: it has not, and the input is in no round that may yet be opened over
    /// another set.
    ///
    /// # Errors
    /// [`SumRefusal::Stopped`] once a copy of it was seen; [`SumRefusal::Successor`] under a roster that has one; [`SumRefusal::Uploaded`] for a
    /// round that it has uploaded in; [`SumRefusal::SpentInput`] for an input that may yet be opened over another set.
    pub fn may_upload(&self, round: &SumRound, input: &Digest) -> Judged<()> {
        self.new_under(round.epoch())?;
        if self.steps.contains(&(round.job(), round.number())) {
            return Err(SumRefusal::Uploaded);
        }
        let open = |other: &Digest| !self.voided.contains(other) && !self.settled.contains_key(other);
        if self.earlier(round, input).any(|other| open(&other)) {
            return Err(SumRefusal::SpentInput);
        }
        Ok(())
    }

    /// What this site's upload of an input is bound to: the set of an earlier sum that it is in, zeros where there is none. A site
    /// uploads before a set is named, and those who are not in a set know nothing of its inputs; so the upload says it to all
    /// who sign or open.
    pub fn bound_to(&self, me: SiteId, round: &SumRound, input: &Digest) -> Digest {
        let sets = self
            .earlier(round, input)
            .filter(|r| !self.voided.contains(r))
            .filter_map(|r| self.settled.get(&r));
        let own = sets.into_iter().find(|sites| sites.contains(&me));
        own.map_or(Digest([0; 32]), |sites| set_name(sites))
    }

    /// Other rounds that this input was uploaded in.
    pub(super) fn earlier(&self, round: &SumRound, input: &Digest) -> impl Iterator<Item = Digest> + '_ {
        let (name, input) = (round.name(), *input);
        self.uploads.iter().filter(move |(r, u)| **r != name && u.input == input).map(|(r, _)| *r)
    }

    /// The mark of an upload that is on the disk and about to be sent.
    pub fn uploaded(round: &SumRound, upload: &SignedUpload, input: Digest) -> SumMark {
        let nameless = ValuesName { now: Digest([0; 32]), former: Digest([0; 32]) };
        Self::uploaded_values(round, upload, (input, nameless))
    }

    /// The same, with what names the integers: [`Self::name_values`].
    pub fn uploaded_values(
        round: &SumRound,
        upload: &SignedUpload,
        (input, values): (Digest, ValuesName),
    ) -> SumMark {
        let header = upload.header.digest();
        let (job, number) = (round.job(), round.number());
        let ValuesName { now: values, former } = values;
        SumMark::Uploaded { round: round.name(), job, number, header, input, values, former }
    }

    /// The mark of a second copy of this site that was seen in a round: it stops the keys that the site has there.
    pub fn copied(me: SiteId, round: &SumRound) -> SumMark {
        let identity = round.epoch().member(me).map(|member| member.entry.identity);
        SumMark::Copied { round: round.name(), identity }
    }

    /// Judges what this holder is to open: a quorum has signed it, and it is the one set of the round here. The marks are stored before
    /// the opening is made.
    ///
    /// # Errors
    /// [`SumRefusal`] for what this site's marks do not allow; as [`Commitment::check`].
    pub fn judge_opening(
        &self,
        me: SiteId,
        round: &SumRound,
        commitment: &Commitment,
        agreed: &Agreed,
    ) -> Result<Vec<SumMark>> {
        commitment.check(round)?;
        self.judge_own(me, round, (commitment, &commitment.uploads))?;
        let name = round.name();
        if self.void.contains(&name) || self.voided.contains(&name) {
            return Err(SumRefusal::Void.into());
        }
        let (named, list) = (commitment.digest(round), agreed.list());
        if named != agreed.commitment() || self.opened.get(&name).is_some_and(|k| *k != (named, list)) {
            return Err(SumRefusal::OtherSet { what: "open" }.into());
        }
        // What this site signed itself cannot be outvoted while at most z sites deviate.
        if self.agreed.get(&name).is_some_and(|(known, _)| *known != named) {
            return Err(SumRefusal::OtherSet { what: "open" }.into());
        }
        let settled = Self::settled(round, commitment, agreed)?;
        Ok(vec![settled, SumMark::Opened { round: name, commitment: named, list }])
    }

    /// The mark of a set that a quorum was seen for.
    ///
    /// # Errors
    /// [`SumRefusal::OtherSet`] for another commitment than was agreed.
    pub fn settled(round: &SumRound, commitment: &dyn CommittedSet, agreed: &Agreed) -> Judged<SumMark> {
        if commitment.digest(round) != agreed.commitment() {
            return Err(SumRefusal::OtherSet { what: "settle" });
        }
        Ok(SumMark::Settled { round: round.name(), sites: commitment.sites() })
    }

    /// Judges whether this holder may declare a round void. The mark is stored before the declaration is signed.
    ///
    /// # Errors
    /// [`SumRefusal::Opened`] for a round that it has opened; [`SumRefusal::Stopped`] once a copy of it was seen.
    pub fn judge_void(&self, round: &SumRound) -> Judged<SumMark> {
        self.not_copied(round.epoch())?;
        if self.opened.contains_key(&round.name()) {
            return Err(SumRefusal::Opened);
        }
        Ok(SumMark::Void { round: round.name() })
    }

    /// The mark of a round that these declarations make void.
    ///
    /// # Errors
    /// As [`Void::quorum`].
    pub fn voided(round: &SumRound, voids: &[Void]) -> Judged<SumMark> {
        Void::quorum(round, voids)?;
        Ok(SumMark::Voided { round: round.name() })
    }

    /// Judges whether this site may sign the next version of its roster. The mark is stored before the signature exists.
    ///
    /// # Errors
    /// [`SumRefusal::Successor`] for a version that may not follow, or beside another that was signed; [`SumRefusal::Stopped`] once a copy of it
    /// was seen.
    pub fn judge_successor(&self, old: &Epoch, next: &Epoch) -> Judged<SumMark> {
        self.not_copied(old)?;
        follows(old, next)?;
        let version = old.literal().version;
        if self.successors.get(&version).is_some_and(|known| *known != next.digest()) {
            return Err(SumRefusal::Successor { reason: "another successor was signed here" });
        }
        Ok(SumMark::Successor { version, next: next.digest() })
    }
}
