//! The key ceremony: collective public key (one round), relinearisation key (two), Galois keys (one each).
//!
//! Every site's ideal secret is ternary and the collective secret `s = Σ s_i` is never formed. All protocols are linear
//! in `s_i` but relinearisation, whose second round multiplies by the sum of the first.
//!
//! Reference: ia.cr/2020/304, §4.

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::message::{read_poly, tag};
use crate::{Collector, Message, PartyId, Result, Shape, Transcript};
use blindscope_ckks::{GaloisKey, Parameters, PublicKey, RelinKey, SecretKey, SwitchingKey};
use blindscope_ring::galois::Automorphism;
use blindscope_ring::{Basis, Ntt, Poly, sample};
use blindscope_wire::{Reader, Writer, packed_len};

/// One site's summand of the collective secret.
pub struct SiteSecret {
    pub(crate) party: PartyId,
    pub(crate) secret: SecretKey,
}

impl SiteSecret {
    /// A fresh summand for this site.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    ///
    /// # Errors
    /// [`crate::Error::ForeignParty`] for a party that is not on the roster.
    pub fn generate(transcript: &Transcript, party: PartyId, rng: &mut impl CryptoRng) -> Result<Self> {
        transcript.roster().check("generate secret", party)?;
        Ok(Self { party, secret: SecretKey::generate(transcript.params(), rng) })
    }

    fn s(&self) -> &Poly<Ntt> {
        self.secret.evaluations()
    }

    fn message(&self, transcript: &Transcript, shape: &Shape, polys: Vec<Poly<Ntt>>) -> Message {
        Message { transcript: transcript.digest(), tag: shape.tag, party: self.party, polys }
    }
}

/// `basis·(−a·s) + e`
fn masked(basis: &Basis, a: &Poly<Ntt>, s: &Poly<Ntt>, rng: &mut impl CryptoRng) -> Poly<Ntt> {
    let mut out = a.clone();
    basis.mul_assign(&mut out, s);
    basis.neg_assign(&mut out);
    add_error(basis, &mut out, rng);
    out
}

pub(crate) fn add_error(basis: &Basis, out: &mut Poly<Ntt>, rng: &mut impl CryptoRng) {
    let mut e = sample::error_poly(basis, rng);
    basis.add_assign(out, &e);
    e.zeroize();
}

/// `row += P·g_j·s`: `P·s` modulo the primes of digit `j`, nothing modulo the others.
fn add_gadget(params: &Parameters, digit: usize, row: &mut Poly<Ntt>, s: &Poly<Ntt>) {
    let Some(special) = params.special() else { return };
    for i in digit * special.len()..((digit + 1) * special.len()).min(params.q().len()) {
        let prime = params.qp().prime(i);
        let m = prime.modulus();
        let p = special.primes().iter().fold(1, |acc, p| m.mul(acc, m.reduce(p.value())));
        prime.mul_constant_add_assign(row.limb_mut(i), s.limb(i), prime.constant(p));
    }
}

fn digits(params: &Parameters, op: &'static str) -> Result<usize> {
    match params.digits() {
        0 => Err(blindscope_ckks::Error::NoSpecialPrime { op }.into()),
        d => Ok(d),
    }
}

/// The collective public key `(−a·s + e, a)`.
#[derive(Debug)]
pub struct PublicKeyProtocol(Transcript);

impl PublicKeyProtocol {
    const NAME: &str = "public key";

    /// Begins the step.
    pub fn begin(transcript: &Transcript) -> Self {
        Self(transcript.clone())
    }

    fn shape(transcript: &Transcript) -> Shape {
        Shape { basis: transcript.params().q().clone(), polys: 1, tag: tag(Self::NAME, 0, &[]) }
    }

    /// This site's `−a·s_i + e_i`.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    pub fn share(self, site: &SiteSecret, rng: &mut impl CryptoRng) -> Message {
        let q = self.0.params().q();
        let a = sample::uniform(q, &self.0.reference_string(Self::NAME, 0), 0);
        site.message(&self.0, &Self::shape(&self.0), vec![masked(q, &a, site.s(), rng)])
    }

    /// Where the shares add up.
    pub fn collector(transcript: &Transcript) -> Collector {
        Collector::new(Self::NAME, transcript, Self::shape(transcript), transcript.roster().iter())
    }

    /// The key.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] where somebody who is needed has not contributed.
    pub fn finish(transcript: &Transcript, collector: Collector) -> Result<PublicKey> {
        let b = collector.finish()?.swap_remove(0);
        Ok(PublicKey::from_seed(transcript.params(), b, transcript.reference_string(Self::NAME, 0)))
    }
}

/// The collective key for one automorphism.
#[derive(Debug)]
pub struct GaloisKeyProtocol {
    transcript: Transcript,
    element: usize,
}

impl GaloisKeyProtocol {
    const NAME: &str = "galois key";

    /// Begins the step for `X -> X^element`. Range: odd element.
    pub fn begin(transcript: &Transcript, element: usize) -> Self {
        Self { transcript: transcript.clone(), element }
    }

    fn shape(&self) -> Shape {
        let params = self.transcript.params();
        let tag = tag(Self::NAME, self.element as u64, &[]);
        Shape { basis: params.qp().clone(), polys: params.digits(), tag }
    }

    /// This site's `−a_j·σ⁻¹(s_i) + e_ij + P·g_j·s_i`, a row a digit.
    ///
    /// # Timing
    /// Depends on the parameters and the element, which is public.
    ///
    /// # Errors
    /// [`blindscope_ckks::Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn share(self, site: &SiteSecret, rng: &mut impl CryptoRng) -> Result<Message> {
        let params = self.transcript.params();
        let log_n = params.log_n();
        let two_n = 2usize << log_n;
        // The group of odd residues modulo 2N has exponent N/2, so the inverse is a power.
        let inverse = (1..1usize << (log_n - 1)).fold(1, |acc, _| acc * self.element % two_n);
        let target = Zeroizing::new(Automorphism::new(inverse, log_n).apply(site.s()));
        let seed = self.transcript.reference_string(Self::NAME, self.element as u64);
        let rows = (0..digits(params, Self::NAME)?).map(|j| {
            let a = sample::uniform(params.qp(), &seed, j as u64);
            let mut row = masked(params.qp(), &a, &target, rng);
            add_gadget(params, j, &mut row, site.s());
            row
        });
        let rows = rows.collect();
        Ok(site.message(&self.transcript, &self.shape(), rows))
    }

    /// Where the shares add up.
    pub fn collector(&self) -> Collector {
        Collector::new(Self::NAME, &self.transcript, self.shape(), self.transcript.roster().iter())
    }

    /// The key.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] where somebody who is needed has not contributed.
    pub fn finish(self, collector: Collector) -> Result<GaloisKey> {
        let seed = self.transcript.reference_string(Self::NAME, self.element as u64);
        let key = SwitchingKey::from_seed(self.transcript.params(), collector.finish()?, seed)?;
        Ok(GaloisKey::new(key, self.element))
    }
}

/// First round of the relinearisation key.
#[derive(Debug)]
pub struct RelinKeyProtocol(Transcript);

/// Between the rounds: the site's ephemeral secret. Consumed by the second round, wiped on drop.
pub struct RelinKeyRoundTwo {
    transcript: Transcript,
    ephemeral: SecretKey,
}

impl RelinKeyProtocol {
    const ONE: &str = "relinearisation key, round one";
    const TWO: &str = "relinearisation key, round two";

    /// Begins the step.
    pub fn begin(transcript: &Transcript) -> Self {
        Self(transcript.clone())
    }

    fn shape(transcript: &Transcript, round: &str) -> Shape {
        let params = transcript.params();
        Shape { basis: params.qp().clone(), polys: 2 * params.digits(), tag: tag(round, 0, &[]) }
    }

    /// This site's `−u_i·a_j + P·g_j·s_i + e` for each digit, then `s_i·a_j + e'` for each.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    ///
    /// # Errors
    /// [`blindscope_ckks::Error::NoSpecialPrime`] where the parameters have no special prime to switch keys with.
    pub fn share(self, site: &SiteSecret, rng: &mut impl CryptoRng) -> Result<(Message, RelinKeyRoundTwo)> {
        let ephemeral = SecretKey::generate(self.0.params(), rng);
        self.share_under(site, ephemeral, rng)
    }

    /// As [`Self::share`], with the ephemeral secret drawn from a generator of its own, so that [`RelinKeyRoundTwo::resume`]
    /// draws the same one when the second round comes.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    ///
    /// # Errors
    /// As [`Self::share`].
    pub fn share_resumable(
        self,
        site: &SiteSecret,
        ephemeral: &mut impl CryptoRng,
        rng: &mut impl CryptoRng,
    ) -> Result<Message> {
        let ephemeral = SecretKey::generate(self.0.params(), ephemeral);
        Ok(self.share_under(site, ephemeral, rng)?.0)
    }

    fn share_under(
        self,
        site: &SiteSecret,
        ephemeral: SecretKey,
        rng: &mut impl CryptoRng,
    ) -> Result<(Message, RelinKeyRoundTwo)> {
        let params = self.0.params().clone();
        let (qp, count) = (params.qp(), digits(&params, Self::ONE)?);
        let seed = self.0.reference_string(Self::ONE, 0);
        let (mut h0, mut h1) = (Vec::new(), Vec::new());
        for j in 0..count {
            let mut a = sample::uniform(qp, &seed, j as u64);
            let mut row = masked(qp, &a, ephemeral.evaluations(), rng);
            add_gadget(&params, j, &mut row, site.s());
            h0.push(row);
            qp.mul_assign(&mut a, site.s());
            add_error(qp, &mut a, rng);
            h1.push(a);
        }
        h0.append(&mut h1);
        let message = site.message(&self.0, &Self::shape(&self.0, Self::ONE), h0);
        Ok((message, RelinKeyRoundTwo { transcript: self.0, ephemeral }))
    }

    /// Where the shares of the first round add up.
    pub fn collector(transcript: &Transcript) -> Collector {
        Collector::new(Self::ONE, transcript, Self::shape(transcript, Self::ONE), transcript.roster().iter())
    }

    /// The sum that the second round needs.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] where somebody who is needed has not contributed.
    pub fn finish(collector: Collector) -> Result<Vec<Poly<Ntt>>> {
        collector.finish()
    }

    /// Bytes of the first round's sum.
    pub fn sum_len(transcript: &Transcript) -> usize {
        let shape = Self::shape(transcript, Self::ONE);
        shape.polys * poly_len(&shape.basis)
    }

    /// The first round's sum as bytes: limb after limb at its prime's width. Public.
    pub fn sum_to_bytes(transcript: &Transcript, sum: &[Poly<Ntt>]) -> Vec<u8> {
        let len = Self::sum_len(transcript);
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        for poly in sum {
            for (limb, prime) in poly.limbs().zip(transcript.params().qp().primes()) {
                w.packed(limb, prime.modulus().bits());
            }
        }
        w.finish();
        out
    }

    /// The sum of these bytes.
    ///
    /// # Errors
    /// [`crate::Error::Wire`] for bytes that are cut, longer or of another kind; [`crate::Error::Residue`] for a
    /// residue that is not below its prime.
    pub fn sum_from_bytes(transcript: &Transcript, bytes: &[u8]) -> Result<Vec<Poly<Ntt>>> {
        let shape = Self::shape(transcript, Self::ONE);
        let mut r = Reader::new(bytes);
        let sum = (0..shape.polys).map(|_| read_poly(&mut r, &shape.basis)).collect::<Result<_>>()?;
        r.finish()?;
        Ok(sum)
    }
}

fn poly_len(basis: &Basis) -> usize {
    basis.primes().iter().map(|p| packed_len(basis.n(), p.modulus().bits())).sum()
}

impl RelinKeyRoundTwo {
    /// The state between the rounds, drawn again from the generator that [`RelinKeyProtocol::share_resumable`] was given, as it was
    /// then. One answer to one sum may leave the site: two sums under one ephemeral secret give it away.
    pub fn resume(transcript: &Transcript, ephemeral: &mut impl CryptoRng) -> Self {
        let ephemeral = SecretKey::generate(transcript.params(), ephemeral);
        Self { transcript: transcript.clone(), ephemeral }
    }

    /// This site's `s_i·h0_j + e` for each digit, then `(u_i − s_i)·h1_j + e'` for each.
    ///
    /// # Timing
    /// Depends on the parameters alone.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where the sum is not the first round's.
    pub fn share(self, site: &SiteSecret, sum: &[Poly<Ntt>], rng: &mut impl CryptoRng) -> Result<Message> {
        let params = self.transcript.params();
        let (qp, count) = (params.qp(), params.digits());
        let other = sum.iter().map(Poly::limb_count).find(|limbs| *limbs != qp.len());
        if sum.len() != 2 * count || other.is_some() {
            let shape = |polys, limbs| format!("{polys} polynomials over {limbs} primes");
            let (expected, found) = (shape(2 * count, qp.len()), shape(sum.len(), other.unwrap_or(qp.len())));
            return Err(crate::Error::Shape { op: RelinKeyProtocol::TWO, expected, found });
        }
        let mut difference = Zeroizing::new(self.ephemeral.evaluations().clone());
        qp.sub_assign(&mut difference, site.s());
        let rows = sum.iter().enumerate().map(|(k, h)| {
            let mut row = h.clone();
            qp.mul_assign(&mut row, if k < count { site.s() } else { &difference });
            add_error(qp, &mut row, rng);
            row
        });
        let rows = rows.collect();
        Ok(site.message(
            &self.transcript,
            &RelinKeyProtocol::shape(&self.transcript, RelinKeyProtocol::TWO),
            rows,
        ))
    }

    /// Where the shares of the second round add up.
    pub fn collector(transcript: &Transcript) -> Collector {
        let shape = RelinKeyProtocol::shape(transcript, RelinKeyProtocol::TWO);
        Collector::new(RelinKeyProtocol::TWO, transcript, shape, transcript.roster().iter())
    }

    /// The key, from the first round's sum and the second round's.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] where somebody who is needed has not contributed; [`blindscope_ckks::Error::KeyShape`] where the
    /// first sum is not one.
    pub fn finish(transcript: &Transcript, one: &[Poly<Ntt>], two: Collector) -> Result<RelinKey> {
        let params = transcript.params();
        let mut b = two.finish()?;
        let cross = b.split_off(params.digits());
        for (b, c) in b.iter_mut().zip(&cross) {
            params.qp().add_assign(b, c);
        }
        let a = one.iter().skip(params.digits()).cloned().collect();
        Ok(RelinKey(SwitchingKey::from_pairs(params, b, a)?))
    }
}
