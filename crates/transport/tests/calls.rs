//! Every call once, and what honest use meets: repetition, restarts, back-pressure.
#![allow(clippy::disallowed_methods, reason = "a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use blindscope_transport::{Client, Command, Error, Join, Limits, Server, Stop, Stream};
use blindscope_wire::Digest;
use common::{Authority, Memory, reader, start, upload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_reaches_the_handler_and_comes_back() {
    let authority = Authority::new();
    let memory = Arc::new(Memory::default());
    let running = start(&authority, memory.clone(), Limits::default()).await;
    let identity = authority.client();
    let client = running.client(identity.tls(&authority));

    let joined = client.join(Join { software: "test".into(), study: None, has_study: false }).await.unwrap();
    assert_eq!(joined.study, identity.id.0.to_vec(), "the peer is known by its certificate's key");
    assert_eq!(joined.now_ms, 7);
    assert!(client.healthy().await.unwrap());

    let task = client.next(Bytes::from_static(b"state"), Duration::from_secs(1)).await.unwrap();
    let task = task.unwrap();
    assert_eq!(
        (&task.task[..], &task.blobs[..]),
        (&b"state"[..], &[&b"with it"[..], b"state"].map(Bytes::from_static)[..])
    );
    let start = Instant::now();
    assert_eq!(client.next(Bytes::new(), Duration::from_millis(200)).await.unwrap(), None);
    assert!(start.elapsed() >= Duration::from_millis(200));

    for len in [0_usize, 1, 131_072, 131_073, 3_000_000] {
        let body: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
        let announced = upload(&body);
        let digest = announced.digest;
        assert_eq!(client.submit(announced.clone(), reader(&body)).await.unwrap(), "kept");
        assert_eq!(
            client.submit(announced, reader(&body)).await.unwrap(),
            "had it",
            "{len}: sent twice, kept once"
        );
        let found = client.fetch(digest, len as u64, Vec::new()).await.unwrap();
        assert_eq!(found.len, len as u64);
        assert!(found.sink == body);
    }
    assert_eq!(memory.written.load(Ordering::SeqCst), 1 + 131_072 + 131_073 + 3_000_000);

    let answer = client.command(Command::SubmitJob, Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(answer, "SubmitJob {}");
    let mut row = client.stream(Stream::WatchJob, Bytes::from_static(b"abc")).await.unwrap();
    let mut seen = Vec::new();
    while let Some(document) = row.recv().await {
        seen.push(document.unwrap());
    }
    assert_eq!(seen, ["a", "b", "c"]);

    let refused = client.fetch(Digest([9; 32]), 10, Vec::new()).await.unwrap_err();
    let Error::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!(refusal.code, "no-blob");
    running.stop.stop();
    running.done.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_outlives_the_coordinators_restart() {
    let authority = Authority::new();
    let memory = Arc::new(Memory::default());
    let running = start(&authority, memory.clone(), Limits::default()).await;
    let client = running.client(authority.client().tls(&authority));
    assert!(client.healthy().await.unwrap());
    let address = running.address;

    // A poll under way does not hold the server up.
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.next(Bytes::new(), Duration::from_secs(25)).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopping = Instant::now();
    running.stop.stop();
    running.done.await.unwrap().unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(5), "{:?}", stopping.elapsed());
    let interrupted = waiting.await.unwrap().unwrap_err();
    assert!(interrupted.retry().is_some(), "{interrupted}");

    let down = client.healthy().await.unwrap_err();
    assert!(matches!(down, Error::Unreachable { .. }), "{down}");
    assert!(down.retry().is_some() && down.to_string().contains("refused"), "{down}");

    let again = Server::bind(address, authority.server(), Limits::default()).await.unwrap();
    tokio::spawn(again.serve(memory, Stop::new()));
    assert!(client.healthy().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_beyond_the_limit_wait_for_their_turn() {
    let authority = Authority::new();
    let memory = Arc::new(Memory::default());
    let limits = Limits { uploads: 1, uploads_each: 16, ..Limits::default() };
    let running = start(&authority, memory.clone(), limits).await;
    let client = running.client(authority.client().tls(&authority));
    let uploads: Vec<_> = (0..8_u8)
        .map(|i| {
            let client = client.clone();
            tokio::spawn(async move {
                let body = vec![i; 700_000];
                client.submit(upload(&body), reader(&body)).await
            })
        })
        .collect();
    for done in uploads {
        assert_eq!(done.await.unwrap().unwrap(), "kept");
    }
    assert_eq!(memory.blobs.lock().unwrap().len(), 8);
}

/// Of several addresses the one that answers is called, before and after it has moved to another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_of_several_is_called() {
    let authority = Authority::new();
    let (first, second) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
    // Two places: one runs, the other is a port that nobody listens on.
    let running = start(&authority, first.clone(), Limits::default()).await;
    let waiting = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = format!("{waiting}, {}", running.address);
    let client = Client::new(&addresses, authority.client().tls(&authority), Limits::default()).unwrap();
    let body = vec![1; 1000];
    assert_eq!(client.submit(upload(&body), reader(&body)).await.unwrap(), "kept");
    running.stop.stop();
    running.done.await.unwrap().unwrap();
    let server = Server::bind(waiting, authority.server(), Limits::default()).await.unwrap();
    let stop = Stop::new();
    let serving = tokio::spawn(server.serve(second.clone(), stop.clone()));
    let mut answer = client.submit(upload(&body), reader(&body)).await;
    if answer.is_err() {
        // The call that found its connection closed.
        answer = client.submit(upload(&body), reader(&body)).await;
    }
    assert_eq!(answer.unwrap(), "kept", "the second one had it not");
    let written = [&first, &second].map(|memory| memory.written.load(Ordering::SeqCst));
    assert_eq!(written, [1000, 1000]);
    stop.stop();
    serving.await.unwrap().unwrap();
    for wrong in ["", "127.0.0.1:1,", "127.0.0.1:1,nowhere"] {
        let refused = Client::new(wrong, authority.client().tls(&authority), Limits::default());
        assert!(matches!(refused.err(), Some(Error::Address { .. })), "{wrong}");
    }
}
