//! A change of the roster among what else goes on at a site: tasks in hand, people who refuse, a second process of the same kit, a
//! coordinator's member.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helper functions of tests")]

mod network;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use blindscope_federation::sums::SumMark;
use blindscope_federation::{Change, Contribution, JobSpec, LearnError, Mark, Says, SiteId, Word};
use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::{Approvals, Consent};
use blindscope_node::plain::Plain;
use blindscope_node::roster::{Office, change};
use blindscope_node::{Stop, rehearsal, site, system};
use blindscope_store::Marks;
use blindscope_transport::Command;
use network::roster::{LONG, adds_up, caller, found, kit, propose, request, serve};
use network::{ENOUGH, run_site};

type Integers<'a> = Box<dyn Iterator<Item = u64> + Send + 'a>;

/// A site whose integers come once it is told.
struct Held {
    integers: Plain,
    begun: Mutex<Sender<()>>,
    released: Mutex<Receiver<()>>,
}

impl Contribution for Held {
    fn values<'a>(&'a self, spec: &JobSpec, round: u64, start: &[u8]) -> Result<Integers<'a>, LearnError> {
        let released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).send(()).ok();
        // An error is a test that has ended.
        released.recv_timeout(LONG).ok();
        self.integers.values(spec, round, start)
    }
}

/// Whether a site has signed what is on its way.
async fn has_signed(office: &mut Office, site: u16) -> bool {
    office.look().await.unwrap().is_some_and(|proposal| proposal.has_signed(SiteId(site)))
}

/// A job is called off while a site computes for it: nothing runs, a change is signed. That site signs once its hands are empty, since
/// what it has in hand was judged before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_site_signs_with_empty_hands() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), Stop::new());
    let folder = folder.path();
    found(folder);
    let serving = serve(folder).await;
    let ((begun, has_begun), (release, released)) = (channel(), channel());
    let held = Held { integers: Plain::Seed(0), begun: Mutex::new(begun), released: Mutex::new(released) };
    let (zero, ending) = (kit(folder, "site-0"), stop.clone());
    let zero = tokio::spawn(async move { site::run(&zero, &[], Arc::new(held), ENOUGH, ending).await });
    let one = run_site(folder, "site-1", 1, &stop);
    let admin = Admin::of(&kit(folder, "admin"), &[]).unwrap();
    admin.submit(&rehearsal::sums("called-off", 300, 1)).await.unwrap();
    tokio::task::spawn_blocking(move || has_begun.recv_timeout(LONG).unwrap()).await.unwrap();
    admin.abort("called-off").await.unwrap();

    let mut office = Office::of(&kit(folder, "admin"), &[]).unwrap();
    let leave = change(office.study(), &[], &["site-2".to_owned()], &[]).unwrap();
    office.propose(&leave).await.unwrap();
    let next = leave.next(&office.study().epoch().unwrap()).unwrap().digest();
    for name in ["site-0", "site-1"] {
        let mut approvals = Approvals::of(&kit(folder, name)).unwrap();
        approvals.say_of_change(&next, Consent::Approved, system::now_ms());
        approvals.keep(&kit(folder, name)).unwrap();
    }
    let other_signs = async {
        while !has_signed(&mut office, 1).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, other_signs).await.expect("the other one signs");
    // Long enough for one that would not wait.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!has_signed(&mut office, 0).await && office.study().version() == 0, "it has a task in hand");
    release.send(()).unwrap();
    let stands = async {
        while office.study().version() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            office.look().await.unwrap();
        }
    };
    tokio::time::timeout(LONG, stands).await.expect("then it signs");
    stop.stop();
    for site in [zero, one] {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}

/// Whether a poll is not answered at once.
async fn stays_open<T>(poll: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(700), poll).await.is_err()
}

/// Jobs go on while people think about a change, and who refuses one is not asked for a signature without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_refuses_is_left_alone() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), Stop::new());
    let folder = folder.path();
    found(folder);
    let serving = serve(folder).await;
    let sites = ["site-0", "site-2"].map(|name| run_site(folder, name, name.len() as u64, &stop));
    let mut office = Office::of(&kit(folder, "admin"), &[]).unwrap();
    let joins = request(folder, "site-3", "site-3");
    let join = change(office.study(), std::slice::from_ref(&joins), &[], &[]).unwrap();
    office.propose(&join).await.unwrap();
    let next = join.next(&office.study().epoch().unwrap()).unwrap();
    let signer = kit(folder, "site-1").identity().unwrap();
    // Nobody has said a word: a site that has seen the change is not called to it again.
    let poll = |name: &str, seen: bool| {
        let (client, seen) = (caller(folder, name), seen.then(|| next.digest().to_string()));
        let told = serde_json::json!({ "software": "test", "now_ms": 0, "seen": seen }).to_string();
        async move { client.next(Bytes::from(told), Duration::from_secs(2)).await }
    };
    assert!(poll("site-1", false).await.unwrap().is_none(), "it is called at once");
    assert!(stays_open(poll("site-1", true)).await, "it is not called again");
    let word = Word::say(Says::Refuse, SiteId(1), (&office.study().epoch().unwrap(), &next), &signer);
    let document = serde_json::json!({ "roster": "say", "word": word }).to_string();
    caller(folder, "site-1").command(Command::Roster, document.into()).await.unwrap();
    assert_eq!(office.look().await.unwrap().unwrap().said(SiteId(1)), Some(Says::Refuse));
    assert!(stays_open(poll("site-1", false)).await, "who refuses has said it");
    for name in ["site-0", "site-2"] {
        let mut approvals = Approvals::of(&kit(folder, name)).unwrap();
        approvals.say_of_change(&next.digest(), Consent::Approved, system::now_ms());
        approvals.keep(&kit(folder, name)).unwrap();
    }
    let signing = async {
        while office.study().version() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            office.look().await.unwrap();
        }
    };
    tokio::time::timeout(LONG, signing).await.expect("two of three sign");
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}

/// A service and a command of one kit both learn a change; what is kept is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_of_one_kit_keep_one_history() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), Stop::new());
    let folder = folder.path();
    found(folder);
    let serving = serve(folder).await;
    let mut stale = Office::of(&kit(folder, "site-0"), &[]).unwrap();
    let sites: Vec<_> = (0..3).map(|k| run_site(folder, &format!("site-{k}"), k, &stop)).collect();
    let study = kit(folder, "admin").study().unwrap();
    let leave = change(&study, &[], &["site-2".to_owned()], &[]).unwrap();
    let words = [("site-0", Consent::Approved), ("site-1", Consent::Approved)];
    propose(folder, &leave, &words, 1).await;
    adds_up(folder, "two", &[0, 1]).await;
    // The service has kept the change; this one began before it.
    stale.look().await.unwrap();
    assert_eq!((stale.study().version(), kit(folder, "site-0").study_now().unwrap().version()), (1, 1));
    let history = kit(folder, "site-0").state().join("roster.jsonl");
    let text = std::fs::read_to_string(&history).unwrap();
    assert_eq!(text.lines().count(), 1, "it stands there once");
    stop.stop();
    for site in sites {
        // The third has left.
        let _ = site.await.unwrap();
    }
    // As an earlier release wrote it: the same change twice.
    let mut file = std::fs::OpenOptions::new().append(true).open(&history).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let stop = Stop::new();
    let sites: Vec<_> = (0..2).map(|k| run_site(folder, &format!("site-{k}"), k, &stop)).collect();
    adds_up(folder, "again", &[0, 1]).await;
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}

/// A key has one role: no change makes a site of an administrator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_members_key_is_no_sites() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    found(folder);
    let serving = serve(folder).await;
    let office = Office::of(&kit(folder, "admin"), &[]).unwrap();
    let mut joins = request(folder, "site-3", "site-3");
    let honest = change(office.study(), std::slice::from_ref(&joins), &[], &[]).unwrap();
    joins.identity = kit(folder, "admin").identity().unwrap().public();
    let spy: Change = change(office.study(), &[joins], &[], &[]).unwrap();
    let refused = office.propose(&spy).await.unwrap_err().to_string();
    assert!(refused.contains("site-3 has the key of an administrator"), "{refused}");
    office.propose(&honest).await.unwrap();
    serving.end().await;
}

/// How often the disk of a site that does not run says which next roster it has signed.
async fn signed_marks(folder: &Path, site: u16) -> usize {
    let kit = kit(folder, &format!("site-{site}"));
    let marks =
        Marks::open(&kit.state().join("marks.db"), &kit.study().unwrap(), SiteId(site)).await.unwrap();
    let all = marks.all().await.unwrap();
    marks.close().await;
    all.into_iter().filter(|m| matches!(m, Mark::Sum { mark: SumMark::Successor { .. }, .. })).count()
}

/// A site was killed when its mark was on the disk and its signature had not left: it signs the same, and writes nothing down again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_was_killed_before_it_signed_signs() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), Stop::new());
    let folder = folder.path();
    found(folder);
    let study = kit(folder, "site-0").study().unwrap();
    let leave = change(&study, &[], &["site-2".to_owned()], &[]).unwrap();
    let next = leave.next(&study.epoch().unwrap()).unwrap().digest();
    let state = kit(folder, "site-0").state();
    std::fs::create_dir_all(&state).unwrap();
    let marks = Marks::open(&state.join("marks.db"), &study, SiteId(0)).await.unwrap();
    marks.append(&[Mark::Sum { mark: SumMark::Successor { version: 0, next }, openings: 0 }]).await.unwrap();
    marks.close().await;
    assert_eq!(signed_marks(folder, 0).await, 1);

    let serving = serve(folder).await;
    let sites: Vec<_> = (0..2).map(|k| run_site(folder, &format!("site-{k}"), k, &stop)).collect();
    let words = [("site-0", Consent::Approved), ("site-1", Consent::Approved)];
    propose(folder, &leave, &words, 1).await;
    adds_up(folder, "two", &[0, 1]).await;
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
    assert_eq!((signed_marks(folder, 0).await, signed_marks(folder, 1).await), (1, 1));
}
