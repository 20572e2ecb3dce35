//! Pads that cancel in the sum of a committee's shares and hide each single one.
//!
//! A member's share `λ_i·S_i·c_1 + mask_i` must not be seen alone. Whoever knows `t − 1` other shares of the key knows the
//! sharing polynomial up to one unknown, so two bare shares of one opening, with public factors before that unknown, leave a
//! short vector of a public lattice: first the masks, then the noise, then the key. So the members `i < j` add and subtract a
//! polynomial that is uniform modulo `Q` and known to those two alone. Honest members' shares are then uniform but for their
//! sum, which is all that the combiner needs, and all that the masks have to hide.
//!
//! The two halves of a pair's seed travel with the parts of the ceremony, sealed. Pads are bound to round and committee, and a
//! round is opened once, so none is used twice. Reference: Bonawitz et al., "Practical Secure Aggregation", 2017 (pairwise
//! masks that cancel).

use zeroize::Zeroizing;

use crate::{Committee, PartyId, Transcript};
use blindscope_ring::sample::{self, SecretSeed};
use blindscope_ring::{Basis, Ntt, Poly};
use blindscope_wire::Hasher;

/// Pads of neighbouring ciphertexts stand this far apart in a seed's stream: what sites of earlier releases do as well, so that pads
/// of both cancel.
const APART: u64 = 16;

/// What the site of this master seed gives to another.
pub(crate) fn given(master: &SecretSeed, to: PartyId) -> SecretSeed {
    let mut h = Hasher::new("blindscope/threshold/pad/given/v1");
    SecretSeed::from_bytes(h.absorb(master.as_bytes()).absorb_u64(u64::from(to.0)).finish().0)
}

/// The seed of a pair, from what `me` gave `other` and got from it: the same for both.
pub(crate) fn pair(me: PartyId, gave: &SecretSeed, other: PartyId, got: &SecretSeed) -> SecretSeed {
    let (low, high) = if me < other { (gave, got) } else { (got, gave) };
    let mut h = Hasher::new("blindscope/threshold/pad/pair/v1");
    SecretSeed::from_bytes(h.absorb(low.as_bytes()).absorb(high.as_bytes()).finish().0)
}

/// One member's pads of one round: whether each is added, and its seed. Wiped on drop.
pub(crate) struct Pads(Vec<(bool, SecretSeed)>);

impl Pads {
    /// The pads of `me` in this round and committee. `pairs[j]` is the seed shared with site `j`.
    pub(crate) fn new(round: &Transcript, committee: &Committee, me: PartyId, pairs: &[SecretSeed]) -> Self {
        let others = committee.iter().filter(|&other| other != me);
        let pad = |other: PartyId| {
            let mut h = Hasher::new("blindscope/threshold/pad/round/v1");
            h.absorb(pairs[usize::from(other.0)].as_bytes()).absorb(&round.digest().0);
            for member in committee.iter() {
                h.absorb_u64(u64::from(member.0));
            }
            (me < other, SecretSeed::from_bytes(h.finish().0))
        };
        Self(others.map(pad).collect())
    }

    /// Adds the pads of the round's ciphertext `index` to `h`.
    pub(crate) fn add(&self, basis: &Basis, h: &mut Poly<Ntt>, index: u64) {
        for (plus, seed) in &self.0 {
            let pad = Zeroizing::new(sample::uniform_secret(basis, seed, index * APART));
            if *plus {
                basis.add_assign(h, &pad);
            } else {
                basis.sub_assign(h, &pad);
            }
        }
    }
}
