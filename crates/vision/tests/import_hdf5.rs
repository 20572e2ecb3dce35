//! HDF5 files that h5py wrote (`vectors/hdf5/write.py`), whole and damaged.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod common;

use std::path::{Path, PathBuf};

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_vision::Error;
use blindscope_vision::features::{Features, ImportOptions, Imported, import};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/hdf5/{name}.h5"))
}

fn read(name: &str, dataset: Option<&str>) -> Result<Features, Error> {
    let options = ImportOptions { dataset: dataset.map(str::to_owned), ..ImportOptions::default() };
    import(&vector(name), &options).map(|imported| imported.features)
}

fn refusal(name: &str, dataset: Option<&str>) -> String {
    read(name, dataset).unwrap_err().to_string()
}

/// Row i, column j holds i/2 − j/4.
fn expected(factor: f32) -> Vec<f32> {
    (0..35u8).map(|k| factor * (f32::from(k / 5) / 2.0 - f32::from(k % 5) / 4.0)).collect()
}

#[test]
fn a_contiguous_matrix_comes_with_the_columns_beside_it() {
    let features = read("contiguous", None).unwrap();
    assert_eq!((features.width, &features.values), (5, &expected(1.0).into()));
    assert_eq!((features.ids[0].as_str(), features.ids[6].as_str()), ("tile-0", "tile-6"));
    assert_eq!(features.classes, ["2", "9", "10"], "integers are ordered by value");
    assert_eq!(features.labels, [2, 0, 2, 0, 2, 1, 1].map(Some));
    assert_eq!(features.patients[6].as_deref(), Some("6"));
    assert_eq!(features.groups, [0, 0, 1, 2, 3, 4, 5], "one patient's tiles stay together");
    assert_eq!((features.backbone, features.sites.len()), (None, 0));

    let folder = common::folder("hdf5-labels");
    let labels = folder.join("tiles.csv");
    // In another order: rows are joined by id.
    let rows = (0..7).rev().map(|i| format!("tile-{i},{}\n", ["x", "y", "x"][i % 3]));
    std::fs::write(&labels, format!("path,label\n{}", rows.collect::<String>())).unwrap();
    let options = ImportOptions { labels: Some(labels.clone()), ..ImportOptions::default() };
    let imported = import(&vector("contiguous"), &options).unwrap();
    let relabelled = imported.features;
    assert_eq!(
        (relabelled.ids[0].as_str(), &relabelled.classes[..]),
        ("tile-0", &["x".into(), "y".into()][..])
    );
    assert_eq!(relabelled.labels, [0, 1, 0, 0, 1, 0, 0].map(Some));
    assert!(imported.notes.iter().any(|n| n.contains("in place of the file's own")), "{:?}", imported.notes);
    let how = "labels are joined by id: `ids` of the features, `path` of the list";
    assert!(imported.notes.iter().any(|n| n == how), "{:?}", imported.notes);
    std::fs::write(&labels, "path,label\na,x\nb,y\nc,x\nd,x\ne,y\nf,y\ng,x\n").unwrap();
    let refused = import(&vector("contiguous"), &options).unwrap_err().to_string();
    assert!(refused.contains("7 of 7 rows are not in the list, the first is `tile-0`"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn chunks_filters_byte_orders_and_half_precision_are_read() {
    let features = read("chunked", None).unwrap();
    assert_eq!(features.values, expected(1.0).into());
    assert_eq!(features.classes, ["fat", "stroma", "tumour"]);
    assert_eq!(features.labels, [2, 1, 2, 1, 2, 0, 0].map(Some));
    assert_eq!(features.sites[5].as_deref(), Some("s1"));
    assert_eq!(read("latest", Some("a/features")).unwrap().values, expected(1.0).into());
    assert_eq!(read("latest", Some("/b/features")).unwrap().values, expected(-1.0).into());
    assert_eq!(read("several", Some("test")).unwrap().ids[1], "row-1");
}

#[test]
fn what_cannot_be_taken_over_is_named() {
    for (name, dataset, expected) in [
        (
            "several",
            None,
            "2 matrices of floats; name one with --dataset (found: `test` [7, 5], `train` [7, 5])",
        ),
        ("several", Some("val"), "it holds `test` [7, 5]"),
        ("contiguous", Some("ids"), "`ids` has shape [7], neither two dimensions nor [1, rows, columns]"),
        ("contiguous", Some("coords"), "holds integers of 8 bytes, not floats"),
        ("hole", None, "chunk 3 of 4 was never written"),
        ("short_labels", None, "`labels` has shape [6], expected [7], one for each row"),
        ("bfloat16", None, "floats of 2 bytes that are not IEEE 754; save it as float32"),
    ] {
        let message = refusal(name, dataset);
        assert!(message.contains(expected), "{name}: {message}");
    }
    let options = ImportOptions { dataset: Some("x".into()), ..ImportOptions::default() };
    let array = common::folder("hdf5-named").join("f.npy");
    std::fs::write(&array, b"nothing of the kind").unwrap();
    let message = import(&array, &options).unwrap_err().to_string();
    assert!(message.contains("only HDF5 files hold datasets"), "{message}");
}

/// Whatever the bytes are, the answer is a typed error or features that pass their check. `BLINDSCOPE_ROUNDS` makes it a fuzzer.
#[test]
fn damaged_files_are_refused_and_end_nothing() {
    let folder = common::folder("hdf5-damaged");
    let path = folder.join("f.h5");
    let rounds = std::env::var("BLINDSCOPE_ROUNDS").map_or(150, |rounds| rounds.parse().unwrap());
    let mut rng = ChaCha12Rng::seed_from_u64(rounds);
    let mut slowest = std::time::Duration::ZERO;
    let (mut read_anyway, mut refused, mut given_up) = (0, 0, 0);
    for name in ["contiguous", "chunked", "latest", "several"] {
        let whole = std::fs::read(vector(name)).unwrap();
        for round in 0..rounds {
            let mut bytes = whole.clone();
            if round % 10 == 0 {
                bytes.truncate(rng.random_range(0..bytes.len()));
            } else {
                for _ in 0..rng.random_range(1..6) {
                    // Structure lies at the front; values do not matter.
                    let at =
                        rng.random_range(0..bytes.len().min(if round % 2 == 0 { 1024 } else { usize::MAX }));
                    bytes[at] = [0, 1, 0x7f, 0xff, rng.random()][rng.random_range(0..5)];
                }
            }
            std::fs::write(&path, &bytes).unwrap();
            let dataset = (name == "latest").then(|| "a/features".to_owned());
            let start = std::time::Instant::now();
            let outcome = import(&path, &ImportOptions { dataset, ..ImportOptions::default() });
            slowest = slowest.max(start.elapsed());
            match outcome {
                Ok(Imported { features, .. }) => {
                    features.check().unwrap();
                    read_anyway += 1;
                }
                Err(e) => {
                    given_up += usize::from(e.to_string().contains("the reader gave up"));
                    refused += 1;
                }
            }
        }
    }
    println!(
        "{} damaged files: {refused} refused ({given_up} by a caught fault), {read_anyway} read; the slowest took {slowest:?}",
        4 * rounds
    );
    assert!(refused > 100 && read_anyway > 50, "{refused} {read_anyway}");
    std::fs::remove_dir_all(folder).unwrap();
}
