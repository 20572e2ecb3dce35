//! Learning an encrypted head with a site that hands in ciphertexts of its choice, through the real services: for its part they are not
//! taken, and for what holders encrypt the other holder of the share vouches for another one, and there is no head.
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stdout, reason = "helper functions of tests")]

mod heads;
mod network;
mod rogue;

use std::path::Path;
use std::sync::Arc;

use blindscope_federation::{Cause, Failure, JobKind, JobSpec, JobStatus, JobView, Phase, SiteId, payload};
use blindscope_learn::jobs::{CoordinatorLearner, EncryptedHeadSettings, complete, encrypted_head_twin};
use blindscope_node::admin::jobs::Admin;
use blindscope_node::asker;
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::system;
use blindscope_transport::Stop;
use heads::{data, draft, features, found, learned, run, tokens};
use network::{ENOUGH, serve};
use rogue::{Deviation, Rogue};

/// A head that site one takes part in from its own kit, and deviates as it likes.
async fn with_rogue(folder: &Path, admin: &Admin, name: &str, deviation: Deviation) -> JobView {
    let stop = Stop::new();
    let rogue = tokio::spawn(Rogue::of(folder, 0, deviation).await.run(stop.clone()));
    let spec = JobSpec { upload_seconds: Some(10), ..draft(name, JobKind::EncryptedHead) };
    admin.submit_draft(spec).await.unwrap();
    let view = admin.watch(name, |_| {}).await.unwrap();
    stop.stop();
    let (wrong, refused) = rogue.await.unwrap();
    println!("{name}: {:?}, refused: {refused:?}, missing: {:?}", view.status, view.missing);
    assert_eq!(wrong, 1, "it deviated");
    let expected: &[&str] = if deviation == Deviation::ChosenPart { &["length"] } else { &[] };
    assert!(refused.iter().eq(expected), "{refused:?}");
    view
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_site_puts_a_ciphertext_of_its_choice_into_a_head() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = ["head", "second", "third"].map(str::to_owned).into();
    found(folder.path(), InferenceSettings { jobs, ..InferenceSettings::default() });
    let serving = serve(folder.path(), ENOUGH, Arc::new(CoordinatorLearner::default())).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let (stop, turns) = (Stop::new(), Stop::new());
    let honest = run(folder.path(), 0, &turns);
    let others = [1, 2].map(|k| run(folder.path(), k, &stop));
    let start = learned(&admin).await;

    // Site one turns. What sites once handed in is no part: the head is of the others, whatever it chose.
    turns.stop();
    honest.await.unwrap().unwrap();
    let view = with_rogue(folder.path(), &admin, "second", Deviation::ChosenPart).await;
    assert!(matches!(view.status, JobStatus::Done { .. }), "{:?}", view.status);
    let missing: Vec<_> = view.missing.iter().map(|(step, m)| (step.phase, m.site, m.cause)).collect();
    assert_eq!(missing, [(Phase::Upload, SiteId(0), Cause::Silent)]);

    // As a holder it vouches for a ciphertext that nobody else derives.
    let view = with_rogue(folder.path(), &admin, "third", Deviation::ChosenHead).await;
    let JobStatus::Failed { failure: Failure::TooFew { step, missing, .. } } = &view.status else {
        panic!("a chosen ciphertext is in a head: {:?}", view.status);
    };
    assert_eq!(step.phase, Phase::Encrypt, "before anything was asked");
    let holding = payload::holding(admin.study()).unwrap();
    let holders: Vec<SiteId> =
        holding.holders_of(holding.sent(0)[0]).iter().map(|h| SiteId(*h as u16)).collect();
    assert_eq!(missing.iter().map(|m| m.site).collect::<Vec<_>>(), holders, "the rogue among them");
    assert!(missing.iter().all(|m| m.cause == Cause::Payload), "{missing:?}");

    // The head that was learned without it answers as the other two's average does; the other one is none.
    let honest = run(folder.path(), 0, &stop);
    let (kit, mut rng) = (Kit::at(folder.path().join("asker")), system::rng().unwrap());
    let asked = tokens(4);
    let answers = asker::predict_encrypted(&kit, &[], "second", &features(&asked), &mut rng, |_| {}).await;
    let data = data();
    let spec = complete(draft("second", JobKind::EncryptedHead), admin.study(), &start).unwrap();
    let clear = encrypted_head_twin(&spec, &start, &[&data[1], &data[2]]).unwrap().logits(&asked).unwrap();
    let answers = answers.unwrap();
    let errors =
        answers.iter().zip(&clear).flat_map(|(a, c)| a.logits.iter().zip(c).map(|(x, y)| (x - y).abs()));
    let worst = errors.fold(0f64, f64::max);
    println!("second: worst error 2^{:.1}", worst.log2());
    assert!(worst < EncryptedHeadSettings::default().max_error, "{worst}");
    let refused = asker::predict_encrypted(&kit, &[], "third", &features(&asked), &mut rng, |_| {}).await;
    assert!(refused.is_err_and(|e| e.to_string().contains("no encrypted head")));

    stop.stop();
    honest.await.unwrap().unwrap();
    for site in others {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
