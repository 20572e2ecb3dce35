//! Area under the ROC curve by ranks (Mann–Whitney), ties counted half.

/// Mean over classes of the one-against-rest AUC of `scores: [n, classes]`; classes without both kinds are left out, and none
/// is returned where no class has both: there is then nothing to rank.
///
/// Rows are turned into softmax probabilities first, so that logits of different rows compare.
pub fn auc(scores: &[f32], labels: &[usize], classes: usize) -> Option<f64> {
    let mut probabilities = scores.to_vec();
    crate::kernels::softmax::softmax_rows(&mut probabilities, classes);
    let of_class = |class: usize| {
        let column: Vec<(f32, bool)> = probabilities
            .chunks_exact(classes)
            .zip(labels)
            .map(|(row, label)| (row[class], *label == class))
            .collect();
        binary(column)
    };
    let areas: Vec<f64> = (0..classes).filter_map(of_class).collect();
    (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
}

/// P(score of a positive > score of a negative) + half of P(equal).
fn binary(mut scores: Vec<(f32, bool)>) -> Option<f64> {
    let positives = scores.iter().filter(|(_, p)| *p).count() as f64;
    let negatives = scores.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = 0.0;
    let mut area = 0.0;
    for ties in scores.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let tied = ties.iter().filter(|(_, p)| *p).count() as f64;
        let others = ties.len() as f64 - tied;
        area += tied * (below + others / 2.0);
        below += others;
    }
    Some(area / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let scores = vec![(0.1, false), (0.4, true), (0.4, false), (0.8, true)];
        assert_eq!(binary(scores), Some(3.5 / 4.0));
        assert_eq!(binary(vec![(0.1, true)]), None);
        assert_eq!(auc(&[0.0, 1.0, 1.0, 0.0], &[1, 1], 2), None, "one class alone ranks nothing");
    }
}
