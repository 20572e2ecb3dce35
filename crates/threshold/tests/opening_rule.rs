//! Why a site never gives two shares of one `c_1` under two committees, and why shares carry pads: the attack on shares
//! without pads, run at toy size, and what it finds in those that sites give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod lattice;

use rand_core::CryptoRng;

use blindscope_ckks::{Ciphertext, Parameters, PublicKey};
use blindscope_ring::{Coeff, Ntt, Poly, Prime};
use blindscope_testkit as testkit;
use blindscope_threshold::{
    Committee, DecryptionSession, Flooding, KeyShare, MemoryLedger, Opening, PartyId, PublicKeyProtocol,
    Roster, SiteSecret, Transcript,
};
use blindscope_wire::Digest;
use lattice::{evaluations, sent, short_solution, toy, zero};

/// The careless site.
const SITE: PartyId = PartyId(18);
/// The others of its two committees. The quotient of the site's two Lagrange factors is one of numbers of 35 bits.
const COMMITTEES: [[u16; 8]; 2] = [[0, 1, 2, 3, 6, 8, 10, 14], [4, 5, 7, 9, 12, 15, 16, 19]];

fn study(params: &Parameters, rng: &mut impl CryptoRng) -> (Transcript, PublicKey, KeyShare) {
    let roster = Roster::new((0..20).map(|i| Digest([i; 32])).collect(), COMMITTEES[0].len() + 1).unwrap();
    let ceremony = Transcript::new(params, &roster, b"ceremony", 0);
    let mut collector = PublicKeyProtocol::collector(&ceremony);
    let mut parts = Vec::new();
    for party in roster.iter() {
        let secret = SiteSecret::generate(&ceremony, party, rng).unwrap();
        collector.absorb(&PublicKeyProtocol::begin(&ceremony).share(&secret, rng)).unwrap();
        parts.push(secret.split(&ceremony, rng).swap_remove(usize::from(SITE.0)));
    }
    let key = PublicKeyProtocol::finish(&ceremony, collector).unwrap();
    let share = KeyShare::combine(&ceremony, SITE, parts).unwrap();
    (ceremony, key, share)
}

/// `λ·S·c_1 + mask`: what a share would be without pads.
fn bare(params: &Parameters, secret: &[u64], which: usize, c1: &[u64], rng: &mut impl CryptoRng) -> Vec<u64> {
    let p = params.q().prime(0);
    let m = p.modulus();
    let mut product: Poly<Ntt> = params.q().zero();
    for ((x, s), c) in product.limb_mut(0).iter_mut().zip(secret).zip(c1) {
        *x = m.mul(*s, *c);
    }
    let product = params.q().to_coeff(product);
    let mut mask = || i128::from(rng.next_u64() >> 44) - (1 << 19);
    product.limb(0).iter().map(|&x| m.add(m.mul(lambda(p, which), x), m.from_i128(mask()))).collect()
}

/// The share of `c_1` that the site gives in one of its committees.
fn share(ceremony: &Transcript, key: &KeyShare, which: usize, ciphertext: &Ciphertext) -> Vec<u64> {
    let (params, roster) = (ceremony.params(), ceremony.roster());
    let members: Vec<_> = COMMITTEES[which].iter().map(|&i| PartyId(i)).chain([SITE]).collect();
    let committee = Committee::new(roster, &members).unwrap();
    // What the rule forbids: another round, and so another mark, for the same ciphertext.
    let round = Transcript::new(params, roster, b"job", which as u64);
    let flooding = Flooding::for_fresh(params, 20, 1, 1, members.len(), 30).unwrap();
    let opening = Opening { flooding, room_log2: 50.0, ciphertexts: 1 };
    let ledger = &mut MemoryLedger::default();
    let session = DecryptionSession::begin(ceremony, &round, key, &committee, opening, ledger).unwrap();
    sent(session, ciphertext, &committee)
}

/// `Π x_j/(x_j − x)` over the others of a committee: public.
fn lambda(p: &Prime, which: usize) -> u64 {
    let (m, x) = (p.modulus(), u64::from(SITE.0) + 1);
    COMMITTEES[which]
        .iter()
        .map(|&j| u64::from(j) + 1)
        .fold(1, |acc, y| m.mul(acc, m.mul(y, m.inv(m.sub(y, x)))))
}

/// Recovers the site's key share from two of its shares, if it can.
fn attack(params: &Parameters, shares: [&[u64]; 2], c1: &[u64]) -> Vec<u64> {
    let p = params.q().prime(0);
    let m = p.modulus();
    let factors = [lambda(p, 0), lambda(p, 1)];
    let mut product: Poly<Coeff> = params.q().zero();
    for c in 0..params.n() {
        let [x, y] = shares.map(|h| h[c]);
        // λ'·h − λ·h' = λ'·mask − λ·mask': the secret is gone.
        let v = m.sub(m.mul(factors[1], x), m.mul(factors[0], y));
        let (mask, _) = short_solution(factors[1], factors[0], v, p);
        product.limb_mut(0)[c] = m.mul(m.sub(x, m.from_i128(mask)), m.inv(factors[0]));
    }
    let product: Poly<Ntt> = params.q().to_ntt(product);
    product.limb(0).iter().zip(c1).map(|(&x, &c)| m.mul(x, m.inv(c))).collect()
}

#[test]
fn shares_without_pads_under_two_committees_give_the_key_share_away_and_those_of_sites_do_not() {
    let (params, mut rng) = (toy(), testkit::rng(41));
    let (ceremony, key, key_share) = study(&params, &mut rng);
    // One secret's evaluations end the bytes.
    let secret = evaluations(&params, &key_share.to_bytes(&ceremony));
    let (ciphertext, c1) = zero(&key, &mut rng);

    let [a, b] = [0, 1].map(|which| bare(&params, &secret, which, &c1, &mut rng));
    assert_eq!(attack(&params, [&a, &b], &c1), secret, "the attack the rule and the pads are there for");

    let [a, b] = [0, 1].map(|which| share(&ceremony, &key_share, which, &ciphertext));
    let found = attack(&params, [&a, &b], &c1);
    assert_eq!(found.iter().zip(&secret).filter(|(x, y)| x == y).count(), 0);
}
