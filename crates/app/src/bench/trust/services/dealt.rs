//! The attack that read the key, as far as an asker can still take it: it deals the constant by the rules and looks at what comes back. Of
//! a ciphertext of its own making that was the head of `d·s`; of a question that is dealt it is the head of what it dealt, which it
//! could compute itself. Whatever differs from that is of the key.

use std::io::Cursor;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::world::{self, World};
use blindscope_ckks::{Encoder, KeyGenerator, Level, Plaintext, SecretKey, codec};
use blindscope_classify::{Asker, Head, Plan};
use blindscope_federation::{Blob, JobId, JobStatus, JobView, SiteId, Study, payload};
use blindscope_node::{Error, Result, system};
use blindscope_transport::{Client, Upload};

/// What is in every slot of the constant.
const VALUE: f64 = 0.25;
const PAUSE: Duration = Duration::from_millis(50);

/// Logits of a dealt constant that are not those of what was dealt.
pub(super) async fn read(world: &World, asker: usize) -> Result<usize> {
    let door = Door::of(world, asker).await?;
    let told = door.ask().await?;
    let twin = world.twin().await?;
    let own = twin.logits(&[token(&twin)?])?.remove(0);
    let most = door.plan.literal().error_bound;
    if told.len() != own.len() {
        return Err(Error::Defect { what: "a dealt constant: as many logits as classes were expected" });
    }
    Ok(told.iter().zip(&own).filter(|(told, own)| (*told - *own).abs() > most).count())
}

struct Door {
    client: Client,
    study: Study,
    offer: serde_json::Value,
    plan: Plan,
    secret: SecretKey,
    /// Its public key's bytes.
    own: Vec<u8>,
}

impl Door {
    async fn of(world: &World, asker: usize) -> Result<Self> {
        let kit = world.asker(asker);
        let client = world::client(&kit)?;
        let wish = format!(r#"{{"wish":"encrypted-head","job":"{}"}}"#, world::ENCRYPTED);
        let offer = world::parsed(&client.offer(wish.into()).await?)?;
        let plan = Plan::from_bytes(offer["plan"].as_str().unwrap_or_default().as_bytes())?;
        let (generator, mut rng) = (KeyGenerator::new(plan.params()), system::rng()?);
        let secret = generator.secret_key(&mut rng);
        let own = codec::encode_public_key(&generator.public_key(&secret, &mut rng));
        Ok(Self { client, study: kit.study()?, offer, plan, secret, own })
    }

    fn constant(&self) -> Result<Plaintext> {
        let (params, encoder) = (self.plan.params(), Encoder::new(self.plan.params()));
        let values = vec![VALUE; params.slots()];
        encoder.encode_real(&values, params.top_level(), self.plan.fresh()).map_err(refused)
    }

    async fn ask(&self) -> Result<Vec<f64>> {
        let of = (field(&self.offer, "ceremony")?, field(&self.offer, "head")?, &Blob::of(&self.own));
        let holders: Vec<SiteId> = field(&self.offer, "holders")?;
        let (remainder, dealt) =
            payload::deal(&self.study, of, &holders, &[self.constant()?], &mut system::rng()?)?;
        let body = [&self.own[..], &remainder, &dealt].concat();
        let holders = serde_json::to_string(&holders).map_err(|e| unread(&e))?;
        let wish = format!(
            r#"{{"wish":"encrypted-answers","job":"{}","tokens":1,"holders":{holders}}}"#,
            world::ENCRYPTED
        );
        let blob = Blob::of(&body);
        let upload = Upload { header: wish.into(), len: blob.len, digest: blob.digest };
        let receipt = self.client.infer(upload, Box::new(Cursor::new(body)), 1 << 12).await?;
        self.opened(self.answered(field(&world::parsed(&receipt)?, "question")?).await?).await
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

    async fn opened(&self, result: Blob) -> Result<Vec<f64>> {
        let bytes = self.client.fetch(result.digest, result.len, Vec::new()).await?.sink;
        let params = self.plan.params();
        let pieces = bytes.chunks(codec::ciphertext_len(params, 2, Level(0)));
        let answers = pieces.map(|c| codec::decode_ciphertext(params, c).map_err(refused));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        Ok(Asker::new(&self.plan).open_ciphertexts(1, &answers, &self.secret)?.remove(0))
    }
}

/// The token that is encoded to the constant.
fn token(twin: &Head) -> Result<Vec<f64>> {
    const STEP: f64 = 1e-3;
    let (zero, step) = (twin.normalise(0, &[0.0; world::WIDTH])?, twin.normalise(0, &[STEP; world::WIDTH])?);
    Ok(zero.iter().zip(&step).map(|(a, b)| (VALUE - a) * STEP / (b - a)).collect())
}

fn refused(error: blindscope_ckks::Error) -> Error {
    blindscope_federation::Error::from(error).into()
}

fn unread(error: &serde_json::Error) -> Error {
    Error::Document { call: "infer", reason: error.to_string() }
}

fn field<T: DeserializeOwned>(of: &serde_json::Value, name: &str) -> Result<T> {
    serde_json::from_value(of.get(name).cloned().unwrap_or_default()).map_err(|e| unread(&e))
}
