//! What a site holds a set against before it signs it: its own marks.

use super::site::Judged;
use super::{Commitment, CommittedSet, Inclusion, SignedUpload, SumMark, SumRefusal, SumRound, SumSite};
use crate::{Result, SiteId};
use blindscope_wire::Digest;

impl SumSite {
    /// Judges a set against those of earlier sums of the same kind and start ([`JobSpec::about`](crate::JobSpec::about)) that this site has
    /// signed: it is one of them, or differs from each in `least` sites. Rounds that are void were opened over nothing.
    ///
    /// # Errors
    /// [`SumRefusal::NearCohort`] for a set that differs in fewer.
    pub fn judge_difference(
        &self,
        round: &SumRound,
        about: &Digest,
        commitment: &dyn CommittedSet,
        least: u32,
    ) -> Judged<()> {
        let (name, sites) = (round.name(), commitment.sites());
        let earlier = self.signed.iter().filter(|(other, signed)| {
            **other != name && signed.about == *about && !self.voided.contains(*other)
        });
        let alone = |some: &[SiteId], others: &[SiteId]| some.iter().filter(|s| !others.contains(s)).count();
        for (_, signed) in earlier {
            let found = (alone(&sites, &signed.sites) + alone(&signed.sites, &sites)) as u32;
            if found > 0 && found < least {
                return Err(SumRefusal::NearCohort { found, least });
            }
        }
        Ok(())
    }

    /// Judges a commitment that is to be signed with this evaluation (zeros in a small round, whose sum the caller has added up
    /// itself, and of a site that is not in the set). `minimum` is the site's own cohort, `about` what kind of sum it is. The mark is stored
    /// before the signature exists; [`SumRefusal::Copied`] is stored ([`Self::copied`]).
    ///
    /// # Errors
    /// [`SumRefusal`] for what this site's marks do not allow; as [`Commitment::check`].
    pub fn judge_commitment(
        &self,
        me: SiteId,
        round: &SumRound,
        commitment: &Commitment,
        evaluation: [u8; 32],
        own: (u32, Digest),
    ) -> Result<SumMark> {
        commitment.check(round)?;
        self.judge_set(me, round, (commitment, &commitment.uploads), evaluation, own)
    }

    /// The same of a site that does not hold: it is shown the set's root and its own header. Whose headers the others are, holders have looked
    /// at; which sites the set has, this site holds against its marks as whoever sees all.
    ///
    /// # Errors
    /// [`SumRefusal::Inclusion`] for another site's inclusion; else as [`Self::judge_commitment`].
    pub fn judge_inclusion(
        &self,
        me: SiteId,
        round: &SumRound,
        shown: &Inclusion,
        evaluation: [u8; 32],
        own: (u32, Digest),
    ) -> Result<SumMark> {
        if shown.upload.header.site != me {
            return Err(SumRefusal::Inclusion { site: me }.into());
        }
        self.judge_set(me, round, (&shown.set, std::slice::from_ref(&shown.upload)), evaluation, own)
    }

    fn judge_set(
        &self,
        me: SiteId,
        round: &SumRound,
        (set, uploads): (&dyn CommittedSet, &[SignedUpload]),
        evaluation: [u8; 32],
        (minimum, about): (u32, Digest),
    ) -> Result<SumMark> {
        self.judge_own(me, round, (set, uploads))?;
        let (commitment, sites) = (set.digest(round), set.sites());
        let evaluation = match self.agreed.get(&round.name()) {
            Some((known, _)) if *known != commitment => {
                return Err(SumRefusal::OtherSet { what: "agree" }.into());
            }
            // The same again, with the evaluation that was signed.
            Some((_, signed)) => *signed,
            None => {
                self.new_under(round.epoch())?;
                if self.void.contains(&round.name()) {
                    return Err(SumRefusal::Void.into());
                }
                let (found, least) = (sites.len() as u64, u64::from(minimum));
                if found < least {
                    return Err(SumRefusal::Cohort { found, least }.into());
                }
                evaluation
            }
        };
        Ok(SumMark::Agreed { round: round.name(), commitment, evaluation, sites, about })
    }

    /// Whether the set has this site's own upload exactly as its marks have it, and its input was opened over no other set.
    pub(super) fn judge_own(
        &self,
        me: SiteId,
        round: &SumRound,
        (set, uploads): (&dyn CommittedSet, &[SignedUpload]),
    ) -> Judged<()> {
        self.judge_known(me, round, uploads)?;
        let sites = set.sites();
        let own = self.uploads.get(&round.name()).filter(|_| sites.contains(&me));
        let Some(own) = own else { return Ok(()) };
        let other = |earlier: Digest| {
            let settled = self.settled.get(&earlier).filter(|_| !self.voided.contains(&earlier));
            settled.is_some_and(|s| s.contains(&me) && *s != sites)
        };
        // What was learned of other rounds since the upload counts too.
        let mut others = self.sets_of_values(me, &round.name(), own.values);
        if self.earlier(round, &own.input).any(other) || others.any(|known| *known != sites) {
            return Err(SumRefusal::OtherSetOfInput);
        }
        Ok(())
    }

    /// Judges whether what is shown of this site is its own: an upload in its name is exactly the one in its marks. Whoever shows another
    /// has it from a second copy of the site, or from who has its key.
    ///
    /// # Errors
    /// [`SumRefusal::Stopped`] once a copy was seen; [`SumRefusal::Copied`] where one is, which is stored ([`Self::copied`]).
    pub fn judge_known(&self, me: SiteId, round: &SumRound, uploads: &[SignedUpload]) -> Judged<()> {
        self.not_copied(round.epoch())?;
        let Some(found) = uploads.iter().find(|u| u.header.site == me) else { return Ok(()) };
        let known = self.uploads.get(&round.name()).is_some_and(|u| u.header == found.header.digest());
        if known { Ok(()) } else { Err(SumRefusal::Copied) }
    }

    /// The same of a set that a quorum has signed and whose headers are not shown: a site that is in it has uploaded in that round.
    ///
    /// # Errors
    /// As [`Self::judge_known`].
    pub fn judge_named(&self, me: SiteId, round: &SumRound, set: &dyn CommittedSet) -> Judged<()> {
        self.not_copied(round.epoch())?;
        let known = !set.sites().contains(&me) || self.has_uploaded(round);
        if known { Ok(()) } else { Err(SumRefusal::Copied) }
    }
}
