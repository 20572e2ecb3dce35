//! A dealer written from the wire format alone, that deals by the rules or not: other parts than its polynomials give, another body than
//! its key encrypts. Everything it sends is consistent and signed; only what it is told to do wrong is wrong.

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use zeroize::Zeroizing;

use crate::world::World;
use blindscope_aggregate::one_round::{PartSeed, SiteRound, ValuesDigest};
use blindscope_federation::sums::{SumRound, UploadHeader, pairing};
use blindscope_federation::{Blob, SiteId};
use blindscope_wire::{Digest, Hasher};

/// What a forger does otherwise.
pub(crate) struct Forgery<'a> {
    /// Of the body that its key encrypts: the body that it sends.
    pub(crate) body: &'a dyn Fn(Vec<u8>) -> Vec<u8>,
    /// Of the part at a place among those that travel: the part that it seals.
    pub(crate) part: &'a dyn Fn(usize, &mut [u8]),
}

/// Nothing wrong.
pub(crate) const HONEST: Forgery<'static> = Forgery { body: &|body| body, part: &|_, _| {} };

/// The upload of a dealer in a round, with its pair keys.
pub(crate) fn forge(
    world: &World,
    round: &SumRound,
    dealer: SiteId,
    values: &[u64],
    by: &Forgery<'_>,
) -> Vec<u8> {
    let (plan, actor) = (round.plan(), &world.actors[usize::from(dealer.0)]);
    let mut named = ValuesDigest::new(plan);
    for value in values {
        named.push(*value);
    }
    let named = named.finish();
    let site = SiteRound::new(plan, round.id(), &[dealer.0 as u8 + 1; 32], &[44; 32], &named);
    let mut body = Vec::new();
    site.write_body(values.iter().copied(), &named, &mut body, &mut |_| {}).unwrap();
    let body = (by.body)(body);
    let (nonce, digest) = ([55; 32], Blob::of(&body).digest);
    let key = |label: &str, holder: SiteId, of_body: &[u8]| {
        let mut pair = Hasher::new("blindscope/sums/pair/v1");
        pair.absorb(b"key").absorb(&*actor.sealing.to_bytes()).absorb(&round.epoch().digest().0);
        let pair = pair.absorb_u64(u64::from(dealer.0)).absorb_u64(u64::from(holder.0)).finish();
        let mut part = Hasher::new("blindscope/sums/part/v1");
        part.absorb(label.as_bytes()).absorb(&pair.0).absorb(&round.name().0);
        part.absorb_u64(u64::from(dealer.0)).absorb_u64(u64::from(holder.0)).absorb(&nonce);
        part.absorb(of_body).finish().0
    };
    let places = || (0..).zip(round.epoch().literal().holders.iter().copied());
    let derived: Vec<_> = places()
        .filter(|(place, _)| round.derives(dealer, *place))
        .map(|(place, to)| (place, PartSeed(Zeroizing::new(key("seed", to, &[])))))
        .collect();
    let dealing = site.dealing(&derived).unwrap();
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    for (place, to) in places().filter(|(place, _)| !round.derives(dealer, *place)) {
        let mut part = dealing.part(place).to_vec();
        (by.part)(sealed.len(), &mut part);
        let cipher = ChaCha20Poly1305::new(&Key::from(key("seal", to, &digest.0)));
        let tag = cipher.encrypt_inout_detached(&Nonce::default(), &[], part.as_mut_slice().into()).unwrap();
        part.extend_from_slice(&tag);
        sealed.push(part);
    }
    let parts: Vec<Digest> = sealed.iter().map(|p| Blob::of(p).digest).collect();
    let mut sent = Hasher::new("blindscope/sums/sent/v1");
    sent.absorb(&round.name().0).absorb_u64(u64::from(dealer.0)).absorb(&nonce).absorb(&digest.0);
    for part in &parts {
        sent.absorb(&part.0);
    }
    // The polynomials are made for what is sent, so they hold at every holder whose part is right.
    let checks = dealing.checks(&sent.finish());
    let only = Digest([0; 32]);
    let header = UploadHeader { round: round.name(), site: dealer, nonce, only, body: digest, parts, checks };
    let header = header.sign(&actor.identity).to_bytes();
    let pairs = pairing(round.epoch(), dealer, (&actor.sealing, &actor.identity)).unwrap();
    [body, sealed.concat(), header, pairs].concat()
}
