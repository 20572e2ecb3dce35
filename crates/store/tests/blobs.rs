//! Blobs: whole or not at all, never another's bytes, bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Read;

use blindscope_federation::{Blob, Blobs};
use blindscope_store::Error;
use common::Place;

on_both!(
    what_is_kept_is_found_again,
    the_same_blob_twice_takes_its_space_once,
    damage_is_noticed_and_mended,
    other_bytes_than_announced_are_not_kept,
    a_full_disk_changes_nothing,
    a_writer_that_fails_leaves_nothing,
    what_was_unfinished_is_gone_after_a_restart,
    what_is_not_needed_is_deleted,
    what_is_held_outlives_a_tidying,
    long_blobs_come_back_whole,
);

async fn what_is_kept_is_found_again(place: &Place) {
    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let (blob, blobs) = {
        let blobs = place.blobs(1 << 20).await;
        let mut unfinished = blobs.begin(bytes.len() as u64).unwrap();
        for piece in bytes.chunks(777) {
            unfinished.push(piece).unwrap();
        }
        let blob = unfinished.finish().unwrap();
        assert_eq!(blobs.used(), bytes.len() as u64);
        // Kept twice, it is there once.
        assert_eq!(blobs.keep(&bytes[..0]).unwrap().len, 0);
        (blob, blobs.again().await)
    };
    assert_eq!(blob, Blob::of(&bytes));
    assert!(blobs.contains(&blob));
    assert_eq!(blobs.used(), bytes.len() as u64);
    assert_eq!(blobs.read(&blob, 1 << 20).unwrap(), bytes);
    assert!(matches!(blobs.read(&blob, 10), Err(Error::OtherBytes { .. })));
    let mut read = Vec::new();
    Blobs::open(&*blobs, &blob).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
    let missing = Blobs::open(&*blobs, &Blob::of(b"nobody's"));
    assert_eq!(missing.err().unwrap().kind(), std::io::ErrorKind::NotFound);
}

async fn the_same_blob_twice_takes_its_space_once(place: &Place) {
    let blobs = place.blobs(1000).await;
    for _ in 0..5 {
        blobs.keep(&[7; 400]).unwrap();
        assert_eq!(blobs.used(), 400);
    }
}

async fn damage_is_noticed_and_mended(place: &Place) {
    let blobs = place.blobs(1 << 20).await;
    let blob = blobs.keep(&[1; 5000]).unwrap();
    let path = place.file("others", &blob).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4999] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = blobs.read(&blob, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("put back this one file from a copy"), "{error}");
    bytes.pop();
    std::fs::write(&path, &bytes).unwrap();
    let blobs = blobs.again().await;
    assert!(matches!(blobs.reader(&blob), Err(Error::Damaged { .. })));
    assert!(!blobs.contains(&blob));
    // The same bytes once more take its place.
    for _ in 0..2 {
        assert_eq!(blobs.keep(&[1; 5000]).unwrap(), blob);
        assert_eq!(blobs.read(&blob, 1 << 20).unwrap(), [1; 5000]);
        assert_eq!(place.left("others"), 1);
    }
}

/// More than one request's worth: parts on the way in, pieces on the way out.
async fn long_blobs_come_back_whole(place: &Place) {
    let blobs = place.blobs(1 << 30).await;
    let bytes: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    let blob = blobs.keep(&bytes).unwrap();
    let blobs = blobs.again().await;
    assert!(blobs.read(&blob, 1 << 30).unwrap() == bytes);
    assert_eq!(blobs.retain(&[]).unwrap(), bytes.len() as u64);
    assert_eq!(place.left("others"), 0);
}

async fn other_bytes_than_announced_are_not_kept(place: &Place) {
    let blobs = place.blobs(1 << 20).await;
    let mut longer = blobs.begin(10).unwrap();
    longer.push(&[0; 10]).unwrap();
    assert!(matches!(longer.push(&[0]), Err(Error::OtherBytes { .. })));
    drop(longer);
    let announced = Blob::of(b"announced");
    let mut other = blobs.begin(announced.len).unwrap();
    other.push(b"different").unwrap();
    assert!(matches!(other.finish_as(&announced), Err(Error::OtherBytes { .. })));
    assert_eq!(blobs.used(), 0);
    assert_eq!(place.left("others"), 0);
}

async fn a_full_disk_changes_nothing(place: &Place) {
    let blobs = place.blobs(1000).await;
    let kept = blobs.keep(&[1; 600]).unwrap();
    assert!(matches!(blobs.keep(&[2; 401]), Err(Error::Full { needed: 401, .. })));
    // Space is promised when a blob begins, not when it ends.
    let first = blobs.begin(300).unwrap();
    assert!(matches!(blobs.begin(101), Err(Error::Full { .. })));
    drop(first);
    assert_eq!((blobs.used(), place.left("others")), (600, 1));
    assert!(blobs.contains(&kept));
    let error = Blobs::create(&*blobs, 2000, &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("no space"), "{error}");
    blobs.keep(&[3; 400]).unwrap();
}

async fn a_writer_that_fails_leaves_nothing(place: &Place) {
    let blobs = place.blobs(1000).await;
    let failed = Blobs::create(&*blobs, 100, &mut |out| {
        out.write_all(&[1; 50]).unwrap();
        Err(blindscope_federation::Error::Seal { op: "test" })
    });
    assert!(failed.is_err());
    let longer = Blobs::create(&*blobs, 100, &mut |out| {
        out.write_all(&[1; 101]).map_err(blindscope_federation::Error::io("test"))
    });
    assert!(longer.is_err());
    assert_eq!((blobs.used(), place.left("others")), (0, 0));
}

async fn what_was_unfinished_is_gone_after_a_restart(place: &Place) {
    let blobs = place.blobs(1000).await;
    let kept = blobs.keep(&[1; 100]).unwrap();
    let mut unfinished = blobs.begin(500).unwrap();
    unfinished.push(&[2; 300]).unwrap();
    // The process stops: nothing is dropped in order.
    std::mem::forget(unfinished);
    let blobs = blobs.again().await;
    assert_eq!((blobs.used(), place.left("others")), (100, 1));
    assert!(blobs.contains(&kept));
}

async fn what_is_not_needed_is_deleted(place: &Place) {
    let blobs = place.blobs(1000).await;
    let (a, b) = (blobs.keep(&[1; 100]).unwrap(), blobs.keep(&[2; 200]).unwrap());
    assert_eq!(blobs.retain(&[a]).unwrap(), 200);
    assert!(blobs.contains(&a) && !blobs.contains(&b));
    assert_eq!(blobs.used(), 100);
}

/// What arrives while something else is tidied away is not deleted before its record; once it is let go of, it is.
async fn what_is_held_outlives_a_tidying(place: &Place) {
    let blobs = place.blobs(1000).await;
    let (old, named) = (blobs.keep(&[1; 100]).unwrap(), blobs.keep(&[2; 100]).unwrap());
    let first = blobs.hold(&[]);
    let early = blobs.keep(&[3; 100]).unwrap();
    let second = blobs.hold(&[named]);
    let late = blobs.keep(&[4; 100]).unwrap();
    assert_eq!(blobs.tidy(Vec::new).unwrap(), 100, "the old one alone");
    assert!(!blobs.contains(&old) && [named, early, late].iter().all(|blob| blobs.contains(blob)));
    // Another hold of the same blob, and one that began before it came, keep it.
    drop(first);
    assert_eq!(blobs.tidy(Vec::new).unwrap(), 100);
    assert!(!blobs.contains(&early) && blobs.contains(&named) && blobs.contains(&late));
    // The same bytes once more count as new.
    let third = blobs.hold(&[]);
    blobs.keep(&[4; 100]).unwrap();
    drop(second);
    assert_eq!(blobs.tidy(Vec::new).unwrap(), 100);
    assert!(blobs.contains(&late) && !blobs.contains(&named));
    drop(third);
    assert_eq!(blobs.tidy(|| vec![late]).unwrap(), 0);
    assert_eq!(blobs.tidy(Vec::new).unwrap(), 100);
    assert_eq!(blobs.used(), 0);
}
