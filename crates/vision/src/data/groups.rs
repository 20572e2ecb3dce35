//! Which tiles must stay together.

use std::collections::HashMap;

use super::dataset::Dataset;

/// A group number for every sample: samples that share a group *or* a patient, even through others, share a number.
/// A sample with neither is a group of its own. Numbers are dense and follow the samples' order.
pub fn connected_groups(dataset: &Dataset) -> Vec<usize> {
    let mut joined = DisjointSets::new(dataset.samples.len());
    let mut first = HashMap::new();
    for (i, sample) in dataset.samples.iter().enumerate() {
        let keys = [sample.group.as_ref().map(|g| (0, g)), sample.patient.as_ref().map(|p| (1, p))];
        for key in keys.into_iter().flatten() {
            joined.join(i, *first.entry(key).or_insert(i));
        }
    }
    joined.numbers()
}

/// Union–find with path halving.
#[derive(Debug)]
pub(crate) struct DisjointSets {
    parent: Vec<usize>,
}

impl DisjointSets {
    pub(crate) fn new(len: usize) -> Self {
        Self { parent: (0..len).collect() }
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    pub(crate) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// A dense number for each element's set, in order of first appearance.
    pub(crate) fn numbers(mut self) -> Vec<usize> {
        let mut names = HashMap::new();
        (0..self.parent.len())
            .map(|i| {
                let next = names.len();
                *names.entry(self.root(i)).or_insert(next)
            })
            .collect()
    }
}
