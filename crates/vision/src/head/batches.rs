//! In which order training goes over its rows.
//!
//! Rows in memory are shuffled one by one. Rows in files are shuffled by runs of neighbours, so that a disk reads a few hundred places
//! and not millions; then those of many runs that are in memory together one by one. Both orders follow from the seed alone.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::adamw::cosine;
use crate::error::Result;
use crate::values::Source;

/// Rows in files that stay neighbours.
const RUN: usize = 64;
/// Numbers that are in memory together.
const POOL: usize = 1 << 23;

/// How often, in what steps and in which order.
#[derive(Clone, Copy)]
pub(super) struct Passes {
    pub(super) epochs: usize,
    pub(super) batch: usize,
    pub(super) seed: u64,
}

/// Where in training a batch lies.
pub(crate) struct BatchProgress {
    /// Factor of the step size.
    pub(crate) rate: f32,
    /// The epoch, when this batch is its last.
    pub(crate) epoch_end: Option<usize>,
}

/// Numbers the batches of all epochs.
struct Steps {
    per_epoch: usize,
    all: usize,
}

impl Steps {
    fn new(n: usize, epochs: usize, batch: usize) -> Self {
        let per_epoch = n.div_ceil(batch);
        Self { per_epoch, all: per_epoch * epochs }
    }

    fn progress(&self, epoch: usize, at: usize) -> BatchProgress {
        let rate = cosine(epoch * self.per_epoch + at, self.all, (self.all / 20).max(1));
        BatchProgress { rate, epoch_end: (at + 1 == self.per_epoch).then_some(epoch) }
    }
}

/// Calls `f` with the shuffled indices of every batch of every epoch.
pub(crate) fn for_each_batch(
    n: usize,
    epochs: usize,
    batch: usize,
    seed: u64,
    mut f: impl FnMut(&[usize], BatchProgress),
) {
    let mut order: Vec<usize> = (0..n).collect();
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let batch = batch.max(1);
    let steps = Steps::new(n, epochs, batch);
    for epoch in 0..epochs {
        order.shuffle(&mut rng);
        for (i, batch) in order.chunks(batch).enumerate() {
            f(batch, steps.progress(epoch, i));
        }
    }
}

/// Calls `f` with the rows, as `prepare` makes them, and the labels of every batch of every epoch.
///
/// # Errors
/// [`crate::Error::Io`] when the file of rows cannot be read any more.
pub(super) fn for_each_batch_of(
    rows: Source<'_>,
    width: usize,
    labels: &[usize],
    passes: Passes,
    prepare: &dyn Fn(&[f32]) -> Vec<f32>,
    mut f: impl FnMut(&[f32], &[usize], BatchProgress),
) -> Result<()> {
    let Passes { epochs, batch, seed } = passes;
    let of = |indices: &[usize]| -> Vec<usize> { indices.iter().map(|i| labels[*i]).collect() };
    if let Some(rows) = rows.in_memory() {
        let z = prepare(&rows);
        drop(rows);
        for_each_batch(labels.len(), epochs, batch, seed, |batch, progress| {
            let x: Vec<f32> = batch.iter().flat_map(|i| &z[i * width..(i + 1) * width]).copied().collect();
            f(&x, &of(batch), progress);
        });
        return Ok(());
    }
    let batch = batch.max(1);
    let steps = Steps::new(labels.len(), epochs, batch);
    let pool = (POOL / width / batch).max(1) * batch;
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    for epoch in 0..epochs {
        let mut at = 0;
        for indices in by_runs(labels.len(), pool, &mut rng).chunks(pool) {
            let z = prepare(&rows.rows(width, indices)?);
            for (x, indices) in z.chunks(batch * width).zip(indices.chunks(batch)) {
                f(x, &of(indices), steps.progress(epoch, at));
                at += 1;
            }
        }
    }
    Ok(())
}

/// All indices below `n`: runs of neighbours shuffled, then the indices in each `pool`.
fn by_runs(n: usize, pool: usize, rng: &mut ChaCha12Rng) -> Vec<usize> {
    let mut runs: Vec<usize> = (0..n).step_by(RUN).collect();
    runs.shuffle(rng);
    let mut order: Vec<usize> = runs.into_iter().flat_map(|from| from..(from + RUN).min(n)).collect();
    order.chunks_mut(pool).for_each(|pool| pool.shuffle(rng));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_and_neighbours_of_a_file_are_parted() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        for (n, pool) in [(1000, 128), (64, 640), (63, 64), (641, 320)] {
            let order = by_runs(n, pool, &mut rng);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            let neighbours = order.windows(2).filter(|w| w[0] + 1 == w[1]).count();
            assert!(neighbours < n / 10, "{neighbours} of {n}");
        }
    }
}
