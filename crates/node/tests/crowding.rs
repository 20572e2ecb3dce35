//! An asker that crowds: it begins more questions at once than one asker may have in the line, cuts its calls off, waits for a restart.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helper functions of tests")]

mod dealer;
mod heads;
mod network;

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::task::JoinHandle;

use blindscope_federation::JobKind;
use blindscope_learn::jobs::CoordinatorLearner;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::system;
use blindscope_transport::{Error, Refusal, Stop};
use dealer::Dealer;
use heads::{found, learned, run, tokens};
use network::{ENOUGH, Serving, serve};

/// Questions of one asker that may be unanswered at a time.
const MOST: usize = 2;

/// A body whose first byte waits until its gate is opened, or gone.
struct Gated {
    gate: Option<Receiver<()>>,
    bytes: Cursor<Vec<u8>>,
    /// Told once everything was read.
    read: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Read for Gated {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if let Some(gate) = self.gate.take() {
            let _ = gate.recv();
        }
        let count = self.bytes.read(out)?;
        if self.bytes.position() == self.bytes.get_ref().len() as u64
            && let Some(read) = self.read.take()
        {
            let _ = read.send(());
        }
        Ok(count)
    }
}

/// A call whose body waits behind a gate, if it is given one.
fn ask(dealer: &Dealer, gate: Option<Receiver<()>>) -> JoinHandle<Result<Vec<u8>, Error>> {
    calling(dealer, gate, None)
}

fn calling(
    dealer: &Dealer,
    gate: Option<Receiver<()>>,
    read: Option<tokio::sync::oneshot::Sender<()>>,
) -> JoinHandle<Result<Vec<u8>, Error>> {
    let body = dealer.body(&dealer.encoded(&tokens(1)), &mut system::rng().unwrap());
    let upload = dealer.upload(1, &body);
    let body = Box::new(Gated { gate, bytes: Cursor::new(body), read });
    let client = dealer.client.clone();
    tokio::spawn(async move { client.infer(upload, body, 1 << 12).await })
}

fn refused(answer: Result<Vec<u8>, Error>) -> Refusal {
    match answer {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {:?}", other.map(|bytes| bytes.len())),
    }
}

/// Questions that are not answered yet.
async fn open(admin: &Admin) -> Vec<String> {
    let jobs = admin.list().await.unwrap();
    jobs.into_iter().filter(|j| j.kind == JobKind::Question && !j.is_over()).map(|j| j.name).collect()
}

async fn call_off(admin: &Admin) {
    for name in open(admin).await {
        admin.abort(&name).await.unwrap();
    }
}

/// All admitted before the first has arrived: no more than an asker may have get past.
async fn many_begun_together(crowd: &Dealer, admin: &Admin) {
    let (gates, calls): (Vec<Sender<()>>, Vec<_>) = (0..2 * MOST)
        .map(|_| {
            let (open, gate) = channel();
            (open, ask(crowd, Some(gate)))
        })
        .unzip();
    let (mut waiting, mut turned_away) = (calls, 0);
    // Those that are too many hear so before a byte of theirs is read; the others wait for theirs.
    let begun = tokio::time::Instant::now();
    while turned_away < MOST && begun.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (ended, open): (Vec<_>, Vec<_>) = waiting.into_iter().partition(JoinHandle::is_finished);
        waiting = open;
        for call in ended {
            assert_eq!(refused(call.await.unwrap()).code, "many-questions");
            turned_away += 1;
        }
    }
    assert_eq!(turned_away, MOST, "all were admitted before one was counted");
    drop(gates);
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    assert_eq!(open(admin).await.len(), MOST);
    assert_eq!(refused(ask(crowd, None).await.unwrap()).code, "many-questions");
}

/// Calls that are cut once everything was sent: what becomes a question all the same is counted, what does not frees its place.
async fn many_cut_off(crowd: &Dealer, admin: &Admin) {
    for wait in 0..4 * MOST as u64 {
        let (read, sent) = tokio::sync::oneshot::channel();
        let call = calling(crowd, None, Some(read));
        // Those that are refused at their head are not read.
        let _ = sent.await;
        tokio::time::sleep(Duration::from_millis(4 * wait)).await;
        call.abort();
    }
    // The last of them may still be on its way to the disk.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let waiting = open(admin).await.len();
    assert!(waiting <= MOST, "{waiting} questions in the line");
    for _ in waiting..MOST {
        ask(crowd, None).await.unwrap().unwrap();
    }
    assert_eq!(refused(ask(crowd, None).await.unwrap()).code, "many-questions");
}

async fn coordinator(folder: &std::path::Path) -> Serving {
    serve(folder, ENOUGH, Arc::new(CoordinatorLearner::default())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_has_no_more_questions_in_the_line_than_it_may_however_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let released = vec!["head".to_owned()];
    let limits = InferenceSettings { questions_each: MOST as u32, ..InferenceSettings::default() };
    found(folder.path(), InferenceSettings { jobs: released, ..limits });
    let serving = coordinator(folder.path()).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let stop = Stop::new();
    let sites = [0, 1, 2].map(|k| run(folder.path(), k, &stop));
    learned(&admin).await;
    // Nobody answers from here on: questions stay in the line.
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    let crowd = Dealer::of(&Kit::at(folder.path().join("asker")), "head").await;
    many_begun_together(&crowd, &admin).await;
    call_off(&admin).await;
    many_cut_off(&crowd, &admin).await;
    // A coordinator that starts again counts what its log says.
    serving.end().await;
    let serving = coordinator(folder.path()).await;
    assert_eq!(refused(ask(&crowd, None).await.unwrap()).code, "many-questions");
    call_off(&admin).await;
    ask(&crowd, None).await.unwrap().unwrap();
    serving.end().await;
}
