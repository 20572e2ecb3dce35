//! What a site sends: a header, the session's digest, the protocol's tag, the sender, bit-packed polynomials.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 32 | [`Header`] with the parameters' fingerprint |
//! | 32 | digest of the [`Transcript`] |
//! | 32 | tag: what within the session this answers (protocol, Galois element, ciphertext) |
//! | 2 | sender |
//! | – | polynomials, limb after limb at its prime's width |
//!
//! The length follows from parameters and protocol before a byte is read.

use crate::{Error, PartyId, Result, Transcript};
use blindscope_ring::{Basis, Ntt, Poly};
use blindscope_wire::{Digest, Hasher, Header, Kind, Reader, Writer, packed_len};

/// Share of a collective key, a decryption or a re-encryption.
pub(crate) const KIND: Kind = Kind(0x0301);

/// One site's contribution to one protocol of one session. Public once sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub(crate) transcript: Digest,
    pub(crate) tag: Digest,
    pub(crate) party: PartyId,
    pub(crate) polys: Vec<Poly<Ntt>>,
}

/// What messages of one protocol look like: computed by both sides, never read from the wire.
#[derive(Debug, Clone)]
pub struct Shape {
    pub(crate) basis: Basis,
    pub(crate) polys: usize,
    pub(crate) tag: Digest,
}

/// The tag of a protocol step within a session.
pub(crate) fn tag(protocol: &str, index: u64, subject: &[u8]) -> Digest {
    Hasher::new("blindscope/threshold/tag/v1")
        .absorb(protocol.as_bytes())
        .absorb_u64(index)
        .absorb(subject)
        .finish()
}

impl Shape {
    /// Bytes after the header.
    pub fn payload_len(&self) -> usize {
        let widths = self.basis.primes().iter().map(|p| packed_len(self.basis.n(), p.modulus().bits()));
        32 + 32 + 2 + self.polys * widths.sum::<usize>()
    }
}

impl Message {
    /// Who sent it.
    pub fn party(&self) -> PartyId {
        self.party
    }

    /// What the sender signs.
    pub fn digest(&self, transcript: &Transcript, shape: &Shape) -> Digest {
        Hasher::new("blindscope/threshold/message/v1").absorb(&self.to_bytes(transcript, shape)).finish()
    }

    /// The message as bytes.
    pub fn to_bytes(&self, transcript: &Transcript, shape: &Shape) -> Vec<u8> {
        let payload = shape.payload_len();
        let mut out = Vec::with_capacity(Header::LEN + payload);
        let mut w = Writer::new(&mut out, Header::LEN + payload);
        let params = transcript.params().fingerprint();
        Header { kind: KIND, params, payload_len: payload as u64 }.write(&mut w);
        w.bytes(&self.transcript.0);
        w.bytes(&self.tag.0);
        w.u16(self.party.0);
        for poly in &self.polys {
            for (limb, prime) in poly.limbs().zip(shape.basis.primes()) {
                w.packed(limb, prime.modulus().bits());
            }
        }
        w.finish();
        out
    }

    /// A message of this session and shape.
    ///
    /// # Errors
    /// [`Error::Wire`] for cut, padded or foreign bytes; [`Error::Transcript`] for a message of another session or step;
    /// [`Error::ForeignParty`] for a sender that is not on the roster; [`Error::Residue`] for a residue that is not below its
    /// prime.
    pub fn from_bytes(bytes: &[u8], transcript: &Transcript, shape: &Shape) -> Result<Self> {
        const OP: &str = "read share";
        let mut r = Header::open(bytes, KIND, transcript.params().fingerprint())?;
        if r.remaining() != shape.payload_len() {
            let (expected, found) = (shape.payload_len() as u64, r.remaining() as u64);
            return Err(blindscope_wire::Error::PayloadLen { expected, found }.into());
        }
        let found = Self {
            transcript: Digest(r.array("transcript")?),
            tag: Digest(r.array("tag")?),
            party: PartyId(r.u16("sender")?),
            polys: Vec::new(),
        };
        found.check(OP, transcript, shape.tag)?;
        let polys = (0..shape.polys).map(|_| read_poly(&mut r, &shape.basis)).collect::<Result<_>>()?;
        r.finish()?;
        Ok(Self { polys, ..found })
    }

    /// Refuses a message of another session, protocol or stranger.
    pub(crate) fn check(&self, op: &'static str, transcript: &Transcript, tag: Digest) -> Result<()> {
        for (expected, found) in [(transcript.digest(), self.transcript), (tag, self.tag)] {
            if expected != found {
                let (expected, found) = (expected.fingerprint().to_string(), found.fingerprint().to_string());
                return Err(Error::Transcript { op, expected, found });
            }
        }
        transcript.roster().check(op, self.party)
    }
}

pub(crate) fn read_poly(r: &mut Reader<'_>, basis: &Basis) -> Result<Poly<Ntt>> {
    let mut poly: Poly<Ntt> = basis.zero();
    for (limb, p) in poly.limbs_mut().zip(basis.primes()) {
        r.packed("polynomial", p.modulus().bits(), limb)?;
        if let Some(&found) = limb.iter().find(|&&x| x >= p.value()) {
            return Err(Error::Residue { op: "read share", prime: p.value(), found });
        }
    }
    Ok(poly)
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Message({}, {}, {} polynomials)",
            self.transcript.fingerprint(),
            self.party,
            self.polys.len()
        )
    }
}
