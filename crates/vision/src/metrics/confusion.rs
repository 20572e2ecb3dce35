//! The confusion matrix and what is read off it.

/// Index of the largest value; the first of equals, 0 of none.
pub fn argmax(values: &[f32]) -> usize {
    values
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, v)| if *v > best.1 { (i, *v) } else { best })
        .0
}

/// Counts by true class (rows) and predicted class (columns).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// `[classes][classes]`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Counts pairs of labels below `classes`.
    pub fn new(labels: &[usize], predicted: &[usize], classes: usize) -> Self {
        let mut counts = vec![vec![0; classes]; classes];
        for (label, guess) in labels.iter().zip(predicted) {
            counts[*label][*guess] += 1;
        }
        Self { counts }
    }

    fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    fn row(&self, class: usize) -> u64 {
        self.counts[class].iter().sum()
    }

    fn column(&self, class: usize) -> u64 {
        self.counts.iter().map(|row| row[class]).sum()
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        ratio((0..self.counts.len()).map(|c| self.counts[c][c]).sum(), self.total())
    }

    /// Right answers for a class among its examples; 0 without examples.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.counts[class][class], self.row(class))
    }

    /// Right answers for a class among its predictions; 0 without predictions.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.counts[class][class], self.column(class))
    }

    /// 2·TP/(2·TP + FP + FN) of a class.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2 * self.counts[class][class], self.row(class) + self.column(class))
    }

    fn mean_present(&self, figure: impl Fn(usize) -> f64) -> f64 {
        let present: Vec<usize> = (0..self.counts.len()).filter(|c| self.row(*c) > 0).collect();
        present.iter().map(|c| figure(*c)).sum::<f64>() / present.len().max(1) as f64
    }

    /// Mean recall of the classes that have examples.
    pub fn balanced_accuracy(&self) -> f64 {
        self.mean_present(|c| self.recall(c))
    }

    /// Mean F1 of the classes that have examples.
    pub fn macro_f1(&self) -> f64 {
        self.mean_present(|c| self.f1(c))
    }

    /// Mean precision of the classes that have examples.
    pub fn macro_precision(&self) -> f64 {
        self.mean_present(|c| self.precision(c))
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_matrix_by_hand() {
        let c = Confusion { counts: vec![vec![5, 1, 0], vec![2, 6, 0], vec![0, 0, 0]] };
        assert!((c.accuracy() - 11.0 / 14.0).abs() < 1e-12);
        assert!((c.balanced_accuracy() - f64::midpoint(5.0 / 6.0, 6.0 / 8.0)).abs() < 1e-12);
        assert!((c.f1(0) - 10.0 / 13.0).abs() < 1e-12);
        assert!((c.precision(1) - 6.0 / 7.0).abs() < 1e-12);
        assert!((c.macro_f1() - f64::midpoint(10.0 / 13.0, 12.0 / 15.0)).abs() < 1e-12);
    }
}
