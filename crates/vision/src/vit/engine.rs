//! What carries the forward pass out: the processor always can, a graphics processor where the build and the machine have one.

use serde::{Deserialize, Serialize};

use super::model::Vit;
use crate::error::Result;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics processor, or an error.
    Gpu,
    /// A graphics processor when the build can use one and the machine has one that is not a program; else the processor.
    Auto,
}

/// What carries the forward pass out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Engine {
    /// The processor.
    Cpu,
    /// A graphics processor with the model on it.
    #[cfg(feature = "gpu")]
    Gpu(Box<super::gpu::GpuVit>),
}

impl Engine {
    /// The engine of `device` for `model`, `batch` images at a time.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) when [`Device::Gpu`] is asked for and the build has no graphics, or the machine has none that the
    /// model fits.
    pub fn choose(device: Device, model: &Vit, batch: usize) -> Result<Self> {
        match device {
            Device::Cpu => Ok(Self::Cpu),
            Device::Gpu => Self::graphics(model, batch, true),
            Device::Auto => Ok(Self::graphics(model, batch, false).unwrap_or(Self::Cpu)),
        }
    }

    #[cfg(feature = "gpu")]
    fn graphics(model: &Vit, batch: usize, software: bool) -> Result<Self> {
        super::gpu::GpuVit::new(model, batch, software).map(|gpu| Self::Gpu(Box::new(gpu)))
    }

    #[cfg(not(feature = "gpu"))]
    fn graphics(_: &Vit, _: usize, _: bool) -> Result<Self> {
        Err(crate::error::Error::Gpu {
            reason: "this program was built without it (cargo feature `gpu`)".into(),
        })
    }

    /// The graphics processor's name; none for the processor.
    pub fn graphics_name(&self) -> Option<&str> {
        match self {
            Self::Cpu => None,
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => Some(gpu.name()),
        }
    }

    /// As [`Vit::cls_tokens`] of the model that the engine was chosen for.
    ///
    /// # Errors
    /// As [`Vit::cls_tokens`]; [`Error::Gpu`](crate::Error::Gpu) when a graphics processor fails.
    pub fn cls_tokens(&self, model: &Vit, pixels: &[f32]) -> Result<Vec<f32>> {
        match self {
            Self::Cpu => model.cls_tokens(pixels),
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.cls_tokens(model, pixels),
        }
    }
    /// As [`Vit::features`] of the model that the engine was chosen for.
    ///
    /// # Errors
    /// As [`Engine::cls_tokens`]; [`Error::Gpu`](crate::Error::Gpu) for a pooling that graphics processors do not carry out.
    pub fn features(&self, model: &Vit, pixels: &[f32]) -> Result<Vec<f32>> {
        match self {
            Self::Cpu => model.features(pixels),
            #[cfg(feature = "gpu")]
            Self::Gpu(_) if model.config().pooling != crate::vit::card::Pooling::Cls => {
                Err(crate::error::Error::Gpu { reason: "only CLS tokens are made there".into() })
            }
            #[cfg(feature = "gpu")]
            Self::Gpu(gpu) => gpu.cls_tokens(model, pixels),
        }
    }
}
