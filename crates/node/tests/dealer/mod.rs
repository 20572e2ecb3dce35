//! An asker of an encrypted head that builds its calls itself: by the rules, or not.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    reason = "shared by the test files"
)]

use std::io::Cursor;
use std::time::Duration;

use rand_core::CryptoRng;

use blindscope_ckks::{KeyGenerator, Level, Plaintext, SecretKey, codec};
use blindscope_classify::{Asker, Plan};
use blindscope_federation::{Blob, JobId, JobStatus, JobView, SiteId, Study, payload};
use blindscope_node::kit::{Kit, PartySettings};
use blindscope_node::system;
use blindscope_transport::{Client, Error, Refusal, Upload};
use blindscope_wire::{Digest, Hasher};

pub const HOLDERS: [SiteId; 3] = [SiteId(0), SiteId(1), SiteId(2)];

/// An asker of one head, with a key pair that answers come back under.
pub struct Dealer {
    pub client: Client,
    pub job: String,
    pub plan: Plan,
    /// Its public key's bytes.
    pub own: Vec<u8>,
    pub study: Study,
    offer: serde_json::Value,
    secret: SecretKey,
}

impl Dealer {
    pub async fn of(kit: &Kit, job: &str) -> Self {
        let client = kit.client(&kit.settings::<PartySettings>(&[]).unwrap().coordinator).unwrap();
        let wish = format!(r#"{{"wish":"encrypted-head","job":"{job}"}}"#);
        let offer: serde_json::Value =
            serde_json::from_slice(&client.offer(wish.into()).await.unwrap()).unwrap();
        let plan = Plan::from_bytes(offer["plan"].as_str().unwrap().as_bytes()).unwrap();
        let (generator, mut rng) = (KeyGenerator::new(plan.params()), system::rng().unwrap());
        let secret = generator.secret_key(&mut rng);
        let own = codec::encode_public_key(&generator.public_key(&secret, &mut rng));
        Self { client, job: job.to_owned(), plan, own, study: kit.study().unwrap(), offer, secret }
    }

    /// Tokens as any asker encodes them.
    pub fn encoded(&self, tokens: &[Vec<f64>]) -> Vec<Plaintext> {
        Asker::new(&self.plan).encode(tokens).unwrap()
    }

    fn id(&self, field: &str) -> JobId {
        JobId::parse(self.offer[field].as_str().unwrap()).unwrap()
    }

    /// What a holder's seeds are bound to, for whoever seals them itself.
    pub fn context(&self, remainder: &[u8], holder: SiteId) -> Digest {
        let mut h = Hasher::new("blindscope/federation/dealt/v1");
        h.absorb(&self.study.digest().0).absorb(&self.id("ceremony").0.0).absorb(&self.id("head").0.0);
        h.absorb(&Blob::of(&self.own).digest.0).absorb(&Blob::of(remainder).digest.0);
        h.absorb_u64(u64::from(holder.0)).finish()
    }

    /// What stands behind the asker's key in a question's body: the remainder and what is dealt, drawn from `rng`.
    pub fn dealt(&self, message: &[Plaintext], rng: &mut impl CryptoRng) -> [Vec<u8>; 2] {
        let of = (self.id("ceremony"), self.id("head"), &Blob::of(&self.own));
        let (remainder, dealt) = payload::deal(&self.study, of, &HOLDERS, message, rng).unwrap();
        [remainder, dealt]
    }

    /// A question's body.
    pub fn body(&self, message: &[Plaintext], rng: &mut impl CryptoRng) -> Vec<u8> {
        [&self.own[..], &self.dealt(message, rng).concat()].concat()
    }

    /// The call with this body, which says that it holds so many tokens.
    pub fn upload(&self, tokens: usize, body: &[u8]) -> Upload {
        let job = &self.job;
        let header =
            format!(r#"{{"wish":"encrypted-answers","job":"{job}","tokens":{tokens},"holders":[0,1,2]}}"#);
        let blob = Blob::of(body);
        Upload { header: header.into(), len: blob.len, digest: blob.digest }
    }

    /// Asks; the question's job.
    pub async fn send(&self, tokens: usize, body: Vec<u8>) -> Result<JobId, Refusal> {
        let upload = self.upload(tokens, &body);
        match self.client.infer(upload, Box::new(Cursor::new(body)), 1 << 12).await {
            Ok(receipt) => {
                let receipt: serde_json::Value = serde_json::from_slice(&receipt).unwrap();
                Ok(JobId::parse(receipt["question"].as_str().unwrap()).unwrap())
            }
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("{other}"),
        }
    }

    /// The question's job, once it is over.
    pub async fn ended(&self, question: JobId) -> JobView {
        let wish = format!(r#"{{"wish":"progress","question":"{question}"}}"#);
        loop {
            let view = self.client.offer(wish.clone().into()).await.unwrap();
            let view: JobView = serde_json::from_slice(&view).unwrap();
            if view.is_over() {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The logits of so many tokens in an answer, if it opens under this asker's key.
    pub async fn opened(
        &self,
        tokens: usize,
        view: &JobView,
    ) -> Result<Vec<Vec<f64>>, blindscope_classify::Error> {
        let JobStatus::Done { result } = view.status else { panic!("not answered: {:?}", view.status) };
        let bytes = self.client.fetch(result.digest, result.len, Vec::new()).await.unwrap().sink;
        let params = self.plan.params();
        let each = codec::ciphertext_len(params, 2, Level(0));
        let answers: Vec<_> =
            bytes.chunks(each).map(|c| codec::decode_ciphertext(params, c).unwrap()).collect();
        Asker::new(&self.plan).open_ciphertexts(tokens, &answers, &self.secret)
    }
}
