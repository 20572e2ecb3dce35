//! A worker, and what a leader has for it: a study whose roster has changed, uploads under the new one, and a bucket between both.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::Parts;
use super::doing::Doing;
use super::folder::Folder;
use crate::kit::{Kit, provision, queue_name};
use crate::plain::{NoLearning, Sums};
use crate::work::{Object, Parcel, Piece, Result, unique};
use crate::{rehearsal, system};
use blindscope_federation::sums::{SumRound, Uploader, sign_successor, write_upload};
use blindscope_federation::{
    Blob, Change, IdentityKey, JobSpec, Phase, SealingKey, Signature, SignedChange, SiteEntry, SiteId, Step,
    Study, Work,
};
use blindscope_store::{BlobStore, Environment, Exchange};
use blindscope_testkit::s3::ObjectServer;
use blindscope_wire::Digest;

const BLOBS: &str = "s3://bucket/study";
/// Blobs of at most so many bytes go with the piece here.
const SMALL: u64 = 30_000;

/// The keys of each site that ever was of the study.
type Keys = BTreeMap<SiteId, (IdentityKey, SealingKey)>;

/// A worker of a study that was founded by four sites, a bucket, and a leader's store.
pub(super) struct World {
    pub(super) doing: Arc<Doing>,
    pub(super) exchange: Exchange,
    pub(super) founded: Study,
    keys: Keys,
    pub(super) store: BlobStore,
    objects: PathBuf,
    _server: ObjectServer,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let objects = dir.path().join("buckets").join("bucket");
        std::fs::create_dir_all(&objects).unwrap();
        let server = ObjectServer::start(&dir.path().join("buckets"), ([127, 0, 0, 1], 0).into()).unwrap();
        let aws: Environment =
            server.environment().into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        let kits = dir.path().join("kits");
        let project = rehearsal::on_loopback(rehearsal::project(4, 2, 3)).unwrap();
        provision::all_local(&project, &kits, system::now_ms(), &mut system::rng().unwrap()).unwrap();
        let kit = |name: &str| Kit::at(kits.join(name));
        let of = |k: u16| {
            let site = kit(&format!("site-{k}"));
            (SiteId(k), (site.identity().unwrap(), site.sealing().unwrap()))
        };
        let mut keys: Keys = (0..4).map(of).collect();
        keys.insert(SiteId(4), (IdentityKey::from_bytes(&[40; 32]), SealingKey::from_bytes(&[40; 32])));
        let founded = kit("coordinator").study().unwrap();
        let exchange = Exchange::open(BLOBS, &aws).unwrap();
        let parts = Parts {
            learning: Arc::new(Sums { learning: NoLearning }),
            heads: Arc::new(|_, _| Err("no head is asked here".into())),
            pieces: 1,
            metrics: None,
        };
        let folder = Folder::of(&kit("coordinator")).unwrap();
        let doing = Doing::new(founded.clone(), parts, Exchange::open(BLOBS, &aws).unwrap(), folder);
        let store = BlobStore::open(&dir.path().join("leader"), 1 << 30).unwrap();
        let doing = Arc::new(doing);
        Self { doing, exchange, founded, keys, store, objects, _server: server, _dir: dir }
    }

    pub(super) fn signature(&self, old: &Study, change: &Change, by: u16) -> (SiteId, Signature) {
        let (old, site) = (old.epoch().unwrap(), SiteId(by));
        let next = change.next(&old).unwrap();
        (site, sign_successor(&old, &next, &self.keys[&site].0))
    }

    pub(super) fn signed(&self, old: &Study, change: Change, by: &[u16]) -> SignedChange {
        let signatures = by.iter().map(|site| self.signature(old, &change, *site)).collect();
        SignedChange { change, signatures }
    }

    /// One joins, then another leaves; what the study is afterwards.
    pub(super) fn changes(&self) -> ([SignedChange; 2], Study) {
        let (identity, sealing) = &self.keys[&SiteId(4)];
        let late =
            SiteEntry { name: "site-4".to_owned(), identity: identity.public(), sealing: sealing.public() };
        let join = Change { joins: vec![late], ..nothing(&self.founded) };
        let joined = self.signed(&self.founded, join, &[0, 1, 2]);
        let five = self.founded.succeeded(&joined).unwrap();
        let leave = Change { leaves: vec![SiteId(1)], ..nothing(&five) };
        let left = self.signed(&five, leave, &[0, 2, 3, 4]);
        let now = five.succeeded(&left).unwrap();
        ([joined, left], now)
    }

    /// The uploads of all sites of a roster, in the leader's store, and the work of reading them.
    pub(super) fn work(&self, study: &Study) -> Work {
        let spec = JobSpec { rounds: 1, ..rehearsal::sums("after", 3000, 1) };
        let job = spec.id(study);
        let round = SumRound::new(&study.epoch().unwrap(), job, 0, (spec.values, spec.max)).unwrap();
        let upload = |site: SiteId| {
            let (identity, sealing) = &self.keys[&site];
            let by = Uploader { round: &round, me: site, sealing, signer: identity, only: Digest([0; 32]) };
            let values = || Box::new((0..3000_u64).map(|k| k % 1000)) as Box<dyn Iterator<Item = u64> + Send>;
            let mut bytes = Vec::new();
            write_upload(&by, true, &values, &[site.0 as u8; 32], &mut bytes).unwrap();
            (site, self.store.keep(&bytes).unwrap())
        };
        let uploads = study.sites().map(upload).collect();
        let step = Step { job, round: 0, attempt: 0, phase: Phase::Upload };
        Work::Intake { step, spec, input: None, uploads, pairs: Vec::new() }
    }

    pub(super) fn put(&self, bytes: Vec<u8>) -> Object {
        let blob = Blob::of(&bytes);
        Object { blob, name: self.exchange.put(bytes, &blob, &unique().unwrap()).unwrap() }
    }

    /// The work of a step, whole, with these changes.
    pub(super) fn piece(&self, changes: &[SignedChange], work: &Work) -> Object {
        let (changes, whole) = (changes.to_vec(), Box::new(work.clone()));
        self.packed(Piece::Combine { changes, work: whole, portions: Vec::new() }, &work.inputs())
    }

    /// A piece as a leader packs it, with what it reads.
    pub(super) fn packed(&self, what: Piece, reads: &[Blob]) -> Object {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for blob in reads {
            let bytes = self.store.read(blob, blob.len).unwrap();
            if blob.len <= SMALL {
                small.push((*blob, Bytes::from(bytes)));
            } else {
                large.push(self.put(bytes));
            }
        }
        self.put(Parcel { what, small, large }.into_bytes(&queue_name(&self.founded)).unwrap())
    }

    /// What the worker makes of a piece.
    pub(super) fn done(&self, piece: &Object) -> Result<Object> {
        self.doing.done(piece.blob, self.doing.read(piece)?)
    }

    /// An object's file.
    pub(super) fn file(&self, object: &Object) -> PathBuf {
        self.objects.join(&object.name)
    }

    /// How many objects the bucket has.
    pub(super) fn objects(&self) -> usize {
        std::fs::read_dir(self.objects.join("study").join("work")).map_or(0, Iterator::count)
    }
}

pub(super) fn nothing(study: &Study) -> Change {
    let from = study.epoch().unwrap().digest();
    Change { study: study.digest(), from, joins: Vec::new(), leaves: Vec::new(), replaces: Vec::new() }
}
