//! Situations that users of such tools report, each walked through the built command with inputs made here: what comes out is right,
//! or a refusal that says what to do.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

mod inputs;

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use inputs::{big_tiff, features_of, jpeg, jpeg_tiff, npy};

fn blindscope(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
    command
        .current_dir(folder)
        .args(line.split(' '))
        .env_remove("RUST_BACKTRACE")
        .env("BLINDSCOPE_LOG", "error");
    for name in ["BLINDSCOPE_CACHE", "BLINDSCOPE_MODELS", "BLINDSCOPE_DATA"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn json(folder: &Path, line: &str) -> Value {
    let Output { status, stdout, stderr } = blindscope(folder, line);
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

/// The exit code and the words of a command that fails, which are for people: no debug text of ours in them.
fn refused(folder: &Path, line: &str) -> (i32, String) {
    let Output { status, stderr, .. } = blindscope(folder, line);
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{line}");
    assert!(
        !said.contains("Some(") && !said.contains("Err(") && !said.contains("panicked"),
        "{line}: {said}"
    );
    (status.code().unwrap(), said)
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn listings_take_each_tile_once_and_name_what_they_leave() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    json(folder, "data synth tiles --side 64 --patients 2 --sites 1 --json");
    // A link that leads back up, and one to a sibling.
    std::os::unix::fs::symlink("..", folder.join("tiles/glands/up")).unwrap();
    std::os::unix::fs::symlink("../septa", folder.join("tiles/pearls/again")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"not-\xff-text.png");
    std::fs::write(folder.join("tiles/glands").join(odd), b"").unwrap();
    write(folder, "tiles/glands/line\nbreak.png", b"");
    write(folder, "tiles/glands/empty.png", b"");
    write(folder, "tiles/glands/page.jpg", b"<!DOCTYPE html><html>not found</html>");
    let whole = jpeg(64, 64, 3);
    write(folder, "tiles/septa/cut.jpg", &whole[..whole.len() / 2]);
    let checked = json(folder, "data check tiles --json");
    assert_eq!(checked["tiles"], 12, "{checked}");
    // A link gives no tile the label of where it lies.
    assert!(checked["classes"].as_array().unwrap().iter().all(|class| class["tiles"] == 4), "{checked}");
    let skipped: Vec<String> =
        checked["skipped"].as_array().unwrap().iter().map(ToString::to_string).collect();
    for word in ["glands/up", "pearls/again", "not UTF-8", "line break", "empty.png", "page.jpg", "cut.jpg"] {
        assert!(skipped.iter().any(|s| s.contains(word)), "{word}: {skipped:?}");
    }
    // Nothing that is computed is lost because of them.
    let made = json(folder, "features extract tiles f.safetensors --small --json");
    assert_eq!(made["rows"], 12);
    assert_eq!(made["skipped"].as_array().unwrap().len(), skipped.len());
}

#[test]
fn a_list_of_which_nothing_can_be_used_is_printed_with_reasons() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, "missing.csv", "path,label\nnowhere-1.png,a\nnowhere-2.png,b\n");
    for line in ["features extract missing.csv o.safetensors --small --json", "data check missing.csv --json"]
    {
        let output = blindscope(folder, line);
        assert!(!output.status.success(), "{line}");
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(listed["skipped"].as_array().unwrap().len(), 2, "{line}: {listed}");
    }
    assert!(!folder.join("o.safetensors").exists());
    write(folder, "rows.csv", "path,label\na.png,x\na.png,y\nb.png,x,extra\n,x\n");
    let (_, said) = refused(folder, "data check rows.csv");
    assert!(said.contains("no usable row"), "{said}");
}

#[test]
fn pictures_that_people_have_are_read() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, "tiles/a/big.tif", big_tiff(64, 64));
    write(folder, "tiles/a/jpeg.tif", jpeg_tiff(64, 64));
    write(folder, "tiles/b/tile.jpg", jpeg(64, 64, 1));
    let whole = jpeg(64, 64, 2);
    // The end marker is there, the middle is not.
    let hole = [&whole[..whole.len() / 2], &whole[whole.len() - 2..]].concat();
    write(folder, "tiles/b/hole.jpg", hole);
    let checked = json(folder, "data check tiles --json");
    assert_eq!(checked["tiles"], 3, "{checked}");
    assert!(checked["skipped"][0]["id"] == "b/hole.jpg", "{checked}");
}

#[test]
fn features_of_other_tools_are_told_by_name() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    // Index, target and coordinates are no features; a header of numbers is no header.
    write(folder, "f.csv", "Unnamed: 0,Label,X,Y,f0,f1\n0,aca,10,20,1.5,2.5\n1,scc,30,40,3.5,4.5\n");
    let made = json(folder, "features import f.csv f.safetensors --json");
    assert_eq!((&made["width"], &made["rows"]), (&2.into(), &2.into()), "{made}");
    assert!(made["notes"].to_string().contains("f0"), "what was taken is listed: {made}");
    write(folder, "bare.csv", "1.0,2.0,3.0\n4.0,5.0,6.0\n");
    let (_, said) = refused(folder, "features import bare.csv bare.safetensors");
    assert!(said.contains("header"), "{said}");
    // Labels join by id, whatever the order.
    write(folder, "ids.csv", "id,f0,f1\np,1,2\nq,3,4\nr,5,6\n");
    write(folder, "labels.csv", "path,label\nr,three\np,one\nq,two\n");
    json(folder, "features import ids.csv ids.safetensors --labels labels.csv --json");
    let rows = features_of(&folder.join("ids.safetensors"));
    assert_eq!(
        rows,
        [("p", "one", 1.0), ("q", "two", 3.0), ("r", "three", 5.0)].map(|(a, b, c)| (a.into(), b.into(), c))
    );
    write(folder, "other.csv", "path,label\nr,three\np,one\nz,two\n");
    let (code, said) = refused(folder, "features import ids.csv no.safetensors --labels other.csv");
    assert!(said.contains('z') || said.contains('q'), "{code} {said}");
    assert!(!folder.join("no.safetensors").exists());
    // numpy's types: half precision, big endian, a leading axis of one.
    let values = [0.5f32, -1.0, 2.0, 4.0, 8.0, -16.0];
    for (name, shape, dtype) in
        [("f16", "(3, 2)", "<f2"), ("be", "(3, 2)", ">f4"), ("batch", "(1, 3, 2)", "<f4")]
    {
        write(folder, &format!("{name}.npy"), npy(&values, shape, dtype));
        let made = json(folder, &format!("features import {name}.npy {name}.safetensors --json"));
        assert_eq!((&made["width"], &made["rows"]), (&2.into(), &3.into()), "{name}: {made}");
        let firsts: Vec<f32> =
            features_of(&folder.join(format!("{name}.safetensors"))).iter().map(|r| r.2).collect();
        assert_eq!(firsts, [0.5, 2.0, 8.0], "{name}");
    }
}

#[test]
fn a_model_is_told_for_what_it_is() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, "bin/config.json", "{}");
    write(folder, "bin/pytorch_model.bin", b"PK\x03\x04 a pickle in a zip");
    write(folder, "lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
    write(folder, "html.safetensors", "<!DOCTYPE html><html>sign in</html>");
    write(folder, "m.pt", b"PK\x03\x04 a pickle in a zip");
    for (model, word) in [
        ("bin", ".bin"),
        ("lfs.safetensors", "LFS"),
        ("html.safetensors", "web page"),
        ("m.pt", "safetensors"),
    ] {
        let (_, said) = refused(folder, &format!("model show --model {model}"));
        assert!(said.contains(word), "{model}: {said}");
    }
    // One file under an index of shards is the same model.
    json(folder, "data synth tiles --side 64 --patients 2 --sites 1 --json");
    json(
        folder,
        "train backbone tiles/tiles.csv h.json --small --tune head --epochs 1 --hold-out 0 --save-backbone m/model.safetensors --json",
    );
    let whole = json(folder, "model show --model m --json");
    let names = inputs::tensor_names(&folder.join("m/model.safetensors"));
    std::fs::create_dir(folder.join("sharded")).unwrap();
    for entry in std::fs::read_dir(folder.join("m")).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace("model.safetensors", "model-00001-of-00001.safetensors");
        std::fs::copy(&path, folder.join("sharded").join(name)).unwrap();
    }
    let map: serde_json::Map<String, Value> =
        names.into_iter().map(|name| (name, "model-00001-of-00001.safetensors".into())).collect();
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    write(folder, "sharded/model.safetensors.index.json", index.to_string());
    assert_eq!(json(folder, "model show --model sharded --heads 3 --json")["backbone"], whole["backbone"]);
    // What a card says is carried out, and makes another digest, or is refused by its name.
    let card = folder.join("m/preprocessor_config.json");
    let text = |size: u32, more: &str| {
        format!(
            "{{\"size\": {{\"shortest_edge\": {size}}}, \"crop_size\": {{\"height\": 64, \"width\": 64}}, \"do_resize\": true, \"do_center_crop\": true, \"resample\": 2, \"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]{more}}}"
        )
    };
    std::fs::write(&card, text(72, "")).unwrap();
    let resized = json(folder, "model show --model m --json");
    assert_ne!(resized["backbone"], whole["backbone"], "another input is another backbone");
    std::fs::write(&card, text(72, ", \"do_twirl\": true")).unwrap();
    let (_, said) = refused(folder, "model show --model m");
    assert!(said.contains("do_twirl"), "{said}");
}

#[test]
fn heads_of_one_class_and_of_odd_rows_are_refused_and_a_cohort_may_lack_a_class() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let rows = |classes: &[&str], wild: Option<usize>| {
        let mut text = "id,label,f0,f1\n".to_owned();
        for i in 0..24 {
            let class = i % classes.len();
            let value = if wild == Some(i) { 1e8 } else { class as f64 + 0.01 * i as f64 };
            let _ = writeln!(text, "r{i},{},{value},{}", classes[class], (i * 7 % 5) as f64 / 5.0);
        }
        text
    };
    for (name, text) in [
        ("one", rows(&["aca"], None)),
        ("train", rows(&["scc", "aca", "n"], None)),
        ("wild", rows(&["scc", "aca", "n"], Some(7))),
        ("cohort", rows(&["n", "aca"], None)),
        ("other", rows(&["n", "Aca"], None)),
    ] {
        write(folder, &format!("{name}.csv"), text);
        json(folder, &format!("features import {name}.csv {name}.safetensors --json"));
    }
    let train = "--form linear --epochs 20 --hold-out 0";
    let (code, said) = refused(folder, &format!("train head one.safetensors h.json {train}"));
    assert!(code == 3 && said.contains("1 class"), "{code} {said}");
    let (code, said) = refused(folder, &format!("train head wild.safetensors h.json {train}"));
    assert!(code == 3 && said.contains("r7") && said.contains("1e8"), "{code} {said}");
    let (code, said) =
        refused(folder, &format!("train head train.safetensors h.json {train} --test other.safetensors"));
    assert!(code == 3 && said.contains("`Aca`") && said.contains("scc"), "{code} {said}");
    assert!(!folder.join("h.json").exists());
    let done = json(
        folder,
        &format!("train head train.safetensors h.json {train} --test cohort.safetensors --json"),
    );
    assert_eq!(done["held_out"]["rows"], 24);
    // Of one class there is no ranking: the figure is missing, not a number.
    write(folder, "single.csv", rows(&["n"], None));
    json(folder, "features import single.csv single.safetensors --json");
    let done = json(
        folder,
        &format!("train head train.safetensors h.json {train} --test single.safetensors --json"),
    );
    assert!(done["held_out"]["auc"].is_null(), "{}", done["held_out"]);
}

#[test]
fn splits_are_ranged_refuse_their_input_and_make_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    json(folder, "data synth tiles --side 64 --patients 4 --sites 2 --json");
    json(folder, "features extract tiles/tiles.csv f.safetensors --small --cache c1 --json");
    // The same tiles in other batches, without a cache and with half of one: the same bytes.
    for batch in [1, 3] {
        let line = format!(
            "features extract tiles/tiles.csv g{batch}.safetensors --small --no-cache --batch {batch} --json"
        );
        json(folder, &line);
    }
    let bytes = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(bytes("f.safetensors") == bytes("g3.safetensors"), "batches change the bytes");
    assert!(bytes("f.safetensors") == bytes("g1.safetensors"), "batches of one change the bytes");
    json(folder, "features extract tiles/tiles.csv g.safetensors --small --cache c1 --json");
    assert!(bytes("f.safetensors") == bytes("g.safetensors"), "the cache changes the bytes");
    for (ways, word) in [
        ("--shares 0.5,0.2,0.2", "sum to"),
        ("--shares 1.5,-0.5,0", "0..1"),
        ("--shares 1,0,0", "one part"),
        ("--folds 1", "2 to 10000"),
        ("--sites 2 --dirichlet 0", "positive"),
        ("--sites 2 --dirichlet NaN", "positive"),
    ] {
        let (code, said) = refused(folder, &format!("features split f.safetensors parts {ways}"));
        assert!(code == 3 && said.contains(word), "{ways}: {code} {said}");
    }
    assert!(!folder.join("parts").exists());
    for share in ["1", "-0.1", "NaN", "1.5"] {
        let (code, said) = refused(folder, &format!("train head f.safetensors h.json --hold-out={share}"));
        assert!(code == 2 && said.contains("0 to less than 1"), "{share}: {code} {said}");
    }
    json(folder, "features split f.safetensors parts --shares 0.5,0.5,0 --json");
    let split = bytes("parts/train.safetensors");
    json(folder, "features split f.safetensors parts --shares 0.5,0.5,0 --json");
    assert!(split == bytes("parts/train.safetensors"), "the same split again");
    let (_, said) = refused(folder, "features split f.safetensors parts --folds 2");
    assert!(said.contains("of another split"), "{said}");
    for line in [
        "features split parts/train.safetensors parts --shares 0.5,0.5,0",
        "train head f.safetensors f.safetensors",
        "features extract tiles/tiles.csv tiles/tiles.csv --small",
        "features import f.safetensors f.safetensors",
    ] {
        let (code, said) = refused(folder, line);
        assert!(code == 3 && said.contains("written over itself"), "{line}: {code} {said}");
    }
    assert!(split == bytes("parts/train.safetensors"));
    // What a killed run left is cleared by the next.
    write(folder, "g.safetensors.4000000001.part", b"half");
    json(folder, "features extract tiles/tiles.csv g.safetensors --small --cache c1 --json");
    assert!(!folder.join("g.safetensors.4000000001.part").exists());
}

/// A site whose file names a class that the study has not ends at once, with both lists, before it says a word to anybody; and
/// `preflight` says the same.
#[test]
fn a_site_that_does_not_fit_ends_at_once() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    let backbone = "11".repeat(32);
    json(folder, &format!("provision project.toml -c backbone={backbone} --out s --all-local --json"));
    for (name, class, digest, word) in [
        ("renamed", "carcinoid", backbone.clone(), "`carcinoid` (1 rows)"),
        ("spelt", "Scc", backbone.clone(), "`Scc` (1 rows)"),
        ("other", "scc", "22".repeat(32), "the backbone is 2222"),
    ] {
        write(folder, "rows.csv", format!("id,label,f0,f1\np,{class},1,2\nq,aca,3,4\n"));
        json(folder, &format!("features import rows.csv s/a/{name}.safetensors --backbone {digest} --json"));
        let begun = Instant::now();
        let learning = format!("learning.train={name}.safetensors");
        let (code, said) = refused(folder, &format!("site run --kit s/a -c {learning}"));
        assert!(begun.elapsed() < Duration::from_secs(20), "it waited for somebody");
        assert!(code == 3 && said.contains(word), "{name}: {code} {said}");
        let checked = blindscope(folder, &format!("preflight --kit s/a -c {learning} --json"));
        assert_eq!(checked.status.code(), Some(7));
        let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
        let learning =
            checked["checks"].as_array().unwrap().iter().find(|c| c["name"] == "learning").unwrap();
        assert!(
            learning["outcome"] == "failed" && learning["found"].to_string().contains(word),
            "{learning}"
        );
    }
}

/// What contradicts the study is refused where it is typed: no coordinator is there that could be asked.
#[test]
fn jobs_that_contradict_the_study_are_refused_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\ndecryptions = 3\n";
    write(folder, "project.toml", project);
    json(
        folder,
        &format!("provision project.toml -c backbone={} --out s --all-local --json", "11".repeat(32)),
    );
    for (job, word) in [
        ("kind = \"cls-mean\"\n[settings]\nclasses = 3\n", "classes = 3, but the study has 2"),
        ("kind = \"statistics\"\n[settings]\nwidth = 3\n", "width = 3, but the study has 2"),
        (
            "kind = \"fedavg\"\n[settings]\nnames = [\"aca\", \"scc\"]\n",
            "but the study has [\"scc\",\"aca\"]",
        ),
        ("kind = \"fedavg\"\n[settings]\nrounds = 500\n", "but the study has 3 in its whole life"),
        ("kind = \"fedavg\"\n[settings]\nroundz = 5\n", "unknown field `roundz`"),
        ("kind = \"statistics\"\n[settings]\nclipped = 2.0\n", "clipped is 2, expected a share from 0 to 1"),
        ("kind = \"statistics\"\nvalues = 5\nmax = 9\n", "but its settings need"),
        ("kind = \"update\"\n", "backbone"),
    ] {
        write(folder, "job.toml", format!("name = \"job\"\n{job}"));
        let (code, said) = refused(folder, "job submit job.toml --kit s/office");
        assert!(code == 3 && said.contains(word), "{job}: {code} {said}");
    }
    // What fits is sent, and nobody is there.
    write(folder, "job.toml", "name = \"job\"\nkind = \"cls-mean\"\n");
    let (code, said) = refused(folder, "job submit job.toml --kit s/office");
    assert_eq!(code, 4, "{said}");
}

/// Each kind of kit has its own checks, and each says what to do.
#[test]
fn preflight_finds_what_would_end_a_service() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nlisten = \"127.0.0.1:0\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\n\
        sites = [\"a\", \"b\"]\nadmins = [\"office\"]\naskers = [\"clinic\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    json(
        folder,
        &format!("provision project.toml -c backbone={} --out s --all-local --json", "11".repeat(32)),
    );
    let checks = |line: &str| -> (i32, Vec<(String, String, String)>) {
        let output = blindscope(folder, &format!("{line} --json"));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
        let all = found["checks"].as_array().unwrap().iter();
        let all = all.map(|c| (text(c, "name"), text(c, "outcome"), text(c, "repair"))).collect();
        (output.status.code().unwrap(), all)
    };
    let fails = |line: &str, name: &str| {
        let (code, all) = checks(line);
        let failed =
            all.iter().any(|(found, how, repair)| found == name && how == "failed" && !repair.is_empty());
        assert!(code == 7 && failed, "{line}: {name} of {all:?}");
    };
    let (code, all) = checks("preflight --kit s/coordinator");
    assert!(code == 0 && all.len() >= 12, "{all:?}");
    fails("preflight --kit s/coordinator -c listen=nowhere", "listen");
    fails("preflight --kit s/coordinator -c listen=203.0.113.1:1", "listen");
    fails("preflight --kit s/coordinator -c inference.batch=0", "inference");
    for kit in ["s/a", "s/office", "s/clinic"] {
        fails(&format!("preflight --kit {kit}"), "coordinator");
    }
    fails("preflight --kit s/a", "learning");
    std::fs::write(folder.join("s/coordinator/local/members.toml"), "").unwrap();
    fails("preflight --kit s/coordinator", "members");
    let key = folder.join("s/coordinator/local/authority.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fails("preflight --kit s/coordinator", "key-file");
    std::fs::copy(folder.join("s/b/local/identity.key"), folder.join("s/coordinator/local/identity.key"))
        .unwrap();
    fails("preflight --kit s/coordinator", "keys");
    std::fs::remove_file(folder.join("s/a/startup/study.toml")).unwrap();
    fails("preflight --kit s/a", "study");
}

#[test]
fn a_project_that_no_study_can_be_is_refused_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"h:8443\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    let backbone = "11".repeat(32);
    for (change, word) in [
        ("address=h", "address is h, expected HOST:PORT"),
        ("sites=[\"a\",\"A\"]", "sites is \"A\""),
        ("sites=[\"a\",\"a\"]", "a, and a is there already"),
        ("admins=[\"b\"]", "b, and b is there already"),
        ("sites=[\"a\",\"../b\"]", "names are folders"),
        ("certificate_days=0", "1 to 3650 days"),
        ("certificate_days=-3", "certificate_days"),
        ("classes=[\"scc\",\"scc\"]", "each name once"),
    ] {
        let (code, said) = refused(
            folder,
            &format!("provision project.toml -c backbone={backbone} -c {change} --out s --all-local"),
        );
        assert!(code == 3 && said.contains(word), "{change}: {code} {said}");
        assert!(!folder.join("s/a").exists() || change.starts_with("classes"), "{change}");
        let _ = std::fs::remove_dir_all(folder.join("s"));
    }
}
