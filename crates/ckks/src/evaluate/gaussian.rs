//! Matrices of complex constants times vectors of ciphertexts, without an encoding, a rotation or a transform.
//!
//! The polynomial `a + b·X^(N/2)` has the value `a + bi` in every slot. Its evaluations are `a + b·I` at half of the points
//! and `a - b·I` at the others, where `I` is a square root of -1 modulo the prime: two constants a limb.

use rayon::prelude::*;

use super::{Evaluator, Shape};
use crate::scale::Scale;
use crate::{Ciphertext, Complex64, Error, Level, Parameters, Result};
use blindscope_ring::{EvaluationOrder, Poly, Prime};

/// `log2` of the largest entry of a matrix, times its scale.
const LOG2_ROOM: f64 = 100.0;

/// A matrix of Gaussian integers, prepared for one level.
#[derive(Debug, Clone)]
pub struct GaussianMatrix {
    params: Parameters,
    rows: usize,
    columns: usize,
    scale: Scale,
    /// `[limb][half]`, row after row: evaluations of `a + b·X^(N/2)`.
    residues: Vec<[Vec<u64>; 2]>,
}

/// `X^(N/2)` at index 0 and its negative: at the first and at the second half of the points, by the order of evaluations.
fn imaginary(prime: &Prime) -> [u64; 2] {
    let n = 1usize << prime.log_n();
    let mut x = vec![0; n];
    x[n / 2] = 1;
    prime.forward(&mut x);
    [x[0], x[n - 1]]
}

impl GaussianMatrix {
    /// The matrix `round(scale·w)`, `w` row after row, for ciphertexts at `level`.
    ///
    /// # Errors
    /// [`Error::NoSuchLevel`] above the parameters' highest level, [`Error::ValueOutOfRange`] above 100 bits, [`Error::KeyShape`]
    /// for rows of different lengths.
    pub fn new(params: &Parameters, level: Level, w: &[Vec<Complex64>], scale: Scale) -> Result<Self> {
        const OP: &str = "gaussian matrix";
        params.check_level(OP, level)?;
        // Halves are constant from degree 128 on: the order transposes within runs of 64.
        debug_assert_eq!(EvaluationOrder::new(params.log_n()).exponent(params.n() / 2) % 4, 3);
        let columns = w.first().map_or(0, Vec::len);
        if let Some(row) = w.iter().find(|row| row.len() != columns) {
            return Err(Error::KeyShape { op: OP, expected: columns, found: row.len() });
        }
        let factor = params.scale_value(&scale);
        let mut integers = Vec::with_capacity(w.len() * columns);
        for (index, z) in w.iter().flatten().enumerate() {
            let (re, im) = ((z.re * factor).round(), (z.im * factor).round());
            let value = re.abs().max(im.abs());
            if value.is_nan() || re.is_nan() || im.is_nan() || value >= LOG2_ROOM.exp2() {
                return Err(Error::ValueOutOfRange { op: OP, index, value, log2_room: LOG2_ROOM });
            }
            integers.push((re as i128, im as i128));
        }
        let limb = |prime: &std::sync::Arc<Prime>| {
            let m = prime.modulus();
            let half = |i: u64| {
                let one = |(a, b): &(i128, i128)| m.add(m.from_i128(*a), m.mul(m.from_i128(*b), i));
                integers.iter().map(one).collect::<Vec<_>>()
            };
            imaginary(prime).map(half)
        };
        let residues = params.q().primes()[..level.limbs()].iter().map(limb).collect();
        Ok(Self { params: params.clone(), rows: w.len(), columns, scale, residues })
    }

    /// Rows, columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }
}

impl Evaluator {
    /// Zero ciphertexts of a shape: what [`Self::mul_gaussian_add_assign`] adds to.
    pub fn zeros(&self, count: usize, components: usize, level: Level, scale: Scale) -> Vec<Ciphertext> {
        let one = |_| {
            let mut c = Ciphertext::empty(&self.params);
            self.out(&mut c, Shape { components, level, scale });
            c.components.iter_mut().for_each(|p| p.words_mut().fill(0));
            c
        };
        (0..count).map(one).collect()
    }

    /// `acc_r += Σ_j w_(r,j)·x_j`, shared among threads: slots multiply by complex constants, scales by the matrix's.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters; [`Error::LevelMismatch`] and [`Error::ScaleMismatch`] for columns
    /// that do not add up; [`Error::ScaleOverflow`] where the products' scale does not fit; [`Error::Components`] unless there are
    /// two components; [`Error::KeyShape`] for another number of rows or columns.
    pub fn mul_gaussian_add_assign(
        &self,
        acc: &mut [Ciphertext],
        w: &GaussianMatrix,
        x: &[Ciphertext],
    ) -> Result<()> {
        const OP: &str = "mul_gaussian";
        let Some(first) = x.first() else { return Ok(()) };
        self.params.check_same(OP, &w.params)?;
        for (expected, found) in
            [(w.rows, acc.len()), (w.columns, x.len()), (w.residues.len(), first.level().limbs())]
        {
            if expected != found {
                return Err(Error::KeyShape { op: OP, expected, found });
            }
        }
        let scale = self.product_scale(OP, first.level(), first.scale, w.scale)?;
        let components = first.components.len();
        for c in x {
            self.check_levels(OP, first, c)?;
            self.check_scales(OP, first.scale, c.scale)?;
            Self::check_components(OP, c, components, "all operands alike")?;
        }
        for c in acc.iter() {
            self.check_levels(OP, first, c)?;
            self.check_scales(OP, scale, c.scale)?;
            Self::check_components(OP, c, components, "all results alike")?;
        }
        // Half a limb of every sum is a task of its own.
        let mut sums: Vec<Vec<&mut [u64]>> = Vec::new();
        for c in acc {
            let limbs = c.components.iter_mut().flat_map(Poly::limbs_mut);
            for (task, half) in limbs.flat_map(|limb| limb.chunks_exact_mut(self.params.slots())).enumerate()
            {
                match sums.get_mut(task) {
                    Some(rows) => rows.push(half),
                    None => sums.push(vec![half]),
                }
            }
        }
        let halves = 2 * w.residues.len();
        sums.into_par_iter().enumerate().for_each(|(task, mut rows)| {
            let (k, i, half) = (task / halves, task % halves / 2, task % 2);
            let range = half * self.params.slots()..(half + 1) * self.params.slots();
            let x: Vec<&[u64]> = x.iter().map(|c| &c.components[k].limb(i)[range.clone()]).collect();
            self.params.q().prime(i).mul_rows_add_assign(&mut rows, &x, &w.residues[i][half]);
        });
        Ok(())
    }

    /// `i·a`: slots turn by a quarter. Exact and free of noise.
    ///
    /// # Errors
    /// [`Error::Parameters`] for operands of other parameters.
    pub fn mul_i(&self, a: &Ciphertext) -> Result<Ciphertext> {
        self.check_one("mul_i", a)?;
        let mut out = a.clone();
        let half = self.params.slots();
        for c in &mut out.components {
            for (limb, prime) in c.limbs_mut().zip(self.params.q().primes()) {
                let (low, high) = limb.split_at_mut(half);
                for (part, i) in [low, high].into_iter().zip(imaginary(prime)) {
                    prime.mul_constant_assign(part, prime.constant(i));
                }
            }
        }
        Ok(out)
    }
}
