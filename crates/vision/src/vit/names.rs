//! How checkpoints of different libraries name the same tensors.

/// A naming scheme, recognised from the names themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    kind: Kind,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Timm,
    /// `facebookresearch/dinov2`: timm's names, but `register_tokens`, `w12` and `w3`.
    DinoHub,
    HuggingFaceVit,
    HuggingFaceDino,
}

/// Prefixes under which libraries put a backbone inside a larger model.
const PREFIXES: [&str; 8] =
    ["", "vit.", "deit.", "dinov2.", "dinov2_with_registers.", "model.", "backbone.", "module."];

/// Tensors that a CLS token never depends on: heads, poolers and the training-time mask token.
const UNUSED: [&str; 6] = ["head.", "classifier.", "pooler.", "mask_token", "embeddings.mask_token", "fc."];

impl Naming {
    /// Recognises the scheme, or nothing when no CLS token is found under a known name.
    pub(crate) fn detect<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        let has = |wanted: &str| names.clone().any(|n| n == wanted);
        for prefix in PREFIXES {
            let kind = if has(&format!("{prefix}cls_token")) {
                let hub = has(&format!("{prefix}register_tokens"))
                    || has(&format!("{prefix}blocks.0.mlp.w12.weight"));
                Some(if hub { Kind::DinoHub } else { Kind::Timm })
            } else if has(&format!("{prefix}embeddings.cls_token")) {
                let vit = has(&format!("{prefix}encoder.layer.0.layernorm_before.weight"));
                Some(if vit { Kind::HuggingFaceVit } else { Kind::HuggingFaceDino })
            } else {
                None
            };
            if let Some(kind) = kind {
                return Some(Self { kind, prefix: prefix.into() });
            }
        }
        None
    }

    /// For messages.
    pub(crate) fn label(&self) -> &'static str {
        match self.kind {
            Kind::Timm => "timm",
            Kind::DinoHub => "DINOv2",
            Kind::HuggingFaceVit => "Hugging Face ViT",
            Kind::HuggingFaceDino => "Hugging Face DINOv2",
        }
    }

    /// Whether a tensor outside the model may be passed over.
    pub(crate) fn is_unused(&self, name: &str) -> bool {
        let bare = name.strip_prefix(&self.prefix).unwrap_or(name);
        UNUSED.iter().any(|unused| bare.starts_with(unused) || name.starts_with(unused))
    }

    /// The checkpoint's names for timm's `name`: one, or three to be laid side by side (query, key, value).
    pub(crate) fn sources(&self, name: &str) -> Vec<String> {
        let bare = match self.kind {
            Kind::Timm => vec![name.to_owned()],
            Kind::DinoHub => vec![dino_hub(name)],
            Kind::HuggingFaceVit | Kind::HuggingFaceDino => self.hugging_face(name),
        };
        let top =
            |n: &str| n.starts_with("classifier.") || (self.kind == Kind::Timm && self.prefix.is_empty());
        bare.into_iter().map(|n| if top(&n) { n } else { format!("{}{n}", self.prefix) }).collect()
    }

    fn hugging_face(&self, name: &str) -> Vec<String> {
        let vit = self.kind == Kind::HuggingFaceVit;
        let Some(rest) = name.strip_prefix("blocks.") else {
            return vec![match name {
                "cls_token" => "embeddings.cls_token".into(),
                "reg_token" => "embeddings.register_tokens".into(),
                "pos_embed" => "embeddings.position_embeddings".into(),
                "norm.weight" => "layernorm.weight".into(),
                "norm.bias" => "layernorm.bias".into(),
                _ => name
                    .replace("patch_embed.proj", "embeddings.patch_embeddings.projection")
                    .replace("head.", "classifier."),
            }];
        };
        let (block, part) = rest.split_once('.').unwrap_or((rest, ""));
        let layer = format!("encoder.layer.{block}.");
        if let Some(kind) = part.strip_prefix("attn.qkv.") {
            return ["query", "key", "value"]
                .map(|n| format!("{layer}attention.attention.{n}.{kind}"))
                .to_vec();
        }
        let part = part.replace("attn.proj", "attention.output.dense");
        let part = if vit {
            part.replace("norm1", "layernorm_before")
                .replace("norm2", "layernorm_after")
                .replace("mlp.fc1", "intermediate.dense")
                .replace("mlp.fc2", "output.dense")
        } else {
            part.replace("ls1.gamma", "layer_scale1.lambda1").replace("ls2.gamma", "layer_scale2.lambda1")
        };
        vec![format!("{layer}{part}")]
    }

    /// The gated feed-forward layers have names of their own outside timm.
    pub(crate) fn rename_gated(&self, source: &str) -> String {
        match self.kind {
            Kind::Timm | Kind::HuggingFaceVit => source.to_owned(),
            Kind::DinoHub => source.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3"),
            Kind::HuggingFaceDino => {
                source.replace("mlp.fc1", "mlp.weights_in").replace("mlp.fc2", "mlp.weights_out")
            }
        }
    }
}

fn dino_hub(name: &str) -> String {
    if name == "reg_token" { "register_tokens".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugging_face_vit_names_are_mapped() {
        let names = ["vit.embeddings.cls_token", "vit.encoder.layer.0.layernorm_before.weight"];
        let naming = Naming::detect(names.iter().copied()).unwrap();
        assert_eq!(naming.label(), "Hugging Face ViT");
        assert_eq!(
            naming.sources("blocks.3.attn.qkv.bias"),
            [
                "vit.encoder.layer.3.attention.attention.query.bias",
                "vit.encoder.layer.3.attention.attention.key.bias",
                "vit.encoder.layer.3.attention.attention.value.bias"
            ]
        );
        assert_eq!(
            naming.sources("blocks.3.mlp.fc1.weight"),
            ["vit.encoder.layer.3.intermediate.dense.weight"]
        );
        assert_eq!(naming.sources("blocks.3.norm2.bias"), ["vit.encoder.layer.3.layernorm_after.bias"]);
        assert_eq!(naming.sources("head.weight"), ["classifier.weight"]);
    }

    #[test]
    fn hugging_face_dinov2_names_are_mapped() {
        let names = ["embeddings.cls_token", "encoder.layer.0.norm1.weight"];
        let naming = Naming::detect(names.iter().copied()).unwrap();
        assert_eq!(naming.sources("blocks.0.ls1.gamma"), ["encoder.layer.0.layer_scale1.lambda1"]);
        assert_eq!(naming.sources("reg_token"), ["embeddings.register_tokens"]);
        assert_eq!(
            naming.sources("blocks.0.attn.proj.weight"),
            ["encoder.layer.0.attention.output.dense.weight"]
        );
    }
}
