//! Features as slides' bags of patches, and columns of every kind, from files that h5py wrote (`vectors/hdf5/write.py`).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

mod common;

use std::path::{Path, PathBuf};

use blindscope_vision::features::{Features, ImportOptions, Imported, import};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/hdf5/{name}.h5"))
}

fn read(name: &str) -> Imported {
    import(&vector(name), &ImportOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn refusal(name: &str) -> String {
    import(&vector(name), &ImportOptions::default()).unwrap_err().to_string()
}

/// Row i, column j holds i/2 − j/4.
fn expected(factor: f32) -> Vec<f32> {
    (0..35u8).map(|k| factor * (f32::from(k / 5) / 2.0 - f32::from(k % 5) / 4.0)).collect()
}

#[test]
fn a_bag_keeps_its_coordinates_attributes_and_label_and_stays_together() {
    let imported = read("bag");
    let bag = &imported.features;
    assert_eq!((bag.width, &bag.values), (5, &expected(1.0).into()));
    assert_eq!((bag.coords[2], bag.ids[2].as_str()), ([512, 512], "bag/512_512"));
    assert_eq!(bag.groups, [0; 7]);
    assert_eq!((bag.classes.as_slice(), bag.labels[6]), (&["1".to_owned()][..], Some(0)));
    assert_eq!(bag.attributes["patch_size"], "256");
    assert_eq!(bag.attributes["level0_magnification"], "40");
    assert_eq!(bag.attributes["name"], "slide-7");
    assert!(imported.notes.iter().any(|n| n.contains("1 slide(s)")), "{:?}", imported.notes);

    let folder = common::folder("bag");
    let path = folder.join("bag.safetensors");
    bag.save(&path).unwrap();
    assert_eq!(&Features::load(&path).unwrap(), bag);
    let once = std::fs::read(&path).unwrap();
    for _ in 0..4 {
        bag.save(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == once, "the same features make the same bytes");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn lzf_truth_values_columns_and_one_hot_labels_are_read() {
    assert_eq!(read("bag_chunked").features.values, expected(1.0).into());
    let tiled = read("lzf").features;
    assert_eq!((tiled.width, tiled.len()), (15, 140));
    assert_eq!(tiled.row(10).unwrap()[5..10], expected(1.0)[15..20]);
    let kinds = read("kinds").features;
    assert_eq!(kinds.values, expected(1.0).into(), "`features` goes before `embeddings`");
    assert_eq!((kinds.classes.join(","), kinds.labels[1]), ("false,true".into(), Some(1)));
    assert_eq!(kinds.groups, [0, 0, 1, 1, 2, 2, 3]);
    let hot = read("one_hot").features;
    assert_eq!((hot.classes.join(","), hot.labels[5]), ("0,1,2".into(), Some(2)));
}

#[test]
fn slides_in_groups_or_files_of_their_own_become_bags() {
    let slides = read("slides").features;
    assert_eq!((slides.len(), slides.groups[6], slides.groups[7]), (14, 0, 1));
    assert_eq!((slides.ids[0].as_str(), slides.ids[13].as_str()), ("TCGA-1/0_512", "TCGA-2/1536_512"));
    assert_eq!(slides.values.whole().unwrap()[35..], expected(-1.0));

    let folder = common::folder("bags");
    for name in ["a", "b"] {
        std::fs::copy(vector("bag_chunked"), folder.join(format!("{name}.h5"))).unwrap();
    }
    std::fs::write(folder.join("README"), "x").unwrap();
    let labels = folder.join("labels.csv");
    std::fs::write(&labels, "path,label,patient\nb.svs,scc,p2\na.svs,aca,p1\n").unwrap();
    let options = ImportOptions { labels: Some(labels), ..ImportOptions::default() };
    let bags = import(&folder, &options).unwrap().features;
    assert_eq!(
        (bags.classes.join(","), bags.labels[0], bags.labels[13]),
        ("aca,scc".into(), Some(0), Some(1))
    );
    assert_eq!((bags.patients[0].as_deref(), bags.ids[8].as_str()), (Some("p1"), "b/256_512"));
    assert_eq!((bags.groups[0], bags.groups[13]), (0, 1));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_file_does_not_hold_is_said() {
    for (name, expected) in [
        ("folds", "parts of a study (fold1, fold2); name one with --dataset, such as fold1/features"),
        ("unwritten", "every one of its 35 values is 0: it was never written"),
        ("virtual", "it holds a virtual dataset, a view of other files; copy it"),
        ("not_one_hot", "`labels` [7, 3] is not one-hot"),
    ] {
        let message = refusal(name);
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn classes_of_an_enumeration_keep_their_names() {
    assert_eq!(read("enumeration").features.classes, ["ACA", "Normal", "SCC"]);
}

/// What slides say alike is said once, what they say otherwise under each one's name, and patches of two scales are not one kind
/// of feature.
#[test]
fn slides_keep_their_attributes_and_different_scales_are_refused() {
    let folder = common::folder("scales");
    for name in ["scale_40", "scale_40_too"] {
        std::fs::copy(vector(name), folder.join(format!("{name}.h5"))).unwrap();
    }
    let same = import(&folder, &ImportOptions::default()).unwrap().features;
    assert_eq!(
        (same.attributes["patch_size"].as_str(), same.attributes["level0_magnification"].as_str()),
        ("256", "40")
    );
    assert_eq!(same.attributes["scale_40_too/name"], "scale_40_too");

    std::fs::copy(vector("scale_20"), folder.join("scale_20.h5")).unwrap();
    let refused = import(&folder, &ImportOptions::default()).unwrap_err().to_string();
    assert!(refused.contains("`level0_magnification` is 20 in `scale_20`, 40 in 2 slides"), "{refused}");
    assert!(refused.contains("--mixed-scales"), "{refused}");
    let allowed = ImportOptions { mixed_scales: true, ..ImportOptions::default() };
    let mixed = import(&folder, &allowed).unwrap();
    assert!(mixed.notes.iter().any(|n| n.contains("different scales")), "{:?}", mixed.notes);
    assert_eq!(mixed.features.attributes["scale_20/patch_size"], "512");
    assert_eq!(mixed.features.attributes["scale_40/patch_size"], "256");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_array_with_a_leading_axis_of_one_is_a_bag_whatever_its_format() {
    let folder = common::folder("npy-bag");
    let path = folder.join("s7.npy");
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()));
    std::fs::write(&path, bytes).unwrap();
    let bag = import(&path, &ImportOptions::default()).unwrap().features;
    assert_eq!((bag.groups.as_slice(), bag.ids[2].as_str()), (&[0, 0, 0][..], "s7/2"));
    std::fs::remove_dir_all(folder).unwrap();
}
