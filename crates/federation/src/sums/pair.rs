//! One key a pair of sites and epoch, and what is derived from it for each upload.
//!
//! A dealer draws a key for each holder from its sealing secret and the roster's digest and seals it once, under X25519 and
//! ML-KEM-768 both. Every part then goes under a key of its own, hashed from the pair's key, the round, sender, receiver, the upload's
//! nonce and the body's digest: a part moved to another round, receiver, upload or body does not open. Parts that a holder makes
//! itself are expanded from the pair's key in the same way, so two uploads never share a polynomial.
//!
//! The dealer signs each sealed key: what was altered on the way is the courier's fault, and nobody complains of the dealer for it.

use chacha20::ChaCha20Rng;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use super::signed::{SIGNATURE, digest, verify};
use super::{Epoch, SumRefusal, SumRound};
use crate::{Error, Result, SEAL_OVERHEAD, SealingKey, Signature, Signer, SiteId};
use blindscope_aggregate::one_round::PartSeed;
use blindscope_wire::{Digest, Hasher};

const SEALED: usize = 32 + SEAL_OVERHEAD;
/// Bytes of one sealed pair key, signed.
pub const PAIRING_LEN: usize = SEALED + SIGNATURE;
const WHAT: &str = "pair key";
const DOMAIN: &str = "blindscope/sums/pair-key/v1";
const TAG: usize = 16;

/// Bytes of a dealer's pair keys, one for each holder but itself.
pub fn pairing_len(epoch: &Epoch, dealer: SiteId) -> usize {
    others(epoch, dealer).count() * PAIRING_LEN
}

fn others(epoch: &Epoch, dealer: SiteId) -> impl Iterator<Item = SiteId> + '_ {
    epoch.literal().holders.iter().copied().filter(move |h| *h != dealer)
}

fn secret(label: &str, sealing: &SealingKey, epoch: &Epoch, me: SiteId, to: SiteId) -> Zeroizing<[u8; 32]> {
    let mut h = Hasher::new("blindscope/sums/pair/v1");
    h.absorb(label.as_bytes()).absorb(&*sealing.to_bytes()).absorb(&epoch.digest().0);
    Zeroizing::new(h.absorb_u64(u64::from(me.0)).absorb_u64(u64::from(to.0)).finish().0)
}

fn context(epoch: &Epoch, from: SiteId, to: SiteId) -> Digest {
    let mut h = Hasher::new("blindscope/sums/pairing/v1");
    h.absorb(&epoch.digest().0).absorb_u64(u64::from(from.0)).absorb_u64(u64::from(to.0)).finish()
}

/// What a dealer signs of a sealed key: for whom, in which roster.
fn signed(context: &Digest, sealed: &[u8]) -> Vec<u8> {
    [&context.0, sealed].concat()
}

/// A dealer's pair keys, sealed and signed: [`PAIRING_LEN`] bytes for each holder but itself, in order. The same bytes in each call.
///
/// # Errors
/// [`Error::Seal`] where sealing fails.
///
/// # Timing
/// Of the number of holders alone.
pub fn pairing(epoch: &Epoch, me: SiteId, (sealing, signer): (&SealingKey, &dyn Signer)) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(pairing_len(epoch, me));
    for to in others(epoch, me) {
        let key = secret("key", sealing, epoch, me, to);
        // Sealing draws from the same secret: the bytes do not change, so nothing is sealed twice under other randomness.
        let mut rng = ChaCha20Rng::from_seed(*secret("seal", sealing, epoch, me, to));
        let entry =
            epoch.member(to).ok_or(SumRefusal::Stranger { what: "pair", site: to, role: "member" })?;
        let context = context(epoch, me, to);
        let mut sealed = sealing.seal(&entry.entry.sealing, &context, &*key, &mut rng)?;
        let signature = signer.sign(&digest(DOMAIN, &signed(&context, &sealed)));
        out.append(&mut sealed);
        out.extend_from_slice(&signature.0);
    }
    Ok(out)
}

/// Refuses pair keys that are not the dealer's: each has its signature, for its holder and this roster.
pub(super) fn check_pairing(epoch: &Epoch, dealer: SiteId, pairing: &[u8]) -> Result<()> {
    let (expected, found) = (pairing_len(epoch, dealer), pairing.len());
    if found != expected {
        return Err(Error::Length { op: "read pair keys", expected: expected as u64, found: found as u64 });
    }
    let mut pieces = others(epoch, dealer).zip(pairing.chunks(PAIRING_LEN));
    pieces.try_for_each(|(holder, piece)| check_piece(epoch, dealer, holder, piece).map(drop))
}

/// A sealed pair key that the dealer has signed.
pub(super) fn check_piece<'p>(
    epoch: &Epoch,
    dealer: SiteId,
    holder: SiteId,
    piece: &'p [u8],
) -> Result<&'p [u8]> {
    let wrong = Error::Length { op: WHAT, expected: PAIRING_LEN as u64, found: piece.len() as u64 };
    let Some((sealed, signature)) = piece.split_last_chunk() else { return Err(wrong) };
    let said = signed(&context(epoch, dealer, holder), sealed);
    verify(epoch, (WHAT, DOMAIN), dealer, &said, &Signature(*signature))?;
    Ok(sealed)
}

/// The place of a holder's sealed pair key among a dealer's.
pub(super) fn piece<'p>(
    epoch: &Epoch,
    dealer: SiteId,
    holder: SiteId,
    pairing: &'p [u8],
) -> Option<&'p [u8]> {
    let at = others(epoch, dealer).position(|h| h == holder)?;
    pairing.get(at * PAIRING_LEN..(at + 1) * PAIRING_LEN)
}

/// A pair's key. Secret; zeroed on drop.
pub(super) struct PairKey(Zeroizing<[u8; 32]>);

impl PairKey {
    /// The dealer's side.
    pub(super) fn drawn(epoch: &Epoch, me: SiteId, to: SiteId, sealing: &SealingKey) -> Self {
        Self(secret("key", sealing, epoch, me, to))
    }

    /// The holder's side, of the piece that it was given, taken up once in a process; nothing where it does not open, though the dealer has signed
    /// it.
    ///
    /// # Errors
    /// As [`check_piece`].
    pub(super) fn of_piece(
        epoch: &Epoch,
        (from, me): (SiteId, SiteId),
        sealing: &SealingKey,
        piece: &[u8],
    ) -> Result<Option<Self>> {
        if from == me {
            return Ok(Some(Self::drawn(epoch, me, me, sealing)));
        }
        let mut h = Hasher::new("blindscope/sums/opened-piece/v1");
        let name = h.absorb(&context(epoch, from, me).0).absorb(piece).finish();
        if let Some(key) = sealing.opened.get(&name) {
            return Ok(Some(Self(key)));
        }
        let sealed = check_piece(epoch, from, me, piece)?;
        let Ok(key) = Self::opened(epoch, (from, me), sealing, sealed) else { return Ok(None) };
        sealing.opened.keep(name, &key.0);
        Ok(Some(key))
    }

    /// The holder's side, of what the dealer sealed: [`check_piece`].
    fn opened(
        epoch: &Epoch,
        (from, me): (SiteId, SiteId),
        sealing: &SealingKey,
        sealed: &[u8],
    ) -> Result<Self> {
        let wrong = Error::Seal { op: "open pair key" };
        let Some(member) = epoch.member(from) else { return Err(wrong) };
        let key = sealing.open(&member.entry.sealing, &context(epoch, from, me), sealed)?;
        <[u8; 32]>::try_from(&key[..]).map(|k| Self(Zeroizing::new(k))).map_err(|_| wrong)
    }

    fn derive(&self, label: &str, of: &PartOf<'_>, body: Option<&Digest>) -> Zeroizing<[u8; 32]> {
        let mut h = Hasher::new("blindscope/sums/part/v1");
        h.absorb(label.as_bytes()).absorb(&*self.0).absorb(&of.round.name().0);
        h.absorb_u64(u64::from(of.dealer.0)).absorb_u64(u64::from(of.holder.0)).absorb(of.nonce);
        h.absorb(body.map_or(&[], |b| &b.0));
        Zeroizing::new(h.finish().0)
    }

    /// What a part is expanded from that its holder makes itself.
    pub(super) fn seed(&self, of: &PartOf<'_>) -> PartSeed {
        PartSeed(self.derive("seed", of, None))
    }

    /// A part, sealed.
    pub(super) fn seal(&self, of: &PartOf<'_>, body: &Digest, part: &[u8]) -> Result<Vec<u8>> {
        let mut out = part.to_vec();
        let tag = self
            .cipher(of, body)
            .encrypt_inout_detached(&Nonce::default(), &[], out.as_mut_slice().into())
            .map_err(|_| Error::Seal { op: "seal part" })?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// A sealed part's bytes.
    pub(super) fn open(&self, of: &PartOf<'_>, body: &Digest, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let wrong = || Error::Seal { op: "open part" };
        let at = sealed.len().checked_sub(TAG).ok_or_else(wrong)?;
        let (bytes, tag) = sealed.split_at(at);
        let mut out = Zeroizing::new(bytes.to_vec());
        let tag = Tag::try_from(tag).map_err(|_| wrong())?;
        self.cipher(of, body)
            .decrypt_inout_detached(&Nonce::default(), &[], out.as_mut_slice().into(), &tag)
            .map_err(|_| wrong())?;
        Ok(out)
    }

    /// A cipher for one message: its key is of one round, sender, receiver, upload and body.
    fn cipher(&self, of: &PartOf<'_>, body: &Digest) -> ChaCha20Poly1305 {
        let key = self.derive("seal", of, Some(body));
        ChaCha20Poly1305::new(&Key::from(*key))
    }
}

/// What a part belongs to.
pub(super) struct PartOf<'a> {
    pub(super) round: &'a SumRound,
    pub(super) dealer: SiteId,
    pub(super) holder: SiteId,
    pub(super) nonce: &'a [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sums::{EpochLiteral, Member};
    use crate::{IdentityKey, JobId, SiteEntry};

    fn of<'a>(round: &'a SumRound, nonce: &'a [u8; 32], holder: u16) -> PartOf<'a> {
        PartOf { round, dealer: SiteId(0), holder: SiteId(holder), nonce }
    }

    /// Bound to the round alone, two uploads of one round would share the parts that holders make themselves, and `t − 1` colluders
    /// would have the difference of the two keys.
    #[test]
    fn parts_that_holders_make_are_of_one_upload() {
        let sealing: Vec<_> = (0..3u8).map(|k| SealingKey::from_bytes(&[k + 1; 32])).collect();
        let signer = IdentityKey::from_bytes(&[9; 32]);
        let member = |(k, s): (usize, &SealingKey)| Member {
            site: SiteId(k as u16),
            entry: SiteEntry {
                name: format!("site-{k}"),
                identity: IdentityKey::from_bytes(&[k as u8 + 9; 32]).public(),
                sealing: s.public(),
            },
        };
        let literal = EpochLiteral {
            study: Digest([1; 32]),
            version: 0,
            members: sealing.iter().enumerate().map(member).collect(),
            holders: (0..3).map(SiteId).collect(),
            threshold: 2,
            colluders: 1,
            colluding_holders: 1,
            minimum_cohort: 3,
            coins: 168,
            former: Vec::new(),
        };
        let epoch = Epoch::new(literal).unwrap();
        let round = SumRound::new(&epoch, JobId(Digest([2; 32])), 0, (10, 10)).unwrap();
        let key = PairKey::drawn(&epoch, SiteId(0), SiteId(1), &sealing[0]);
        let seed = |nonce: [u8; 32], holder| *key.seed(&of(&round, &nonce, holder)).0;
        assert_eq!(seed([1; 32], 1), seed([1; 32], 1));
        assert_ne!(seed([1; 32], 1), seed([2; 32], 1), "another upload");
        assert_ne!(seed([1; 32], 1), seed([1; 32], 2), "another holder");
        // The holder's side has the same key.
        let sealed = pairing(&epoch, SiteId(0), (&sealing[0], &signer)).unwrap();
        check_pairing(&epoch, SiteId(0), &sealed).unwrap();
        let piece = piece(&epoch, SiteId(0), SiteId(1), &sealed).unwrap();
        assert!(check_piece(&epoch, SiteId(0), SiteId(2), piece).is_err(), "signed for another holder");
        assert!(check_piece(&epoch, SiteId(1), SiteId(1), piece).is_err(), "signed by another dealer");
        let piece = check_piece(&epoch, SiteId(0), SiteId(1), piece).unwrap();
        let opened = PairKey::opened(&epoch, (SiteId(0), SiteId(1)), &sealing[1], piece).unwrap();
        assert_eq!(*opened.0, *key.0);
        // Taken up once, it is the same again, and is held against its signature as before.
        let whole = &sealed[..PAIRING_LEN];
        for _ in 0..2 {
            let of_piece =
                |piece: &[u8]| PairKey::of_piece(&epoch, (SiteId(0), SiteId(1)), &sealing[1], piece);
            assert_eq!(*of_piece(whole).unwrap().unwrap().0, *key.0);
            for at in [0, SEALED - 1, PAIRING_LEN - 1] {
                let mut altered = whole.to_vec();
                altered[at] ^= 1;
                assert!(of_piece(&altered).is_err(), "{at}");
            }
            assert!(PairKey::of_piece(&epoch, (SiteId(0), SiteId(2)), &sealing[2], whole).is_err());
        }
        // Sealed to 1, it does not open at 2, and not as if from 2.
        assert!(PairKey::opened(&epoch, (SiteId(0), SiteId(2)), &sealing[2], piece).is_err());
        assert!(PairKey::opened(&epoch, (SiteId(2), SiteId(1)), &sealing[1], piece).is_err());
        // A sealed part opens for its upload, body and receiver alone.
        let (nonce, body) = ([1; 32], Digest([5; 32]));
        let sealed = key.seal(&of(&round, &nonce, 1), &body, b"numbers").unwrap();
        assert_eq!(&**key.open(&of(&round, &nonce, 1), &body, &sealed).unwrap(), b"numbers");
        assert!(key.open(&of(&round, &[2; 32], 1), &body, &sealed).is_err());
        assert!(key.open(&of(&round, &nonce, 2), &body, &sealed).is_err());
        assert!(key.open(&of(&round, &nonce, 1), &Digest([6; 32]), &sealed).is_err());
        assert!(key.open(&of(&round, &nonce, 1), &body, &sealed[..3]).is_err());
    }
}
