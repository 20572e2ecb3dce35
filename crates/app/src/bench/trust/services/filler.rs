//! An asker that fills every place of its ciphertexts and announces one token.

use std::io::Cursor;

use super::world;
use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Plan};
use blindscope_federation::Blob;
use blindscope_node::kit::Kit;
use blindscope_node::{Error, Result, system};
use blindscope_transport::{Client, Upload};
use blindscope_wire::Header;

pub(super) struct Filler {
    client: Client,
    pub(super) plan: Plan,
    asker: Asker,
    secret: AskerSecret,
    keys: Blob,
    /// What it asks each time.
    pub(super) tokens: Vec<Vec<f64>>,
}

impl Filler {
    /// With its keys at the coordinator.
    pub(super) async fn begin(kit: &Kit) -> Result<Self> {
        let (client, mut rng) = (world::client(kit)?, system::rng()?);
        let head = format!(r#"{{"wish":"head","job":"{}"}}"#, world::CLEAR);
        let plan = Plan::from_bytes(&client.offer(head.clone().into()).await?)?;
        let secret = AskerSecret::generate(&plan, &mut rng)?;
        let bytes = EvaluationKeys::generate(&plan, &secret, &mut rng)?.to_bytes(&plan)?;
        let keys = Blob::of(&bytes);
        let upload = Upload { header: head.into(), len: keys.len, digest: keys.digest };
        client.put_keys(upload, Box::new(Cursor::new(bytes))).await?;
        let filled = plan.capacity(1).min(plan.literal().batch);
        Ok(Self {
            client,
            asker: Asker::new(&plan),
            plan,
            secret,
            keys,
            tokens: world::tokens(filled as u64),
        })
    }

    /// The logits of all its tokens; nothing once its hour is used up.
    pub(super) async fn ask(&mut self) -> Result<Option<Vec<Vec<f64>>>> {
        let mut question = self.asker.encrypt(&self.tokens, &self.secret, &mut system::rng()?)?;
        // Where a question says how many tokens it holds.
        if let Some(count) = question.get_mut(Header::LEN..Header::LEN + 4) {
            count.copy_from_slice(&1u32.to_le_bytes());
        }
        let Blob { digest, len } = self.keys;
        let wish = format!(
            r#"{{"wish":"answers","job":"{}","keys":{{"digest":"{digest}","len":{len}}},"tokens":1}}"#,
            world::CLEAR
        );
        let blob = Blob::of(&question);
        let upload = Upload { header: wish.into(), len: blob.len, digest: blob.digest };
        let most = self.plan.answer_len(1) as u64;
        match self.client.infer(upload, Box::new(Cursor::new(question)), most).await {
            Ok(answer) => Ok(Some(self.asker.open(self.tokens.len(), &answer, &self.secret)?)),
            Err(blindscope_transport::Error::Refused(refusal)) if refusal.code == "too-many-tokens" => {
                Ok(None)
            }
            Err(other) => Err(Error::from(other)),
        }
    }
}
