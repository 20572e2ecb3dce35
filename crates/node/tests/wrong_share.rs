//! A site that gives a wrong share of an answer, through the real services: its asker sees it, asks again of others, and leaves it out
//! from then on.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helper functions of tests")]

mod heads;
mod network;
mod rogue;

use std::collections::BTreeSet;
use std::sync::Arc;

use blindscope_federation::{JobId, JobStatus, JobView, Phase, SiteId};
use blindscope_learn::jobs::CoordinatorLearner;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::asker::{self, Prediction};
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::system;
use blindscope_transport::Stop;
use heads::{features, found, learned, run, tokens};
use network::{ENOUGH, serve};
use rogue::{Deviation, Rogue};

/// Whose shares the answers of questions are made of, in the order of the answers.
#[derive(Default)]
struct Committees {
    seen: BTreeSet<JobId>,
    members: Vec<Vec<SiteId>>,
}

impl Committees {
    fn see(&mut self, view: &JobView) {
        if !view.shares.is_empty() && self.seen.insert(view.id) {
            self.members.push(view.shares.iter().map(|share| share.header.site).collect());
        }
    }
}

async fn asked(kit: &Kit, mut seen: impl FnMut(&JobView) + Send) -> Prediction {
    let (rows, mut rng) = (features(&tokens(1)), system::rng().unwrap());
    let answers = asker::predict_encrypted(kit, &[], "head", &rows, &mut rng, &mut seen).await;
    answers.unwrap().remove(0)
}

/// Whether a question waits for one encryption more.
fn waits_for_the_last(view: &JobView) -> bool {
    let JobStatus::Asking(open) = &view.status else { return false };
    open.step.phase == Phase::Upload && open.answered.len() == 2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_leaves_out_who_gave_it_a_wrong_share() {
    let folder = tempfile::tempdir().unwrap();
    found(folder.path(), InferenceSettings { jobs: vec!["head".to_owned()], ..InferenceSettings::default() });
    let serving = serve(folder.path(), ENOUGH, Arc::new(CoordinatorLearner::default())).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let (stop, turns, sleeps) = (Stop::new(), Stop::new(), Stop::new());
    let (honest, third) = (run(folder.path(), 0, &turns), run(folder.path(), 2, &sleeps));
    let second = run(folder.path(), 1, &stop);
    learned(&admin).await;
    let asker = Kit::at(folder.path().join("asker"));
    let doubts = asker.state().join("doubts.json");
    let right = asked(&asker, |_| {}).await;
    assert!(!doubts.exists(), "nobody is doubted without cause");

    // Site one turns: from its own kit, with all that it has learned so far. Site three comes last, so that one is in the committee.
    turns.stop();
    sleeps.stop();
    honest.await.unwrap().unwrap();
    third.await.unwrap().unwrap();
    let rogue = tokio::spawn(Rogue::of(folder.path(), 0, Deviation::WrongShare).await.run(stop.clone()));
    let (mut tried, mut third) = (Committees::default(), None);
    let answer = asked(&asker, |view| {
        tried.see(view);
        if third.is_none() && waits_for_the_last(view) {
            third = Some(run(folder.path(), 2, &stop));
        }
    });
    // Its answer did not open and was no prediction; the one that came was made without it.
    assert_eq!(answer.await.class, right.class);
    println!("committees: {:?}", tried.members);
    assert_eq!(tried.members, [[SiteId(0), SiteId(1)], [SiteId(1), SiteId(2)]]);
    assert!(doubts.exists());

    // It is remembered: later questions are answered by the others at once, whoever comes first.
    let mut later = Committees::default();
    for _ in 0..4 {
        assert_eq!(asked(&asker, |view| later.see(view)).await.class, right.class);
    }
    assert_eq!(later.members, vec![vec![SiteId(1), SiteId(2)]; 4]);

    stop.stop();
    assert_eq!(rogue.await.unwrap().0, 1, "it deviated once, and was asked for no other share");
    for site in [second, third.unwrap()] {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
