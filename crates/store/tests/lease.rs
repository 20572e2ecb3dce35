//! Several coordinators, one of which leads: whoever does not lead any more writes nothing, whatever it believes.
#![cfg(feature = "scale")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::Row as _;
use tokio::time::timeout;

use blindscope_federation::Record;
use blindscope_store::{Error, Home, Look};
use blindscope_testkit::services::{Services, run};
use common::place::shared;
use common::{Place, records, study};

const ENOUGH: u64 = 1 << 30;

fn services(place: &Place) -> &Services {
    place.services.as_ref().unwrap()
}

/// Somebody who leads, or waits until it does.
async fn lead(place: &Place, name: &str) -> Home {
    let (place, state) = (shared(services(place), name), place.state().join(name));
    Home::shared(&place, &state, &study("one").0, ENOUGH).await.unwrap()
}

/// Somebody who leads although another one did: as if that one had been stopped for longer than its lease holds.
async fn takeover(place: &Place, name: &str) -> Home {
    let running_out = async {
        loop {
            services(place).let_the_lease_run_out().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        home = timeout(Duration::from_secs(30), lead(place, name)) => home.expect("it takes over"),
        () = running_out => unreachable!(),
    }
}

fn entries() -> Vec<Record> {
    let (study, signer) = study("one");
    records(&study, &signer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_the_next_follows_at_once_or_when_the_lease_runs_out() {
    let Some(place) = Place::shared().await else { return };
    let first = lead(&place, "first").await;
    // Longer than its term: it is held anew as long as the leader lives.
    assert!(timeout(Duration::from_millis(1500), lead(&place, "second")).await.is_err(), "two lead");
    first.records.close().await;
    let second = timeout(Duration::from_millis(500), lead(&place, "second")).await.expect("it is free");
    // Dropped, as if it were killed, nothing is said: the term has to pass.
    drop(second);
    let begun = Instant::now();
    timeout(Duration::from_secs(5), lead(&place, "third")).await.expect("it has run out");
    println!("taken over {:?} after the leader was gone", begun.elapsed());
}

/// The attack is the ordinary way: to look who leads, and then to write. A leader that is stopped in between writes all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_appends_nothing_where_looking_first_would() {
    let Some(place) = Place::shared().await else { return };
    let (old, all) = (lead(&place, "old").await, entries());
    old.records.append(&all[..1]).await.unwrap();

    let mut naive = services(&place).connect().await;
    let leads = sqlx::query("SELECT term FROM lease").fetch_one(&mut naive).await.unwrap();
    let term: i64 = leads.get(0);
    let new = takeover(&place, "new").await;
    // It looked, was stopped, and writes now: the naive leader, and ours.
    assert_eq!(term, 1);
    run(&mut naive, "INSERT INTO log (seq, line) VALUES (1, 'of a leader that was deposed')").await;
    assert_eq!(new.records.lines(1).await.unwrap(), ["of a leader that was deposed"]);
    run(&mut naive, "ALTER TABLE log DISABLE TRIGGER ALL; DELETE FROM log WHERE seq = 1; ALTER TABLE log ENABLE TRIGGER ALL").await;

    assert!(matches!(old.records.append(&all[1..2]).await, Err(Error::Deposed { .. })));
    assert!(matches!(old.document("usage.json").write(b"1"), Err(Error::Deposed { .. })));
    assert_eq!(new.records.lines(0).await.unwrap().len(), 1);
    new.records.append(&all[1..]).await.unwrap();
    assert_eq!(new.records.all().await.unwrap(), all);
    timeout(Duration::from_secs(2), old.lost()).await.expect("it hears that it leads no more");
    assert!(timeout(Duration::from_secs(1), new.lost()).await.is_err(), "the new one does");
}

/// The attack is on names: were an object named after its bytes alone, a leader that had decided to delete them before it was deposed
/// would take those of the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_deletes_nothing_that_the_next_one_counts_on() {
    let Some(place) = Place::shared().await else { return };
    let old = lead(&place, "old").await;
    let theirs = old.blobs_of("keys", ENOUGH).unwrap();
    let blob = theirs.keep(&[3; 5000]).unwrap();
    let new = takeover(&place, "new").await;
    let ours = new.blobs_of("keys", ENOUGH).unwrap();
    assert!(matches!(theirs.retain(&[]), Err(Error::Deposed { .. })));
    assert_eq!(ours.read(&blob, 5000).unwrap(), [3; 5000]);

    // Decided in time, and stopped before the objects were deleted: the next leader does not count on them, and keeps its own.
    let third = takeover(&place, "third").await;
    let keys = third.blobs_of("keys", ENOUGH).unwrap();
    let object = place.file("keys", &blob).unwrap();
    let name = object.file_name().unwrap().to_str().unwrap().to_owned();
    run(&mut services(&place).connect().await, &format!("INSERT INTO doomed VALUES ('study/keys/{name}')"))
        .await;
    let fourth = takeover(&place, "fourth").await;
    let last = fourth.blobs_of("keys", ENOUGH).unwrap();
    assert!(!last.contains(&blob));
    last.keep(&[3; 5000]).unwrap();
    // The third one wakes up and deletes what it had decided to.
    let _ = std::fs::remove_file(&object);
    assert_eq!(last.read(&blob, 5000).unwrap(), [3; 5000]);
    assert!(keys.retain(&[]).is_err());
    assert_eq!(last.read(&blob, 5000).unwrap(), [3; 5000]);
}

/// What a leader had in memory and in no entry is not the next one's; what rode with an entry is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_leader_has_what_was_acknowledged() {
    let Some(place) = Place::shared().await else { return };
    let (old, all) = (lead(&place, "old").await, entries());
    let small = old.blobs.keep(&[1; 1000]).unwrap();
    let large = old.blobs.keep(&vec![2; 3 << 20]).unwrap();
    old.records.append(&all).await.unwrap();
    let unnamed = old.blobs.keep(&[4; 1000]).unwrap();
    let new = takeover(&place, "new").await;
    assert_eq!(new.records.all().await.unwrap(), all);
    assert_eq!(new.blobs.read(&small, 1000).unwrap(), [1; 1000]);
    assert!(new.blobs.read(&large, 3 << 20).unwrap() == vec![2; 3 << 20]);
    assert!(!new.blobs.contains(&unnamed));
}

/// Connections are cut while entries are being written: each is there once, whichever answer was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_whose_answer_is_lost_is_there_once() {
    let Some(place) = Place::shared().await else { return };
    let (home, first) = (lead(&place, "one").await, entries().remove(0));
    let (mut seq, cut) = (0, AtomicU64::new(0));
    let cutting = async {
        let mut connection = services(&place).connect().await;
        while cut.load(Ordering::Relaxed) <= 40 {
            cut.fetch_add(
                services(&place).cut(&mut connection, "unnest($3::bigint").await,
                Ordering::Relaxed,
            );
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    };
    let writing = async {
        while cut.load(Ordering::Relaxed) <= 40 {
            let mut entry = first.clone();
            entry.body.seq = seq;
            home.blobs.keep(&seq.to_le_bytes().repeat(100)).unwrap();
            home.records.append(&[entry]).await.unwrap();
            seq += 1;
        }
    };
    tokio::join!(cutting, writing);
    println!("{seq} entries, {} connections cut", cut.into_inner());
    assert_eq!(home.records.lines(0).await.unwrap().len() as u64, seq);
    home.records.close().await;
    let again = lead(&place, "two").await;
    for seq in 0..seq {
        let bytes = seq.to_le_bytes().repeat(100);
        assert_eq!(again.blobs.read(&blindscope_federation::Blob::of(&bytes), 800).unwrap(), bytes);
    }
}

/// The same of what is beside the log: documents and deletions, at whatever statement of theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_and_deletions_outlast_connections() {
    let Some(place) = Place::shared().await else { return };
    let home = lead(&place, "one").await;
    let keys = home.blobs_of("keys", ENOUGH).unwrap();
    let done = AtomicU64::new(0);
    let cutting = async {
        let (mut connection, mut cut) = (services(&place).connect().await, 0);
        while done.load(Ordering::Relaxed) == 0 {
            cut += services(&place).cut(&mut connection, "").await;
            tokio::time::sleep(Duration::from_millis(11)).await;
        }
        cut
    };
    let writing = tokio::task::spawn_blocking({
        let home = home.clone();
        move || {
            for round in 0..20_u8 {
                home.document("counts.json").write(&[round; 10]).unwrap();
                let blob = keys.keep(&[round; 3000]).unwrap();
                assert_eq!(keys.retain(&[blob]).unwrap(), if round == 0 { 0 } else { 3000 });
                assert_eq!(home.document("counts.json").read(10).unwrap().as_deref(), Some(&[round; 10][..]));
            }
        }
    });
    let written = async {
        let written = writing.await;
        done.store(1, Ordering::Relaxed);
        written
    };
    let (cut, written) = tokio::join!(cutting, written);
    written.unwrap();
    println!("{cut} connections cut");
    assert!(cut > 10);
    assert_eq!(place.whole("keys").len(), 1);
    assert!(
        timeout(Duration::from_millis(100), home.lost()).await.is_err(),
        "the lease was lost with a connection"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_appends_nothing_and_says_so() {
    let Some(place) = Place::shared().await else { return };
    let (home, all) = (lead(&place, "one").await, entries());
    home.records.append(&all[..1]).await.unwrap();
    let mut connection = services(&place).connect().await;
    run(
        &mut connection,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END; $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON log EXECUTE FUNCTION full_disk()",
    )
    .await;
    assert!(matches!(home.records.append(&all[1..]).await, Err(Error::Full { .. })));
    run(&mut connection, "DROP TRIGGER full_disk ON log").await;
    home.records.append(&all[1..]).await.unwrap();
    assert_eq!(home.records.all().await.unwrap(), all);
    // Nor is anything changed that was acknowledged, by whomever.
    for change in ["UPDATE log SET line = ''", "DELETE FROM log", "TRUNCATE log"] {
        let changed = sqlx::raw_sql(change).execute(&mut connection).await;
        assert!(changed.unwrap_err().to_string().contains("append-only"), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_name_no_place_are_refused_with_what_to_write() {
    let Some(place) = Place::shared().await else { return };
    let good = shared(services(&place), "one");
    let with = |store: &str, blobs: &str| blindscope_store::Shared {
        store: store.to_owned(),
        blobs: blobs.to_owned(),
        environment: Vec::new(),
        holder: "one".to_owned(),
        lease: Duration::from_secs(1),
    };
    for (wrong, repair) in [
        (with("postgres://user:secret@host/db", &good.blobs), "PGPASSFILE"),
        (with("postgres://host/db?password=secret", &good.blobs), "PGPASSFILE"),
        (with("nonsense", &good.blobs), "postgres://USER@HOST/DATABASE"),
        (with(&good.store, "file:///blobs"), "s3://BUCKET/PREFIX"),
    ] {
        let refused = Home::shared(&wrong, &place.state(), &study("one").0, ENOUGH).await;
        let said = refused.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains(repair) && !said.contains("secret"), "{said}");
    }
}

/// A look before a coordinator starts: what it finds, and what it says where a side does not answer. Nothing of it stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_says_who_leads_and_which_side_does_not_answer() {
    let Some(place) = Place::shared().await else { return };
    let (of, good) = (study("one").0, shared(services(&place), "looking"));
    let look = Look::at(&good, &of).await;
    assert_eq!((look.store.unwrap(), look.blobs.unwrap()), (None, ()));
    let leader = lead(&place, "leading").await;
    let look = Look::at(&good, &of).await;
    assert_eq!((look.store.unwrap().as_deref(), look.blobs.unwrap()), (Some("leading"), ()));
    assert!(place.whole("preflight").is_empty());
    leader.records.close().await;
    let another = Look::at(&good, &study("two").0).await;
    assert!(matches!(another.store, Err(Error::Owner { .. })));

    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let environment = |key: &str, value: &str| {
        let with = |(name, old): &(String, _)| {
            (name.clone(), if name == key { value.to_owned().into() } else { Clone::clone(old) })
        };
        good.environment.iter().map(with).collect()
    };
    let with = |store: String, environment| blindscope_store::Shared {
        store,
        environment,
        blobs: good.blobs.clone(),
        holder: "looking".to_owned(),
        lease: Duration::from_secs(1),
    };
    let away = with(
        format!("postgres://nobody@{gone}/none"),
        environment("AWS_ENDPOINT_URL", &format!("http://{gone}")),
    );
    let look = Look::at(&away, &of).await;
    assert!(matches!(look.store, Err(Error::Database { .. })) && matches!(look.blobs, Err(Error::Io { .. })));
    let nowhere = good.store.replace("search_path]=", "search_path]=not_there_");
    let look = Look::at(&with(nowhere, environment("AWS_SECRET_ACCESS_KEY", "another-secret")), &of).await;
    let said = (look.store.unwrap_err().to_string(), look.blobs.unwrap_err().to_string());
    assert!(said.0.contains("CREATE SCHEMA"), "{}", said.0);
    assert!(said.1.contains("s3://bucket") && !said.1.contains("another-secret"), "{}", said.1);
}
