//! Small blobs ride with the log's entries: what a power cut takes from the folder is put back, and nothing else is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use blindscope_federation::{Answer, Blob, Header, IdentityKey, JobId, Mark, Phase, SiteId, Step, Study};
use blindscope_store::{Error, Folder, Marks};
use blindscope_wire::Digest;

fn study() -> Study {
    common::study("carried").0
}

/// Marks and blobs of one site.
struct Store {
    dir: tempfile::TempDir,
    marks: Marks,
    folder: Folder,
}

impl Store {
    async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    async fn at(dir: tempfile::TempDir) -> Self {
        let marks = Marks::open(&dir.path().join("marks.db"), &study(), SiteId(0)).await.unwrap();
        let folder = Folder::open(&dir.path().join("blobs"), 1 << 30).unwrap();
        marks.carry(&folder).await.unwrap();
        Self { dir, marks, folder }
    }

    /// The same after the process ended; `between` does to the folder what the end of the machine might have done.
    async fn again(self, between: impl FnOnce(&Path)) -> Self {
        self.marks.close().await;
        between(&self.dir.path().join("blobs"));
        Self::at(self.dir).await
    }

    fn file(&self, blob: &Blob) -> PathBuf {
        self.dir.path().join("blobs").join(blob.digest.to_string())
    }
}

fn mark(blob: &Blob) -> Mark {
    let step = Step { job: JobId(Digest([4; 32])), round: 1, attempt: 0, phase: Phase::Share };
    let header = Header {
        study: study().digest(),
        key: step.job,
        step,
        site: SiteId(0),
        answer: Answer::Payload(*blob),
    };
    Mark::Staged { answer: header.sign(&IdentityKey::from_bytes(&[1; 32])) }
}

/// Every file of a folder, as a power cut may leave what was never flushed: as long as it was, and empty of meaning.
fn tear(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let len = std::fs::metadata(&path).unwrap().len() as usize;
            std::fs::write(&path, vec![0; len]).unwrap();
        }
    }
}

#[tokio::test]
async fn what_an_entry_names_survives_a_power_cut_and_what_none_names_is_gone() {
    let store = Store::new().await;
    let named = store.folder.keep(&vec![7; 300_000]).unwrap();
    store.marks.append(&[mark(&named)]).await.unwrap();
    let unnamed = store.folder.keep(&[8; 1000]).unwrap();

    let store = store.again(tear).await;
    assert_eq!(store.folder.read(&named, 1 << 20).unwrap(), vec![7; 300_000]);
    assert!(!store.folder.contains(&unnamed));
    assert_eq!(store.folder.used(), 300_000);
    // No file is needed for it, and one that an earlier release left there does not matter.
    assert!(!store.file(&named).exists());
    let store =
        store.again(|folder| std::fs::write(folder.join(named.digest.to_string()), b"x").unwrap()).await;
    assert_eq!(store.folder.read(&named, 1 << 20).unwrap(), vec![7; 300_000]);
    assert_eq!(store.folder.used(), 300_000);
    assert_eq!(store.marks.all().await.unwrap(), [mark(&named)]);
}

/// More than memory is given goes into files, and is durable as before.
#[tokio::test]
async fn many_small_blobs_are_there_whole_after_a_power_cut() {
    let mut store = Store::new().await;
    let bytes = |k: u8| vec![k; 1 << 20];
    let mut blobs = Vec::new();
    for k in 0..40 {
        let blob = store.folder.keep(&bytes(k)).unwrap();
        store.marks.append(&[mark(&blob)]).await.unwrap();
        blobs.push(blob);
    }
    assert!(store.file(&blobs[0]).exists() && !store.file(&blobs[39]).exists());
    for _ in 0..2 {
        assert_eq!(store.folder.used(), 40 << 20);
        for (k, blob) in (0..40).zip(&blobs) {
            assert!(store.folder.read(blob, 1 << 20).unwrap() == bytes(k), "{k}");
        }
        store = store.again(tear).await;
    }
    store.folder.retain(&blobs[39..]).unwrap();
    store.marks.append(&[mark(&blobs[39])]).await.unwrap();
    let store = store.again(|_| ()).await;
    assert_eq!(store.folder.used(), 1 << 20);
    assert!(store.folder.contains(&blobs[39]) && !store.folder.contains(&blobs[0]));
}

/// Once so many have gathered in rows that the files are flushed instead, the files are what there is.
#[tokio::test]
async fn rows_that_were_settled_are_files() {
    let store = Store::new().await;
    let mut blobs = Vec::new();
    for k in 0..70 {
        let blob = store.folder.keep(&vec![k; 1 << 20]).unwrap();
        store.marks.append(&[mark(&blob)]).await.unwrap();
        blobs.push(blob);
    }
    // The rows of those that were settled go with the next entries.
    store.marks.append(&[mark(&blobs[0])]).await.unwrap();
    let store = store.again(|_| ()).await;
    assert!(store.file(&blobs[30]).exists());
    for (k, blob) in (0..70).zip(&blobs) {
        assert!(store.folder.read(blob, 1 << 20).unwrap() == vec![k; 1 << 20], "{k}");
    }
}

#[tokio::test]
async fn a_blob_that_was_deleted_does_not_come_back() {
    let store = Store::new().await;
    let (kept, deleted) = (store.folder.keep(b"kept").unwrap(), store.folder.keep(b"deleted").unwrap());
    store.marks.append(&[mark(&kept)]).await.unwrap();
    store.folder.retain(&[kept]).unwrap();
    store.marks.append(&[mark(&kept)]).await.unwrap();
    let store = store.again(|_| ()).await;
    assert!(store.folder.contains(&kept) && !store.folder.contains(&deleted));
}

#[tokio::test]
async fn the_same_bytes_again_never_stand_unflushed_where_they_were_safe() {
    let store = Store::new().await;
    let blob = store.folder.keep(&[5; 2000]).unwrap();
    store.marks.append(&[mark(&blob)]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.folder.keep(&[5; 2000]).unwrap(), blob);
        assert_eq!(store.folder.used(), 2000);
    }
    let store = store.again(tear).await;
    assert_eq!(store.folder.read(&blob, 2000).unwrap(), [5; 2000]);
}

#[tokio::test]
async fn a_large_blob_is_flushed_by_itself() {
    let store = Store::new().await;
    let large = store.folder.keep(&vec![1; (1 << 20) + 1]).unwrap();
    store.marks.append(&[mark(&large)]).await.unwrap();
    let store = store.again(tear).await;
    // It was never in the log: torn by force, it is what the disk says.
    assert!(matches!(store.folder.read(&large, 1 << 21), Err(Error::Io { .. } | Error::Damaged { .. })));
}

#[tokio::test]
async fn what_is_only_passing_goes_with_a_power_cut_unless_it_is_kept_as_well() {
    let store = Store::new().await;
    let pass = |bytes: &[u8]| {
        let mut unfinished = store.folder.begin(bytes.len() as u64).unwrap();
        unfinished.push(bytes).unwrap();
        let blob = Blob::of(bytes);
        assert!(store.folder.begin(1).unwrap().finish_passing(&blob).is_err(), "of other bytes");
        unfinished.finish_passing(&blob).unwrap();
        blob
    };
    let (passing, kept) = (pass(&[1; 3000]), pass(&[2; 3000]));
    assert_eq!(store.folder.keep(&[2; 3000]).unwrap(), kept);
    store.marks.append(&[mark(&kept)]).await.unwrap();
    let store = store.again(tear).await;
    assert!(!store.folder.contains(&passing));
    assert_eq!(store.folder.read(&kept, 3000).unwrap(), [2; 3000]);
}
