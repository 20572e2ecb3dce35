//! Computing on ciphertexts.
//!
//! Every operation comes as `op` (allocates), and where it pays as `op_assign` (changes its first operand) and
//! `op_into` (writes to given memory). All three take their level, scale and component count from one function, and
//! write nothing when they return an error. Levels and scales are never adjusted silently.

mod add;
mod gaussian;
mod hoist;
mod lazy;
mod mul;
mod rescale;
mod rotate;
mod scalar;
mod switch;

pub use gaussian::GaussianMatrix;
pub use hoist::RaisedCiphertext;
pub use lazy::LazyCiphertext;
pub use switch::Decomposed;

use crate::{Ciphertext, Error, Level, Parameters, Plaintext, Result, Scale, SwitchingKey};

/// Evaluates on ciphertexts of one parameter set. Holds no keys: operations that need one take it.
#[derive(Debug, Clone)]
pub struct Evaluator {
    params: Parameters,
}

/// Shape of a result.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    components: usize,
    level: Level,
    scale: Scale,
}

impl Evaluator {
    /// An evaluator for these parameters.
    pub fn new(params: &Parameters) -> Self {
        Self { params: params.clone() }
    }

    /// The parameters.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    fn out(&self, out: &mut Ciphertext, shape: Shape) {
        out.reshape(&self.params, shape.components, shape.level.limbs(), shape.scale);
    }

    fn check_one(&self, op: &'static str, a: &Ciphertext) -> Result<()> {
        self.params.check_same(op, &a.params)
    }

    fn check_components(op: &'static str, a: &Ciphertext, expected: usize, hint: &'static str) -> Result<()> {
        let found = a.components.len();
        if found == expected { Ok(()) } else { Err(Error::Components { op, found, expected, hint }) }
    }

    /// A key cut to lower levels does not serve a higher one.
    fn check_key_level(op: &'static str, a: &Ciphertext, key: &SwitchingKey) -> Result<()> {
        let (level, key) = (a.level(), key.level());
        if level <= key { Ok(()) } else { Err(Error::KeyLevel { op, level, key }) }
    }

    fn check_levels(&self, op: &'static str, a: &Ciphertext, b: &Ciphertext) -> Result<()> {
        self.check_one(op, a)?;
        self.check_one(op, b)?;
        let (left, right) = (a.level(), b.level());
        if left == right { Ok(()) } else { Err(Error::LevelMismatch { op, left, right }) }
    }

    /// A plaintext combines with ciphertexts at its level or below.
    fn check_plain(&self, op: &'static str, a: &Ciphertext, b: &Plaintext) -> Result<()> {
        self.check_one(op, a)?;
        self.params.check_same(op, &b.params)?;
        let (left, right) = (a.level(), b.level());
        if left <= right { Ok(()) } else { Err(Error::LevelMismatch { op, left, right }) }
    }

    fn check_scales(&self, op: &'static str, a: Scale, b: Scale) -> Result<()> {
        if a == b {
            return Ok(());
        }
        let (left, right) = (self.params.scale_log2(&a), self.params.scale_log2(&b));
        Err(Error::ScaleMismatch { op, left, right })
    }

    /// A product's scale, if the modulus of its level holds it.
    fn product_scale(&self, op: &'static str, level: Level, a: Scale, b: Scale) -> Result<Scale> {
        let scale = a.checked_times(b).ok_or(Error::ScaleExponent { op })?;
        let (log2_scale, log_q) = (self.params.scale_log2(&scale), self.params.log_q(level));
        if log2_scale >= log_q {
            return Err(Error::ScaleOverflow { op, log2_scale, log_q, level });
        }
        Ok(scale)
    }
}
