//! The bytes of what is secret: parts on their way to one site (to be sealed to it), and a site's key share at rest (to be
//! sealed to the site itself). Every buffer is wiped on drop.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 32 | [`Header`] with the parameters' fingerprint |
//! | 32 | digest of the ceremony's [`Transcript`] |
//! | 2 | from: the maker, or the owner of a key share |
//! | 2 | to: the receiver, or the owner again |
//! | 32 | a part: half of the seed of the pair's pads; a key share: for each site the seed of the pads shared with it, for itself that of its masks |
//! | – | one polynomial over all primes, limb after limb at its prime's width |

use zeroize::Zeroizing;

use crate::message::read_poly;
use crate::shamir::require_session;
use crate::{Error, KeyShare, PartyId, Result, ShamirPart, Transcript};
use blindscope_ring::sample::SecretSeed;
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::{Digest, Header, Kind, Writer, packed_len};

/// A [`ShamirPart`]. Secret.
pub(crate) const PART: Kind = Kind(0x0302);
/// A [`KeyShare`]. Secret.
pub(crate) const KEY_SHARE: Kind = Kind(0x0303);

fn payload_len(ceremony: &Transcript, seeds: usize) -> usize {
    let qp = ceremony.params().qp();
    let poly: usize = qp.primes().iter().map(|p| packed_len(qp.n(), p.modulus().bits())).sum();
    32 + 2 + 2 + 32 * seeds + poly
}

fn write(
    kind: Kind,
    session: Digest,
    ends: [PartyId; 2],
    seeds: &[SecretSeed],
    value: &Poly<Ntt>,
    ceremony: &Transcript,
) -> Zeroizing<Vec<u8>> {
    let payload = payload_len(ceremony, seeds.len());
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(Header::LEN + payload));
    let mut w = Writer::new(&mut out, Header::LEN + payload);
    Header { kind, params: ceremony.params().fingerprint(), payload_len: payload as u64 }.write(&mut w);
    w.bytes(&session.0);
    for party in ends {
        w.u16(party.0);
    }
    for seed in seeds {
        w.bytes(seed.as_bytes());
    }
    for (limb, prime) in value.limbs().zip(ceremony.params().qp().primes()) {
        w.packed(limb, prime.modulus().bits());
    }
    w.finish();
    out
}

/// What both kinds hold.
struct Secrets {
    ends: [PartyId; 2],
    seeds: Vec<SecretSeed>,
    value: Poly<Ntt>,
}

fn read(op: &'static str, kind: Kind, ceremony: &Transcript, seeds: usize, bytes: &[u8]) -> Result<Secrets> {
    let mut r = Header::open(bytes, kind, ceremony.params().fingerprint())?;
    let expected = payload_len(ceremony, seeds) as u64;
    if r.remaining() as u64 != expected {
        return Err(blindscope_wire::Error::PayloadLen { expected, found: r.remaining() as u64 }.into());
    }
    require_session(op, ceremony, Digest(r.array("transcript")?))?;
    let ends = [PartyId(r.u16("from")?), PartyId(r.u16("to")?)];
    ends.iter().try_for_each(|&p| ceremony.roster().check(op, p))?;
    let seeds =
        (0..seeds).map(|_| Ok(SecretSeed::from_bytes(r.array("pad seed")?))).collect::<Result<_>>()?;
    let value = read_poly(&mut r, ceremony.params().qp())?;
    r.finish()?;
    Ok(Secrets { ends, seeds, value })
}

impl ShamirPart {
    /// Bytes of a part.
    pub fn byte_len(ceremony: &Transcript) -> usize {
        Header::LEN + payload_len(ceremony, 1)
    }

    /// The part as bytes: secret, to be sealed to [`Self::to`] before it leaves.
    ///
    /// # Timing
    /// Depends on roster and parameters alone.
    pub fn to_bytes(&self, ceremony: &Transcript) -> Zeroizing<Vec<u8>> {
        write(
            PART,
            self.session,
            [self.from, self.to],
            std::slice::from_ref(&self.seed),
            &self.value,
            ceremony,
        )
    }

    /// A part of this ceremony. Who sent it has to be settled outside.
    ///
    /// # Timing
    /// Depends on roster and parameters alone for bytes that are a part; where they are none, what is wrong is told.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes that are cut, longer or of another kind; [`Error::Transcript`] for a message of
    /// another session; [`Error::ForeignParty`] for a party that is not on the roster; [`Error::Residue`] for a
    /// residue that is not below its prime.
    pub fn from_bytes(ceremony: &Transcript, bytes: &[u8]) -> Result<Self> {
        let Secrets { ends: [from, to], mut seeds, value } = read("read part", PART, ceremony, 1, bytes)?;
        Ok(Self { session: ceremony.digest(), from, to, seed: seeds.swap_remove(0), value })
    }
}

impl KeyShare {
    /// Bytes of a key share.
    pub fn byte_len(ceremony: &Transcript) -> usize {
        Header::LEN + payload_len(ceremony, ceremony.roster().parties())
    }

    /// The share as bytes: the site's own secret, to be sealed before it rests on a disk.
    ///
    /// # Timing
    /// Depends on roster and parameters alone.
    pub fn to_bytes(&self, ceremony: &Transcript) -> Zeroizing<Vec<u8>> {
        write(KEY_SHARE, self.session, [self.party; 2], &self.pairs, &self.value, ceremony)
    }

    /// A key share of this ceremony.
    ///
    /// # Timing
    /// As [`ShamirPart::from_bytes`].
    ///
    /// # Errors
    /// As [`ShamirPart::from_bytes`]; [`Error::NotInCommittee`] where the two owners differ.
    pub fn from_bytes(ceremony: &Transcript, bytes: &[u8]) -> Result<Self> {
        const OP: &str = "read key share";
        let Secrets { ends: [party, again], seeds: pairs, value } =
            read(OP, KEY_SHARE, ceremony, ceremony.roster().parties(), bytes)?;
        if again != party {
            return Err(Error::NotInCommittee { op: OP, party: again });
        }
        Ok(Self { session: ceremony.digest(), party, pairs, value })
    }
}
