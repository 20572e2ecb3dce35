//! What is left of a message once its shares are taken off.

use crate::message::read_poly;
use crate::{Dealt, Error, Result};
use blindscope_ckks::{Ciphertext, Evaluator, Level, Parameters, Plaintext, Scale};
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::{Reader, Writer, packed_len};

/// What is left of a message once its shares are taken off: public, and uniform to whoever lacks a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder(Vec<Poly<Ntt>>);

impl Remainder {
    /// The remainder of these plaintexts at the top level.
    ///
    /// # Timing
    /// Depends on the parameters, on how many plaintexts and shares there are, and on skipped words as [`Dealt::encrypt`].
    ///
    /// # Errors
    /// [`Error::Foreign`] for a plaintext of other parameters; [`Error::Shape`] for one below the top level.
    pub fn of(params: &Parameters, message: &[Plaintext], dealt: &[Dealt]) -> Result<Self> {
        Self::at(params, &vec![params.top_level(); message.len()], message, dealt)
    }

    /// The remainder of these plaintexts, which stand at these levels.
    ///
    /// # Timing
    /// As [`Self::of`].
    ///
    /// # Errors
    /// [`Error::Foreign`] for a plaintext of other parameters; [`Error::Shape`] for one at another level, or another number of them.
    pub fn at(params: &Parameters, levels: &[Level], message: &[Plaintext], dealt: &[Dealt]) -> Result<Self> {
        same("deal", "plaintexts", levels.len(), message.len())?;
        let one = |(i, (m, level)): (usize, (&Plaintext, &Level))| {
            check(params, m, *level)?;
            let basis = params.q().prefix(level.limbs());
            let mut x = m.poly().clone();
            for seeds in dealt {
                basis.sub_assign(&mut x, &seeds.piece(params, i, *level));
            }
            Ok(x)
        };
        message.iter().zip(levels).enumerate().map(one).collect::<Result<_>>().map(Self)
    }

    /// Bytes of one of so many pieces at the top level.
    pub fn byte_len(params: &Parameters, pieces: usize) -> usize {
        Self::byte_len_at(params, &vec![params.top_level(); pieces])
    }

    /// Bytes of one whose pieces stand at these levels.
    pub fn byte_len_at(params: &Parameters, levels: &[Level]) -> usize {
        let q = params.q();
        let piece = |level: &Level| -> usize {
            let primes = q.primes().iter().take(level.limbs());
            primes.map(|p| packed_len(q.n(), p.modulus().bits())).sum()
        };
        levels.iter().map(piece).sum()
    }

    /// The remainder as bytes: piece after piece, limb after limb at its prime's width.
    pub fn to_bytes(&self, params: &Parameters) -> Vec<u8> {
        let primes = params.q().primes();
        let limbs = || self.0.iter().flat_map(|poly| poly.limbs().zip(primes));
        let len = limbs().map(|(limb, prime)| packed_len(limb.len(), prime.modulus().bits())).sum();
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        limbs().for_each(|(limb, prime)| w.packed(limb, prime.modulus().bits()));
        w.finish();
        out
    }

    /// The remainder in exactly these bytes, of pieces at the top level.
    ///
    /// # Errors
    /// As [`Self::from_bytes_at`].
    pub fn from_bytes(params: &Parameters, pieces: usize, bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_at(params, &vec![params.top_level(); pieces], bytes)
    }

    /// The remainder in exactly these bytes, of pieces at these levels.
    ///
    /// # Errors
    /// [`Error::Wire`] for bytes that are cut, longer or of another kind; [`Error::Residue`] for a residue that is
    /// not below its prime.
    pub fn from_bytes_at(params: &Parameters, levels: &[Level], bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let one = |level: &Level| read_poly(&mut r, &params.q().prefix(level.limbs()));
        let polys = levels.iter().map(one).collect::<Result<_>>()?;
        r.finish()?;
        Ok(Self(polys))
    }

    /// How many pieces.
    pub fn pieces(&self) -> usize {
        self.0.len()
    }

    /// Adds another dealer's remainder: that of both messages' sum.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of pieces, or one at another level.
    pub fn add_assign(&mut self, params: &Parameters, other: &Self) -> Result<()> {
        same("add remainders", "pieces", self.0.len(), other.0.len())?;
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            let primes = a.limbs().len();
            same("add remainders", "primes", primes, b.limbs().len())?;
            params.q().prefix(primes).add_assign(a, b);
        }
        Ok(())
    }

    /// Adds the remainder to the sum of all shares' encryptions: encryptions of the message, scale one.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of ciphertexts than the remainder has pieces; [`Error::Ckks`] where these cannot be added up.
    pub fn add_to(&self, params: &Parameters, sum: &mut [Ciphertext]) -> Result<()> {
        same("add remainder", "ciphertexts", self.0.len(), sum.len())?;
        let evaluator = Evaluator::new(params);
        for (c, x) in sum.iter_mut().zip(&self.0) {
            let x = Plaintext::from_polynomial(params, x.clone(), Scale::ONE);
            evaluator.add_plain_assign(c, &x)?;
        }
        Ok(())
    }
}

fn same(op: &'static str, what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let text = |count: usize| format!("{count} {what}");
    Err(Error::Shape { op, expected: text(expected), found: text(found) })
}

fn check(params: &Parameters, m: &Plaintext, level: Level) -> Result<()> {
    const OP: &str = "deal";
    if m.params() != params {
        let (expected, found) = (params.fingerprint().to_string(), m.params().fingerprint().to_string());
        return Err(Error::Foreign { op: OP, what: "parameters", expected, found });
    }
    if m.level() != level {
        let at = |level| format!("a plaintext of level {level}");
        return Err(Error::Shape { op: OP, expected: at(level), found: at(m.level()) });
    }
    Ok(())
}
