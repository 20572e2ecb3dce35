//! Whoever has the kits of two sites and the coordinator's disk, once all have stopped: it knows the key that an attack's readings are held
//! against, and does what sites did before questions were dealt, with the very key and head of the study.

use std::path::Path;

use super::super::toy::collective;
use super::super::{Error, failed};
use super::{WHAT, world};
use blindscope_ckks::{Ciphertext, Complex64, Encoder, PublicKey};
use blindscope_federation::{
    Asked, Coordinator, Evaluation, InferenceKey, JobId, JobSpec, JobStatus, Mark, Record, SiteId, Study,
    payload,
};
use blindscope_learn::jobs::EncryptedHeads;
use blindscope_node::admin::log;
use blindscope_node::kit::Kit;
use blindscope_store::{BlobStore, Records};
use blindscope_threshold::{
    Committee, Decryption, DecryptionSession, KeyShare, MemoryLedger, Opening, PartyId, Transcript,
};

/// The sites whose kits it has: two shares open.
const SITES: [u16; 2] = [0, 1];

pub(super) struct Insider {
    study: Study,
    key: InferenceKey,
    shares: [KeyShare; 2],
    /// A question that was asked, and what it was answered from.
    question: JobSpec,
    evaluation: Evaluation,
    blobs: BlobStore,
    heads: EncryptedHeads,
}

impl Insider {
    /// From the folder of a study that has stopped, and its log.
    pub(super) async fn of(folder: &Path, records: Vec<Record>, question: JobId) -> Result<Self, Error> {
        let missing = |what: &'static str| move || failed(WHAT, format!("the log has no {what}"));
        let kit = Kit::at(folder.join("coordinator"));
        let study = kit.study().map_err(|e| failed(WHAT, e))?;
        let now = Coordinator::replay(&study, records)?;
        let key = now.inference_key().cloned().ok_or_else(missing("inference key"))?;
        let head = now.job_named(world::ENCRYPTED).ok_or_else(missing("head"))?;
        let opening = now.encrypted_head(head).cloned().ok_or_else(missing("head"))?;
        let start = now.job_named(world::CLEAR).and_then(|id| now.job(id)).map(|view| view.status);
        let Some(JobStatus::Done { result: start }) = start else { return Err(missing("start")()) };
        let spec = |id| now.spec(id).cloned().ok_or_else(missing("job file"));
        let (head, keys) = (Box::new(spec(head)?), key.evaluation_keys);
        let evaluation = Evaluation { head, start, opening, keys };
        let question = spec(question)?;
        let store = |e: blindscope_store::Error| failed(WHAT, e);
        let blobs = BlobStore::open(&kit.state().join("blobs"), u64::MAX).map_err(store)?;
        // Small blobs lie with the records.
        let log = Records::open(&kit.state().join("records.db"), &study).await.map_err(store)?;
        log.carry(&blobs).await.map_err(store)?;
        let [one, two] = SITES.map(SiteId);
        let shares = [share(folder, &study, &key, one).await?, share(folder, &study, &key, two).await?];
        Ok(Self { study, key, shares, question, evaluation, blobs, heads: EncryptedHeads::default() })
    }

    fn ceremony(&self) -> Result<Transcript, Error> {
        Ok(self.study.inference_ceremony(self.key.ceremony, &self.key.circuit)?)
    }

    /// The first slots of the key.
    pub(super) fn slots(&self, count: usize) -> Result<Vec<Complex64>, Error> {
        let params = self.study.circuit_params(&self.key.circuit)?;
        let [one, two] = &self.shares;
        let secret = collective(&params, &self.ceremony()?, [one, two]);
        let coefficients: Vec<f64> = secret.iter().map(|&s| s as f64).collect();
        let mut slots = Encoder::new(&params).slots_of(&coefficients)?;
        slots.truncate(count);
        Ok(slots)
    }

    /// What sites answered to a ciphertext of an asker's making: the head of it, re-encrypted.
    pub(super) fn answers(&self, chosen: Ciphertext, asker: &PublicKey) -> Result<Vec<Ciphertext>, Error> {
        let (study, circuit) = (&self.study, &self.key.circuit);
        let asked =
            Asked { study, job: &self.question, evaluation: &self.evaluation, question: vec![chosen] };
        let evaluated = self.heads.evaluate(asked, &self.blobs).map_err(Error::Learning)?;
        let (ceremony, params) = (self.ceremony()?, study.circuit_params(circuit)?);
        let round = study.opening(&params, self.key.ceremony, 0, 0);
        let committee = Committee::new(round.roster(), &SITES.map(PartyId))?;
        let (flooding, room_log2) = (circuit.flooding(study)?, circuit.room_log2());
        let masks = Opening { flooding, room_log2, ciphertexts: evaluated.len() as u64 };
        let begin = |share| {
            DecryptionSession::begin(
                &ceremony,
                &round,
                share,
                &committee,
                masks,
                &mut MemoryLedger::default(),
            )
        };
        let mut sessions = self.shares.iter().map(begin).collect::<Result<Vec<_>, _>>()?;
        let one = |(index, c): (u64, &Ciphertext)| -> Result<Ciphertext, Error> {
            let opening = Decryption::to_asker(&round, c, index, asker)?;
            let mut collector = opening.collector(&committee);
            for session in std::mem::take(&mut sessions) {
                let (message, rest) = session.share_for(c, asker)?;
                collector.absorb(&message)?;
                sessions.push(rest);
            }
            Ok(opening.finish_for(collector)?)
        };
        (0..).zip(&evaluated).map(one).collect()
    }
}

/// A site's share of the key, out of its kit.
async fn share(folder: &Path, study: &Study, key: &InferenceKey, site: SiteId) -> Result<KeyShare, Error> {
    let kit = Kit::at(folder.join(world::SITES[usize::from(site.0)]));
    let read = |e: blindscope_node::Error| failed(WHAT, e);
    let marks = log::marks(&kit).await.map_err(read)?;
    let bundle = marks.iter().find_map(|mark| match mark {
        Mark::Key { ceremony, bundle, .. } if *ceremony == key.ceremony => Some(*bundle),
        _ => None,
    });
    let bundle = bundle.ok_or_else(|| failed(WHAT, format!("{site} holds no share of the key")))?;
    let blobs = BlobStore::open(&kit.state().join("blobs"), u64::MAX).map_err(|e| failed(WHAT, e))?;
    let sealing = kit.sealing().map_err(read)?;
    Ok(payload::open_inference_bundle(
        study,
        (key.ceremony, &key.circuit),
        (site, &sealing),
        &bundle,
        &blobs,
    )?)
}
