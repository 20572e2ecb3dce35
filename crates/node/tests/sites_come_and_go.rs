//! Sites come and go over real connections: one joins, one leaves, one gets new keys; everybody goes on after a restart, and who is not
//! of the roster any more is refused.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helper functions of tests"
)]

mod network;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use blindscope_federation::SiteId;
use blindscope_node::admin::{jobs::Admin, log};
use blindscope_node::kit::{Consent, provision};
use blindscope_node::roster::{Office, change};
use blindscope_node::{Stop, system};
use blindscope_transport::Command;
use network::roster::{LONG, adds_up, caller, found, kit, propose, request, serve};
use network::run_site;

async fn is_a_stranger(folder: &Path, name: &str) {
    match caller(folder, name).command(Command::ListJobs, Bytes::new()).await {
        Err(blindscope_transport::Error::Refused(refusal)) => {
            assert!(refusal.code == "not-in-study" && refusal.message.contains("has left"), "{refusal:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
    let asked = caller(folder, name).next(Bytes::new(), Duration::ZERO).await;
    assert!(asked.is_err(), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_join_leave_and_get_new_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, stop) = (folder.path(), Stop::new());
    let address = found(folder);
    let serving = serve(folder).await;
    let first: Vec<_> = (0..3).map(|k| run_site(folder, &format!("site-{k}"), k, &stop)).collect();
    let mut first = first.into_iter();
    adds_up(folder, "three", &[0, 1, 2]).await;

    // One joins. Its certificate is not signed before the sites have let it in.
    let joins = request(folder, "site-3", "site-3");
    let coordinator = kit(folder, "coordinator");
    let early =
        provision::later(&coordinator, &joins, &address, &folder.join("site-3"), 30, system::now_ms());
    assert!(early.unwrap_err().to_string().contains("study change"));
    let study = kit(folder, "admin").study_now().unwrap();
    let join = change(&study, std::slice::from_ref(&joins), &[], &[]).unwrap();
    let words = [("site-0", Consent::Approved), ("site-1", Consent::Approved), ("site-2", Consent::Refused)];
    propose(folder, &join, &words, 1).await;
    provision::later(&coordinator, &joins, &address, &folder.join("site-3"), 30, system::now_ms()).unwrap();
    let joined = run_site(folder, "site-3", 3, &stop);
    adds_up(folder, "four", &[0, 1, 2, 3]).await;

    // The coordinator starts again and goes on under the same roster; so does a site.
    serving.end().await;
    let serving = serve(folder).await;
    adds_up(folder, "again", &[0, 1, 2, 3]).await;

    // One leaves: it is refused from then on, and its service ends.
    let study = kit(folder, "admin").study_now().unwrap();
    let leave = change(&study, &[], &["site-1".to_owned()], &[]).unwrap();
    let approved = |name| (name, Consent::Approved);
    propose(folder, &leave, &["site-0", "site-2", "site-3"].map(approved), 2).await;
    is_a_stranger(folder, "site-1").await;
    let (zero, one, two) = (first.next().unwrap(), first.next().unwrap(), first.next().unwrap());
    let ended = tokio::time::timeout(LONG, one).await.expect("it ends").unwrap().unwrap_err();
    assert!(ended.to_string().contains("has left the study"), "{ended}");
    adds_up(folder, "without", &[0, 2, 3]).await;

    // One gets new keys: who holds the old ones is refused.
    let fresh = request(folder, "site-2-new", "site-2");
    let study = kit(folder, "admin").study_now().unwrap();
    let replace = change(&study, &[], &[], std::slice::from_ref(&fresh)).unwrap();
    propose(folder, &replace, &["site-0", "site-3"].map(approved), 3).await;
    is_a_stranger(folder, "site-2").await;
    tokio::time::timeout(LONG, two).await.expect("it ends").unwrap().unwrap_err();
    provision::later(&coordinator, &fresh, &address, &folder.join("site-2-new"), 30, system::now_ms())
        .unwrap();
    let renewed = run_site(folder, "site-2-new", 2, &stop);
    adds_up(folder, "renewed", &[0, 2, 3]).await;

    // The log shows it all, and convinces who has study.toml alone.
    let admin = Admin::of(&kit(folder, "admin"), &[]).unwrap();
    let mut lines = Vec::new();
    admin.log(0, false, &mut lines).await.unwrap();
    let known = kit(folder, "admin").study_now().unwrap();
    let verdict = log::check(&kit(folder, "admin").study().unwrap(), &mut lines.as_slice(), &[]).unwrap();
    assert_eq!(log::check(&known, &mut lines.as_slice(), &[]).unwrap(), verdict);
    // Cut before the last change it is a log that holds, but not the whole: who knows the change sees that.
    let cut: Vec<u8> = lines
        .split_inclusive(|b| *b == b'\n')
        .take(verdict.rosters[3].from as usize)
        .flatten()
        .copied()
        .collect();
    log::check(&kit(folder, "admin").study().unwrap(), &mut cut.as_slice(), &[]).unwrap();
    let short = log::check(&known, &mut cut.as_slice(), &[]).unwrap_err().to_string();
    assert!(short.contains("ends under version 2 of the roster, and version 3 is known"), "{short}");
    let sites: Vec<_> = verdict.rosters.iter().map(|span| span.sites.join(" ")).collect();
    let left = "site-0 site-2 site-3";
    assert_eq!(sites, ["site-0 site-1 site-2", "site-0 site-1 site-2 site-3", left, left]);
    assert_eq!(verdict.rosters[1].signed, ["site-0", "site-1"]);
    let versions: Vec<_> = admin.list().await.unwrap().iter().map(|job| job.version).collect();
    assert_eq!(versions, [0, 1, 1, 2, 3]);
    stop.stop();
    for site in [zero, joined, renewed] {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}

/// A party that knows a later roster believes no earlier one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_the_coordinator_is_not_believed() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), Stop::new());
    let folder = folder.path();
    found(folder);
    let serving = serve(folder).await;
    serving.end().await;
    let copy = std::fs::read(kit(folder, "coordinator").state().join("records.db")).unwrap();

    let serving = serve(folder).await;
    let sites: Vec<_> = (0..3).map(|k| run_site(folder, &format!("site-{k}"), k, &stop)).collect();
    let study = kit(folder, "admin").study().unwrap();
    let leave = change(&study, &[], &["site-2".to_owned()], &[]).unwrap();
    propose(folder, &leave, &[("site-0", Consent::Approved), ("site-1", Consent::Approved)], 1).await;
    adds_up(folder, "two", &[0, 1]).await;
    stop.stop();
    for site in sites {
        // The third has left.
        let _ = site.await.unwrap();
    }
    serving.end().await;

    std::fs::remove_dir_all(kit(folder, "coordinator").state()).unwrap();
    std::fs::create_dir_all(kit(folder, "coordinator").state()).unwrap();
    std::fs::write(kit(folder, "coordinator").state().join("records.db"), copy).unwrap();
    let (serving, stop) = (serve(folder).await, Stop::new());
    let mut office = Office::of(&kit(folder, "admin"), &[]).unwrap();
    let refused = office.look().await.unwrap_err().to_string();
    assert!(refused.contains("at version 0") && refused.contains("version 1 is known"), "{refused}");
    let site =
        tokio::time::timeout(LONG, run_site(folder, "site-0", 0, &stop)).await.expect("it ends").unwrap();
    assert!(site.unwrap_err().to_string().contains("runs from an old copy"));
    assert_eq!(office.study().site_named("site-2"), None::<SiteId>);
    stop.stop();
    serving.end().await;
}
