//! Somebody who reaches queue and bucket, and answers what was never asked, or otherwise than it was made: nothing of it is taken.

use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use zeroize::Zeroizing;

use super::*;
use crate::kit::{Kit, provision, queue_name};
use crate::{rehearsal, system};
use blindscope_federation::{Blob, JobSpec, Output};
use blindscope_store::{BlobStore, Environment, Exchange};
use blindscope_testkit::nats::NatsServer;
use blindscope_testkit::s3::ObjectServer;
use blindscope_transport::Stop;
use blindscope_transport::queue::{Queue, Secrets, Taken};

const BLOBS: &str = "s3://bucket/study";

/// A leader's crew and a worker that does what the test says.
struct World {
    crew: std::sync::Arc<Crew>,
    queue: Queue,
    exchange: Exchange,
    study: String,
    stop: Stop,
    server: NatsServer,
    _objects: ObjectServer,
    dir: tempfile::TempDir,
}

impl World {
    async fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let server = NatsServer::start(dir.path())?;
        let buckets = dir.path().join("buckets");
        std::fs::create_dir_all(buckets.join("bucket")).unwrap();
        let objects = ObjectServer::start(&buckets, ([127, 0, 0, 1], 0).into()).unwrap();
        let aws: Environment =
            objects.environment().into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        let project = rehearsal::on_loopback(rehearsal::project(2, 2, 2)).unwrap();
        let kits = dir.path().join("kits");
        provision::all_local(&project, &kits, system::now_ms(), &mut system::rng().unwrap()).unwrap();
        let study = Kit::at(kits.join("coordinator")).study().unwrap();
        let (stop, nats) = (Stop::new(), Environment::new());
        let crew = Crew::open((&server.url(), BLOBS), (&nats, &aws), &study, (Counter::default(), &stop))
            .await
            .unwrap();
        let study = queue_name(&study);
        let queue = Queue::open(&server.url(), &Secrets::default(), &study).await.unwrap();
        let exchange = Exchange::open(BLOBS, &aws).unwrap();
        let world = Self { crew, queue, exchange, study, stop, server, _objects: objects, dir };
        while !world.crew.has_workers() {
            let _ = world.queue.beat(Beat::new(&world.study, ("w", 1), Vec::new()).to_bytes()).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(world)
    }

    /// Asks for a piece, which the worker takes: what the leader comes to is in the task.
    async fn asked(&self, name: &str) -> (tokio::task::JoinHandle<Option<Delivery>>, Taken, Object) {
        let (crew, piece) = (self.crew.clone(), piece(name));
        let asking = tokio::spawn(async move { crew.have_done(piece).await });
        let taken = loop {
            if let Some(taken) = self.queue.take(Duration::from_secs(2)).await.unwrap() {
                break taken;
            }
        };
        let message = WorkMessage::parse(taken.bytes().unwrap(), &self.study).unwrap();
        (asking, taken, message.piece)
    }

    fn put(&self, bytes: Vec<u8>) -> Object {
        let blob = Blob::of(&bytes);
        Object { blob, name: self.exchange.put(bytes, &blob, &unique().unwrap()).unwrap() }
    }

    async fn tell(&self, piece: &Object, made: Option<Object>) {
        let answer = AnswerMessage::new(&self.study, piece.blob, made);
        self.queue.answer(&piece.blob.digest.to_string(), answer.to_bytes()).await.unwrap();
    }

    fn outcome(&self, piece: &Object, study: &str) -> Object {
        let body = Bytes::from_static(b"sum");
        let output = Output::shared(Blob::of(&body));
        let what = Ended { piece: piece.blob, made: Made::Combined(Box::new(output)) };
        let parcel = Parcel { what, small: vec![(Blob::of(&body), body)], large: Vec::new() };
        self.put(parcel.into_bytes(study).unwrap())
    }

    fn store(&self) -> BlobStore {
        BlobStore::open(&self.dir.path().join("leader"), 1 << 30).unwrap()
    }
}

/// What a worker answers to a piece.
type Lie<'a> = Box<dyn Fn(&Object) -> Option<Object> + 'a>;

/// Any piece: nobody here does it.
fn piece(name: &str) -> Parcel<Piece> {
    let blob = Blob::of(name.as_bytes());
    let asked = Questioned {
        spec: JobSpec::named(name),
        result: blob,
        batch: 1,
        precision: None,
        keys: blob,
        question: blob,
        seed: [0; 32],
    };
    Parcel { what: Piece::Answer(Box::new(asked)), small: Vec::new(), large: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_outcome_of_the_piece_with_the_bytes_of_its_name_is_taken() {
    let Some(world) = World::start().await else { return };
    let (asking, taken, first) = world.asked("first").await;
    let good = world.outcome(&first, &world.study);
    world.tell(&first, Some(good)).await;
    let delivery = asking.await.unwrap().expect("an outcome of its own is taken");
    delivery.adopt(&world.store()).unwrap();
    assert_eq!(world.store().read(&Blob::of(b"sum"), 3).unwrap(), b"sum");
    taken.done().await.unwrap();

    let of_first = world.outcome(&first, &world.study);
    let lies: [(&str, Lie<'_>); 7] = [
        ("the worker says that it could not", Box::new(|_| None)),
        ("of another piece", Box::new(|_| Some(of_first.clone()))),
        ("of another study", Box::new(|piece| Some(world.outcome(piece, &"00".repeat(32))))),
        (
            "other bytes than named",
            Box::new(|piece| {
                let mut object = world.outcome(piece, &world.study);
                object.blob = Blob { len: object.blob.len, ..Blob::of(b"other") };
                Some(object)
            }),
        ),
        (
            "shorter than named",
            Box::new(|piece| {
                let mut object = world.outcome(piece, &world.study);
                object.blob.len += 1;
                Some(object)
            }),
        ),
        ("not a parcel", Box::new(|_| Some(world.put(b"anything".to_vec())))),
        (
            "outside of the place",
            Box::new(|piece| {
                Some(Object { name: "elsewhere/x".to_owned(), ..world.outcome(piece, &world.study) })
            }),
        ),
    ];
    for (number, (what, lie)) in lies.iter().enumerate() {
        let (asking, taken, piece) = world.asked(&format!("lie {number}")).await;
        world.tell(&piece, lie(&piece)).await;
        assert!(asking.await.unwrap().is_none(), "{what}: taken");
        taken.done().await.unwrap();
    }
    world.stop.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_names_what_did_not_come_is_not_adopted() {
    let Some(world) = World::start().await else { return };
    let (asking, taken, piece) = world.asked("empty").await;
    let made = Made::Combined(Box::new(Output::shared(Blob::of(b"nowhere"))));
    let parcel = Parcel { what: Ended { piece: piece.blob, made }, small: Vec::new(), large: Vec::new() };
    world.tell(&piece, Some(world.put(parcel.into_bytes(&world.study).unwrap()))).await;
    let delivery = asking.await.unwrap().unwrap();
    assert!(matches!(delivery.adopt(&world.store()), Err(Refused::Outcome(_))));
    assert_eq!(world.store().used(), 0);
    taken.done().await.unwrap();
    world.stop.stop();
}

/// What was thrown into the queue by somebody else stops nobody, and answers that nobody waits for are nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_on_the_queue_and_a_server_that_was_away_lose_no_piece() {
    let Some(mut world) = World::start().await else { return };
    for (number, noise) in [&b"noise"[..], b"{}", &[0xff; 4000]].into_iter().enumerate() {
        world.queue.offer(&format!("noise-{number}"), noise.to_vec()).await.unwrap();
        world.queue.answer(&format!("noise-{number}"), noise.to_vec()).await.unwrap();
        world.queue.beat(noise.to_vec()).await.unwrap();
        let taken = world.queue.take(Duration::from_secs(2)).await.unwrap().unwrap();
        assert!(WorkMessage::parse(taken.bytes().unwrap(), &world.study).is_err());
        taken.drop_for_good().await.unwrap();
    }
    assert!(world.queue.offer("long", vec![0; 1 << 16]).await.is_err(), "a long message is kept");
    let (asking, taken, piece) = world.asked("after noise").await;
    world.tell(&Object { blob: Blob::of(b"nobody's"), ..piece.clone() }, None).await;
    // The answer is kept by a server that is killed before anybody heard it, and one that was killed before it was given hears it later.
    world.server.kill();
    world.server.again();
    let outcome = world.outcome(&piece, &world.study);
    let begun = std::time::Instant::now();
    loop {
        let _ = world.queue.beat(Beat::new(&world.study, ("w", 1), vec![piece.blob]).to_bytes()).await;
        let answer = AnswerMessage::new(&world.study, piece.blob, Some(outcome.clone()));
        if world.queue.answer(&piece.blob.digest.to_string(), answer.to_bytes()).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the server is not found again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(asking.await.unwrap().is_some(), "the outcome is lost");
    drop(taken);
    world.stop.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_of_any_worker_the_leader_does_it_itself() {
    let Some(world) = World::start().await else { return };
    let (asking, taken, _) = world.asked("abandoned").await;
    // The worker is gone, and nobody else is heard.
    drop(taken);
    let begun = std::time::Instant::now();
    assert!(asking.await.unwrap().is_none());
    println!("given up after {:.1?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(world.crew.have_done(piece("next")).await.is_none(), "it asks nobody");
    world.stop.stop();
}
