//! Why masks alone do not hide the noise of a single opening when fewer than all sites open, and that pads do: a coordinator
//! with `t − 1` sites outside the committee goes for the collective key, at toy size.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]

mod lattice;

use rand_core::CryptoRng;

use blindscope_ckks::{Ciphertext, Parameters, PublicKey};
use blindscope_ring::{Coeff, Modulus, Ntt, Poly};
use blindscope_testkit as testkit;
use blindscope_threshold::{
    Committee, DecryptionSession, Flooding, KeyShare, MemoryLedger, Opening, PartyId, PublicKeyProtocol,
    Roster, SiteSecret, Transcript,
};
use blindscope_wire::Digest;
use lattice::{evaluations, sent, short_solution, toy, zero};

/// Who opens.
const COMMITTEE: [u16; 9] = [0, 1, 2, 3, 6, 8, 10, 14, 18];
/// The `t − 1` outside who hand the coordinator their shares of the key.
const COLLUDERS: [u16; 8] = [4, 5, 7, 9, 12, 15, 16, 19];

struct Study {
    params: Parameters,
    ceremony: Transcript,
    key: PublicKey,
    shares: Vec<KeyShare>,
}

fn study(rng: &mut impl CryptoRng) -> Study {
    let params = toy();
    let roster = Roster::new((0..20).map(|i| Digest([i; 32])).collect(), COMMITTEE.len()).unwrap();
    let ceremony = Transcript::new(&params, &roster, b"ceremony", 0);
    let mut collector = PublicKeyProtocol::collector(&ceremony);
    let mut parts: Vec<Vec<_>> = roster.iter().map(|_| Vec::new()).collect();
    for party in roster.iter() {
        let secret = SiteSecret::generate(&ceremony, party, rng).unwrap();
        collector.absorb(&PublicKeyProtocol::begin(&ceremony).share(&secret, rng)).unwrap();
        parts.iter_mut().zip(secret.split(&ceremony, rng)).for_each(|(of, part)| of.push(part));
    }
    let key = PublicKeyProtocol::finish(&ceremony, collector).unwrap();
    let combine = |(party, parts)| KeyShare::combine(&ceremony, party, parts).unwrap();
    let shares = roster.iter().zip(parts).map(combine).collect();
    Study { params, ceremony, key, shares }
}

impl Study {
    fn modulus(&self) -> &Modulus {
        self.params.q().prime(0).modulus()
    }

    /// A site's share of the key, evaluations.
    fn secret(&self, site: u16) -> Vec<u64> {
        evaluations(&self.params, &self.shares[usize::from(site)].to_bytes(&self.ceremony))
    }

    /// The coefficients of a product of evaluations.
    fn product(&self, a: &[u64], b: &[u64]) -> Vec<u64> {
        let (q, m) = (self.params.q(), self.modulus());
        let mut product: Poly<Ntt> = q.zero();
        product.limb_mut(0).iter_mut().zip(a.iter().zip(b)).for_each(|(x, (a, b))| *x = m.mul(*a, *b));
        q.to_coeff(product).limb(0).to_vec()
    }

    /// `Π x_j/(x_j − x)` over `nodes` but `x` itself: the public factor of a value at `x` in the value at 0.
    fn factor(&self, nodes: &[u16], x: u64) -> u64 {
        let m = self.modulus();
        let others = nodes.iter().map(|&j| u64::from(j) + 1).filter(|&y| y != x);
        others.fold(1, |acc, y| m.mul(acc, m.mul(y, m.inv(m.sub(y, x)))))
    }

    /// `λ·S·c_1 + mask` of a member: what a share would be without pads.
    fn bare(&self, member: u16, c1: &[u64], rng: &mut impl CryptoRng) -> Vec<u64> {
        let (m, lambda) = (self.modulus(), self.factor(&COMMITTEE, u64::from(member) + 1));
        let mut mask = || i128::from(rng.next_u64() >> 44) - (1 << 19);
        let product = self.product(&self.secret(member), c1);
        product.iter().map(|&x| m.add(m.mul(lambda, x), m.from_i128(mask()))).collect()
    }

    /// The share that a member gives.
    fn share(&self, member: u16, ciphertext: &Ciphertext) -> Vec<u64> {
        let (params, roster) = (&self.params, self.ceremony.roster());
        let committee = Committee::new(roster, &COMMITTEE.map(PartyId)).unwrap();
        let round = Transcript::new(params, roster, b"job", 0);
        let flooding = Flooding::for_fresh(params, 20, 1, 1, COMMITTEE.len(), 30).unwrap();
        let opening = Opening { flooding, room_log2: 50.0, ciphertexts: 1 };
        let (key, ledger) = (&self.shares[usize::from(member)], &mut MemoryLedger::default());
        let session =
            DecryptionSession::begin(&self.ceremony, &round, key, &committee, opening, ledger).unwrap();
        sent(session, ciphertext, &committee)
    }

    /// What the colluders know of a member's share: `λ·S = known + κ·s` for the collective key `s`; returns `known·c_1` and `κ`.
    fn known(&self, member: u16, c1: &[u64]) -> (Vec<u64>, u64) {
        let (m, x) = (self.modulus(), u64::from(member) + 1);
        let lambda = self.factor(&COMMITTEE, x);
        let mut known = vec![0; self.params.n()];
        for &j in &COLLUDERS {
            // The polynomial through 0 and the colluders, at x: each of its values times Π (x − y)/(x_j − y), 0 among the y.
            let at = u64::from(j) + 1;
            let others = COLLUDERS.iter().map(|&k| u64::from(k) + 1).filter(|&y| y != at).chain([0]);
            let basis = others.fold(1, |acc, y| m.mul(acc, m.mul(m.sub(x, y), m.inv(m.sub(at, y)))));
            let product = self.product(&self.secret(j), c1);
            known.iter_mut().zip(product).for_each(|(k, p)| *k = m.add(*k, m.mul(m.mul(lambda, basis), p)));
        }
        let at_zero = COLLUDERS.iter().map(|&j| u64::from(j) + 1);
        let basis = at_zero.fold(1, |acc, y| m.mul(acc, m.mul(m.sub(y, x), m.inv(y))));
        (known, m.mul(lambda, basis))
    }

    /// The collective key, evaluations, from the shares of two members of one opening, if they give it away.
    fn attack(&self, members: [u16; 2], shares: [&[u64]; 2], c1: &[u64]) -> Vec<u64> {
        let (q, m) = (self.params.q(), self.modulus());
        let [(known, kappa), (known_too, kappa_too)] = members.map(|member| self.known(member, c1));
        let mut product: Poly<Coeff> = q.zero();
        for c in 0..self.params.n() {
            let (x, y) = (m.sub(shares[0][c], known[c]), m.sub(shares[1][c], known_too[c]));
            // κ'·mask − κ·mask': the key is gone.
            let v = m.sub(m.mul(kappa_too, x), m.mul(kappa, y));
            let (mask, _) = short_solution(kappa_too, kappa, v, q.prime(0));
            product.limb_mut(0)[c] = m.mul(m.sub(x, m.from_i128(mask)), m.inv(kappa));
        }
        let product: Poly<Ntt> = q.to_ntt(product);
        product.limb(0).iter().zip(c1).map(|(&x, &c)| m.mul(x, m.inv(c))).collect()
    }

    /// The collective key: what the attack is after. The test alone puts all members' shares together.
    fn collective(&self) -> Vec<u64> {
        let m = self.modulus();
        let mut s = vec![0; self.params.n()];
        for member in COMMITTEE {
            let lambda = self.factor(&COMMITTEE, u64::from(member) + 1);
            s.iter_mut().zip(self.secret(member)).for_each(|(s, x)| *s = m.add(*s, m.mul(lambda, x)));
        }
        s
    }
}

#[test]
fn two_shares_of_one_opening_give_the_key_away_without_pads_and_nothing_with_them() {
    let mut rng = testkit::rng(43);
    let study = study(&mut rng);
    let (ciphertext, c1) = zero(&study.key, &mut rng);
    let key = study.collective();

    // Without pads: some pairs' quotients of factors are those of small numbers; the attacker takes another pair.
    let shares = COMMITTEE.map(|member| study.bare(member, &c1, &mut rng));
    let real = COMMITTEE.map(|member| study.share(member, &ciphertext));
    let (mut given_away, mut pairs) = (0, 0);
    for i in 0..COMMITTEE.len() {
        for j in 0..i {
            let members = [COMMITTEE[i], COMMITTEE[j]];
            pairs += 1;
            given_away += usize::from(study.attack(members, [&shares[i], &shares[j]], &c1) == key);
            let found = study.attack(members, [&real[i], &real[j]], &c1);
            assert_eq!(found.iter().zip(&key).filter(|(x, y)| x == y).count(), 0, "pads hide {members:?}");
        }
    }
    println!("{given_away} of {pairs} pairs of bare shares give the key away, none of those that sites send");
    assert!(given_away > pairs / 4, "{given_away} of {pairs} pairs of bare shares give the key away");
}
