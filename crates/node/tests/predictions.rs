//! Encrypted predictions of a released head, and what is refused.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helper functions of tests")]

mod network;

use std::sync::Arc;

use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};
use blindscope_federation::JobKind;
use blindscope_federation::JobSpec;
use blindscope_federation::{Advance, Advanced, LearnError};
use blindscope_learn::features::Features;
use blindscope_node::Error;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::asker;
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::system;
use blindscope_transport::Stop;
use network::{ENOUGH, found, run_site, serve};

const WIDTH: usize = 8;

/// Whatever was summed, the result is this head.
struct Trained;

impl Advance for Trained {
    fn advance(&self, _: &JobSpec, _: u64, _: &[u8], _: &[u64], _: usize) -> Result<Advanced, LearnError> {
        Ok(Advanced::Final(serde_json::to_vec(&head())?))
    }
}

fn head() -> HeadLiteral {
    let row = |sign: f64| (0..WIDTH).map(|i| sign * (i as f64 - 3.0) / 10.0).collect();
    let layer = Affine { weights: vec![row(1.0), row(-1.0)], bias: vec![0.25, -0.5] };
    HeadLiteral {
        normalisation: Normalisation::identity(WIDTH, 4.0),
        map: Map::Linear { layer },
        range: None,
    }
}

fn code(error: &Error) -> String {
    match error {
        Error::Transport(blindscope_transport::Error::Refused(refusal)) => refusal.code.to_string(),
        other => panic!("not refused: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_gets_the_heads_own_logits_up_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let jobs_offered = vec!["released".to_owned(), "absent".to_owned()];
    let inference = InferenceSettings {
        jobs: jobs_offered,
        batch: 4,
        precision: Some(13),
        keys_each: 1,
        tokens_an_hour: 9,
        ..InferenceSettings::default()
    };
    found(folder.path(), "asked", Some(inference));
    let serving = serve(folder.path(), ENOUGH, Arc::new(Trained)).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let stop = Stop::new();
    let sites = [run_site(folder.path(), "one", 1, &stop), run_site(folder.path(), "two", 2, &stop)];
    for name in ["released", "kept"] {
        let spec = JobSpec { values: 10, max: 9, kind: JobKind::Sum, ..JobSpec::named(name) };
        admin.submit(&spec).await.unwrap();
        jobs::result(admin.study(), &admin.watch(name, |_| {}).await.unwrap()).unwrap();
    }

    let (kit, mut rng) = (Kit::at(folder.path().join("asker")), system::rng().unwrap());
    let token = |t: usize| (0..WIDTH).map(|i| ((3 * t + 5 * i) % 7) as f64 / 2.0 - 1.0).collect::<Vec<f64>>();
    let tokens: Vec<Vec<f64>> = (0..6).map(token).collect();
    let rows = Features {
        width: WIDTH,
        values: tokens.iter().flatten().map(|v| *v as f32).collect(),
        ids: (0..6).map(|t| t.to_string()).collect(),
        ..Features::default()
    };
    let found = asker::predict(&kit, &[], "released", &rows, &mut rng).await.unwrap();
    let head = Head::new(head()).unwrap();
    let clear = head.logits(&tokens).unwrap();
    assert_eq!(found.len(), tokens.len());
    for (encrypted, clear) in found.iter().zip(&clear) {
        let best = if clear[0] >= clear[1] { "a" } else { "b" };
        assert_eq!(encrypted.class, best);
        for (x, y) in encrypted.logits.iter().zip(clear) {
            assert!((x - y).abs() < 1.0 / 4096.0, "{x} for {y}");
        }
    }

    let quotas = admin.quotas().await.unwrap();
    assert_eq!(quotas.limits.unwrap().tokens_an_hour, 9);
    assert_eq!((quotas.askers.len(), quotas.askers[0].0.as_str()), (1, "asker"));
    let answered = quotas.askers[0].1;
    assert!(answered.life >= 6 && quotas.study == answered, "{answered:?}");

    // Six of nine tokens of this hour are used; a head that is not released, or not there, is not offered.
    let refused = asker::predict(&kit, &[], "released", &rows, &mut rng).await.unwrap_err();
    assert_eq!(code(&refused), "too-many-tokens");
    for job in ["kept", "absent"] {
        assert_eq!(code(&asker::predict(&kit, &[], job, &rows, &mut rng).await.unwrap_err()), "no-head");
    }
    let admin_kit = Kit::at(folder.path().join("admin"));
    let role = asker::predict(&admin_kit, &[], "released", &rows, &mut rng).await.unwrap_err();
    assert_eq!(code(&role), "wrong-role");
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
