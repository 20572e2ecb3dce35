//! Plans of encrypted inference: what a head would cost before any key exists.

pub use blindscope_ckks::Security;
pub use blindscope_classify::{KeyOwner, Packing, PlanReport, Policy};

use std::path::{Path, PathBuf};

use crate::clock::milliseconds;
use blindscope_classify::{Affine, Head, HeadLiteral, Machine, Map, Normalisation, Plan};
use blindscope_learn::jobs::head_in;

/// Most bytes of a head's file: the reader refuses more.
const MOST_BYTES: u64 = 1 << 28;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The head's file could not be read.
    #[error("head {}: {source}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The head's file is too large.
    #[error("head {}: {found} bytes, at most {MOST_BYTES} are read", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// Its size.
        found: u64,
    },
    /// The head or the policy was refused.
    #[error(transparent)]
    Classify(#[from] blindscope_classify::Error),
    /// The file holds no head.
    #[error("head {}: {source}", path.display())]
    NoHead {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: blindscope_learn::jobs::Error,
    },
}

/// A head by its shape alone: weights of the size that training starts from, features clipped to four deviations.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Features a token has.
    pub width: usize,
    /// Units of the first layer; ignored for degree 1.
    pub hidden: usize,
    /// Logits.
    pub classes: usize,
    /// 1, 2 or 4.
    pub degree: u32,
}

/// Reads the head of a file: of `train head`, JSON or `safetensors`, or of a job's model.
///
/// # Errors
/// [`Error::File`] where it cannot be read; [`Error::TooLarge`] beyond what is read; [`Error::NoHead`] for other bytes.
pub fn read_head(path: &Path) -> Result<Head, Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(file)?.len();
    if found > MOST_BYTES {
        return Err(Error::TooLarge { path: path.to_owned(), found });
    }
    let bytes = std::fs::read(path).map_err(file)?;
    head_in(&bytes).map_err(|source| Error::NoHead { path: path.to_owned(), source })
}

/// A stand-in for a head of this shape; its units are taken to stay within eight deviations.
///
/// # Errors
/// [`Error::Classify`] for a shape without features, units or classes, or with too many.
pub fn head_of_shape(shape: Shape) -> Result<Head, Error> {
    let Shape { width, hidden, classes, degree } = shape;
    let polynomial = match degree {
        2 => vec![0.0, 0.5, 0.25],
        _ => vec![0.0, 0.5, 0.25, 0.0, 0.01],
    };
    let map = match degree {
        1 => Map::Linear { layer: layer(classes, width) },
        _ => Map::Polynomial { inner: layer(hidden, width), polynomial, outer: layer(classes, hidden) },
    };
    let normalisation = Normalisation::identity(width, 4.0);
    Ok(Head::new(HeadLiteral { normalisation, map, range: Some(8.0) })?)
}

/// Weights of alternating sign with rows of norm one.
fn layer(rows: usize, width: usize) -> Affine {
    let size = (width.max(1) as f64).sqrt().recip();
    let row = |r: usize| (0..width).map(|j| if (r + j).is_multiple_of(2) { size } else { -size }).collect();
    Affine { weights: (0..rows).map(row).collect(), bias: vec![0.1; rows] }
}

/// The default policy for batches of this size.
pub fn policy(batch: usize) -> Policy {
    Policy::new(batch)
}

/// The costs of this machine on the path of a plan, from some transforms timed now: a few milliseconds.
pub(crate) fn machine(plan: &Plan) -> Machine {
    const SAMPLES: usize = 15;
    let prime = plan.params().q().prime(0);
    let mut limb = vec![1; plan.params().n()];
    let mut times = milliseconds(SAMPLES, 1, || {
        prime.forward(&mut limb);
        prime.inverse(&mut limb);
    });
    times.sort_by(f64::total_cmp);
    let transform_us = times[SAMPLES / 2] * 1e3 / 2.0;
    Machine::measured(plan.arithmetic(), plan.params().n(), transform_us)
}

/// The figures of a head under a policy, with the time that this machine is predicted to take.
///
/// # Errors
/// [`Error::Classify`] where no plan serves the head under this policy.
pub fn report(head: &Head, policy: Policy) -> Result<PlanReport, Error> {
    let plan = Plan::new(head, policy)?;
    Ok(plan.report_on(machine(&plan)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_degree_has_a_plan_and_a_missing_file_a_name() {
        for degree in [1, 2, 4] {
            let shape = Shape { width: 192, hidden: 16, classes: 3, degree };
            let figures = head_of_shape(shape).and_then(|h| report(&h, policy(1)));
            assert!(figures.is_ok_and(|f| f.key_bytes > 0 && f.error_bound > f.error_std), "degree {degree}");
        }
        let missing = read_head(Path::new("/no/such/head.json")).map(|_| ());
        assert!(missing.is_err_and(|e| e.to_string().contains("/no/such/head.json")));
    }
}
