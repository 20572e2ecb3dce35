//! An asker of the encrypted head that deals what it likes, by the rules in everything else: any polynomial, not tokens alone.

use std::io::Cursor;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::world::{self, World};
use blindscope_ckks::{Ciphertext, KeyGenerator, Level, Plaintext, PublicKey, SecretKey, codec};
use blindscope_classify::{Asker, Plan};
use blindscope_federation::{Blob, JobId, JobStatus, JobView, SiteId, Study, payload};
use blindscope_node::{Error, Result, system};
use blindscope_transport::{Client, Upload};

const PAUSE: Duration = Duration::from_millis(50);

/// Logits, a row a token.
pub(super) type Logits = Vec<Vec<f64>>;

pub(super) struct Door {
    client: Client,
    study: Study,
    offer: serde_json::Value,
    pub(super) plan: Plan,
    secret: SecretKey,
    pub(super) public: PublicKey,
    /// Its public key's bytes.
    own: Vec<u8>,
}

impl Door {
    pub(super) async fn of(world: &World, asker: usize) -> Result<Self> {
        let kit = world.asker(asker);
        let client = world::client(&kit)?;
        let wish = format!(r#"{{"wish":"encrypted-head","job":"{}"}}"#, world::ENCRYPTED);
        let offer = world::parsed(&client.offer(wish.into()).await?)?;
        let plan = Plan::from_bytes(offer["plan"].as_str().unwrap_or_default().as_bytes())?;
        let (generator, mut rng) = (KeyGenerator::new(plan.params()), system::rng()?);
        let secret = generator.secret_key(&mut rng);
        let public = generator.public_key(&secret, &mut rng);
        let own = codec::encode_public_key(&public);
        Ok(Self { client, study: kit.study()?, offer, plan, secret, public, own })
    }

    /// The logits of what is dealt, of all tokens that a ciphertext holds, and the question's job.
    pub(super) async fn ask(&self, message: Plaintext) -> Result<(JobId, Logits)> {
        let of = (field(&self.offer, "ceremony")?, field(&self.offer, "head")?, &Blob::of(&self.own));
        let holders: Vec<SiteId> = field(&self.offer, "holders")?;
        let (remainder, dealt) = payload::deal(&self.study, of, &holders, &[message], &mut system::rng()?)?;
        let body = [&self.own[..], &remainder, &dealt].concat();
        let holders = serde_json::to_string(&holders).map_err(|e| unread(&e))?;
        let wish = format!(
            r#"{{"wish":"encrypted-answers","job":"{}","tokens":{},"holders":{holders}}}"#,
            world::ENCRYPTED,
            self.tokens()
        );
        let blob = Blob::of(&body);
        let upload = Upload { header: wish.into(), len: blob.len, digest: blob.digest };
        let receipt = self.client.infer(upload, Box::new(Cursor::new(body)), 1 << 12).await?;
        let question = field(&world::parsed(&receipt)?, "question")?;
        let result = self.answered(question).await?;
        let bytes = self.client.fetch(result.digest, result.len, Vec::new()).await?.sink;
        let params = self.plan.params();
        let pieces = bytes.chunks(codec::ciphertext_len(params, 2, Level(0)));
        let answers = pieces.map(|c| codec::decode_ciphertext(params, c).map_err(refused));
        Ok((question, self.opened(&answers.collect::<Result<Vec<_>>>()?)?))
    }

    async fn answered(&self, question: JobId) -> Result<Blob> {
        let wish = format!(r#"{{"wish":"progress","question":"{question}"}}"#);
        loop {
            let view = self.client.offer(wish.clone().into()).await?;
            let view: JobView = serde_json::from_slice(&view).map_err(|e| unread(&e))?;
            match view.status {
                JobStatus::Done { result } => return Ok(result),
                _ if view.is_over() => {
                    return Err(Error::Defect { what: "a dealt constant: the question was not answered" });
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The logits in an answer under this asker's key.
    pub(super) fn opened(&self, answers: &[Ciphertext]) -> Result<Logits> {
        Ok(Asker::new(&self.plan).open_ciphertexts(self.tokens(), answers, &self.secret)?)
    }

    /// Tokens of a question of one ciphertext.
    pub(super) fn tokens(&self) -> usize {
        self.plan.capacity(1).min(self.plan.literal().batch)
    }
}

pub(super) fn refused(error: blindscope_ckks::Error) -> Error {
    blindscope_federation::Error::from(error).into()
}

fn unread(error: &serde_json::Error) -> Error {
    Error::Document { call: "infer", reason: error.to_string() }
}

fn field<T: DeserializeOwned>(of: &serde_json::Value, name: &str) -> Result<T> {
    serde_json::from_value(of.get(name).cloned().unwrap_or_default()).map_err(|e| unread(&e))
}
