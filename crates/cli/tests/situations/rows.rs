//! Feature files of other tools, and heads made from them.

use std::fmt::Write as _;
use std::path::Path;

use crate::inputs::{features_of, hdf5, npy};
use crate::{json, refused, write};

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
    let (code, said) = refused(folder, "features import bare.csv bare.safetensors");
    assert!(code == 3 && said.contains("header"), "{code} {said}");
    // What pandas writes in front has no name; what is no features file at all is the caller's to correct as well.
    write(folder, "pandas.csv", ",f0,f1\n0,1.5,2.5\n1,3.5,4.5\n");
    let made = json(folder, "features import pandas.csv pandas.safetensors --json");
    assert!(made["notes"].to_string().contains("not taken: a column without a name"), "{made}");
    let (code, said) = refused(folder, "train head bare.csv h.json");
    assert!(code == 3, "{code} {said}");
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
    // Columns one after the other, as Fortran and MATLAB lay them, are read in their own order, or the order is named.
    let by_columns = npy(&[0.5, 2.0, 8.0, -1.0, 4.0, -16.0], "(3, 2)", "<f4");
    let at = by_columns.windows(5).position(|word| word == b"False").unwrap();
    write(folder, "fortran.npy", [&by_columns[..at], b"True ", &by_columns[at + 5..]].concat());
    json(folder, "features import fortran.npy fortran.safetensors --json");
    let firsts: Vec<f32> = features_of(&folder.join("fortran.safetensors")).iter().map(|row| row.2).collect();
    assert_eq!(firsts, [0.5, 2.0, 8.0]);
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
    // A third of the cohort has the numbers of rows that were trained on: it is left out, and counted.
    assert_eq!((&done["held_out"]["rows"], &done["seen"]), (&16.into(), &8.into()));
    // The head says what its logits are called, whatever reads it.
    for (head, batch) in [("h.json", 1), ("h.safetensors", 2)] {
        json(folder, &format!("train head train.safetensors {head} {train} --json"));
        let plan = json(folder, &format!("plan --head {head} --batch {batch} --json"));
        assert_eq!(plan["classes"], serde_json::json!(["aca", "n", "scc"]), "{head}");
    }
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

/// Slides as groups, as files of their own, compressed by LZF, with labels of every kind, as h5py wrote them: bags of one width.
#[test]
fn hdf5_files_that_people_have_are_read_as_bags_or_refused_with_a_reason() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let imported = |name: &str, more: &str| {
        hdf5(folder, name);
        let made = json(folder, &format!("features import {name}.h5 {name}.safetensors{more} --json"));
        (made, features_of(&folder.join(format!("{name}.safetensors"))))
    };
    // One slide with coordinates in each group.
    let (made, rows) = imported("slides", "");
    assert_eq!(
        (&made["rows"], &made["width"], &made["groups"]),
        (&14.into(), &5.into(), &2.into()),
        "{made}"
    );
    assert_eq!((rows[0].0.as_str(), rows[13].0.as_str()), ("TCGA-1/0_512", "TCGA-2/1536_512"));
    // A leading axis of one, an LZF filter, chunks; a label a slide, a truth value a row, one column a class.
    for (name, labels) in [
        ("bag", ["1"; 3]),
        ("bag_chunked", [""; 3]),
        ("kinds", ["false", "true", "false"]),
        ("one_hot", ["0", "1", "2"]),
    ] {
        let (made, rows) = imported(name, "");
        assert_eq!((&made["rows"], &made["width"]), (&7.into(), &5.into()), "{name}: {made}");
        let found: Vec<&str> = rows.iter().take(3).map(|row| row.1.as_str()).collect();
        assert_eq!(found, labels, "{name}");
        // Row i begins with i/2.
        assert!(
            rows.iter().zip(0u8..).all(|(row, i)| row.2.to_bits() == (f32::from(i) / 2.0).to_bits()),
            "{name}"
        );
    }
    assert_eq!(imported("lzf", "").0["rows"], 140);
    for (name, word) in [
        ("virtual", "view of other files"),
        ("unwritten", "never written"),
        ("not_one_hot", "not one-hot"),
        ("several", "--dataset"),
    ] {
        hdf5(folder, name);
        let (_, said) = refused(folder, &format!("features import {name}.h5 no.safetensors"));
        assert!(said.contains(word), "{name}: {said}");
    }
    bags_of_a_folder(folder);
}

/// A folder of one file a slide, with labels of slides in a list.
fn bags_of_a_folder(folder: &Path) {
    std::fs::create_dir(folder.join("bags")).unwrap();
    for name in ["a", "b"] {
        std::fs::copy(folder.join("bag_chunked.h5"), folder.join(format!("bags/{name}.h5"))).unwrap();
    }
    write(folder, "slides.csv", "path,label,patient\nb.svs,scc,p2\na.svs,aca,p1\n");
    let made = json(folder, "features import bags bags.safetensors --labels slides.csv --json");
    assert_eq!((&made["rows"], &made["groups"]), (&14.into(), &2.into()), "{made}");
    let rows = features_of(&folder.join("bags.safetensors"));
    assert_eq!((rows[0].1.as_str(), rows[13].1.as_str()), ("aca", "scc"));
}

/// A file that has ids takes labels by them: in another order they are the same labels, and a list of other ids is refused.
#[test]
fn labels_are_joined_by_id_never_by_order() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    hdf5(folder, "contiguous");
    let list = |rows: &mut dyn Iterator<Item = usize>| {
        let rows = rows.map(|i| format!("tile-{i},{}\n", ["x", "y", "z"][i % 3]));
        format!("path,label\n{}", rows.collect::<String>())
    };
    write(folder, "same.csv", list(&mut (0..7)));
    write(folder, "turned.csv", list(&mut (0..7).rev()));
    let rows = |labels: &str| {
        json(
            folder,
            &format!("features import contiguous.h5 {labels}.safetensors --labels {labels}.csv --json"),
        );
        features_of(&folder.join(format!("{labels}.safetensors")))
    };
    let (same, turned) = (rows("same"), rows("turned"));
    assert_eq!(same, turned);
    assert_eq!((turned[5].0.as_str(), turned[5].1.as_str()), ("tile-5", "z"));
    write(folder, "others.csv", "path,label\na,x\nb,y\nc,x\nd,x\ne,y\nf,y\ng,x\n");
    let (_, said) = refused(folder, "features import contiguous.h5 no.safetensors --labels others.csv");
    assert!(said.contains("7 of 7 rows") && said.contains("`tile-0`"), "{said}");
    // A list that lacks one of them is another list.
    write(folder, "fewer.csv", list(&mut (0..6)));
    let (_, said) = refused(folder, "features import contiguous.h5 no.safetensors --labels fewer.csv");
    assert!(said.contains("tile-6"), "{said}");
    assert!(!folder.join("no.safetensors").exists());
}
