//! A head that nobody decrypts: learned by three sites over real sockets, asked, and held against its clear twin.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests"
)]

mod network;
#[path = "../../learn/tests/study/mod.rs"]
mod study;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blindscope_ckks::{Ciphertext, Encoder, KeyGenerator, codec};
use blindscope_classify::{Plan, question_of};
use blindscope_federation::Blob;
use blindscope_federation::Deadlines;
use blindscope_federation::JobKind;
use blindscope_federation::JobSpec;
use blindscope_federation::JobStatus;
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{
    CoordinatorLearner, EncryptedHeadSettings, FedAvgSettings, SiteData, encrypted_head_twin,
};
use blindscope_node::Error;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::asker;
use blindscope_node::kit::provision::{self, Project};
use blindscope_node::kit::{InferenceSettings, Kit, PartySettings};
use blindscope_node::site;
use blindscope_node::system;
use blindscope_transport::Stop;
use blindscope_transport::Upload;
use network::{ENOUGH, serve};
use study::{CLASSES, WIDTH, examples, learner};

const SITES: [&str; 3] = ["one", "two", "three"];

fn found(folder: &Path) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let released = ["head", "smaller", "kept"].map(str::to_owned).into();
    let project = Project {
        name: "encrypted".to_owned(),
        address: port.to_string(),
        listen: Some(port.to_string()),
        hosts: Vec::new(),
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        backbone: "ab".repeat(32),
        allow_unknown_backbone: false,
        width: WIDTH as u32,
        sites: SITES.map(str::to_owned).into(),
        admins: vec!["admin".to_owned()],
        askers: vec!["asker".to_owned()],
        threshold: 2,
        minimum_cohort: 2,
        colluders: None,
        decryptions: 1 << 20,
        statistical_bits: 40,
        attempts: 3,
        certificate_days: 90,
        deadlines: Deadlines { ceremony_seconds: 120, upload_seconds: 120, opening_seconds: 20 },
        inference: Some(InferenceSettings {
            jobs: released,
            batch: 8,
            precision: None,
            keys_each: 1,
            tokens_an_hour: 40,
            ..InferenceSettings::default()
        }),
    };
    provision::all_local(&project, folder, system::now_ms(), &mut system::rng().unwrap()).unwrap();
}

fn data() -> Vec<SiteData> {
    let of = |(n, seed)| SiteData { train: examples(n, seed), ..SiteData::default() };
    [(90, 1), (60, 2), (120, 3)].map(of).into()
}

fn draft(name: &str, kind: JobKind) -> JobSpec {
    let settings = EncryptedHeadSettings {
        width: WIDTH,
        classes: CLASSES,
        hidden: 8,
        epochs: 12,
        batch: 8,
        rate: 1e-2,
        ..EncryptedHeadSettings::default()
    };
    let (settings, start) = (serde_json::to_value(settings).unwrap(), Some("start".to_owned()));
    JobSpec { kind, settings, start, ..JobSpec::named(name) }
}

async fn done(admin: &Admin, name: &str) -> Vec<u8> {
    let begun = Instant::now();
    let last = tokio::time::timeout(Duration::from_mins(4), admin.watch(name, |_| {})).await;
    jobs::result(admin.study(), &last.expect("the job ends").unwrap()).unwrap();
    let (bytes, len) = admin.download(name, Vec::new()).await.unwrap();
    println!("{name}: {len} bytes, {:.1?}", begun.elapsed());
    bytes
}

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
    found(folder.path());
    let serving = serve(folder.path(), ENOUGH, Arc::new(CoordinatorLearner::default())).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let data = data();
    let run = |k: usize, stop: &Stop| {
        let (kit, learner, stop) =
            (Kit::at(folder.path().join(SITES[k])), Arc::new(learner(data[k].clone())), stop.clone());
        tokio::spawn(async move { site::run(&kit, &[], learner, ENOUGH, stop).await })
    };
    let (stop, leaves) = (Stop::new(), Stop::new());
    let sites = [run(0, &stop), run(1, &stop), run(2, &leaves)];

    let start = FedAvgSettings {
        width: WIDTH,
        classes: CLASSES,
        rounds: 0,
        hidden: 8,
        examples: 256,
        validate: false,
        ..FedAvgSettings::default()
    };
    let settings = serde_json::to_value(&start).unwrap();
    let start = JobSpec { kind: JobKind::Fedavg, settings, ..JobSpec::named("start") };
    admin.submit_draft(start).await.unwrap();
    let start = done(&admin, "start").await;
    admin.submit_draft(draft("inference", JobKind::InferenceKeys)).await.unwrap();
    admin.submit_draft(draft("head", JobKind::EncryptedHead)).await.unwrap();
    done(&admin, "inference").await;
    done(&admin, "head").await;

    let (kit, mut rng) = (Kit::at(folder.path().join("asker")), system::rng().unwrap());
    let test = examples(10, 77);
    let tokens: Vec<Vec<f64>> =
        test.rows.whole().unwrap().chunks(WIDTH).map(|r| r.iter().map(|x| f64::from(*x)).collect()).collect();
    let rows = |n: usize| Features {
        width: WIDTH,
        values: tokens[..n].iter().flatten().map(|v| *v as f32).collect(),
        ids: (0..n).map(|t| t.to_string()).collect(),
        ..Features::default()
    };
    let (all, one) = (rows(tokens.len()), rows(1));
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

    // A site leaves: the next head is the average of those that are in, but a question's shares need all three holders here.
    leaves.stop();
    let smaller = JobSpec { upload_seconds: Some(8), ..draft("smaller", JobKind::EncryptedHead) };
    admin.submit_draft(smaller).await.unwrap();
    done(&admin, "smaller").await;
    let left = asker::predict_encrypted(&kit, &[], "smaller", &one, &mut rng, |_| {}).await;
    let Err(Error::JobFailed { reason, .. }) = left else { panic!("answered without a holder") };
    println!("without a holder: {reason}");

    // Tokens are counted, and a head that is not there is not offered.
    for (name, code) in [("kept", "no-head"), ("start", "no-head")] {
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
