//! How well a score tells members from others.

/// The chance that a member scores above a non-member (area under the ROC curve), ties counted half; one half for
/// an empty side.
pub fn auc(members: &[f64], others: &[f64]) -> f64 {
    if members.is_empty() || others.is_empty() {
        return 0.5;
    }
    let mut sorted = others.to_vec();
    sorted.sort_by(f64::total_cmp);
    let wins: f64 = members
        .iter()
        .map(|m| {
            let below = sorted.partition_point(|o| o < m);
            let up_to = sorted.partition_point(|o| o <= m);
            (below + up_to) as f64 / 2.0
        })
        .sum();
    wins / (members.len() * others.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::auc;

    #[test]
    fn ties_count_half_and_order_decides() {
        assert!((auc(&[2.0, 3.0], &[0.0, 1.0]) - 1.0).abs() < 1e-12);
        assert!((auc(&[1.0], &[1.0]) - 0.5).abs() < 1e-12);
        assert!((auc(&[0.0, 2.0], &[1.0]) - 0.5).abs() < 1e-12);
        assert!((auc(&[], &[1.0]) - 0.5).abs() < 1e-12);
    }
}
