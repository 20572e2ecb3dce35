//! Blobs: whole or not at all, never another's bytes, bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::Read;

use blindscope_federation::{Blob, Blobs};
use blindscope_store::{Error, Folder};

#[test]
fn what_is_kept_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let blob = {
        let folder = Folder::open(dir.path(), 1 << 20).unwrap();
        let mut unfinished = folder.begin(bytes.len() as u64).unwrap();
        for piece in bytes.chunks(777) {
            unfinished.push(piece).unwrap();
        }
        let blob = unfinished.finish().unwrap();
        assert_eq!(folder.used(), bytes.len() as u64);
        // Kept twice, it is there once.
        assert_eq!(folder.keep(&bytes[..0]).unwrap().len, 0);
        blob
    };
    assert_eq!(blob, Blob::of(&bytes));
    let folder = Folder::open(dir.path(), 1 << 20).unwrap();
    assert!(folder.contains(&blob));
    assert_eq!(folder.used(), bytes.len() as u64);
    assert_eq!(folder.read(&blob, 1 << 20).unwrap(), bytes);
    assert!(matches!(folder.read(&blob, 10), Err(Error::OtherBytes { .. })));
    let mut read = Vec::new();
    Blobs::open(&folder, &blob).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
    let missing = Blobs::open(&folder, &Blob::of(b"nobody's"));
    assert_eq!(missing.err().unwrap().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn the_same_blob_twice_takes_its_space_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1000).unwrap();
    for _ in 0..5 {
        folder.keep(&[7; 400]).unwrap();
        assert_eq!(folder.used(), 400);
    }
}

#[test]
fn damage_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1 << 20).unwrap();
    let blob = folder.keep(&[1; 5000]).unwrap();
    let path = dir.path().join(blob.digest.to_string());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4999] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = folder.read(&blob, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("put back this one file from a copy"), "{error}");
    bytes.pop();
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(folder.reader(&blob), Err(Error::Damaged { .. })));
    assert!(!folder.contains(&blob));
}

#[test]
fn other_bytes_than_announced_are_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1 << 20).unwrap();
    let mut longer = folder.begin(10).unwrap();
    longer.push(&[0; 10]).unwrap();
    assert!(matches!(longer.push(&[0]), Err(Error::OtherBytes { .. })));
    drop(longer);
    let announced = Blob::of(b"announced");
    let mut other = folder.begin(announced.len).unwrap();
    other.push(b"different").unwrap();
    assert!(matches!(other.finish_as(&announced), Err(Error::OtherBytes { .. })));
    assert_eq!(folder.used(), 0);
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn a_full_disk_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1000).unwrap();
    let kept = folder.keep(&[1; 600]).unwrap();
    assert!(matches!(folder.keep(&[2; 401]), Err(Error::Full { needed: 401, .. })));
    // Space is promised when a blob begins, not when it ends.
    let first = folder.begin(300).unwrap();
    assert!(matches!(folder.begin(101), Err(Error::Full { .. })));
    drop(first);
    assert_eq!((folder.used(), files(dir.path())), (600, 1));
    assert!(folder.contains(&kept));
    let error = Blobs::create(&folder, 2000, &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("no space"), "{error}");
    folder.keep(&[3; 400]).unwrap();
}

#[test]
fn a_writer_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1000).unwrap();
    let failed = Blobs::create(&folder, 100, &mut |out| {
        out.write_all(&[1; 50]).unwrap();
        Err(blindscope_federation::Error::Seal { op: "test" })
    });
    assert!(failed.is_err());
    let longer = Blobs::create(&folder, 100, &mut |out| {
        out.write_all(&[1; 101]).map_err(blindscope_federation::Error::io("test"))
    });
    assert!(longer.is_err());
    assert_eq!((folder.used(), files(dir.path())), (0, 0));
}

#[test]
fn what_was_unfinished_is_gone_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1000).unwrap();
    let kept = folder.keep(&[1; 100]).unwrap();
    let mut unfinished = folder.begin(500).unwrap();
    unfinished.push(&[2; 300]).unwrap();
    // The process stops: nothing is dropped in order.
    std::mem::forget(unfinished);
    let folder = Folder::open(dir.path(), 1000).unwrap();
    assert_eq!((folder.used(), files(dir.path())), (100, 1));
    assert!(folder.contains(&kept));
}

#[test]
fn what_is_not_needed_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1000).unwrap();
    let (a, b) = (folder.keep(&[1; 100]).unwrap(), folder.keep(&[2; 200]).unwrap());
    assert_eq!(folder.retain(&[a]).unwrap(), 200);
    assert!(folder.contains(&a) && !folder.contains(&b));
    assert_eq!(folder.used(), 100);
}

/// What arrives while something else is tidied away is not deleted before its record; once it is let go of, it is.
#[test]
fn what_is_held_outlives_a_tidying() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), 1000).unwrap();
    let (old, named) = (folder.keep(&[1; 100]).unwrap(), folder.keep(&[2; 100]).unwrap());
    let first = folder.hold(&[]);
    let early = folder.keep(&[3; 100]).unwrap();
    let second = folder.hold(&[named]);
    let late = folder.keep(&[4; 100]).unwrap();
    assert_eq!(folder.tidy(Vec::new).unwrap(), 100, "the old one alone");
    assert!(!folder.contains(&old) && [named, early, late].iter().all(|blob| folder.contains(blob)));
    // Another hold of the same blob, and one that began before it came, keep it.
    drop(first);
    assert_eq!(folder.tidy(Vec::new).unwrap(), 100);
    assert!(!folder.contains(&early) && folder.contains(&named) && folder.contains(&late));
    // The same bytes once more count as new.
    let third = folder.hold(&[]);
    folder.keep(&[4; 100]).unwrap();
    drop(second);
    assert_eq!(folder.tidy(Vec::new).unwrap(), 100);
    assert!(folder.contains(&late) && !folder.contains(&named));
    drop(third);
    assert_eq!(folder.tidy(|| vec![late]).unwrap(), 0);
    assert_eq!(folder.tidy(Vec::new).unwrap(), 100);
    assert_eq!(folder.used(), 0);
}

/// Files in a folder and below it.
fn files(path: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    entries.map(|p| if p.is_dir() { files(&p) } else { 1 }).sum()
}
