//! Between numbers and plaintext polynomials.

mod embedding;
mod pairs;
mod rounding;
mod strands;

pub use pairs::{join_pairs, split_pairs};
pub use strands::Strand;

use zeroize::Zeroize;

use crate::{Complex64, Error, Level, Parameters, Plaintext, Result, Scale};
use blindscope_ring::{Basis, Coeff, Ntt, Poly};
use embedding::Embedding;

/// Encodes and decodes slots and coefficients.
pub struct Encoder {
    params: Parameters,
    embedding: Embedding,
}

impl Encoder {
    /// An encoder for these parameters.
    pub fn new(params: &Parameters) -> Self {
        Self { params: params.clone(), embedding: Embedding::new(params.log_n()) }
    }

    /// The plaintext whose slots hold `values`, the rest zero: `m = round(scale · τ^-1(values))`.
    ///
    /// # Errors
    /// [`Error::TooManyValues`] above `N/2`; [`Error::ValueOutOfRange`] for what does not fit the modulus of `level` at this scale;
    /// [`Error::NoSuchLevel`] above the parameters' highest level.
    pub fn encode_slots(&self, values: &[Complex64], level: Level, scale: Scale) -> Result<Plaintext> {
        const OP: &str = "encode_slots";
        self.params.check_level(OP, level)?;
        let poly = self.slots_over(OP, values, &self.params.q().prefix(level.limbs()), level, scale)?;
        Ok(Plaintext { params: self.params.clone(), poly, scale })
    }

    /// The evaluations over a basis of what has to fit the modulus of `level`.
    fn slots_over(
        &self,
        op: &'static str,
        values: &[Complex64],
        basis: &Basis,
        level: Level,
        scale: Scale,
    ) -> Result<Poly<Ntt>> {
        check_count(op, values.len(), self.params.slots())?;
        let mut coefficients = self.embedding.coefficients(values, self.params.scale_value(&scale));
        let poly = self.scaled_over(op, &coefficients, basis, level, scale);
        coefficients.zeroize();
        poly
    }

    /// As [`Self::encode_slots`], for real values.
    ///
    /// # Errors
    /// As [`Self::encode_slots`].
    pub fn encode_real(&self, values: &[f64], level: Level, scale: Scale) -> Result<Plaintext> {
        let complex: Vec<Complex64> = values.iter().map(|&re| Complex64 { re, im: 0.0 }).collect();
        self.encode_slots(&complex, level, scale)
    }

    /// The plaintext whose coefficients hold `values`, the rest zero: `m_i = round(scale · values_i)`. Products of
    /// such plaintexts convolve; sums need nothing more.
    ///
    /// # Errors
    /// As [`Self::encode_slots`], with `N` places.
    pub fn encode_coefficients(&self, values: &[f64], level: Level, scale: Scale) -> Result<Plaintext> {
        const OP: &str = "encode_coefficients";
        check_count(OP, values.len(), self.params.n())?;
        let factor = self.params.scale_value(&scale);
        let mut coefficients = vec![0.0; self.params.n()];
        for (c, v) in coefficients.iter_mut().zip(values) {
            *c = v * factor;
        }
        let plaintext = self.encode_scaled(OP, &coefficients, level, scale);
        coefficients.zeroize();
        plaintext
    }

    /// The plaintext with exactly these integer coefficients, the rest zero, at scale 1.
    ///
    /// # Errors
    /// [`Error::TooManyValues`] above `N`; [`Error::NoSuchLevel`] above the parameters' highest level.
    pub fn encode_integers(&self, values: &[i64], level: Level) -> Result<Plaintext> {
        const OP: &str = "encode_integers";
        check_count(OP, values.len(), self.params.n())?;
        self.params.check_level(OP, level)?;
        let basis = self.params.q().prefix(level.limbs());
        let mut coefficients = values.to_vec();
        coefficients.resize(self.params.n(), 0);
        let poly = basis.signed_to_ntt(&coefficients);
        coefficients.zeroize();
        Ok(Plaintext { params: self.params.clone(), poly, scale: Scale::ONE })
    }

    /// The slots of a plaintext.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn decode_slots(&self, plaintext: &Plaintext) -> Result<Vec<Complex64>> {
        let mut coefficients = self.decode_coefficients(plaintext)?;
        let slots = self.embedding.slots(&coefficients);
        coefficients.zeroize();
        Ok(slots)
    }

    /// The slots of a polynomial with these real coefficients, the rest zero.
    ///
    /// # Errors
    /// [`Error::TooManyValues`] above `N`.
    pub fn slots_of(&self, coefficients: &[f64]) -> Result<Vec<Complex64>> {
        check_count("slots_of", coefficients.len(), self.params.n())?;
        let mut padded = coefficients.to_vec();
        padded.resize(self.params.n(), 0.0);
        let slots = self.embedding.slots(&padded);
        padded.zeroize();
        Ok(slots)
    }

    /// The real parts of a plaintext's slots.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn decode_real(&self, plaintext: &Plaintext) -> Result<Vec<f64>> {
        Ok(self.decode_slots(plaintext)?.into_iter().map(|z| z.re).collect())
    }

    /// The coefficients of a plaintext, divided by its scale.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn decode_coefficients(&self, plaintext: &Plaintext) -> Result<Vec<f64>> {
        self.params.check_same("decode", &plaintext.params)?;
        let mut poly = self.coefficients(plaintext);
        let mut values = self.params.lift().to_f64(&poly);
        poly.zeroize();
        let inverse = 1.0 / self.params.scale_value(&plaintext.scale);
        for v in &mut values {
            *v *= inverse;
        }
        Ok(values)
    }

    /// The exact centred integer coefficients of a plaintext, whatever its scale. Range: below `2^127` in size.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn decode_integers(&self, plaintext: &Plaintext) -> Result<Vec<i128>> {
        self.params.check_same("decode_integers", &plaintext.params)?;
        let mut poly = self.coefficients(plaintext);
        let values = self.params.lift().to_i128(&poly);
        poly.zeroize();
        Ok(values)
    }

    fn coefficients(&self, plaintext: &Plaintext) -> Poly<Coeff> {
        self.params.q().to_coeff(plaintext.poly.clone())
    }

    fn encode_scaled(
        &self,
        op: &'static str,
        scaled: &[f64],
        level: Level,
        scale: Scale,
    ) -> Result<Plaintext> {
        self.params.check_level(op, level)?;
        let poly = self.scaled_over(op, scaled, &self.params.q().prefix(level.limbs()), level, scale)?;
        Ok(Plaintext { params: self.params.clone(), poly, scale })
    }

    fn scaled_over(
        &self,
        op: &'static str,
        scaled: &[f64],
        basis: &Basis,
        level: Level,
        scale: Scale,
    ) -> Result<Poly<Ntt>> {
        // Half the modulus, and what the rounding below represents exactly.
        let log2_room = (self.params.log_q(level) - 1.0).min(rounding::MAX_LOG2);
        let room = log2_room.exp2();
        if let Some((index, &value)) = scaled.iter().enumerate().find(|(_, c)| c.is_nan() || c.abs() >= room)
        {
            return Err(Error::ValueOutOfRange { op, index, value, log2_room });
        }
        Ok(rounding::round(basis, scaled, self.params.scale_log2(&scale)))
    }
}

fn check_count(op: &'static str, found: usize, room: usize) -> Result<()> {
    if found > room { Err(Error::TooManyValues { op, found, room }) } else { Ok(()) }
}
