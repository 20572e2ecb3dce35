//! Asking a head in the clear: keys are made for its plan and sent once, then every batch of tokens is one question and one answer.

use rand_core::CryptoRng;

use crate::documents::Wish;
use crate::error::{Error, Result};
use crate::kit::{Kit, PartySettings};
use blindscope_classify::{Asker, AskerSecret, Clipped, EvaluationKeys, Plan};
use blindscope_federation::Blob;
use blindscope_transport::{Client, Upload};

/// An asker with keys at the coordinator. Its secret lives as long as this value and is nowhere else.
pub struct Asking {
    client: Client,
    job: String,
    asker: Asker,
    secret: AskerSecret,
    keys: Blob,
}

impl Asking {
    /// Fetches the plan of a job's head, makes keys for it and sends the public ones.
    ///
    /// # Errors
    /// [`crate::Error::Transport`] where the coordinator cannot be reached or does not release this head to this asker;
    /// [`crate::Error::Classify`] for a plan that is none.
    pub async fn begin(
        kit: &Kit,
        overrides: &[String],
        job: &str,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Self> {
        let settings: PartySettings = kit.settings(overrides)?;
        let client = kit.client(&settings.coordinator)?;
        let job = job.to_owned();
        let header = header(&Wish::Head { job: job.clone() })?;
        let plan = Plan::from_bytes(&client.offer(header.clone().into()).await?)?;
        let secret = AskerSecret::generate(&plan, rng)?;
        let bytes = EvaluationKeys::generate(&plan, &secret, rng)?.to_bytes(&plan)?;
        let keys = Blob::of(&bytes);
        let upload = Upload { header: header.into(), len: keys.len, digest: keys.digest };
        client.put_keys(upload, Box::new(std::io::Cursor::new(bytes))).await?;
        Ok(Self { client, job, asker: Asker::new(&plan), secret, keys })
    }

    /// The plan: how many tokens a question holds, how wide they are, how exact the logits.
    pub fn plan(&self) -> &Plan {
        self.asker.plan()
    }

    /// The logits of these tokens, a row each, asked in as many questions as the plan needs.
    ///
    /// # Errors
    /// [`crate::Error::Classify`] for tokens of another width or with values that are not finite; [`crate::Error::Transport`]
    /// where the coordinator cannot be reached, or this asker has used up its tokens for now.
    pub async fn ask(&self, tokens: &[Vec<f64>], rng: &mut (impl CryptoRng + Send)) -> Result<Vec<Vec<f64>>> {
        warn_of_clips(self.plan(), tokens)?;
        let mut logits = Vec::with_capacity(tokens.len());
        for batch in tokens.chunks(self.plan().literal().batch.max(1)) {
            let question = self.asker.encrypt(batch, &self.secret, rng)?;
            let blob = Blob::of(&question);
            let wish = Wish::Answers { job: self.job.clone(), keys: self.keys, tokens: batch.len() };
            let upload = Upload { header: header(&wish)?.into(), len: blob.len, digest: blob.digest };
            let most = self.plan().answer_len(batch.len()) as u64;
            let answer = self.client.infer(upload, Box::new(std::io::Cursor::new(question)), most).await?;
            logits.extend(self.asker.open(batch.len(), &answer, &self.secret)?);
        }
        Ok(logits)
    }
}

/// Says how many tokens are answered as clipped ones.
pub(super) fn warn_of_clips(plan: &Plan, tokens: &[Vec<f64>]) -> Result<()> {
    let Clipped { features, tokens: shortened } = plan.literal().normalisation.clipped(tokens)?;
    if features + shortened > 0 {
        let of = tokens.len();
        tracing::warn!(
            features,
            shortened,
            of,
            "tokens outside the head's range are answered as clipped ones"
        );
    }
    Ok(())
}

pub(super) fn header(wish: &Wish) -> Result<Vec<u8>> {
    serde_json::to_vec(wish).map_err(|e| Error::Document { call: "infer", reason: e.to_string() })
}
