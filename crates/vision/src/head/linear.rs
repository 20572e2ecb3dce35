//! Linear heads: multinomial logistic regression, and the form that ridge shares.

use serde::{Deserialize, Serialize};

use super::adamw::AdamW;
use super::batches::{Passes, for_each_batch_of};
use super::scaling::Scaling;
use crate::error::{Error, Result};
use crate::kernels::lanes::{add_to_rows, sum_rows};
use crate::kernels::matmul::{Destination, Matrix, MatrixMut, multiply};
use crate::kernels::softmax::softmax_rows;
use crate::metrics::argmax;
use crate::values::Source;

/// logits = W·x + b on raw features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearHead {
    /// W: `[classes, width]`.
    pub weight: Vec<f32>,
    /// b: `[classes]`.
    pub bias: Vec<f32>,
    /// Feature width.
    pub width: usize,
}

impl LinearHead {
    /// Logits `[n, classes]` of `rows: [n, width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `rows` is no whole number of rows.
    pub fn logits(&self, rows: &[f32]) -> Result<Vec<f32>> {
        if !rows.len().is_multiple_of(self.width) {
            return Err(Error::shape("linear head", format!("rows of {}", self.width), rows.len()));
        }
        Ok(affine(rows, &self.weight, &self.bias, self.width))
    }
}

/// x·Wᵀ + b for `x: [n, width]`, `weight: [outputs, width]`.
pub(super) fn affine(x: &[f32], weight: &[f32], bias: &[f32], width: usize) -> Vec<f32> {
    let (n, outputs) = (x.len() / width, bias.len());
    let mut out = vec![0.0; n * outputs];
    let weight = Matrix::new(weight, outputs, width).transposed();
    multiply(
        MatrixMut::new(&mut out, n, outputs),
        Matrix::new(x, n, width),
        weight,
        1.0,
        Destination::Replace,
    );
    add_to_rows(&mut out, bias);
    out
}

/// dW = dyᵀ·x and db = Σ dy.
pub(super) fn affine_gradient(x: &[f32], dy: &[f32], width: usize, outputs: usize) -> (Vec<f32>, Vec<f32>) {
    let n = x.len() / width;
    let (mut weight, mut bias) = (vec![0.0; outputs * width], vec![0.0; outputs]);
    let dy_transposed = Matrix::new(dy, n, outputs).transposed();
    let out = MatrixMut::new(&mut weight, outputs, width);
    multiply(out, dy_transposed, Matrix::new(x, n, width), 1.0, Destination::Replace);
    sum_rows(&mut bias, dy);
    (weight, bias)
}

/// Mean cross-entropy of `logits: [n, classes]`, and its gradient: (softmax − one-hot)/n.
pub(crate) fn cross_entropy(logits: &[f32], labels: &[usize], classes: usize) -> (f32, Vec<f32>) {
    let mut gradient = logits.to_vec();
    softmax_rows(&mut gradient, classes);
    let n = labels.len().max(1) as f32;
    let mut loss = 0.0;
    for (row, label) in gradient.chunks_exact_mut(classes).zip(labels) {
        loss -= row[*label].max(f32::MIN_POSITIVE).ln() / n;
        row[*label] -= 1.0;
        row.iter_mut().for_each(|g| *g /= n);
    }
    (loss, gradient)
}

/// How many times the usual row's largest value a row's may be before it is taken for damage.
const OUTLIER: f32 = 1000.0;

/// Refuses a row beside which all others would vanish once columns are brought to one scale.
fn check_outliers(rows: Source<'_>, width: usize) -> Result<()> {
    let mut largest: Vec<f32> = Vec::with_capacity(rows.len() / width);
    for block in rows.blocks() {
        let size = |row: &[f32]| row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        largest.extend(block?.chunks_exact(width).map(size));
    }
    let mut sorted = largest.clone();
    sorted.sort_by(f32::total_cmp);
    let usual = sorted[sorted.len() / 2];
    match largest.iter().position(|m| usual > 0.0 && *m > OUTLIER * usual) {
        None => Ok(()),
        Some(row) => Err(Error::data(
            "training a head",
            format!(
                "row {row} holds a value of size {:e} where rows usually reach {usual:e}; it would outweigh all others, so \
                 take it out or mend it",
                largest[row]
            ),
        )),
    }
}

/// Refuses rows and labels that do not pair up, and labels beyond the classes.
pub(super) fn check_pairs(rows: Source<'_>, width: usize, labels: &[usize], classes: usize) -> Result<()> {
    if width == 0 || rows.len() != labels.len() * width || labels.is_empty() {
        let expected = format!("{} rows of {width}", labels.len());
        return Err(Error::shape("training a head", expected, format!("{} values", rows.len())));
    }
    match labels.iter().find(|label| **label >= classes) {
        Some(label) => Err(Error::data("training a head", format!("label {label} of {classes} classes"))),
        None => Ok(()),
    }
}

/// As [`check_pairs`], and refuses fewer than two classes, a class without an example, and a row that would outweigh all
/// others.
pub(super) fn check_examples(rows: Source<'_>, width: usize, labels: &[usize], classes: usize) -> Result<()> {
    check_pairs(rows, width, labels, classes)?;
    if classes < 2 {
        let reason =
            format!("{classes} class; a head tells at least two apart, so add rows of another class");
        return Err(Error::data("training a head", reason));
    }
    check_outliers(rows, width)?;
    if let Some(class) = (0..classes).find(|class| !labels.contains(class)) {
        return Err(Error::data("training a head", format!("class {class} of {classes} has no example")));
    }
    Ok(())
}

/// How a logistic head is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticPlan {
    /// Passes over the data.
    pub epochs: usize,
    /// Examples a step.
    pub batch: usize,
    /// Peak step size of AdamW, warmed up and decayed as a cosine.
    pub rate: f32,
    /// Weight decay.
    pub decay: f32,
    /// Seed of the shuffles.
    pub seed: u64,
}

impl Default for LogisticPlan {
    fn default() -> Self {
        Self { epochs: 60, batch: 64, rate: 5e-3, decay: 0.05, seed: 0 }
    }
}

/// Multinomial logistic regression on standardised features by AdamW, folded back to raw features.
///
/// # Errors
/// [`Error::Shape`] and [`Error::Data`] for examples that do not pair up or a class without any; [`Error::Io`] when the file of rows
/// cannot be read any more.
pub fn train_logistic<'a>(
    rows: impl Into<Source<'a>>,
    width: usize,
    labels: &[usize],
    classes: usize,
    plan: &LogisticPlan,
) -> Result<LinearHead> {
    train_logistic_watched(rows, width, labels, classes, plan, &mut |_, _| {})
}

/// As [`train_logistic`]; `watch` hears every epoch's mean loss and training accuracy, measured on the way.
///
/// # Errors
/// As [`train_logistic`].
pub fn train_logistic_watched<'a>(
    rows: impl Into<Source<'a>>,
    width: usize,
    labels: &[usize],
    classes: usize,
    plan: &LogisticPlan,
    watch: &mut dyn FnMut(f32, f32),
) -> Result<LinearHead> {
    let rows = rows.into();
    check_examples(rows, width, labels, classes)?;
    let scaling = Scaling::fit(rows, width)?;
    let mut head = LinearHead { weight: vec![0.0; classes * width], bias: vec![0.0; classes], width };
    let mut optimiser = AdamW::new(plan.rate, plan.decay);
    let (mut loss, mut right) = (0.0, 0);
    let passes = Passes { epochs: plan.epochs, batch: plan.batch, seed: plan.seed };
    for_each_batch_of(rows, width, labels, passes, &|x| scaling.apply(x), |x, y, progress| {
        let logits = affine(x, &head.weight, &head.bias, width);
        right += logits.chunks_exact(classes).zip(y).filter(|(row, y)| argmax(row) == **y).count();
        let (batch_loss, d) = cross_entropy(&logits, y, classes);
        loss += batch_loss * y.len() as f32;
        let (dw, db) = affine_gradient(x, &d, width, classes);
        optimiser.rate = plan.rate * progress.rate;
        optimiser.step(
            [(head.weight.as_mut_slice(), dw.as_slice(), true), (&mut head.bias, &db, false)].into_iter(),
        );
        if progress.epoch_end.is_some() {
            watch(loss / labels.len() as f32, right as f32 / labels.len() as f32);
            (loss, right) = (0.0, 0);
        }
    })?;
    scaling.fold(&mut head.weight, &mut head.bias);
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_and_a_row_beside_which_all_others_vanish_are_refused() {
        let one = check_examples([1.0, 2.0][..].into(), 1, &[0, 0], 1).unwrap_err().to_string();
        assert!(one.contains("1 class; a head tells at least two apart"), "{one}");
        let outlier =
            check_examples([1.0, 2.0, 1e8, 1.5][..].into(), 1, &[0, 1, 0, 1], 2).unwrap_err().to_string();
        assert!(outlier.contains("row 2 holds a value of size 1e8"), "{outlier}");
        check_examples([1.0, 2.0, 900.0, 1.5][..].into(), 1, &[0, 1, 0, 1], 2).unwrap();
    }
}
