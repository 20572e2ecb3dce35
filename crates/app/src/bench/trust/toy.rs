//! A ceremony of three sites, two of which open, in a ring of degree 64: where an attack would be over at once.

use rand_core::CryptoRng;

use super::super::Error;
use blindscope_ckks::{Ciphertext, ModulusLiteral, Parameters, ParametersLiteral, PublicKey, Security};
use blindscope_ring::{Ntt, Poly};
use blindscope_threshold::{
    Committee, DecryptionSession, Flooding, KeyShare, MemoryLedger, Message, Opening, PartyId,
    PublicKeyProtocol, Roster, SiteSecret, Transcript,
};
use blindscope_wire::{Digest, packed_len, unpack};

/// Where messages stand: far above the masks.
pub(super) const PLACE: u32 = 60;
const SITES: usize = 3;
const THRESHOLD: usize = 2;

pub(super) struct Toy {
    pub(super) params: Parameters,
    pub(super) ceremony: Transcript,
    pub(super) key: PublicKey,
    pub(super) shares: Vec<KeyShare>,
}

impl Toy {
    pub(super) fn new(rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let bits = ModulusLiteral::bits;
        let params = Parameters::insecure_for_tests(ParametersLiteral {
            log_n: 6,
            ciphertext: bits(&[45, 40, 40]),
            special: bits(&[45]),
            log2_scale: 40,
            security: Security::Classical128,
        })?;
        let roster = Roster::new((0..SITES).map(|i| Digest([i as u8; 32])).collect(), THRESHOLD)?;
        let ceremony = Transcript::new(&params, &roster, b"ceremony", 0);
        let secrets =
            roster.iter().map(|p| SiteSecret::generate(&ceremony, p, rng)).collect::<Result<Vec<_>, _>>()?;
        let mut collector = PublicKeyProtocol::collector(&ceremony);
        for secret in &secrets {
            collector.absorb(&PublicKeyProtocol::begin(&ceremony).share(secret, rng))?;
        }
        let key = PublicKeyProtocol::finish(&ceremony, collector)?;
        let parts: Vec<_> = secrets.iter().flat_map(|s| s.split(&ceremony, rng)).collect();
        let mut to: Vec<Vec<_>> = roster.iter().map(|_| Vec::new()).collect();
        for part in parts {
            let at = usize::from(part.to().0);
            to[at].push(part);
        }
        let combine = |(party, parts)| KeyShare::combine(&ceremony, party, parts);
        let shares = roster.iter().zip(to).map(combine).collect::<Result<_, _>>()?;
        Ok(Self { params, ceremony, key, shares })
    }

    /// A member's session of a round, with masks of a small study; its ledger remembers nothing, as a restored copy's.
    pub(super) fn session(
        &self,
        round: &Transcript,
        committee: &Committee,
        member: PartyId,
    ) -> Result<DecryptionSession, Error> {
        let flooding = Flooding::for_fresh(&self.params, SITES, 1, 10, THRESHOLD, 30)?;
        let opening = Opening { flooding, room_log2: f64::from(PLACE) - 1.0, ciphertexts: 1 };
        let (key, ledger) = (&self.shares[usize::from(member.0)], &mut MemoryLedger::default());
        Ok(DecryptionSession::begin(&self.ceremony, round, key, committee, opening, ledger)?)
    }

    pub(super) fn share(
        &self,
        round: &Transcript,
        committee: &Committee,
        member: PartyId,
        c: &Ciphertext,
        asker: &PublicKey,
    ) -> Result<Message, Error> {
        Ok(self.session(round, committee, member)?.share_for(c, asker)?.0)
    }

    /// The coefficients of the collective secret: what no party of a study can compute, and an attack is held against.
    pub(super) fn collective(&self) -> Vec<i128> {
        collective(&self.params, &self.ceremony, [&self.shares[0], &self.shares[1]])
    }

    /// The first site's share of the key, modulo the first prime.
    pub(super) fn first_share(&self) -> Poly<Ntt> {
        let mut share: Poly<Ntt> = self.params.q().prefix(1).zero();
        share.limb_mut(0).copy_from_slice(&value(&self.params, &self.ceremony, &self.shares[0]));
        share
    }
}

/// The coefficients of the secret that the first two sites' shares are of, where two shares open.
pub(super) fn collective(params: &Parameters, ceremony: &Transcript, shares: [&KeyShare; 2]) -> Vec<i128> {
    let first = params.qp().prefix(1);
    let m = first.prime(0).modulus();
    let [one, two] = shares.map(|share| value(params, ceremony, share));
    let mut s: Poly<Ntt> = first.zero();
    // Points 1 and 2: s = 2·S_1 − S_2.
    for ((s, a), b) in s.limb_mut(0).iter_mut().zip(&one).zip(&two) {
        *s = m.sub(m.mul(2, *a), *b);
    }
    first.to_coeff(s).limb(0).iter().map(|&x| i128::from(m.centre(x))).collect()
}

/// The first limb of a key share, out of its bytes.
fn value(params: &Parameters, ceremony: &Transcript, share: &KeyShare) -> Vec<u64> {
    let (bits, bytes) = (params.qp().prime(0).modulus().bits(), share.to_bytes(ceremony));
    let at = 32 + 32 + 2 + 2 + 32 * ceremony.roster().parties();
    let mut value = vec![0; params.n()];
    let len = packed_len(value.len(), bits);
    // A share of these parameters has its first limb there.
    let read = bytes.get(at..at + len).map(|bytes| unpack(bytes, bits, &mut value));
    debug_assert!(matches!(read, Some(Ok(()))));
    value
}
