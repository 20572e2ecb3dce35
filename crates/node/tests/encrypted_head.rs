//! A head that nobody decrypts: learned by three sites over real sockets, asked, and held against its clear twin.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests"
)]

mod heads;
mod network;

use std::sync::Arc;
use std::time::Instant;

use blindscope_ckks::{Ciphertext, Encoder, KeyGenerator, codec};
use blindscope_classify::{Plan, question_of};
use blindscope_federation::{Blob, Cause, Failure, JobKind, JobSpec, JobStatus, Phase, SiteId};
use blindscope_learn::jobs::{CoordinatorLearner, EncryptedHeadSettings, SiteData, encrypted_head_twin};
use blindscope_node::Error;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::asker;
use blindscope_node::kit::{InferenceSettings, Kit, PartySettings};
use blindscope_node::system;
use blindscope_transport::Stop;
use blindscope_transport::Upload;
use heads::study::examples;
use heads::{data, draft, features, found, learned, run, tokens};
use network::{ENOUGH, serve};

/// What an asker could do before questions were dealt in shares: hand in its public key and ciphertexts of its own making, among
/// them `(0, d)`, an encryption of `d·s`. No call takes them any more.
async fn old_questions_are_refused(kit: &Kit) {
    let client = kit.client(&kit.settings::<PartySettings>(&[]).unwrap().coordinator).unwrap();
    let wish = |tokens: usize| {
        format!(r#"{{"wish":"encrypted-answers","job":"head","tokens":{tokens},"holders":[0,1,2]}}"#)
    };
    let offer = client.offer(r#"{"wish":"encrypted-head","job":"head"}"#.into()).await.unwrap();
    let offer: serde_json::Value = serde_json::from_slice(&offer).unwrap();
    let plan = Plan::from_bytes(offer["plan"].as_str().unwrap().as_bytes()).unwrap();
    let (params, mut rng) = (plan.params(), system::rng().unwrap());
    let generator = KeyGenerator::new(params);
    let own = codec::encode_public_key(&generator.public_key(&generator.secret_key(&mut rng), &mut rng));
    let d = Encoder::new(params).encode_slots(&[], params.top_level(), plan.fresh()).unwrap();
    let chosen = vec![params.q().zero(), d.poly().clone()];
    let chosen = Ciphertext::from_components(params, chosen, plan.fresh());
    let body = [&own[..], &question_of(&plan, 1, vec![chosen]).unwrap()].concat();
    let blob = Blob::of(&body);
    let upload = Upload { header: wish(1).into(), len: blob.len, digest: blob.digest };
    match client.infer(upload, Box::new(std::io::Cursor::new(body)), 1 << 12).await {
        Err(blindscope_transport::Error::Refused(refusal)) => assert_eq!(refusal.code, "length"),
        other => panic!("a chosen ciphertext was taken: {:?}", other.map(|b| b.len())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_learn_a_head_that_nobody_decrypts_and_an_asker_gets_its_answers() {
    let folder = tempfile::tempdir().unwrap();
    let released = ["head", "smaller", "kept"].map(str::to_owned).into();
    let limits = InferenceSettings { keys_each: 1, tokens_an_hour: 40, ..InferenceSettings::default() };
    found(folder.path(), InferenceSettings { jobs: released, ..limits });
    let serving = serve(folder.path(), ENOUGH, Arc::new(CoordinatorLearner::default())).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let data = data();
    let (stop, leaves) = (Stop::new(), Stop::new());
    let run = |k, stop| run(folder.path(), k, stop);
    let sites = [run(0, &stop), run(1, &stop), run(2, &leaves)];
    let start = learned(&admin).await;

    let (kit, mut rng) = (Kit::at(folder.path().join("asker")), system::rng().unwrap());
    let test = examples(10, 77);
    let tokens = tokens(10);
    let (all, one) = (features(&tokens), features(&tokens[..1]));
    let spec = blindscope_learn::jobs::complete(
        draft("head", JobKind::EncryptedHead),
        &Kit::at(folder.path().join("one")).study().unwrap(),
        &start,
    );
    let spec = spec.unwrap();
    let mut asked = async |name: &str, sites: &[&SiteData]| {
        let mut states = Vec::new();
        let begun = Instant::now();
        let answers = asker::predict_encrypted(&kit, &[], name, &all, &mut rng, |view| {
            states.push(view.status.clone());
        });
        let answers = answers.await.unwrap();
        println!("{name}: {} tokens answered in {:.1?}", tokens.len(), begun.elapsed());
        assert!(states.iter().any(|s| matches!(s, JobStatus::Done { .. })), "progress is shown");
        let twin = encrypted_head_twin(&spec, &start, sites).unwrap();
        let clear = twin.logits(&tokens).unwrap();
        let mut worst = 0f64;
        for (answer, clear) in answers.iter().zip(&clear) {
            let errors = answer.logits.iter().zip(clear).map(|(x, y)| (x - y).abs());
            worst = errors.fold(worst, f64::max);
            let best = ["a", "b", "c"][blindscope_classify::class(clear)];
            assert_eq!(answer.class, best, "{:?} for {clear:?}", answer.logits);
        }
        let right = answers.iter().zip(&test.labels).filter(|(a, l)| a.class == ["a", "b", "c"][**l]).count();
        println!("{name}: worst error 2^{:.1}, {right} of {} right", worst.log2(), tokens.len());
        assert!(worst < EncryptedHeadSettings::default().max_error, "{worst}");
        assert!(right >= 8, "{right} of 10: the head has not learned");
    };
    asked("head", &[&data[0], &data[1], &data[2]]).await;

    old_questions_are_refused(&kit).await;

    // A site leaves: a question's shares need all three holders here, and so does the next head.
    leaves.stop();
    let left = asker::predict_encrypted(&kit, &[], "head", &one, &mut rng, |_| {}).await;
    let Err(Error::JobFailed { reason, .. }) = left else { panic!("answered without a holder") };
    println!("without a holder: {reason}");
    let smaller = JobSpec { upload_seconds: Some(8), ..draft("smaller", JobKind::EncryptedHead) };
    admin.submit_draft(smaller).await.unwrap();
    let view = admin.watch("smaller", |_| {}).await.unwrap();
    let JobStatus::Failed { failure: Failure::TooFew { step, missing, .. } } = &view.status else {
        panic!("learned without a holder: {:?}", view.status);
    };
    let gone: Vec<_> = missing.iter().map(|m| (m.site, m.cause)).collect();
    assert_eq!((step.phase, gone), (Phase::Encrypt, vec![(SiteId(2), Cause::Silent)]));

    // Tokens are counted, and a head that is not there is not offered.
    for (name, code) in [("kept", "no-head"), ("smaller", "no-head"), ("start", "no-head")] {
        let refused = asker::predict_encrypted(&kit, &[], name, &all, &mut rng, |_| {}).await;
        match refused {
            Err(Error::Transport(blindscope_transport::Error::Refused(refusal))) => {
                assert_eq!(refusal.code, code);
            }
            other => panic!("not refused: {other:?}"),
        }
    }
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
