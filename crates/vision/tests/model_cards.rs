//! What the files beside a checkpoint say is carried out, or the model is refused with the field's name.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::float_cmp,
    clippy::doc_markdown,
    reason = "a test"
)]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use blindscope_vision::data::{Centre, Filter, Preprocess, Resize};
use blindscope_vision::vit::card::{Pooling, save_preprocess};
use blindscope_vision::vit::{Described, Mlp, describe, load};

/// A checkpoint under timm's names that is nothing but a header before zeros that take no room on disk.
struct Shapes {
    width: usize,
    depth: usize,
    registers: usize,
    positions: usize,
    patch: usize,
    /// Rows of the first layer of the feed-forward half, columns of the second.
    hidden: [usize; 2],
}

const SMALL: Shapes =
    Shapes { width: 192, depth: 12, registers: 0, positions: 197, patch: 16, hidden: [768, 768] };

impl Shapes {
    fn write(&self, path: &Path) {
        let d = self.width;
        let mut tensors: Vec<(String, Vec<usize>)> = vec![
            ("cls_token".into(), vec![1, 1, d]),
            ("pos_embed".into(), vec![1, self.positions, d]),
            ("patch_embed.proj.weight".into(), vec![d, 3, self.patch, self.patch]),
            ("patch_embed.proj.bias".into(), vec![d]),
            ("norm.weight".into(), vec![d]),
            ("norm.bias".into(), vec![d]),
        ];
        if self.registers > 0 {
            tensors.push(("reg_token".into(), vec![1, self.registers, d]));
        }
        for i in 0..self.depth {
            let [first, second] = self.hidden;
            for (name, shape) in [
                ("norm1", vec![d]),
                ("norm2", vec![d]),
                ("attn.qkv", vec![3 * d, d]),
                ("attn.proj", vec![d, d]),
                ("mlp.fc1", vec![first, d]),
                ("mlp.fc2", vec![d, second]),
            ] {
                tensors.push((format!("blocks.{i}.{name}.bias"), vec![shape[0]]));
                tensors.push((format!("blocks.{i}.{name}.weight"), shape));
            }
        }
        let (mut header, mut end) = (String::from("{"), 0);
        for (i, (name, shape)) in tensors.iter().enumerate() {
            let start = end;
            end += 4 * shape.iter().product::<usize>();
            let comma = if i == 0 { "" } else { "," };
            write!(
                header,
                r#"{comma}"{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
            )
            .unwrap();
        }
        header.push('}');
        std::fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len((8 + header.len() + end) as u64).unwrap();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, shapes: &Shapes) -> Self {
        let folder = common::folder(name);
        // Of any name, as hubs have them.
        shapes.write(&folder.join("weights-of-mine.safetensors"));
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn describe(&self) -> Result<Described, String> {
        describe(&self.0, None, None).map_err(|e| e.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const HF: &str = r#"{"model_type":"vit","hidden_size":192,"num_attention_heads":3,"num_hidden_layers":12,
    "intermediate_size":768,"layer_norm_eps":1e-6,"image_size":224,"patch_size":16}"#;

/// A processor's file with one part changed.
fn processor(size: &str, more: &str) -> String {
    format!(
        r#"{{"do_normalize":true,"do_rescale":true,"do_resize":true,"image_mean":[0.5,0.5,0.5],"image_std":[0.25,0.25,0.25],
        "image_processor_type":"ViTImageProcessor","resample":3,"rescale_factor":0.00392156862745098,"size":{size}{more}}}"#
    )
}

#[test]
fn processors_of_transformers_are_carried_out() {
    let folder = Folder::new("hf-processors", &SMALL);
    folder.write("config.json", HF);
    let read = |text: &str| folder.write("preprocessor_config.json", text).describe().unwrap().preprocess;
    let square = r#"{"height":224,"width":224}"#;
    let plain = read(&processor(square, ""));
    let expected = Preprocess {
        side: 224,
        resize: Resize::Exact { width: 224, height: 224 },
        filter: Filter::Bicubic,
        centre: Centre::Down,
        scale: 1.0 / 255.0,
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    assert_eq!(plain, expected);
    let cut = r#","crop_size":{"height":224,"width":224},"do_center_crop":true"#;
    let shorter = read(&processor(r#"{"shortest_edge":256}"#, cut));
    assert_eq!((shorter.side, shorter.resize), (224, Resize::Shorter(256)));
    let bilinear = read(&processor(square, "").replace("\"resample\":3", "\"resample\":2"));
    assert_eq!(bilinear.filter, Filter::Bilinear);
    let raw = processor(square, "").replace("\"do_rescale\":true", "\"do_rescale\":false");
    let raw = read(&raw.replace("\"do_normalize\":true", "\"do_normalize\":false"));
    assert_eq!((raw.scale, raw.mean, raw.std), (1.0, [0.0; 3], [1.0; 3]));
    let kept = read(&processor(square, "").replace("\"do_resize\":true", "\"do_resize\":false"));
    assert_eq!(kept.resize, Resize::Keep);
    let old = read(r#"{"image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225]}"#);
    assert_eq!(old, Preprocess::imagenet(224), "a file of statistics alone");

    for p in [plain, shorter, bilinear, kept, raw, Preprocess::imagenet(224)] {
        save_preprocess(&p, &folder.0.join("weights-of-mine.safetensors")).unwrap();
        assert_eq!(folder.describe().unwrap().preprocess, p, "what we write is read back");
    }
}

#[test]
fn fields_that_cannot_be_carried_out_are_named() {
    let folder = Folder::new("hf-refused", &SMALL);
    let square = r#"{"height":224,"width":224}"#;
    let good = processor(square, "");
    for (config, text, expected) in [
        (HF, processor(square, r#","do_pad":true"#), "`do_pad` is true"),
        (HF, processor(square, r#","blur":3"#), "`blur` is 3, but this field is not known here"),
        (HF, processor(r#"{"longest_edge":224}"#, ""), "`size` is {\"longest_edge\":224}"),
        (HF, processor(r#"{"height":224,"width":256}"#, ""), "`size` is 224×256"),
        (
            HF,
            processor(r#"{"height":256,"width":256}"#, ""),
            "`size` is 256, but config.json says that the model takes images of 224",
        ),
        (
            HF,
            processor(r#"{"shortest_edge":200}"#, r#","crop_size":224"#),
            "`crop_size` is 224, but the picture is resized to 200 before the cut",
        ),
        (HF, good.replace("\"resample\":3", "\"resample\":9"), "`resample` is 9"),
        (HF, good.replace("0.5,0.5,0.5", "127.5,127.5,127.5"), "`image_mean` is [127.5, 127.5, 127.5]"),
        (
            HF,
            good.replace("\"image_processor_type\":\"ViTImageProcessor\",\"resample\":3,", ""),
            "`resample` is absent",
        ),
        (
            HF,
            good.replace("ViTImageProcessor", "PoolFormerImageProcessor"),
            "`image_processor_type` is PoolFormer",
        ),
        (
            HF,
            processor("224", r#","default_to_square":false"#),
            "`default_to_square` is false, but ViT takes a bare size otherwise",
        ),
        (
            &HF.replace("\"model_type\":\"vit\"", "\"model_type\":\"beit\""),
            good.clone(),
            "`model_type` is beit",
        ),
        (&HF.replace('}', r#","hidden_act":"gelu_new"}"#), good.clone(), "`hidden_act` is \"gelu_new\""),
        (
            &HF.replace('}', r#","use_rope":true}"#),
            good.clone(),
            "`use_rope` is true, but this field is not known",
        ),
    ] {
        folder.write("config.json", config).write("preprocessor_config.json", &text);
        let message = folder.describe().unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

fn timm(args: &str, cfg: &str) -> String {
    format!(
        r#"{{"architecture":"vit_tiny_patch16_224","num_classes":0,"num_features":192,"global_pool":"token",
        "model_args":{{{args}}},"pretrained_cfg":{{"tag":"x","input_size":[3,224,224],"fixed_input_size":true,
        "first_conv":"patch_embed.proj","classifier":"head"{cfg}}}}}"#
    )
}

#[test]
fn timms_configurations_are_carried_out() {
    let folder = Folder::new("timm", &SMALL);
    let read = |text: &str| folder.write("config.json", text).describe();
    let p = |text: &str| read(text).unwrap().preprocess;
    let plain = p(&timm("", ""));
    assert_eq!(
        (plain.resize, plain.filter, plain.centre),
        (Resize::Shorter(256), Filter::Bicubic, Centre::HalfToEven)
    );
    assert_eq!(plain.mean, [0.485, 0.456, 0.406]);
    let cut = p(&timm(
        "",
        r#","crop_pct":0.9,"interpolation":"bilinear","mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]"#,
    ));
    assert_eq!(
        (cut.side, cut.resize, cut.filter, cut.mean),
        (224, Resize::Shorter(248), Filter::Bilinear, [0.5; 3])
    );
    let squashed = p(&timm("", r#","crop_pct":1.0,"crop_mode":"squash""#));
    assert_eq!(squashed.resize, Resize::Exact { width: 224, height: 224 });
    let dynamic = timm(r#""img_size":224,"dynamic_img_size":true"#, "").replace("[3,224,224]", "[3,448,448]");
    assert_eq!(read(&dynamic).unwrap().config.image, 448, "positions are resampled to the input");
    let mean = timm("", "").replace("\"token\"", "\"avg\"");
    assert_eq!(read(&mean).unwrap().config.pooling, Pooling::Mean);

    let said = timm(r#""act_layer":"gelu","mlp_layer":"mlp""#, "");
    assert_eq!(read(&said).unwrap().config.mlp, Mlp::Gelu);
    for (text, expected) in [
        (timm("", r#","crop_mode":"border""#), "`pretrained_cfg.crop_mode` is border"),
        (timm("", r#","crop_pct":1.2"#), "`pretrained_cfg.crop_pct` is 1.2"),
        (timm("", r#","interpolation":"random""#), "`pretrained_cfg.interpolation` is random"),
        (timm("", r#","warp":1"#), "`pretrained_cfg.warp` is 1"),
        (timm(r#""depth":3"#, ""), "`model_args.depth` is 3, but the tensors have 12"),
        (timm(r#""reg_tokens":4"#, ""), "`model_args.reg_tokens` is 4, but the tensors have 0"),
        (timm(r#""embed_dim":384"#, ""), "`model_args.embed_dim` is 384, but the tensors have 192"),
        (
            timm(r#""mlp_ratio":2.0"#, ""),
            "`model_args.mlp_ratio · embed_dim` is 384, but the tensors have 768",
        ),
        (timm(r#""no_embed_class":true"#, ""), "positions fill no square grid"),
        (timm(r#""qk_norm":true"#, ""), "`model_args.qk_norm` is true"),
        (
            timm(r#""init_values":1e-5"#, ""),
            "`model_args.init_values` is 0.00001, but the tensors have no layer scale",
        ),
        (
            timm(r#""act_layer":"silu""#, ""),
            "`model_args.act_layer` is \"silu\", but without a gate only gelu",
        ),
        (
            timm(r#""mlp_layer":"swiglupacked""#, ""),
            "`model_args.mlp_layer` is \"swiglupacked\", but the tensors have no gate",
        ),
        (
            timm(r#""mlp_layer":"GluMlp""#, ""),
            "`model_args.mlp_layer` is \"GluMlp\", but only mlp and swiglupacked",
        ),
        (
            timm("", "").replace("vit_tiny_patch16_224", "vit_base_patch16_224"),
            "`architecture` is vit_base_patch16_224, but that is 768 wide and 12 deep, and the tensors 192 and 12",
        ),
        (
            timm("", "").replace("vit_tiny_patch16_224", "resnet50"),
            "`architecture` is resnet50, but only timm's vit_",
        ),
        (timm("", "").replace("vit_tiny_patch16_224", "beitv2_base_patch16_224"), "only timm's vit_"),
        (timm("", "").replace("vit_tiny_patch16_224", "vit_tiny_patch16_rope_ape_224"), "rotary positions"),
        (timm(r#""act_layer":"quick_gelu""#, ""), "`model_args.act_layer` is \"quick_gelu\""),
        (timm(r#""img_size":256"#, ""), "`pretrained_cfg.input_size` is 224, but model_args.img_size is 256"),
        (timm("", "").replace("\"token\"", "\"map\""), "`global_pool` is map"),
    ] {
        let message = read(&text).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

/// A model of these tensors under this config.json.
fn folder_of(shapes: &Shapes, card: &str) -> Result<Described, String> {
    let folder = Folder::new("one-card", shapes);
    folder.write("config.json", card).describe()
}

/// What `transformers` does where a file is silent, by the class that the file names.
#[test]
fn processors_have_their_own_defaults_and_rules() {
    let folder = Folder::new("hf-defaults", &SMALL);
    folder.write("config.json", HF);
    let read = |name: &str, more: &str| {
        let text = format!(r#"{{"image_processor_type":"{name}"{more}}}"#);
        folder.write("preprocessor_config.json", &text).describe().unwrap().preprocess
    };
    let exact = |side| Resize::Exact { width: side, height: side };
    let shape = |p: &Preprocess| (p.side, p.resize, p.filter);
    let vit = read("ViTImageProcessor", "");
    assert_eq!((shape(&vit), vit.mean), ((224, exact(224), Filter::Bilinear), [0.5; 3]));
    assert_eq!(shape(&read("DeiTFeatureExtractor", "")), (224, exact(256), Filter::Bicubic));
    for name in ["CLIPImageProcessor", "BitImageProcessorFast"] {
        let clip = read(name, "");
        assert_eq!(
            (shape(&clip), clip.mean[0]),
            ((224, Resize::Shorter(224), Filter::Bicubic), 0.481_454_66),
            "{name}"
        );
        // A bare number is the shorter side, so that a tile of 50×40 is not squashed.
        assert_eq!(
            read(name, r#","size":256,"default_to_square":false"#).resize,
            Resize::Shorter(256),
            "{name}"
        );
    }
    assert_eq!(read("ViTImageProcessor", r#","size":224"#).resize, exact(224));
    assert_eq!(
        shape(&read("ConvNextImageProcessor", r#","size":{"shortest_edge":224}"#)),
        (224, Resize::Shorter(256), Filter::Bilinear)
    );
    let share = r#","size":{"shortest_edge":224},"crop_pct":0.95"#;
    assert_eq!(read("ConvNextFeatureExtractor", share).resize, Resize::Shorter(235));
}

/// UNI2-h names timm's giant, which is narrower and has 16 heads; its own width and depth say 24. Virchow2's registers
/// have positions. H-optimus' giant is DINOv2's.
#[test]
fn heads_and_positions_of_the_pathology_models() {
    let card = |name: &str, args: &str| format!(r#"{{"architecture":"{name}","model_args":{{{args}}}}}"#);
    let uni2 =
        Shapes { width: 1536, depth: 24, registers: 8, positions: 256, patch: 14, hidden: [8192, 4096] };
    let folder = Folder::new("uni2", &uni2);
    let args =
        r#""img_size":224,"init_values":null,"no_embed_class":true,"reg_tokens":8,"dynamic_img_size":true"#;
    let config = folder.write("config.json", &card("vit_giant_patch14_224", args)).describe().unwrap().config;
    assert_eq!((config.heads, config.registers, config.prefix_positions, config.hidden), (24, 8, 0, 4096));

    let virchow2 =
        Shapes { width: 1280, depth: 32, registers: 4, positions: 261, patch: 14, hidden: [6832, 3416] };
    let folder = Folder::new("virchow2", &virchow2);
    let args = r#""img_size":224,"reg_tokens":4,"mlp_ratio":5.3375,"global_pool":"","dynamic_img_size":true"#;
    let config = folder.write("config.json", &card("vit_huge_patch14_224", args)).describe().unwrap().config;
    assert_eq!((config.heads, config.prefix_positions, config.image), (16, 5, 224));

    let optimus =
        Shapes { width: 1536, depth: 40, registers: 4, positions: 256, patch: 14, hidden: [8192, 4096] };
    let folder = Folder::new("optimus", &optimus);
    let args = r#""img_size":224,"global_pool":"token""#;
    let text = card("vit_giant_patch14_reg4_dinov2", args);
    assert_eq!(folder.write("config.json", &text).describe().unwrap().config.heads, 24);

    // What is told of a gate has to be what is carried out at it, and is what Virchow2 was trained with.
    let told =
        |more: &str| folder_of(&virchow2, &card("vit_huge_patch14_224", &format!(r#""reg_tokens":4{more}"#)));
    let packed = r#","mlp_layer":"SwiGLUPacked""#;
    assert_eq!(told(&format!(r#"{packed},"act_layer":"silu""#)).unwrap().config.mlp, Mlp::SwiGlu);
    for (more, expected) in [
        (
            packed.to_owned(),
            "`model_args.mlp_layer` is \"swiglupacked\", but without act_layer timm gates by GELU",
        ),
        (
            format!(r#"{packed},"act_layer":"gelu""#),
            "`model_args.act_layer` is \"gelu\", but a gate by GELU is not",
        ),
        (
            r#","mlp_layer":"mlp""#.to_owned(),
            "`model_args.mlp_layer` is \"mlp\", but the tensors have a gate",
        ),
    ] {
        let message = told(&more).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }

    let odd = Shapes { width: 1280, depth: 20, ..virchow2 };
    let message = folder_of(&odd, &card("vit_huge_patch14_224", "")).unwrap_err();
    assert!(
        message.contains("`architecture` is vit_huge_patch14_224, but that is 1280 wide and 32 deep"),
        "{message}"
    );
    // As timm builds it: what the file overrides is its own, what it does not is the architecture's.
    let own = folder_of(&odd, &card("vit_huge_patch14_224", r#""depth":20"#)).unwrap();
    assert_eq!((own.config.depth, own.config.heads), (20, 16));
}

#[test]
fn files_that_are_no_weights_are_named_for_what_they_are() {
    let folder = common::folder("no-weights");
    let said = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        load(&path).unwrap_err().to_string()
    };
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    assert!(said("a.safetensors", pointer).contains("Git LFS pointer"));
    assert!(said("b.safetensors", b"<!DOCTYPE html><html><body>log in").contains("a web page"));
    assert!(said("c.pt", b"PK\x03\x04\x14\x00\x08\x08data").contains("weights_only=True"));
    assert!(said("d.safetensors", b"\x80\x02}q\x00X\x01\x00").contains("PyTorch"));
    assert!(said("e.safetensors", b"Entry not found").contains("no such file, or none without a login"));
    assert!(said("f.safetensors", b"path,label\na.png,x\n").contains("a table in text (CSV)"));
    assert!(said("g.safetensors", b"").contains("it is empty"));
    let index = br#"{"weight_map":{"cls_token":"model-1.safetensors"}}"#;
    assert!(
        said("model.safetensors.index.json", index)
            .contains("it names `model-1.safetensors`, which is not in")
    );
    SMALL.write(&folder.join("x.safetensors"));
    std::fs::write(folder.join("config.json"), "<html>log in").unwrap();
    let message = describe(&folder.join("x.safetensors"), None, None).unwrap_err().to_string();
    assert!(message.contains("config.json is not a readable JSON file: it is a web page"), "{message}");
    std::fs::remove_dir_all(&folder).unwrap();

    let folder = common::folder("bin-only");
    std::fs::write(folder.join("pytorch_model.bin"), b"PK\x03\x04").unwrap();
    let message = load(&folder).unwrap_err().to_string();
    assert!(message.contains("it holds `pytorch_model.bin` and no .safetensors file"), "{message}");
    for name in ["one.safetensors", "two.safetensors"] {
        SMALL.write(&folder.join(name));
    }
    let message = load(&folder).unwrap_err().to_string();
    assert!(message.contains("name one of `one.safetensors`, `two.safetensors`"), "{message}");
    std::fs::remove_dir_all(&folder).unwrap();
}
