//! What a monitor sees of a worker at a real queue: every end of a piece, messages that are none, a server that is away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::text;

use super::world::World;
use super::{Worker, meters};
use crate::kit::queue_name;
use crate::work::{AnswerMessage, Object, Said as _, WorkMessage};
use blindscope_federation::Blob;
use blindscope_testkit::nats::NatsServer;
use blindscope_transport::Stop;
use blindscope_transport::queue::{Queue, Secrets};

/// The value of a figure.
fn figure(worker: &Arc<Worker>, name: &str) -> u64 {
    let mut shown = String::new();
    text::encode(&mut shown, &meters::registry(worker)).unwrap();
    let line = format!("blindscope_{name} ");
    let found = shown.lines().find_map(|shown| shown.strip_prefix(&line)?.parse().ok());
    found.unwrap_or_else(|| panic!("no {line}in\n{shown}"))
}

async fn until(worker: &Arc<Worker>, name: &str, value: u64) {
    let begun = Instant::now();
    while figure(worker, name) != value {
        assert!(begun.elapsed() < Duration::from_secs(30), "{name} is {}, not {value}", figure(worker, name));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The leader's end of the queue.
struct Leader {
    queue: Queue,
    study: String,
}

impl Leader {
    async fn offer(&self, piece: &Object) {
        let message = WorkMessage::new(&self.study, piece.clone());
        self.queue.offer(&piece.blob.digest.to_string(), message.to_bytes()).await.unwrap();
    }

    /// What was answered to a piece.
    async fn answer(&self, piece: &Object) -> Option<Object> {
        let kept = self.queue.answered(&piece.blob.digest.to_string()).await.unwrap();
        AnswerMessage::parse(&kept.expect("an answer is kept"), &self.study).unwrap().made
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_sees_what_becomes_of_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut server) = NatsServer::start(dir.path()) else { return };
    let world = World::new();
    let study = queue_name(&world.founded);
    let queue = Queue::open(&server.url(), &Secrets::default(), &study).await.unwrap();
    let worker = Arc::new(Worker::new(queue, study.clone(), (world.doing.clone(), 1)).unwrap());
    assert_eq!(figure(&worker, "queue_answers"), 0, "it was not asked yet");
    let stop = Stop::new();
    let working = tokio::spawn(worker.clone().work(stop.clone()));
    until(&worker, "queue_answers", 1).await;
    let queue = Queue::open(&server.url(), &Secrets::default(), &study).await.unwrap();
    let leader = Leader { queue, study };

    let (changes, now) = world.changes();
    let work = world.work(&now);
    let done = world.piece(&changes, &work);
    leader.offer(&done).await;
    until(&worker, "worker_pieces_total{piece=\"combine\",end=\"done\"}", 1).await;
    assert!(leader.answer(&done).await.is_some());
    assert_eq!(figure(&worker, "worker_piece_seconds_count{piece=\"combine\"}"), 1);

    let left = world.piece(&[], &work);
    leader.offer(&left).await;
    until(&worker, "worker_pieces_total{piece=\"combine\",end=\"left\"}", 1).await;
    assert!(leader.answer(&left).await.is_none(), "the leader is told to do it");

    // Its parcel went with whoever waited for it.
    leader.offer(&Object { blob: Blob::of(b"gone"), name: format!("{}-gone", done.name) }).await;
    until(&worker, "worker_pieces_total{piece=\"unread\",end=\"unwanted\"}", 1).await;

    // A bucket that gives other bytes: tried again, and left alone at last.
    let other = world.piece(&changes[..1], &work);
    std::fs::write(world.file(&other), vec![0; other.blob.len as usize]).unwrap();
    leader.offer(&other).await;
    until(&worker, "worker_pieces_total{piece=\"unread\",end=\"given-back\"}", 4).await;

    leader.queue.offer("noise", b"noise".to_vec()).await.unwrap();
    until(&worker, "queue_refused_total", 1).await;
    worker.at().insert(done.blob);
    assert_eq!(figure(&worker, "worker_pieces_at_work"), 1);
    worker.at().remove(&done.blob);
    assert_eq!(figure(&worker, "worker_pieces_at_work"), 0);

    server.kill();
    until(&worker, "queue_answers", 0).await;
    server.again();
    until(&worker, "queue_answers", 1).await;
    let counted =
        |piece, end| figure(&worker, &format!("worker_pieces_total{{piece=\"{piece}\",end=\"{end}\"}}"));
    assert_eq!(["done", "left", "untold"].map(|end| counted("combine", end)), [1, 1, 0]);
    assert_eq!(counted("unread", "unwanted"), 1);
    stop.stop();
    working.await.unwrap();
}
