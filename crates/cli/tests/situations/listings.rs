//! Tiles, lists of them, and models: what is taken, and what is named instead.

use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use crate::inputs::{self, big_tiff, features_of, jpeg, jpeg_tiff, subsampled};
use crate::{blindscope, json, refused, write};

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
    for (name, word) in [("empty.png", "it is empty"), ("page.jpg", "a web page")] {
        let said = skipped.iter().find(|s| s.contains(name)).unwrap();
        assert!(said.contains(word), "{said}");
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

/// Colours at half the resolution are brought up as libjpeg-turbo does it, so that a JPEG and its pixels give one token.
#[test]
fn a_subsampled_jpeg_gives_the_token_of_its_pixels() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let [coded, pixels] = subsampled();
    write(folder, "tiles/a/tile.jpg", coded);
    write(folder, "tiles/b/tile.png", pixels);
    json(folder, "features extract tiles f.safetensors --small --no-cache --json");
    let rows = features_of(&folder.join("f.safetensors"));
    assert_eq!(rows.len(), 2);
    assert!(rows[0].2.to_bits() == rows[1].2.to_bits(), "{rows:?}");
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
