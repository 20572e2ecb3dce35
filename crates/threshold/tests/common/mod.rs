//! A small ceremony for tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test uses its part, and stops"
)]

use rand_core::CryptoRng;

use blindscope_ckks::{ModulusLiteral, Parameters, ParametersLiteral, PublicKey, SecretKey, Security};
use blindscope_ring::{Ntt, Poly};
use blindscope_threshold::{KeyShare, PartyId, PublicKeyProtocol, Roster, SiteSecret, Transcript};
use blindscope_wire::{Digest, packed_len, unpack};

pub(crate) fn toy() -> Parameters {
    let bits = ModulusLiteral::bits;
    Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 6,
        ciphertext: bits(&[45, 40, 40]),
        special: bits(&[45]),
        log2_scale: 40,
        security: Security::Classical128,
    })
    .unwrap()
}

pub(crate) struct Study {
    pub(crate) ceremony: Transcript,
    pub(crate) secrets: Vec<SiteSecret>,
    pub(crate) shares: Vec<KeyShare>,
    pub(crate) key: PublicKey,
}

pub(crate) fn study(params: &Parameters, n: usize, t: usize, rng: &mut impl CryptoRng) -> Study {
    let roster = Roster::new((0..n).map(|i| Digest([i as u8; 32])).collect(), t).unwrap();
    let ceremony = Transcript::new(params, &roster, b"ceremony", 0);
    let secrets: Vec<_> = roster.iter().map(|p| SiteSecret::generate(&ceremony, p, rng).unwrap()).collect();
    let mut collector = PublicKeyProtocol::collector(&ceremony);
    for s in &secrets {
        collector.absorb(&PublicKeyProtocol::begin(&ceremony).share(s, rng)).unwrap();
    }
    let key = PublicKeyProtocol::finish(&ceremony, collector).unwrap();
    let mut parts: Vec<Vec<_>> = roster.iter().map(|_| Vec::new()).collect();
    for part in secrets.iter().flat_map(|s| s.split(&ceremony, rng)) {
        parts[usize::from(part.to().0)].push(part);
    }
    let combine = |(i, parts)| KeyShare::combine(&ceremony, PartyId(i), parts).unwrap();
    let shares = (0..).zip(parts).map(combine).collect();
    Study { ceremony, secrets, shares, key }
}

impl Study {
    /// The collective secret, of two shares of a threshold of two: what no party of a real study can do.
    pub(crate) fn collective_key(&self) -> SecretKey {
        let params = self.ceremony.params();
        let qp = params.qp();
        let mut s: Poly<Ntt> = qp.zero();
        // Points 1 and 2: s = 2·S_1 − S_2.
        for (share, (factor, plus)) in self.shares.iter().zip([(2, true), (1, false)]) {
            let value = self.value(share);
            for ((s, v), prime) in s.limbs_mut().zip(value.limbs()).zip(qp.primes()) {
                let m = prime.modulus();
                for (s, &v) in s.iter_mut().zip(v) {
                    let term = m.mul(factor, v);
                    *s = if plus { m.add(*s, term) } else { m.sub(*s, term) };
                }
            }
        }
        SecretKey::from_evaluations(params, s)
    }

    /// Its coefficients.
    pub(crate) fn collective(&self) -> Vec<i128> {
        let params = self.ceremony.params();
        let first = params.qp().prefix(1);
        let mut s: Poly<Ntt> = first.zero();
        s.limb_mut(0).copy_from_slice(self.collective_key().evaluations().limb(0));
        let q = i128::from(first.prime(0).value());
        let centred = |x: &u64| if i128::from(*x) > q / 2 { i128::from(*x) - q } else { i128::from(*x) };
        first.to_coeff(s).limb(0).iter().map(centred).collect()
    }

    /// A key share's value, out of its bytes.
    fn value(&self, share: &KeyShare) -> Poly<Ntt> {
        let (qp, bytes) = (self.ceremony.params().qp(), share.to_bytes(&self.ceremony));
        let mut value: Poly<Ntt> = qp.zero();
        let mut at = 32 + 32 + 2 + 2 + 32 * self.ceremony.roster().parties();
        for (limb, prime) in value.limbs_mut().zip(qp.primes()) {
            let bits = prime.modulus().bits();
            let len = packed_len(qp.n(), bits);
            unpack(&bytes[at..at + len], bits, limb).unwrap();
            at += len;
        }
        value
    }
}
