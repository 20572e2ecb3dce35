//! What the processors of `transformers` do where a file is silent.

use crate::data::{Filter, Resize};

/// A processor's defaults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processor {
    /// Without `ImageProcessor`.
    pub(super) name: &'static str,
    pub(super) size: Resize,
    /// Whether a bare number is both sides of a size, not the shorter one.
    pub(super) squares: bool,
    /// The side of what is cut out; none for a processor that does not cut.
    pub(super) crop: Option<usize>,
    pub(super) filter: Filter,
    pub(super) mean: [f32; 3],
    pub(super) std: [f32; 3],
    /// Whether the size before the cut follows from a share, as ConvNext's does.
    pub(super) shares: bool,
}

const CLIP_MEAN: [f32; 3] = [0.481_454_67, 0.457_827_5, 0.408_210_72];
const CLIP_STD: [f32; 3] = [0.268_629_55, 0.261_302_6, 0.275_777_1];

const fn exact(side: usize) -> Resize {
    Resize::Exact { width: side, height: side }
}

const VIT: Processor = Processor {
    name: "ViT",
    size: exact(224),
    squares: true,
    crop: None,
    filter: Filter::Bilinear,
    mean: [0.5; 3],
    std: [0.5; 3],
    shares: false,
};
const DEIT: Processor =
    Processor { name: "DeiT", size: exact(256), crop: Some(224), filter: Filter::Bicubic, ..VIT };
const CLIP: Processor = Processor {
    name: "CLIP",
    size: Resize::Shorter(224),
    squares: false,
    mean: CLIP_MEAN,
    std: CLIP_STD,
    ..DEIT
};

const KNOWN: [Processor; 7] = [
    VIT,
    DEIT,
    CLIP,
    Processor { name: "Beit", ..DEIT },
    Processor { name: "Bit", ..CLIP },
    Processor { name: "Siglip", crop: None, ..DEIT_224 },
    Processor { name: "ConvNext", size: Resize::Shorter(384), squares: false, shares: true, ..VIT },
];

const DEIT_224: Processor = Processor { size: exact(224), ..DEIT };

impl Processor {
    /// By its class, whether of the older or newer kind.
    pub(super) fn named(class: &str) -> Option<Self> {
        let plain = class.strip_suffix("Fast").unwrap_or(class);
        let plain =
            plain.strip_suffix("ImageProcessor").or_else(|| plain.strip_suffix("FeatureExtractor"))?;
        KNOWN.into_iter().find(|known| known.name == plain)
    }

    /// Which are carried out.
    pub(super) fn rule() -> String {
        let names: Vec<String> = KNOWN.iter().map(|known| format!("{}ImageProcessor", known.name)).collect();
        format!("only {} are carried out", names.join(", "))
    }
}
