//! Queues over a NATS server of the test's own: what is taken once, what comes again, and what a server that was killed still has.
#![cfg(feature = "scale")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helper functions of tests"
)]

use std::time::{Duration, Instant};

use blindscope_testkit::nats::NatsServer;
use blindscope_transport::queue::{LONGEST, Queue, Secrets};

const SOON: Duration = Duration::from_secs(2);

fn server() -> Option<(tempfile::TempDir, NatsServer)> {
    let dir = tempfile::tempdir().unwrap();
    let server = NatsServer::start(dir.path())?;
    Some((dir, server))
}

/// A client of a study's queues, once it is let in.
async fn client(server: &NatsServer, name: &str) -> Queue {
    let queue = Queue::open(&server.url(), &Secrets::default(), name).await.unwrap();
    let begun = Instant::now();
    while let Err(error) = queue.prepare().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    queue
}

async fn taken(queue: &Queue) -> Option<Vec<u8>> {
    let taken = queue.take(SOON).await.unwrap()?;
    let bytes = taken.bytes().unwrap().to_vec();
    taken.done().await.unwrap();
    Some(bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_taken_once_whatever_it_is_offered_and_only_in_its_study() {
    let Some((_dir, server)) = server() else { return };
    let (leader, worker, other) =
        (client(&server, "one").await, client(&server, "one").await, client(&server, "two").await);
    for _ in 0..3 {
        leader.offer("piece", b"piece".to_vec()).await.unwrap();
    }
    assert!(other.take(Duration::from_millis(300)).await.unwrap().is_none(), "another study's");
    assert_eq!(taken(&worker).await.unwrap(), b"piece");
    assert!(taken(&worker).await.is_none(), "it came twice");
    // Done or not, for some minutes it is the same.
    leader.offer("piece", b"piece".to_vec()).await.unwrap();
    assert!(taken(&worker).await.is_none(), "it was offered again and taken again");
    assert!(leader.offer("long", vec![0; LONGEST + 1]).await.is_err());
    leader.offer("next", b"next".to_vec()).await.unwrap();
    assert_eq!(taken(&worker).await.unwrap(), b"next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_back_or_abandoned_comes_again_and_what_is_dropped_does_not() {
    let Some((_dir, server)) = server() else { return };
    let (leader, first, second) =
        (client(&server, "s").await, client(&server, "s").await, client(&server, "s").await);
    leader.offer("back", b"back".to_vec()).await.unwrap();
    first.take(SOON).await.unwrap().unwrap().give_back().await.unwrap();
    assert_eq!(taken(&second).await.unwrap(), b"back");
    leader.offer("bad", b"bad".to_vec()).await.unwrap();
    first.take(SOON).await.unwrap().unwrap().drop_for_good().await.unwrap();
    assert!(second.take(SOON).await.unwrap().is_none());
    leader.offer("left", b"left".to_vec()).await.unwrap();
    let left = first.take(SOON).await.unwrap().unwrap();
    // As long as it is held nobody else gets it.
    for _ in 0..4 {
        left.hold().await.unwrap();
        assert!(second.take(Duration::from_secs(5)).await.unwrap().is_none(), "held, and taken by another");
    }
    drop((left, first));
    let begun = Instant::now();
    let again = loop {
        if let Some(bytes) = taken(&second).await {
            break bytes;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "a message of a lost worker is lost");
    };
    println!("another got it {:.1?} after its worker was lost", begun.elapsed());
    assert_eq!(again, b"left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_has_every_message_and_every_answer() {
    let Some((_dir, mut server)) = server() else { return };
    let (leader, worker) = (client(&server, "s").await, client(&server, "s").await);
    let (mut answers, mut beats) = (leader.answers().await.unwrap(), leader.beats().await.unwrap());
    leader.offer("one", b"one".to_vec()).await.unwrap();
    worker.answer("zero", b"answer".to_vec()).await.unwrap();
    assert_eq!(answers.next().await.unwrap(), &b"answer"[..]);
    server.kill();
    assert!(leader.offer("two", b"two".to_vec()).await.is_err(), "offered to a server that is away");
    assert!(worker.take(SOON).await.is_err());
    server.again();
    let begun = Instant::now();
    let one = loop {
        match worker.take(SOON).await {
            Ok(Some(taken)) => break taken,
            Ok(None) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the server is not found again");
    };
    println!("found again after {:.1?}", begun.elapsed());
    assert_eq!(one.bytes().unwrap(), &b"one"[..]);
    one.done().await.unwrap();
    // What was heard before and what comes now.
    let begun = Instant::now();
    let kept = loop {
        match leader.answered("zero").await {
            Ok(kept) => break kept,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{error}"),
        }
    };
    assert_eq!(kept.unwrap(), &b"answer"[..]);
    assert!(leader.answered("nothing").await.unwrap().is_none());
    worker.answer("one", b"done".to_vec()).await.unwrap();
    assert_eq!(answers.next().await.unwrap(), &b"done"[..]);
    worker.beat(b"here".to_vec()).await.unwrap();
    assert_eq!(beats.next().await.unwrap(), &b"here"[..]);
}
