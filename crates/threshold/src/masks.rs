//! The randomness of a share, derived: the same share is the same bytes whenever and wherever it is made.
//!
//! A copy of a site that was restored from a backup knows the site's secrets and not that a share has left. With fresh masks it
//! would give a second share of one ciphertext, and two shares average their masks or, under two committees, give the key share
//! away. So masks and what re-encryption draws are read from a generator keyed by the site's own secret and by all that the
//! share is of: session, round, committee, and the digest of ciphertext and asker. Asked the same, a copy says the same. Asked
//! under *another* committee it does not, and must not: with equal masks the difference of the two shares would be a multiple of
//! the key share. Against that stands the ledger, and a restored copy is to be retired all the same.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::{Committee, Error, PartyId, Result, Transcript};
use blindscope_ring::sample::{self, SecretSeed};
use blindscope_ring::{Basis, Ntt, Poly};
use blindscope_wire::{Digest, Hasher};

/// What one member draws its shares of one round from.
pub(crate) struct Masks(SecretSeed);

impl Masks {
    /// The masks of `me` in this round and committee; `own` is the site's secret of the ceremony.
    pub(crate) fn new(round: &Transcript, committee: &Committee, me: PartyId, own: &SecretSeed) -> Self {
        let mut h = Hasher::new("blindscope/threshold/mask/round/v1");
        h.absorb(own.as_bytes()).absorb(&round.digest().0).absorb_u64(u64::from(me.0));
        for member in committee.iter() {
            h.absorb_u64(u64::from(member.0));
        }
        Self(SecretSeed::from_bytes(h.finish().0))
    }

    /// The generator of the share of `subject`: the tag of the round's step, over the digest of what is shared of.
    pub(crate) fn generator(&self, subject: &Digest) -> ChaCha20Rng {
        let mut h = Hasher::new("blindscope/threshold/mask/share/v1");
        ChaCha20Rng::from_seed(h.absorb(self.0.as_bytes()).absorb(&subject.0).finish().0)
    }

    /// What covers the message of `subject` outside of the places `shown`: uniform residues there, nothing at the places. From a
    /// stream of its own, so that masks and re-encryption are what they are without it.
    pub(crate) fn cover(
        &self,
        basis: &Basis,
        subject: &Digest,
        shown: &[usize],
    ) -> Result<Zeroizing<Poly<Ntt>>> {
        if let Some(place) = shown.iter().find(|place| **place >= basis.n()) {
            let expected = format!("places below {}", basis.n());
            return Err(Error::Shape { op: "cover", expected, found: place.to_string() });
        }
        let mut h = Hasher::new("blindscope/threshold/mask/cover/v1");
        let seed = SecretSeed::from_bytes(h.absorb(self.0.as_bytes()).absorb(&subject.0).finish().0);
        // Uniform evaluations are those of uniform coefficients.
        let mut cover = basis.to_coeff(sample::uniform_secret(basis, &seed, 0));
        for limb in cover.limbs_mut() {
            for &place in shown {
                limb[place] = 0;
            }
        }
        Ok(Zeroizing::new(basis.to_ntt(cover)))
    }
}
