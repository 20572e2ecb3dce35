//! What the name of an architecture in a timm configuration says.

/// Width, depth and heads of an architecture that timm and the pathology models built on it name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    pub(crate) width: usize,
    pub(crate) depth: usize,
    pub(crate) heads: usize,
}

/// Parts of names of models that compute something else than is carried out here, which their tensors need not show.
const OTHERWISE: [(&str, &str); 9] = [
    ("quickgelu", "its activation is an approximation of GELU that is not carried out"),
    ("rope", "its rotary positions are not carried out"),
    ("dinov3", "its rotary positions are not carried out"),
    ("relpos", "its relative positions are not carried out"),
    ("rpn", "its normalisations lie elsewhere"),
    ("siglip", "it pools by attention, which is not carried out"),
    ("gap", "it has no CLS token"),
    ("parallel", "its blocks lie beside each other, which is not carried out"),
    ("clip", "it normalises before its first block, which is not carried out"),
];

/// Refuses a name of what is no Vision Transformer as it is carried out here.
///
/// # Errors
/// Says what is carried out, or why this is not.
pub(super) fn check(name: &str) -> Result<(), String> {
    // A hub's tag follows a full stop.
    let plain = name.split('.').next().unwrap_or(name);
    if sized(plain).is_none() {
        return Err("only timm's vit_, deit_ and deit3_ models are carried out".into());
    }
    let part = OTHERWISE.iter().find(|(part, _)| plain.split('_').any(|word| word.starts_with(part)));
    part.map_or(Ok(()), |(_, why)| Err((*why).to_owned()))
}

/// The name after the family's.
fn sized(name: &str) -> Option<&str> {
    ["vit_", "deit_", "deit3_"].iter().find_map(|family| name.strip_prefix(family))
}

impl Architecture {
    /// By the beginning of the name; DINOv2's giant is wider than timm's.
    pub(crate) fn named(name: &str) -> Option<Self> {
        const KNOWN: [(&str, [usize; 3]); 9] = [
            ("tiny", [192, 12, 3]),
            ("little", [320, 14, 5]),
            ("small", [384, 12, 6]),
            ("medium", [512, 12, 8]),
            ("base", [768, 12, 12]),
            ("large", [1024, 24, 16]),
            ("huge", [1280, 32, 16]),
            ("giant", [1408, 40, 16]),
            ("gigantic", [1664, 48, 16]),
        ];
        let size = sized(name)?.split('_').next()?;
        if size == "giant" && name.contains("dinov2") {
            return Some(Self { width: 1536, depth: 40, heads: 24 });
        }
        let (_, [width, depth, heads]) = KNOWN.into_iter().find(|(known, _)| *known == size)?;
        Some(Self { width, depth, heads })
    }

    /// Of a checkpoint of this width and depth under that name: UNI2-h goes by the name of timm's giant, with a width, depth and
    /// number of heads of its own.
    pub(crate) fn published(name: &str, width: usize, depth: usize) -> Option<Self> {
        let uni2 = Self { width: 1536, depth: 24, heads: 24 };
        let named = Self::named(name)?;
        let is_uni2 = (named.width, width, depth) == (1408, uni2.width, uni2.depth);
        Some(if is_uni2 { uni2 } else { named })
    }
}
