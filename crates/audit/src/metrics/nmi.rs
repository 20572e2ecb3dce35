//! Normalised mutual information.

const BINS: usize = 256;

/// 2·I(A; B)/(H(A) + H(B)) of two equally long lists of bytes: 0 when one tells nothing of the other, 1 when each
/// decides the other. Two constant lists give 1 when both are constant and 0 when one is.
///
/// With Studholme's Y = (H(A) + H(B))/H(A, B), which scikit-image computes, this is 2 − 2/Y.
pub fn nmi(a: &[u8], b: &[u8]) -> f64 {
    let mut joint = vec![0u32; BINS * BINS];
    for (a, b) in a.iter().zip(b) {
        joint[usize::from(*a) * BINS + usize::from(*b)] += 1;
    }
    let mut of_a = vec![0u32; BINS];
    let mut of_b = vec![0u32; BINS];
    for (i, row) in joint.chunks_exact(BINS).enumerate() {
        for (j, count) in row.iter().enumerate() {
            of_a[i] += count;
            of_b[j] += count;
        }
    }
    let n = a.len().min(b.len()).max(1) as f64;
    let (h_a, h_b, h_joint) = (entropy(&of_a, n), entropy(&of_b, n), entropy(&joint, n));
    if h_a + h_b == 0.0 {
        return 1.0;
    }
    // Rounding may leave a last bit beyond either end.
    (2.0 * (h_a + h_b - h_joint) / (h_a + h_b)).clamp(0.0, 1.0)
}

/// Entropy of counts that sum to `n`, nats.
fn entropy(counts: &[u32], n: f64) -> f64 {
    let terms = counts.iter().filter(|c| **c > 0).map(|c| f64::from(*c) / n);
    -terms.map(|p| p * p.ln()).sum::<f64>()
}
