//! The commands on tiles and features, as a shell runs them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("blindscope-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn blindscope(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
    command.current_dir(folder).args(line.split(' ')).env_remove("RUST_BACKTRACE");
    for name in ["BLINDSCOPE_CACHE", "BLINDSCOPE_MODELS", "BLINDSCOPE_HUB", "BLINDSCOPE_DATA", "HF_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// The JSON that a command prints.
fn json(folder: &Path, line: &str) -> serde_json::Value {
    let Output { status, stdout, stderr } = blindscope(folder, line).output().unwrap();
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

/// The message with which a command fails.
fn refusal(folder: &Path, line: &str) -> String {
    let output = blindscope(folder, line).output().unwrap();
    assert!(!output.status.success(), "{line}");
    assert!(output.stdout.is_empty(), "nothing but a result goes to stdout");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_machine_without_data_goes_from_nothing_to_a_head() {
    let folder = folder("journey");
    let drawn = json(&folder, "data synth tiles --side 64 --patients 3 --sites 2 --json");
    assert_eq!(drawn["tiles"], 36);
    let checked = json(&folder, "data check tiles/tiles.csv --json");
    assert_eq!((&checked["groups"], &checked["classes"][2]["tiles"]), (&18.into(), &12.into()));

    let tuned = "train backbone tiles/tiles.csv head.json --small --tune whole --epochs 2 --save-backbone model/model.safetensors --json";
    let tuned = json(&folder, tuned);
    assert_eq!(tuned["epochs"].as_array().unwrap().len(), 2);
    assert!(
        tuned["held_out"]["auc"].as_f64().unwrap() >= 0.0 && tuned["before"]["rows"].as_u64().unwrap() > 0
    );
    let model = json(&folder, "model show --model model --json");
    assert_eq!(model["config"]["heads"], 3);

    std::fs::write(folder.join("tiles/glands/broken.png"), b"no image").unwrap();
    let extracted = json(&folder, "features extract tiles f.safetensors --model model --json");
    assert_eq!((&extracted["rows"], &extracted["backbone"]), (&36.into(), &model["backbone"]));
    let skipped = extracted["skipped"].as_array().unwrap();
    // The list tiles.csv lies beside the class folders and is none of their files.
    assert_eq!(skipped.len(), 1);
    assert!(skipped[0]["reason"].as_str().unwrap().contains("not a whole JPEG, PNG or TIFF image"));

    let parts = json(&folder, "features split f.safetensors parts --sites 2 --dirichlet 5 --json");
    assert_eq!(parts[0]["rows"].as_u64().unwrap() + parts[1]["rows"].as_u64().unwrap(), 36);
    let head = json(&folder, "train head f.safetensors linear.json --form linear --epochs 5 --json");
    assert_eq!(head["epochs"].as_array().unwrap().len(), 5);
    let literal = std::fs::read(folder.join("linear.json")).unwrap();
    let literal: serde_json::Value = serde_json::from_slice(&literal).unwrap();
    assert_eq!(literal["map"]["kind"], "linear");
    // The same head as tensors has the same plan.
    json(&folder, "train head f.safetensors linear.safetensors --form linear --epochs 5 --json");
    let plan = |head: &str| json(&folder, &format!("plan --head {head} --precision 3 --json"));
    let (text, tensors) = (plan("linear.json"), plan("linear.safetensors"));
    assert_eq!(text["plan"], tensors["plan"]);
    assert!(text["error_bound"].as_f64().unwrap() <= 0.125);
    std::fs::remove_file(folder.join("tiles/glands/broken.png")).unwrap();
    for made in std::fs::read_dir(&folder).unwrap() {
        owners_alone(&made.unwrap().path());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Whatever the system's defaults: tiles, features, their cache and heads tell of patients.
#[cfg(unix)]
fn owners_alone(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let rights = path.symlink_metadata().unwrap().permissions().mode();
    assert_eq!(rights & 0o077, 0, "{} has the rights {rights:o}", path.display());
    if path.is_dir() {
        for inner in std::fs::read_dir(path).unwrap() {
            owners_alone(&inner.unwrap().path());
        }
    }
}

#[cfg(not(unix))]
fn owners_alone(_: &Path) {}

#[cfg(unix)]
#[test]
fn ctrl_c_exits_with_130_and_the_same_command_takes_up() {
    let folder = folder("interrupt");
    json(&folder, "data synth tiles --side 64 --patients 40 --sites 3 --json");
    let line = "features extract tiles f.safetensors --small --batch 2 --json";
    let mut running =
        blindscope(&folder, line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(running.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    assert!(first.starts_with("tiles: ") && first.contains(" left"), "{first}");
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let stopped: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&stopped["stopped"], &stopped["total"]), (&true.into(), &720.into()));
    let done = stopped["done"].as_u64().unwrap();
    assert!(!folder.join("f.safetensors").exists());

    let whole = json(&folder, line);
    assert_eq!((&whole["rows"], &whole["cached"]), (&720.into(), &done.into()));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    let folder = folder("refusals");
    for file in ["f.h5", "f.mat", "f.npy"] {
        std::fs::write(folder.join(file), b"nothing of the kind").unwrap();
    }
    for (line, expected) in [
        ("features import nowhere.npy f.safetensors", "nowhere.npy: No such file"),
        ("features extract nowhere f.safetensors --small", "nowhere"),
        ("features extract . f.safetensors --model owner/name", "blindscope model fetch owner/name"),
        (
            "features extract . f.safetensors --small",
            "holds no folder with JPEG, PNG or TIFF files; put the images of each class into a folder",
        ),
        ("features import f.h5 f.safetensors", "f.h5 is not a readable HDF5 file"),
        ("features import f.mat f.safetensors", "none of .safetensors, .npy, .csv, .tsv, .h5"),
        ("features import f.npy f.safetensors --dataset x", "only HDF5 files hold datasets"),
        ("model fetch phikon", "expected OWNER/NAME"),
        ("model fetch a/b --hub http://mirror.example.org", "expected https://"),
        ("model fetch a/b --sha256 12", "64 hexadecimal digits"),
        (
            "train backbone . h.json --small --save-backbone b --tune some",
            "last-blocks=N, lora=RANK, whole or head",
        ),
    ] {
        let message = refusal(&folder, line);
        assert!(message.contains(expected), "{line}: {message}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// A `safetensors` file of some tensors of F32, all of one value.
fn checkpoint(path: &Path, tensors: &[(&str, &[usize])], value: f32) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors {
        let start = data.len();
        data.extend((0..shape.iter().product()).flat_map(|_: usize| value.to_le_bytes()));
        let entry =
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert((*name).to_owned(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(path, bytes).unwrap();
}

/// A wrong checkpoint costs a message; the features file and the cache of the right one stay.
#[test]
fn wrong_checkpoints_are_named_and_cost_nothing_that_was_made() {
    let folder = folder("checkpoints");
    json(&folder, "data synth tiles --side 64 --patients 2 --sites 2 --json");
    let train = "train backbone tiles/tiles.csv h.json --small --tune head --epochs 1 --save-backbone good/model.safetensors --json";
    json(&folder, train);
    let extract =
        |model: &str| format!("features extract tiles/tiles.csv f.safetensors --model {model} --json");
    json(&folder, &extract("good"));
    let features = std::fs::read(folder.join("f.safetensors")).unwrap();

    for name in ["nan", "deeper", "convolutions"] {
        std::fs::create_dir(folder.join(name)).unwrap();
        for file in ["model.safetensors", "preprocessor_config.json"] {
            std::fs::copy(folder.join("good").join(file), folder.join(name).join(file)).unwrap();
        }
    }
    let mut bytes = std::fs::read(folder.join("good/model.safetensors")).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(folder.join("nan/model.safetensors"), bytes).unwrap();
    // A model of Hugging Face's names whose configuration has a block more and another width.
    let config = serde_json::json!({
        "model_type": "vit", "image_size": 64, "patch_size": 8, "hidden_size": 96, "num_hidden_layers": 4,
        "num_attention_heads": 3, "intermediate_size": 96, "layer_norm_eps": 1e-6, "qkv_bias": true
    });
    std::fs::write(folder.join("deeper/config.json"), config.to_string()).unwrap();
    let resnet: [(&str, &[usize]); 3] =
        [("conv1.weight", &[64, 3, 7, 7]), ("bn1.weight", &[64]), ("fc.weight", &[10, 512])];
    checkpoint(&folder.join("convolutions/model.safetensors"), &resnet, 0.5);

    for (model, expected) in [
        ("nan", "values that are not finite; the checkpoint is damaged"),
        ("deeper", "missing 12: blocks.3."),
        (
            "convolutions",
            "no CLS token under a timm, DINOv2 or Hugging Face name; its first tensors are `bn1.weight`",
        ),
    ] {
        let message = refusal(&folder, &extract(model));
        assert!(message.contains(expected) && message.contains("model.safetensors"), "{model}: {message}");
        assert_eq!(std::fs::read(folder.join("f.safetensors")).unwrap(), features, "{model}");
        let shown = refusal(&folder, &format!("model show --model {model}"));
        assert!(shown.contains(expected), "{model}: {shown}");
    }
    #[cfg(not(feature = "gpu"))]
    {
        let message = refusal(&folder, "features extract tiles f.safetensors --model good --device gpu");
        assert!(message.contains("built without it (cargo feature `gpu`); use the processor"), "{message}");
        let auto = json(&folder, &format!("{} --device auto", extract("good")));
        assert!(auto["graphics"].is_null());
    }
    let again = json(&folder, &extract("good"));
    assert_eq!((&again["cached"], &again["rows"]), (&24.into(), &24.into()), "the cache is whole");
    std::fs::remove_dir_all(folder).unwrap();
}

/// A class of one tile cannot be on both sides: every command that would split says so, and with nothing held out a head is
/// trained.
#[test]
fn a_class_of_one_tile_is_refused_by_every_split() {
    let folder = folder("lone");
    json(&folder, "data synth tiles --side 64 --patients 4 --sites 2 --json");
    // A tile of its own: one image under two classes is set aside.
    json(&folder, "data synth other --side 64 --patients 1 --sites 1 --seed 9 --json");
    std::fs::create_dir(folder.join("tiles/lone")).unwrap();
    std::fs::copy(folder.join("other/glands/site-1-patient-1-1.png"), folder.join("tiles/lone/only.png"))
        .unwrap();
    let extracted = json(&folder, "features extract tiles f.safetensors --small --json");
    let warning = extracted["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("class `lone` has 1 tile(s) of 1 independent group(s)"), "{warning}");
    for line in [
        "features split f.safetensors parts --shares 0.7,0.1,0.2",
        "features split f.safetensors parts --folds 3",
        "features split f.safetensors parts --sites 2",
        "train head f.safetensors h.json --form linear --epochs 2",
        "train backbone tiles h.json --small --tune head --epochs 1 --save-backbone b/model.safetensors",
    ] {
        let message = refusal(&folder, line);
        assert!(message.contains("has 1 independent group(s) for"), "{line}: {message}");
    }
    assert!(!folder.join("parts").exists() && !folder.join("h.json").exists());
    let head = json(&folder, "train head f.safetensors h.json --form linear --epochs 2 --hold-out 0 --json");
    assert!(head["held_out"].is_null());
    std::fs::remove_dir_all(folder).unwrap();
}
