//! Small blobs ride with the log's entries: what a power cut takes is put back, and nothing else is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{Blob, Record};
use blindscope_store::{BlobStore, Error, Home};
use common::{Place, records, study};

on_both!(
    what_an_entry_names_survives_a_power_cut_and_what_none_names_is_gone,
    many_small_blobs_are_there_whole_after_a_power_cut,
    rows_that_were_settled_are_on_the_shelf,
    a_blob_that_was_deleted_does_not_come_back,
    the_same_bytes_again_never_stand_unflushed_where_they_were_safe,
    what_is_only_passing_goes_with_a_power_cut_unless_it_is_kept_as_well,
    many_blobs_ride_at_once,
);

/// Records and blobs of a coordinator.
struct Store<'a> {
    place: &'a Place,
    home: Home,
    entry: Record,
}

impl<'a> Store<'a> {
    async fn at(place: &'a Place) -> Store<'a> {
        let (study, signer) = study("carried");
        let entry = records(&study, &signer).remove(0);
        let home = place.home(&study, 1 << 30).await.unwrap();
        Self { place, home, entry }
    }

    fn blobs(&self) -> &BlobStore {
        &self.home.blobs
    }

    /// Appends an entry. What rides with it is what was kept before, whatever it says.
    async fn entry(&self) {
        let mut entry = self.entry.clone();
        entry.body.seq = self.home.records.lines(0).await.unwrap().len() as u64;
        self.home.records.append(&[entry]).await.unwrap();
    }

    /// The same after the process ended.
    async fn again(self) -> Store<'a> {
        self.home.records.close().await;
        Self::at(self.place).await
    }

    /// The same after the end of the machine.
    async fn cut(self) -> Store<'a> {
        self.home.records.close().await;
        self.place.cut();
        Self::at(self.place).await
    }

    fn is_on_the_shelf(&self, blob: &Blob) -> bool {
        self.place.file("blobs", blob).is_some()
    }
}

async fn what_an_entry_names_survives_a_power_cut_and_what_none_names_is_gone(place: &Place) {
    let store = Store::at(place).await;
    let named = store.blobs().keep(&vec![7; 300_000]).unwrap();
    store.entry().await;
    let unnamed = store.blobs().keep(&[8; 1000]).unwrap();

    let store = store.cut().await;
    assert_eq!(store.blobs().read(&named, 1 << 20).unwrap(), vec![7; 300_000]);
    assert!(!store.blobs().contains(&unnamed));
    assert_eq!(store.blobs().used(), 300_000);
    assert!(!store.is_on_the_shelf(&named), "its row is enough");
    let store = store.again().await;
    assert_eq!(store.blobs().read(&named, 1 << 20).unwrap(), vec![7; 300_000]);
    assert_eq!(store.blobs().used(), 300_000);
    assert_eq!(store.home.records.lines(0).await.unwrap().len(), 1);
}

/// More than memory is given goes on the shelf, and is durable as before.
async fn many_small_blobs_are_there_whole_after_a_power_cut(place: &Place) {
    let mut store = Store::at(place).await;
    let bytes = |k: u8| vec![k; 1 << 20];
    let mut blobs = Vec::new();
    for k in 0..40 {
        blobs.push(store.blobs().keep(&bytes(k)).unwrap());
        store.entry().await;
    }
    assert!(store.is_on_the_shelf(&blobs[0]) && !store.is_on_the_shelf(&blobs[39]));
    for _ in 0..2 {
        assert_eq!(store.blobs().used(), 40 << 20);
        for (k, blob) in (0..40).zip(&blobs) {
            assert!(store.blobs().read(blob, 1 << 20).unwrap() == bytes(k), "{k}");
        }
        store = store.cut().await;
    }
    store.blobs().retain(&blobs[39..]).unwrap();
    store.entry().await;
    let store = store.again().await;
    assert_eq!(store.blobs().used(), 1 << 20);
    assert!(store.blobs().contains(&blobs[39]) && !store.blobs().contains(&blobs[0]));
}

/// Once so many have gathered in rows that the blobs are flushed instead, the shelf is what there is.
async fn rows_that_were_settled_are_on_the_shelf(place: &Place) {
    let store = Store::at(place).await;
    let mut blobs = Vec::new();
    for k in 0..70 {
        blobs.push(store.blobs().keep(&vec![k; 1 << 20]).unwrap());
        store.entry().await;
    }
    // The rows of those that were settled go with the next entries.
    store.entry().await;
    let store = store.again().await;
    assert!(store.is_on_the_shelf(&blobs[30]));
    for (k, blob) in (0..70).zip(&blobs) {
        assert!(store.blobs().read(blob, 1 << 20).unwrap() == vec![k; 1 << 20], "{k}");
    }
}

async fn a_blob_that_was_deleted_does_not_come_back(place: &Place) {
    let store = Store::at(place).await;
    let (kept, deleted) = (store.blobs().keep(b"kept").unwrap(), store.blobs().keep(b"deleted").unwrap());
    store.entry().await;
    store.blobs().retain(&[kept]).unwrap();
    store.entry().await;
    let store = store.again().await;
    assert!(store.blobs().contains(&kept) && !store.blobs().contains(&deleted));
}

async fn the_same_bytes_again_never_stand_unflushed_where_they_were_safe(place: &Place) {
    let store = Store::at(place).await;
    let blob = store.blobs().keep(&[5; 2000]).unwrap();
    store.entry().await;
    for _ in 0..3 {
        assert_eq!(store.blobs().keep(&[5; 2000]).unwrap(), blob);
        assert_eq!(store.blobs().used(), 2000);
    }
    let store = store.cut().await;
    assert_eq!(store.blobs().read(&blob, 2000).unwrap(), [5; 2000]);
}

async fn what_is_only_passing_goes_with_a_power_cut_unless_it_is_kept_as_well(place: &Place) {
    let store = Store::at(place).await;
    let pass = |bytes: &[u8]| {
        let mut unfinished = store.blobs().begin(bytes.len() as u64).unwrap();
        unfinished.push(bytes).unwrap();
        let blob = Blob::of(bytes);
        assert!(store.blobs().begin(1).unwrap().finish_passing(&blob).is_err(), "of other bytes");
        unfinished.finish_passing(&blob).unwrap();
        blob
    };
    let (passing, kept) = (pass(&[1; 3000]), pass(&[2; 3000]));
    assert_eq!(store.blobs().keep(&[2; 3000]).unwrap(), kept);
    store.entry().await;
    let store = store.cut().await;
    assert!(!store.blobs().contains(&passing));
    assert_eq!(store.blobs().read(&kept, 3000).unwrap(), [2; 3000]);
}

/// More than one statement takes: all of them with the one entry.
async fn many_blobs_ride_at_once(place: &Place) {
    let store = Store::at(place).await;
    let small = (0..150u8).map(|k| store.blobs().keep(&[k; 10]).unwrap());
    let mut blobs: Vec<Blob> = small.collect();
    blobs.extend((0..12u8).map(|k| store.blobs().keep(&vec![k; 1 << 20]).unwrap()));
    store.entry().await;
    let store = store.cut().await;
    assert_eq!(store.home.records.lines(0).await.unwrap().len(), 1);
    for (k, blob) in blobs.iter().enumerate() {
        assert_eq!(Blob::of(&store.blobs().read(blob, 1 << 20).unwrap()), *blob, "{k}");
    }
}

/// A file that an earlier release left in place of a blob that has a row does not matter.
#[tokio::test]
async fn a_torn_file_is_mended_from_its_row() {
    let place = Place::embedded();
    let store = Store::at(&place).await;
    let named = store.blobs().keep(&vec![7; 300_000]).unwrap();
    store.entry().await;
    store.home.records.close().await;
    std::fs::write(place.state().join("blobs").join(named.digest.to_string()), b"x").unwrap();
    let store = Store::at(&place).await;
    assert_eq!(store.blobs().read(&named, 1 << 20).unwrap(), vec![7; 300_000]);
    assert_eq!(store.blobs().used(), 300_000);
}

#[tokio::test]
async fn a_large_blob_is_flushed_by_itself() {
    let place = Place::embedded();
    let store = Store::at(&place).await;
    let large = store.blobs().keep(&vec![1; (1 << 20) + 1]).unwrap();
    store.entry().await;
    let store = store.cut().await;
    // It was never in the log: torn by force, it is what the disk says.
    assert!(matches!(store.blobs().read(&large, 1 << 21), Err(Error::Io { .. } | Error::Damaged { .. })));
}
