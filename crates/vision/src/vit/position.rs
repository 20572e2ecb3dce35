//! Resampling learned positions to another grid, as the libraries that made the checkpoints do.

use serde::{Deserialize, Serialize};

use super::config::Config;

/// The kernel by which positions are resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Bicubic with a = −0.75, no antialiasing (Hugging Face, DINOv2).
    Bicubic,
    /// Bicubic with a = −0.5, its support stretched when shrinking (timm's `resample_abs_pos_embed`).
    BicubicAntialiased,
}

impl Interpolation {
    /// Weights of the `from` source cells for each of `to` cells: per target a first cell and its weights.
    fn taps(self, from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
        let ratio = from as f64 / to as f64;
        let (a, stretch) = match self {
            Self::Bicubic => (-0.75, 1.0),
            Self::BicubicAntialiased => (-0.5, ratio.max(1.0)),
        };
        (0..to)
            .map(|i| {
                let centre = (i as f64 + 0.5) * ratio - 0.5;
                let reach = 2.0 * stretch;
                let first = (centre - reach).ceil() as i64;
                let last = (centre + reach).floor() as i64;
                self.row(centre, first..=last, from, |x| cubic(x / stretch, a))
            })
            .collect()
    }

    fn row(
        self,
        centre: f64,
        cells: std::ops::RangeInclusive<i64>,
        from: usize,
        kernel: impl Fn(f64) -> f64,
    ) -> Vec<(usize, f32)> {
        let edge = from as i64 - 1;
        let weights: Vec<(i64, f64)> = cells.map(|cell| (cell, kernel(cell as f64 - centre))).collect();
        match self {
            // Cells beyond the border repeat the border's.
            Self::Bicubic => {
                weights.into_iter().map(|(c, w)| (c.clamp(0, edge) as usize, w as f32)).collect()
            }
            // Cells beyond the border are left out and the rest rescaled.
            Self::BicubicAntialiased => {
                let inside: Vec<_> = weights.into_iter().filter(|(c, _)| (0..=edge).contains(c)).collect();
                let total: f64 = inside.iter().map(|(_, w)| w).sum();
                inside.into_iter().map(|(c, w)| (c as usize, (w / total) as f32)).collect()
            }
        }
    }
}

/// Keys' cubic convolution kernel (1981).
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// Positions for `config` from a checkpoint's `[prefix positions + from², d]`.
pub(crate) fn resample(config: &Config, positions: &[f32], from: usize) -> Vec<f32> {
    let d = config.width;
    let to = config.image / config.patch;
    let (before, grid) = positions.split_at(config.prefix_positions * d);
    if from == to {
        return positions.to_vec();
    }
    let taps = config.interpolation.taps(from, to);
    let mut rows = vec![0.0f32; to * from * d];
    for (y, taps) in taps.iter().enumerate() {
        for &(source, weight) in taps {
            let out = &mut rows[y * from * d..(y + 1) * from * d];
            crate::kernels::lanes::add_scaled(out, &grid[source * from * d..(source + 1) * from * d], weight);
        }
    }
    let mut out = before.to_vec();
    out.resize(before.len() + to * to * d, 0.0);
    for (cell, out) in out[before.len()..].chunks_exact_mut(d).enumerate() {
        let (y, x) = (cell / to, cell % to);
        for &(source, weight) in &taps[x] {
            let start = (y * from + source) * d;
            crate::kernels::lanes::add_scaled(out, &rows[start..start + d], weight);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_cell_keeps_a_constant() {
        for kind in [Interpolation::Bicubic, Interpolation::BicubicAntialiased] {
            for (from, to) in [(14, 16), (37, 16), (16, 37), (8, 14)] {
                for taps in kind.taps(from, to) {
                    let total: f32 = taps.iter().map(|(_, w)| w).sum();
                    assert!((total - 1.0).abs() < 1e-5, "{kind:?} {from} to {to}: {total}");
                }
            }
        }
    }

    #[test]
    fn doubling_weighs_as_torch_does() {
        // torch.nn.functional.interpolate([0,0,1,0,0,0], scale_factor=2, mode="bicubic"), known in closed form:
        // at offset 0.25 the a = -0.75 kernel is 0.8789 and at 0.75 it is 0.2617.
        let taps = Interpolation::Bicubic.taps(6, 12);
        let weight = |cell: usize| taps[cell].iter().filter(|(s, _)| *s == 2).map(|(_, w)| w).sum::<f32>();
        assert!((weight(4) - 0.878_906_25).abs() < 1e-6, "{}", weight(4));
        assert!((weight(3) - 0.261_718_75).abs() < 1e-6, "{}", weight(3));
    }
}
