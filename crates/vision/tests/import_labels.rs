//! Labels beside features of another tool's, for formats that have none of their own.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

mod common;

use std::path::{Path, PathBuf};

use blindscope_vision::features::{ImportOptions, Imported, import};

#[test]
fn a_list_of_labels_serves_a_csv_too_and_is_never_ignored() {
    let folder = std::env::temp_dir().join(format!("blindscope-labels-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (rows, list) = (folder.join("rows.csv"), folder.join("list.csv"));
    std::fs::write(&rows, "f0,f1\n1,2\n3,4\n5,6\n").unwrap();
    std::fs::write(&list, "path,label,group\nx.png,scc,1\nw.png,aca,2\ny.png,scc,1\n").unwrap();

    let plain = import(&rows, &ImportOptions::default()).unwrap().features;
    assert!(plain.labels.iter().all(Option::is_none));
    let options = ImportOptions { labels: Some(list), ..ImportOptions::default() };
    let features = import(&rows, &options).unwrap().features;
    assert_eq!(features.classes, ["aca", "scc"]);
    assert_eq!(features.labels, [Some(1), Some(0), Some(1)]);
    assert_eq!((features.width, features.row(2).unwrap()[0].to_bits()), (2, 5.0f32.to_bits()));

    let ours = folder.join("ours.safetensors");
    features.save(&ours).unwrap();
    let refused = import(&ours, &options).unwrap_err().to_string();
    assert!(refused.contains("labels of its own"), "{refused}");
    let missing = import(&folder.join("nowhere"), &ImportOptions::default()).unwrap_err().to_string();
    assert!(missing.contains("nowhere") && missing.contains("No such file"), "{missing}");
    std::fs::remove_dir_all(folder).unwrap();
}

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/hdf5/{name}.h5"))
}

fn class_of(imported: &Imported, row: usize) -> &str {
    &imported.features.classes[imported.features.labels[row].unwrap()]
}

/// The order in which `write.py` names its tiles.
const NAMES: [u8; 7] = [3, 0, 6, 1, 5, 2, 4];

/// `NAME,label` of all tiles in ascending order, which is not that of the features.
fn list(folder: &Path, header: &str, separator: char) -> PathBuf {
    let path = folder.join("list.csv");
    let rows: Vec<String> = (0..7).map(|i| format!("tile-{i}{separator}c{i}")).collect();
    std::fs::write(&path, format!("{}\n{}\n", header.replace(',', &separator.to_string()), rows.join("\n")))
        .unwrap();
    path
}

/// Ids under any usual name are joined by; joined by order, all but one of the rows would get another's label.
#[test]
fn ids_under_other_names_are_joined_by_and_texts_that_may_be_ids_are_never_passed_over() {
    let folder = common::folder("other-names");
    let labels = Some(list(&folder, "path,label", ','));
    let read = |name: &str, options: &ImportOptions| {
        import(&vector(name), &ImportOptions { labels: labels.clone(), ..options.clone() })
    };
    let plain = ImportOptions::default();
    let named = |name: &str| ImportOptions { id_column: Some(name.into()), ..ImportOptions::default() };
    let right = |imported: &Imported| {
        for (row, tile) in NAMES.iter().enumerate() {
            assert_eq!(class_of(imported, row), format!("c{tile}"));
        }
    };
    let imported = read("filename", &plain).unwrap();
    right(&imported);
    let notes = imported.notes.join("\n");
    assert!(notes.contains("`FileNames` is the id; not taken: `cluster`"), "{notes}");
    assert!(notes.contains("joined by id: `FileNames` of the features, `path` of the list"), "{notes}");

    let refused = read("two_names", &plain).unwrap_err().to_string();
    assert!(
        refused.contains("`barcode` and `paths` may all be the id; name one with --id-column"),
        "{refused}"
    );
    right(&read("two_names", &named("paths")).unwrap());

    let refused = read("unknown_names", &plain).unwrap_err().to_string();
    assert!(
        refused.contains("`stem` may name the rows") && refused.contains("--id-column stem"),
        "{refused}"
    );
    right(&read("unknown_names", &named("stem")).unwrap());
    let stated =
        read("unknown_names", &ImportOptions { by_order: true, ..ImportOptions::default() }).unwrap();
    assert_eq!(class_of(&stated, 1), "c1");
    assert!(stated.notes.iter().any(|n| n.contains("joined by the order of lines")), "{:?}", stated.notes);
    assert!(read("unknown_names", &named("stems")).is_err());
    // The order of lines is not what the ids say, so it is not what the labels are joined by in silence.
    let refused = read("filename", &ImportOptions { by_order: true, ..plain }).unwrap_err().to_string();
    assert!(refused.contains("by which the list has another order"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn lists_are_read_under_usual_names_and_any_separator_or_say_what_to_name() {
    let folder = common::folder("lists");
    for (header, separator) in [
        ("id,label", ','),
        ("Path,Label", ';'),
        ("image_id,Class", '\t'),
        ("slide_id,label", ','),
        ("FileName,target", ';'),
    ] {
        let labels = Some(list(&folder, header, separator));
        let imported = import(&vector("filename"), &ImportOptions { labels, ..ImportOptions::default() });
        let imported = imported.unwrap_or_else(|e| panic!("{header}: {e}"));
        assert_eq!((class_of(&imported, 0), class_of(&imported, 1)), ("c3", "c0"), "{header}");
    }
    let read = |header: &str, path_column: Option<&str>| {
        let labels = Some(list(&folder, header, ','));
        let path_column = path_column.map(str::to_owned);
        import(&vector("filename"), &ImportOptions { labels, path_column, ..ImportOptions::default() })
    };
    for (header, expected) in [
        (
            "what,label",
            "no column `path` among `what`, `label`; name the one that is meant with --path-column",
        ),
        (
            "path,kind",
            "no column `label` among `path`, `kind`; name the one that is meant with --label-column",
        ),
        ("label,label", "two columns are called `label`"),
    ] {
        let refused = read(header, None).unwrap_err().to_string();
        assert!(refused.contains(expected) && !refused.contains("[\""), "{refused}");
    }
    assert_eq!(class_of(&read("what,label", Some("what")).unwrap(), 0), "c3");
    let wide = folder.join("list.csv");
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("path,label\n".bytes().flat_map(|b| [b, 0])).collect();
    std::fs::write(&wide, utf16).unwrap();
    let refused =
        import(&vector("filename"), &ImportOptions { labels: Some(wide), ..ImportOptions::default() });
    assert!(refused.unwrap_err().to_string().contains("UTF-16"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// An option that can mean nothing for a file is refused, never passed over: whoever gave it would believe that it was heard.
#[test]
fn options_without_a_meaning_are_refused() {
    let folder = common::folder("useless-options");
    let labels = Some(list(&folder, "path,label", ','));
    let ours = folder.join("ours.safetensors");
    import(&vector("contiguous"), &ImportOptions::default()).unwrap().features.save(&ours).unwrap();
    let name = || Some("x".to_owned());
    let plain = ImportOptions::default;
    for (options, word, files) in [
        (
            ImportOptions { columns: vec!["a".into()], ..plain() },
            "--columns",
            [vector("contiguous"), ours.clone()],
        ),
        (ImportOptions { id_column: name(), ..plain() }, "--id-column", [ours.clone(), ours.clone()]),
        (
            ImportOptions { path_column: name(), ..plain() },
            "--path-column",
            [vector("filename"), ours.clone()],
        ),
        (
            ImportOptions { label_column: name(), ..plain() },
            "--label-column",
            [vector("filename"), ours.clone()],
        ),
        (ImportOptions { by_order: true, ..plain() }, "--by-order", [vector("filename"), ours.clone()]),
        (ImportOptions { labels, dataset: name(), ..plain() }, "dataset", [ours.clone(), folder.clone()]),
    ] {
        for file in files {
            let refused = import(&file, &options).unwrap_err().to_string();
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
