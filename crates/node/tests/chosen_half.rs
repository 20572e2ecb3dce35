//! A holder that hands in a ciphertext of its choice for the encryption of a share of a question, through the real services: the other
//! holder of the share vouches for another one, and nothing is evaluated.
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stdout, reason = "helper functions of tests")]

mod dealer;
mod heads;
mod network;
mod rogue;

use std::sync::Arc;

use blindscope_federation::{Cause, Failure, JobStatus, Phase, SiteId, payload};
use blindscope_learn::jobs::CoordinatorLearner;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::system;
use blindscope_transport::Stop;
use dealer::Dealer;
use heads::{found, learned, run, tokens};
use network::{ENOUGH, serve};
use rogue::{Deviation, Rogue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_cannot_put_a_ciphertext_of_its_choice() {
    let folder = tempfile::tempdir().unwrap();
    found(folder.path(), InferenceSettings { jobs: vec!["head".to_owned()], ..InferenceSettings::default() });
    let serving = serve(folder.path(), ENOUGH, Arc::new(CoordinatorLearner::default())).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let (stop, turns) = (Stop::new(), Stop::new());
    let honest = run(folder.path(), 0, &turns);
    let others = [1, 2].map(|k| run(folder.path(), k, &stop));
    learned(&admin).await;
    let dealer = Dealer::of(&Kit::at(folder.path().join("asker")), "head").await;
    let asked = || dealer.body(&dealer.encoded(&tokens(1)), &mut system::rng().unwrap());
    let view = dealer.ended(dealer.send(1, asked()).await.unwrap()).await;
    assert!(matches!(view.status, JobStatus::Done { .. }), "{:?}", view.status);

    // Site one turns: from its own kit, with all that it has learned so far.
    turns.stop();
    honest.await.unwrap().unwrap();
    let rogue = tokio::spawn(Rogue::of(folder.path(), 0, Deviation::ChosenHalf).await.run(stop.clone()));
    let view = dealer.ended(dealer.send(1, asked()).await.unwrap()).await;
    let JobStatus::Failed { failure: Failure::TooFew { step, missing, .. } } = &view.status else {
        panic!("a chosen ciphertext was evaluated: {:?}", view.status);
    };
    assert_eq!(step.phase, Phase::Upload, "before anything was evaluated");
    let holding = payload::holding(&dealer.study).unwrap();
    let named: Vec<SiteId> = missing.iter().map(|m| m.site).collect();
    let holders: Vec<SiteId> =
        holding.holders_of(holding.sent(0)[0]).iter().map(|h| SiteId(*h as u16)).collect();
    assert_eq!(named, holders, "the holders of that share, the rogue among them");
    assert!(missing.iter().all(|m| m.cause == Cause::Payload), "{missing:?}");
    println!("{missing:?}");

    stop.stop();
    assert_eq!(rogue.await.unwrap().0, 1, "it deviated");
    for site in others {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
