//! The tensors of a gradient that the attack reads, in `f64`.

use faer::Mat;

use crate::closed::check_patch_weight;
use crate::error::{Error, Result};
use crate::linear::widen;
use blindscope_vision::vit::{Config, Mlp, Parameters};

pub(super) const ATTACK: &str = "batch by spans";

/// Gradients of the positions, the patch embedding and the first block's layers after attention.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `[n, d]`
    pub(super) positions: Mat<f64>,
    /// `[3·p², d]`
    pub(super) patch: Mat<f64>,
    /// `[d, f]`
    pub(super) fc1: Mat<f64>,
    /// `[f, d]`
    pub(super) fc2: Mat<f64>,
    /// Attention's output projection, `[d, d]`; empty where it is not shared.
    pub(super) proj: Mat<f64>,
}

impl Seen {
    pub(super) fn new(config: &Config, gradient: &Parameters) -> Result<Self> {
        check_patch_weight(ATTACK, config, gradient)?;
        let (n, d, f) = (config.patches(), config.width, config.hidden);
        let missing = |missing| {
            let repair = "use gradient matching on what is shared";
            Error::NotShared { attack: ATTACK, missing, repair }
        };
        if config.mlp != Mlp::Gelu {
            let rule = "only GELU layers are attacked".to_owned();
            return Err(Error::Setting { attack: ATTACK, setting: "mlp", value: "SwiGLU".into(), rule });
        }
        let block = gradient.blocks.first().ok_or_else(|| missing("first block"))?;
        if gradient.positions.is_empty() {
            return Err(missing("positions"));
        }
        let lengths = [
            (&gradient.positions, config.positions() * d, "positions"),
            (&block.fc1.weight, d * f, "first feed-forward layer"),
            (&block.fc2.weight, f * d, "second feed-forward layer"),
        ];
        for (values, expected, what) in lengths {
            if values.is_empty() {
                return Err(missing(what));
            }
            if values.len() != expected {
                return Err(Error::shape(ATTACK, expected, values.len()));
            }
            if values.iter().any(|v| !v.is_finite()) {
                return Err(Error::NotFinite { operation: ATTACK, what });
            }
        }
        if gradient.patch.weight.iter().any(|v| !v.is_finite()) {
            return Err(Error::NotFinite { operation: ATTACK, what: "patch embedding" });
        }
        Ok(Self {
            positions: widen(&gradient.positions[(config.positions() - n) * d..], n, d),
            patch: widen(&gradient.patch.weight, config.patch_values(), d),
            fc1: widen(&block.fc1.weight, d, f),
            fc2: widen(&block.fc2.weight, f, d),
            proj: if block.proj.weight.len() == d * d { widen(&block.proj.weight, d, d) } else { Mat::new() },
        })
    }

    /// self − share·other
    pub(super) fn without(&self, other: &Self, share: f64) -> Self {
        let less = |a: &Mat<f64>, b: &Mat<f64>| a - share * b;
        Self {
            positions: less(&self.positions, &other.positions),
            patch: less(&self.patch, &other.patch),
            fc1: less(&self.fc1, &other.fc1),
            fc2: less(&self.fc2, &other.fc2),
            proj: if self.proj.ncols() == other.proj.ncols() {
                less(&self.proj, &other.proj)
            } else {
                Mat::new()
            },
        }
    }
}
