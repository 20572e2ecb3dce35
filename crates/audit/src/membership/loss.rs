//! Membership from a released head: members are predicted with less loss (Yeom et al., arXiv 1709.01604).

use crate::error::Result;
use blindscope_classify::Head;

/// −cross-entropy of each token's true label: higher looks more like a member.
///
/// # Errors
/// [`crate::Error::Classify`] for tokens of another width.
pub fn head_scores(head: &Head, tokens: &[Vec<f64>], labels: &[usize]) -> Result<Vec<f64>> {
    Ok(label_scores(&head.logits(tokens)?, labels))
}

/// The same of answers that are there already.
pub fn label_scores(logits: &[Vec<f64>], labels: &[usize]) -> Vec<f64> {
    let score = |(row, label): (&Vec<f64>, &usize)| {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|z| (z - most).exp()).sum();
        row.get(*label).map_or(f64::NEG_INFINITY, |z| z - most - total.ln())
    };
    logits.iter().zip(labels).map(score).collect()
}
