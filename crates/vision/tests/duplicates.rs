//! Near-duplicates among real tiles whose copies were rotated, flipped and zoomed, against the known groups.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod common;

use std::collections::HashMap;

use blindscope_vision::data::{
    CsvColumns, Duplicates, Fingerprint, Limits, Sample, decode, read_csv, read_image,
};

fn fingerprint(sample: &Sample) -> Fingerprint {
    let bytes = read_image(&sample.path, Limits::default()).unwrap();
    Fingerprint::new(&decode(&bytes, Limits::default()).unwrap())
}

#[test]
fn augmented_copies_are_found_and_strangers_left_apart() {
    let Some(data) = common::data() else { return };
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns).unwrap();
    let mut taken = HashMap::new();
    let few = tiles.samples.iter().filter(|s| {
        let n = taken.entry(&s.group).or_insert(0);
        *n += 1;
        *n <= 3
    });
    let samples: Vec<&Sample> = few.collect();
    let prints: Vec<Fingerprint> = samples.iter().map(|s| fingerprint(s)).collect();
    let found = Duplicates::default().groups(&prints);
    let (mut copies, mut joined, mut strangers) = (0, 0, 0);
    for i in 0..samples.len() {
        for j in 0..i {
            let (true_pair, found_pair) = (samples[i].group == samples[j].group, found[i] == found[j]);
            copies += usize::from(true_pair);
            joined += usize::from(true_pair && found_pair);
            strangers += usize::from(!true_pair && found_pair);
        }
    }
    println!("{joined} of {copies} pairs of copies found, {strangers} pairs of strangers joined");
    assert!(joined * 100 >= copies * 68, "{joined} of {copies}");
    assert!(strangers <= 12, "{strangers} pairs of strangers joined");
}
