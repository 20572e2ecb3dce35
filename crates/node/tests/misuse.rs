//! Askers of an encrypted head that break the rules, through the real services: each is refused for what it did, or gets no more than
//! what it is charged for.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helper functions of tests"
)]

mod dealer;
mod heads;
mod network;

use std::convert::Infallible;
use std::sync::Arc;

use blindscope_classify::Head;
use blindscope_federation::{Cause, Failure, JobId, JobKind, JobStatus, JobView, Phase, SealingKey, payload};
use blindscope_learn::jobs::{CoordinatorLearner, complete, encrypted_head_twin};
use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::system;
use blindscope_threshold::{Dealt, Remainder};
use blindscope_transport::Stop;
use dealer::{Dealer, HOLDERS};
use heads::{data, done, draft, found, learned, run, tokens};
use network::{ENOUGH, serve};

/// Tokens whose logits are those of the head, of `got`.
fn right(head: &Head, asked: &[Vec<f64>], got: &[Vec<f64>]) -> usize {
    let near =
        |(got, want): &(&Vec<f64>, &Vec<f64>)| got.iter().zip(*want).all(|(g, w)| (g - w).abs() < 0.25);
    got.iter().zip(&head.logits(asked).unwrap()).filter(near).count()
}

/// Tokens that the asker was charged for.
async fn charged(admin: &Admin) -> u64 {
    admin.quotas().await.unwrap().study.life
}

/// It fills every place of its ciphertext and says that it holds one token.
async fn more_tokens_than_announced(dealer: &Dealer, admin: &Admin, head: &Head) {
    let filled = dealer.plan.capacity(1);
    let (asked, before) = (tokens(filled), charged(admin).await);
    assert!(filled > 1, "one place is all there is");
    let body = dealer.body(&dealer.encoded(&asked), &mut system::rng().unwrap());
    let view = dealer.ended(dealer.send(1, body).await.unwrap()).await;
    let got = dealer.opened(filled, &view).await.unwrap();
    let (right, charged) = (right(head, &asked, &got), charged(admin).await - before);
    println!("{right} tokens right where one was announced, {charged} charged");
    assert_eq!((right, charged), (filled, filled as u64), "charged is what an answer can carry");
}

/// Its numbers do not go together. Nothing is charged for what is refused.
async fn counts_that_do_not_match(dealer: &Dealer, admin: &Admin) {
    let before = charged(admin).await;
    let most = dealer.plan.literal().batch;
    let one = dealer.body(&dealer.encoded(&tokens(1)), &mut system::rng().unwrap());
    let cut = one[..one.len() - 1].to_vec();
    let long = [&one[..], &[0]].concat();
    // A body of two ciphertexts for a question that has one.
    let (own, rest) = one.split_at(dealer.own.len());
    let doubled = [own, rest, rest].concat();
    for (tokens, body, code) in [
        (0, one.clone(), "batch"),
        (most + 1, one.clone(), "batch"),
        (usize::MAX, one.clone(), "batch"),
        (1, cut, "length"),
        (1, long, "length"),
        (1, doubled, "length"),
    ] {
        assert_eq!(dealer.send(tokens, body).await.unwrap_err().code, code, "{tokens} tokens");
    }
    // The asker's key is none.
    let mut nonsense = one;
    nonsense[dealer.own.len() - 16..dealer.own.len()].fill(0xff);
    assert_eq!(dealer.send(1, nonsense).await.unwrap_err().code, "bad-question");
    assert_eq!(charged(admin).await, before);
}

/// A generator that gives the same byte for ever.
struct Same(u8);

impl rand_core::TryRng for Same {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Same {}

/// All shares come of one seed that it chose, the randomness of their encryptions as well, and it asks that twice. What is asked is what
/// was dealt all the same: the asker alone sees less than it would have hidden.
async fn chosen_shares(dealer: &Dealer, head: &Head) {
    let asked = tokens(1);
    let body = dealer.body(&dealer.encoded(&asked), &mut Same(7));
    for _ in 0..2 {
        let view = dealer.ended(dealer.send(1, body.clone()).await.unwrap()).await;
        assert_eq!(right(head, &asked, &dealer.opened(1, &view).await.unwrap()), 1);
    }
}

/// Who is missing in a question that came to nothing, and why.
fn missing(view: &JobView) -> Vec<Cause> {
    match &view.status {
        JobStatus::Failed { failure: Failure::TooFew { step, missing, .. } }
            if step.phase == Phase::Upload =>
        {
            missing.iter().map(|m| m.cause).collect()
        }
        other => panic!("not refused by its holders: {other:?}"),
    }
}

/// The holders of one share are dealt different seeds for it, each sealed as the rules say: they vouch for different encryptions, and
/// none is used.
async fn different_seeds(dealer: &Dealer) {
    let mut rng = system::rng().unwrap();
    let holding = payload::holding(&dealer.study).unwrap();
    let seeds: Vec<Dealt> = (0..holding.shares()).map(|_| Dealt::generate(&mut rng)).collect();
    let message = dealer.encoded(&tokens(1));
    let params = dealer.plan.params();
    let remainder = Remainder::of(params, &message, &seeds).unwrap().to_bytes(params);
    let sender = SealingKey::generate(&mut rng);
    let mut dealt = sender.public().0.to_vec();
    for (holder, site) in HOLDERS.into_iter().enumerate() {
        let mut plain = Vec::new();
        for share in holding.held(holder) {
            plain.extend_from_slice(&*seeds[share].to_bytes());
        }
        if holder == 0 {
            // The same share, and other randomness of its encryption.
            plain[Dealt::LEN - 1] ^= 1;
        }
        let entry = dealer.study.site(site).unwrap();
        let context = dealer.context(&remainder, site);
        dealt.append(&mut sender.seal(&entry.sealing, &context, &plain, &mut rng).unwrap());
    }
    let body = [&dealer.own[..], &remainder, &dealt].concat();
    let view = dealer.ended(dealer.send(1, body).await.unwrap()).await;
    let share = holding.held(0)[0];
    assert_eq!(missing(&view), vec![Cause::Payload; holding.holders_of(share).len()]);
}

/// What was dealt for one question comes again: under another key to answer to, to another head, with another remainder.
async fn replayed(dealer: &Dealer, stranger: &Dealer, elsewhere: &Dealer, first: Vec<u8>) {
    let own = dealer.own.len();
    let other = dealer.body(&dealer.encoded(&tokens(2)), &mut system::rng().unwrap());
    let sealed = own + Remainder::byte_len(dealer.plan.params(), 1);
    for (asker, body, what) in [
        (stranger, [&stranger.own[..], &first[own..]].concat(), "answered to another key"),
        (elsewhere, first.clone(), "of another head"),
        (dealer, [&other[..sealed], &first[sealed..]].concat(), "with another remainder"),
    ] {
        let view = asker.ended(asker.send(1, body).await.unwrap()).await;
        println!("{what}: {:?}", missing(&view));
        assert!(missing(&view).contains(&Cause::Task), "{what}: {:?}", view.missing);
    }
}

/// The whole of it comes again, from somebody who saw it pass: a question of its own, charged to who sends it, whose answer opens
/// under the first asker's key alone.
async fn replayed_whole(
    dealer: &Dealer,
    stranger: &Dealer,
    admin: &Admin,
    head: &Head,
    first: (JobId, Vec<u8>),
) {
    let before = charged(admin).await;
    let again = stranger.send(1, first.1).await.unwrap();
    assert_ne!(again, first.0, "another job");
    let view = stranger.ended(again).await;
    assert!(stranger.opened(1, &view).await.is_err(), "it opened under another key");
    assert_eq!(right(head, &tokens(1), &dealer.opened(1, &view).await.unwrap()), 1);
    assert_eq!(charged(admin).await - before, dealer.plan.capacity(1) as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn askers_that_break_the_rules_are_refused_or_get_what_they_pay_for() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = ["head", "second"].map(str::to_owned).into();
    found(folder.path(), InferenceSettings { jobs, ..InferenceSettings::default() });
    let serving = serve(folder.path(), ENOUGH, Arc::new(CoordinatorLearner::default())).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let stop = Stop::new();
    let sites = [0, 1, 2].map(|k| run(folder.path(), k, &stop));
    let start = learned(&admin).await;
    admin.submit_draft(draft("second", JobKind::EncryptedHead)).await.unwrap();
    done(&admin, "second").await;
    let spec = complete(draft("head", JobKind::EncryptedHead), admin.study(), &start).unwrap();
    let data = data();
    let head = encrypted_head_twin(&spec, &start, &[&data[0], &data[1], &data[2]]).unwrap();

    let kit = Kit::at(folder.path().join("asker"));
    let dealer = Dealer::of(&kit, "head").await;
    let (stranger, elsewhere) = (Dealer::of(&kit, "head").await, Dealer::of(&kit, "second").await);
    more_tokens_than_announced(&dealer, &admin, &head).await;
    counts_that_do_not_match(&dealer, &admin).await;
    chosen_shares(&dealer, &head).await;
    different_seeds(&dealer).await;
    let body = dealer.body(&dealer.encoded(&tokens(1)), &mut system::rng().unwrap());
    let first = dealer.send(1, body.clone()).await.unwrap();
    assert!(matches!(dealer.ended(first).await.status, JobStatus::Done { .. }));
    replayed(&dealer, &stranger, &elsewhere, body.clone()).await;
    replayed_whole(&dealer, &stranger, &admin, &head, (first, body)).await;

    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
}
