//! What a site calls integers that it puts into sums, whatever jobs and coordinators call them: the same integers are summed over one
//! set, under whatever name and under whichever keys.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::header::set_name;
use super::site::{Judged, Uploaded};
use super::upload::{Values, site_secret};
use super::{SumMark, SumRefusal, SumRound, SumSite};
use crate::{SealingKey, SiteId};
use blindscope_wire::{Digest, Hasher};

const NOTHING: Digest = Digest([0; 32]);

/// What a site's names of integers are hashed with. It is made once, of the site's first sealing key, and kept among its marks: a site that
/// gets new keys knows again what it put into sums under those before.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamingSecret(#[serde(with = "crate::text")] [u8; 32]);

impl NamingSecret {
    /// That of a site that has none yet. Nothing else is encrypted or hashed with it, and it tells nothing of the key.
    ///
    /// # Timing
    /// The same for any key.
    fn of(sealing: &SealingKey) -> Self {
        let mut h = Hasher::new("blindscope/sums/naming-secret/v1");
        Self(h.absorb(&*sealing.to_bytes()).finish().0)
    }
}

impl std::fmt::Debug for NamingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NamingSecret(..)")
    }
}

impl Drop for NamingSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What integers are called at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValuesName {
    /// Under the site's naming secret.
    pub(super) now: Digest,
    /// As releases without naming secrets called them, by the sealing key; zeros at a site that has no such names.
    pub(super) former: Digest,
}

impl ValuesName {
    fn is_of(&self, upload: &Uploaded) -> bool {
        let known = |name: Digest| name != NOTHING && (name == self.now || name == self.former);
        known(upload.values.now) || known(upload.values.former)
    }
}

/// Names of integers, each under one of these secrets.
///
/// # Timing
/// Of the number of values alone.
fn named<const N: usize>(values: &Values<'_>, secrets: [&[u8; 32]; N]) -> [Digest; N] {
    const RUN: usize = 1 << 13;
    let mut hashers = secrets.map(|secret| {
        let mut h = Hasher::new("blindscope/sums/values/v1");
        h.absorb(secret);
        h
    });
    let (mut run, mut count) = (Zeroizing::new(Vec::with_capacity(8 * RUN)), 0u64);
    for value in values() {
        run.extend_from_slice(&value.to_le_bytes());
        count += 1;
        if run.len() == 8 * RUN {
            for h in &mut hashers {
                h.absorb(&run);
            }
            run.zeroize();
        }
    }
    hashers.map(|mut h| h.absorb(&run).absorb_u64(count).finish())
}

impl SumSite {
    /// What these integers are called here, whatever job they are for and however they are encoded; with it the mark of the naming secret
    /// where there was none yet, to be stored with the first upload. Nobody without the site's secrets tells from a name what is named.
    ///
    /// # Timing
    /// Of the number of values alone.
    pub fn name_values(&self, values: &Values<'_>, sealing: &SealingKey) -> (ValuesName, Option<SumMark>) {
        let fresh = self.naming.is_none().then(|| NamingSecret::of(sealing));
        let secret = self.naming.as_ref().or(fresh.as_ref()).map_or(&[0; 32], |secret| &secret.0);
        let name = if self.former_names {
            let [now, former] = named(values, [secret, &site_secret(sealing)]);
            ValuesName { now, former }
        } else {
            let [now] = named(values, [secret]);
            ValuesName { now, former: NOTHING }
        };
        (name, fresh.map(|secret| SumMark::Naming { secret }))
    }

    /// The set that integers are bound to which were summed before under another name: a coordinator may call the same data another
    /// input, and leave a site out of it. Of an earlier round the set is known that a quorum was seen for or, while nothing else is,
    /// the one that this site has signed. Nothing where they were in none.
    ///
    /// # Errors
    /// [`SumRefusal::OtherSetOfInput`] where they were in several sets already.
    pub fn bound_by_values(&self, me: SiteId, round: &SumRound, values: &ValuesName) -> Judged<Digest> {
        let mut bound = NOTHING;
        for sites in self.sets_of_values(me, &round.name(), *values) {
            let named = set_name(sites);
            if bound != NOTHING && bound != named {
                return Err(SumRefusal::OtherSetOfInput);
            }
            bound = named;
        }
        Ok(bound)
    }

    /// The one set that an upload is for, by its input and by its integers; zeros for any.
    ///
    /// # Errors
    /// [`SumRefusal::OtherSetOfInput`] where they are bound to several.
    pub(crate) fn only_set(
        &self,
        me: SiteId,
        round: &SumRound,
        (input, values): (&Digest, &ValuesName),
    ) -> Judged<Digest> {
        let (first, second) = (self.bound_to(me, round, input), self.bound_by_values(me, round, values)?);
        if first != NOTHING && second != NOTHING && first != second {
            return Err(SumRefusal::OtherSetOfInput);
        }
        Ok(if first == NOTHING { second } else { first })
    }

    /// Sets of other rounds that these integers were in.
    pub(super) fn sets_of_values(
        &self,
        me: SiteId,
        but: &Digest,
        values: ValuesName,
    ) -> impl Iterator<Item = &Vec<SiteId>> + '_ {
        let but = *but;
        let same = move |(round, u): &(&Digest, &Uploaded)| **round != but && values.is_of(u);
        let over = self.uploads.iter().filter(same).filter(|(round, _)| !self.voided.contains(*round));
        let sets = over.filter_map(|(round, _)| {
            self.settled.get(round).or_else(|| Some(&self.signed.get(round)?.sites))
        });
        sets.filter(move |sites| sites.contains(&me))
    }
}
