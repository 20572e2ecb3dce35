//! Features that stay in their file: the same rows, the same bytes and the same answers as in memory.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod common;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng as _};

use blindscope_vision::features::{Features, ImportOptions, import};
use blindscope_vision::head::{HeadPlan, LogisticPlan, Scaling, train_logistic, train_polynomial};
use blindscope_vision::metrics::argmax;
use blindscope_vision::values::Source;

const WIDTH: usize = 8;
const CLASSES: usize = 3;

/// Rows around three centres, those of one class behind one another, as slides leave them.
fn features(rows: usize) -> Features {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let mut out = Features { width: WIDTH, ..Features::default() };
    out.classes = ["a", "b", "c"].map(str::to_owned).into();
    for row in 0..rows {
        let label = row * CLASSES / rows;
        out.values.extend((0..WIDTH).map(|j| {
            let centre = if j % CLASSES == label { 2.0 } else { 0.0 };
            centre + rng.random_range(-1.5..1.5) + j as f32
        }));
        out.ids.push(format!("row {row}"));
        out.labels.push(Some(label));
        out.groups.push(row / 3);
        out.patients.push(Some(format!("p{}", row / 6)));
    }
    out
}

#[test]
fn rows_that_stay_in_their_file_are_those_of_memory() {
    let folder = common::folder("stored");
    let (path, again) = (folder.join("f.safetensors"), folder.join("again.safetensors"));
    let kept = features(700);
    kept.save(&path).unwrap();
    let stored = Features::load_within(&path, 0).unwrap();
    assert!(stored.values.in_memory().is_none() && kept.values.in_memory().is_some());
    assert_eq!(stored, kept);
    stored.save(&again).unwrap();
    let same = || std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap();
    assert!(same());
    // Rows that were chosen, and chosen among these once more, out of order.
    let some: Vec<usize> = (0..700).rev().filter(|i| i % 7 != 2).collect();
    let fewer = [5, 3, 4, 400, 0];
    let choose = |features: &Features| features.select(&some).select(&fewer);
    assert_eq!(choose(&stored), choose(&kept));
    assert_eq!(stored.rows(&fewer).unwrap(), kept.rows(&fewer).unwrap());
    assert_eq!(stored.row(699).unwrap(), kept.row(699).unwrap());
    // Written over the file that is read: the rows are those that were there.
    stored.select(&some).save(&path).unwrap();
    kept.select(&some).save(&again).unwrap();
    assert!(same());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_shrinks_or_is_damaged_while_it_is_used_is_an_error() {
    let folder = common::folder("shrunk");
    let path = folder.join("f.safetensors");
    features(300).save(&path).unwrap();
    let stored = Features::load_within(&path, 0).unwrap();
    let whole = std::fs::read(&path).unwrap();
    // In place, as no tool of ours writes.
    let mut damaged = whole.clone();
    let at = damaged.windows(4).position(|w| w == stored.row(0).unwrap()[0].to_le_bytes()).unwrap();
    damaged[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &damaged).unwrap();
    let said = stored.save(&folder.join("copy.safetensors")).unwrap_err().to_string();
    assert!(said.contains("row `row 0` column 0 is not finite"), "{said}");
    assert!(!folder.join("copy.safetensors").exists());
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2000).unwrap();
    let said = stored.values.whole().unwrap_err().to_string();
    assert!(said.contains("reading") && said.contains("f.safetensors"), "{said}");
    let said = Features::load_within(&path, 0).unwrap_err().to_string();
    assert!(said.contains("claims bytes"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn training_on_rows_in_a_file_learns_what_training_in_memory_learns() {
    let folder = common::folder("trained");
    let path = folder.join("f.safetensors");
    let kept = features(1500);
    kept.save(&path).unwrap();
    let stored = Features::load_within(&path, 0).unwrap();
    let labels = kept.known_labels().unwrap();
    let right = |logits: &[f32]| {
        let answers = logits.chunks_exact(CLASSES).map(argmax);
        answers.zip(&labels).filter(|(a, b)| a == *b).count() as f64 / labels.len() as f64
    };
    assert_eq!(Scaling::fit(&stored.values, WIDTH).unwrap(), Scaling::fit(&kept.values, WIDTH).unwrap());
    let rows = kept.values.whole().unwrap();
    let plan = LogisticPlan { epochs: 10, ..LogisticPlan::default() };
    let linear = |f: &Features| train_logistic(&f.values, WIDTH, &labels, CLASSES, &plan).unwrap();
    let [a, b] = [&kept, &stored].map(|f| right(&linear(f).logits(&rows).unwrap()));
    println!("linear: {a} in memory, {b} from the file");
    assert!(a > 0.9 && (a - b).abs() < 0.01);
    assert_eq!(linear(&stored), linear(&stored), "the order follows from the seed");

    let plan = HeadPlan { epochs: 10, ..HeadPlan::default() };
    let double = |rows: Vec<f32>| rows.into_iter().map(|v| 2.0 * v).collect::<Vec<f32>>();
    let polynomial = |f: &Features| {
        let rows = Source::changed(&f.values, &double);
        train_polynomial(rows, WIDTH, &labels, CLASSES, &plan, None).unwrap().head
    };
    let doubled = double(rows.to_vec());
    let [a, b] = [&kept, &stored].map(|f| right(&polynomial(f).logits(&doubled).unwrap()));
    println!("polynomial: {a} in memory, {b} from the file");
    assert!(a > 0.9 && (a - b).abs() < 0.01);
    // Rows changed on the way are the rows that were changed before.
    let before = train_polynomial(&doubled, WIDTH, &labels, CLASSES, &plan, None).unwrap().head;
    assert_eq!(polynomial(&kept), before);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn arrays_in_either_order_of_axes_that_stay_in_their_file_are_read() {
    // A little more than what is kept in memory: 70 MiB as binary32, as binary16 half of it.
    const ROWS: usize = 9 * 1024;
    const COLUMNS: usize = 2 * 1024;
    let folder = common::folder("npy-stored");
    let path = folder.join("f.npy");
    let number = |row: usize, column: usize| ((row * 31 + column * 17) % 1013) as f32 - 500.0;
    for (order, by_columns) in [("False", false), ("True", true)] {
        let header =
            format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': ({ROWS}, {COLUMNS}), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        let at = |i: usize| if by_columns { (i % ROWS, i / ROWS) } else { (i / COLUMNS, i % COLUMNS) };
        bytes.extend((0..ROWS * COLUMNS).map(at).flat_map(|(row, column)| number(row, column).to_le_bytes()));
        std::fs::write(&path, &bytes).unwrap();
        let read = import(&path, &ImportOptions::default()).unwrap().features;
        assert!(read.values.in_memory().is_none());
        let mut numbers = 0;
        for block in read.values.blocks() {
            for value in block.unwrap().iter() {
                assert_eq!(value.to_bits(), number(numbers / COLUMNS, numbers % COLUMNS).to_bits());
                numbers += 1;
            }
        }
        assert_eq!(numbers, ROWS * COLUMNS);
    }
    std::fs::remove_dir_all(folder).unwrap();
}
