//! Labels from the gradient of the last layer (iDLG; Zhao, Mopuri, Bilen, arXiv 2001.02610).
//!
//! With softmax and cross-entropy dL/db_c = mean over the batch of (p_c − [label = c]). For one image exactly the
//! label's entry is negative. For a batch the counts follow from the entries once the mean probabilities are guessed.

/// The label of a single image: the only negative entry of the bias's gradient `[classes]`. Nothing when no entry is
/// negative, as after training has driven the loss to zero.
pub fn single(head_bias: &[f32]) -> Option<usize> {
    let least = head_bias.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1))?;
    (*least.1 < 0.0).then_some(least.0)
}

/// How many images of each class a batch of `batch` holds: counts n_c that sum to the batch and come closest to
/// batch·(p̄_c − dL/db_c), with the mean probabilities p̄ taken as given (1/classes where nothing is known).
pub fn counts(head_bias: &[f32], batch: usize, mean_probability: &[f32]) -> Vec<usize> {
    let n = batch as f32;
    let real: Vec<f32> =
        head_bias.iter().zip(mean_probability).map(|(g, p)| (n * (p - g)).clamp(0.0, n)).collect();
    let mut counts: Vec<usize> = real.iter().map(|r| r.floor() as usize).collect();
    let mut order: Vec<usize> = (0..real.len()).collect();
    order.sort_by(|a, b| real[*b].fract().total_cmp(&real[*a].fract()));
    for class in order.iter().cycle().take(real.len() * (batch + 1)) {
        if counts.iter().sum::<usize>() >= batch {
            break;
        }
        counts[*class] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_negative_entry_is_the_label() {
        assert_eq!(single(&[0.3, -0.7, 0.4]), Some(1));
        assert_eq!(single(&[0.0, 0.0, 0.0]), None);
        assert_eq!(single(&[]), None);
    }

    #[test]
    fn counts_follow_from_the_mean_residual() {
        // Four images, labels 0, 0, 2, 1, all at p = 1/3: dL/db = p - counts/4.
        let third = 1.0 / 3.0;
        let gradient = [third - 0.5, third - 0.25, third - 0.25];
        assert_eq!(counts(&gradient, 4, &[third; 3]), [2, 1, 1]);
    }
}
