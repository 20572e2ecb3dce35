//! Asking an encrypted head: encoded tokens go up dealt in shares, sites encrypt the shares under their collective key, the answer
//! comes back under the asker's own.
//!
//! The question becomes a job, so the asker waits.

use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::Prediction;
use super::asking::{header, warn_of_clips};
use super::doubts::Doubts;
use super::rows::in_batches;
use crate::admin::jobs;
use crate::documents::{Asked, EncryptedOffer, Wish};
use crate::error::{Error, Result};
use crate::kit::{Kit, PartySettings};
use blindscope_ckks::{KeyGenerator, Level, SecretKey, codec};
use blindscope_classify::Error::NotOpened;
use blindscope_classify::{Asker, Plan};
use blindscope_federation::{
    Blob, JobId, JobStatus, JobView, SiteId, Study, check_confirmed, check_shares, payload,
};
use blindscope_learn::features::Features;
use blindscope_transport::{Client, Upload};

/// Between two looks at a question.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two words on a question that does not change.
const REMINDER: Duration = Duration::from_mins(1);
/// Answers that are asked for before one that does not open is given up.
const TRIES: usize = 4;
/// Longest receipt of a question.
const MAX_RECEIPT: u64 = 1 << 12;

/// Asks an encrypted head for the rows of features, in as many questions as its plan needs. `seen` gets each change of a question's job,
/// and the same again each minute in which nothing changes: it names the sites that are waited for.
/// The secret that answers come back under is forgotten at the end.
///
/// # Errors
/// [`Error`] where the coordinator cannot be reached or refuses; [`Error::JobFailed`] for a question that the sites could not
/// answer; [`Error::WrongShares`] where no committee's answer opens, with the names of those who signed the shares.
pub async fn predict_encrypted(
    kit: &Kit,
    overrides: &[String],
    job: &str,
    features: &Features,
    rng: &mut (impl CryptoRng + Send),
    mut seen: impl FnMut(&JobView) + Send,
) -> Result<Vec<Prediction>> {
    let settings: PartySettings = kit.settings(overrides)?;
    let client = kit.client(&settings.coordinator)?;
    // Every site of the roster in force vouches for the key.
    let (study, _, _) = crate::roster::catch_up(&client, kit, kit.study_now()?).await?;
    let wish = header(&Wish::EncryptedHead { job: job.to_owned() })?;
    let offer: EncryptedOffer = parse(&client.offer(wish.into()).await?)?;
    let plan = Plan::from_bytes(offer.plan.as_bytes())?;
    check_confirmed(&study, offer.ceremony, offer.public_key, &offer.confirmed)?;
    let asker = Asker::new(&plan);
    let generator = KeyGenerator::new(plan.params());
    let secret = generator.secret_key(rng);
    let own = codec::encode_public_key(&generator.public_key(&secret, rng));
    let mut predictions = Vec::with_capacity(features.len());
    // A question takes its time: one is made when the last one is answered.
    let asking = Asking { study: &study, client: &client, job, offer: &offer, asker: &asker, own: &own };
    let mut doubts = Doubts::of(kit)?;
    for batch in in_batches(features, plan.literal().batch, 1) {
        let batch = batch?;
        warn_of_clips(&plan, &batch)?;
        let mut made = 0;
        let logits = loop {
            let (answer, committee) = asking.ask(&batch, &doubts, rng, &mut seen).await?;
            match open(&asker, &plan, batch.len(), &answer, &secret) {
                Err(Error::Classify(NotOpened { .. })) => doubts.failed(committee),
                opened => break opened?,
            }
            doubts.keep(kit)?;
            made += 1;
            let suspects = doubts.in_words(&study, made);
            if made == TRIES {
                return Err(Error::WrongShares { job: job.to_owned(), made, suspects });
            }
            tracing::warn!(%job, %suspects, "an answer did not open; it is asked for again, of others");
        };
        let classes = &study.literal().classes;
        predictions.extend(logits.into_iter().map(|logits| Prediction::of(logits, classes)));
    }
    Ok(predictions)
}

/// What stays the same from question to question.
struct Asking<'a> {
    study: &'a Study,
    client: &'a Client,
    job: &'a str,
    offer: &'a EncryptedOffer,
    asker: &'a Asker,
    /// The public key that answers come back under.
    own: &'a [u8],
}

impl Asking<'_> {
    /// The answer to a question of these tokens, and the sites whose shares it is made of.
    async fn ask(
        &self,
        batch: &[Vec<f64>],
        doubts: &Doubts,
        rng: &mut (impl CryptoRng + Send),
        seen: &mut (impl FnMut(&JobView) + Send),
    ) -> Result<(Vec<u8>, Vec<SiteId>)> {
        let (study, offer) = (self.study, self.offer);
        let of = (offer.ceremony, offer.head, &Blob::of(self.own));
        let (remainder, dealt) = payload::deal(study, of, &offer.holders, &self.asker.encode(batch)?, rng)?;
        let body = [self.own, &remainder, &dealt].concat();
        let (job, tokens, holders) = (self.job.to_owned(), batch.len(), offer.holders.clone());
        let avoided = doubts.avoided(&holders, study.roster().threshold());
        let wish = Wish::EncryptedAnswers { job, tokens, holders, avoided };
        let blob = Blob::of(&body);
        let upload = Upload { header: header(&wish)?.into(), len: blob.len, digest: blob.digest };
        let receipt = self.client.infer(upload, Box::new(std::io::Cursor::new(body)), MAX_RECEIPT).await?;
        let Asked { question } = parse(&receipt)?;
        let (answer, committee) = wait(study, self.client, question, seen).await?;
        let answer = self.client.fetch(answer.digest, answer.len, Vec::new()).await?;
        Ok((answer.sink, committee))
    }
}

/// The result of a question, once the sites have answered it, and who they are.
async fn wait(
    study: &Study,
    client: &Client,
    question: JobId,
    seen: &mut (impl FnMut(&JobView) + Send),
) -> Result<(Blob, Vec<SiteId>)> {
    let wish = Wish::Progress { question };
    let mut last: Option<JobView> = None;
    let mut said = Instant::now();
    loop {
        let view: JobView = parse(&client.offer(header(&wish)?.into()).await?)?;
        if last.as_ref() != Some(&view) || said.elapsed() >= REMINDER {
            seen(&view);
            said = Instant::now();
        }
        if matches!(view.status, JobStatus::Done { .. } | JobStatus::Failed { .. }) {
            let result = jobs::result(study, &view)?;
            return Ok((result, check_shares(study, question, &view.shares)?));
        }
        last = Some(view);
        tokio::time::sleep(PAUSE).await;
    }
}

fn open(
    asker: &Asker,
    plan: &Plan,
    tokens: usize,
    bytes: &[u8],
    secret: &SecretKey,
) -> Result<Vec<Vec<f64>>> {
    let len = codec::ciphertext_len(plan.params(), 2, Level(0));
    let decode = |bytes: &[u8]| codec::decode_ciphertext(plan.params(), bytes).map_err(federation);
    let answers = bytes.chunks(len).map(decode).collect::<Result<Vec<_>>>()?;
    Ok(asker.open_ciphertexts(tokens, &answers, secret)?)
}

fn federation(error: blindscope_ckks::Error) -> Error {
    blindscope_federation::Error::from(error).into()
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::Document { call: "infer", reason: e.to_string() })
}
