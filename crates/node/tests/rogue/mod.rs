//! A site that plays its part of questions and heads from its own kit, over its own connection, and deviates in one phase.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "shared by the test files"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::heads::{SITES, learning};
use super::network::ENOUGH;
use blindscope_ckks::{Ciphertext, Encoder, Level, Scale, codec};
use blindscope_federation::{
    Answer, Ask, Blob, IdentityKey, JobKind, Mark, Order, Phase, SealingKey, Site, SiteId, SiteTools, Task,
    payload, site_payload,
};
use blindscope_learn::jobs::SiteLearner;
use blindscope_node::kit::{Kit, PartySettings};
use blindscope_node::system;
use blindscope_store::{BlobStore, Marks};
use blindscope_transport::{Client, Error, Stop, Upload};
use blindscope_wire::{Digest, Hasher};

/// What it does otherwise than its task says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// It gives wrong shares of answers.
    WrongShare,
    /// It hands in `(0, d)` for the encryption of a share of a question, and vouches for that.
    ChosenHalf,
    /// The same of a share of a head.
    ChosenHead,
    /// It hands in ciphertexts for its part of a head, `(0, d)` in each place, as sites once handed in encryptions.
    ChosenPart,
}

/// What the encryptions of a task are made for: the question, or the head and its parts.
fn round(task: &Task) -> Digest {
    let Ask::Encrypt { parts, .. } = &task.ask else { return task.step.job.0 };
    let mut h = Hasher::new("blindscope/federation/head-encryptions/v1");
    h.absorb(&task.step.job.0.0).absorb_u64(parts.len() as u64);
    for part in parts {
        h.absorb(&part.header.digest().0);
    }
    h.finish()
}

/// The site of a kit, with the marks that an honest service left there.
pub struct Rogue {
    site: Site,
    marks: Marks,
    blobs: BlobStore,
    identity: IdentityKey,
    sealing: SealingKey,
    learning: Arc<SiteLearner>,
    client: Client,
    deviation: Deviation,
    /// What the coordinator refused.
    refused: BTreeSet<String>,
}

impl Rogue {
    pub async fn of(folder: &Path, k: usize, deviation: Deviation) -> Self {
        let kit = Kit::at(folder.join(SITES[k]));
        let (study, me) = (kit.study().unwrap(), SiteId(k as u16));
        let marks = Marks::open(&kit.state().join("marks.db"), &study, me).await.unwrap();
        let blobs = BlobStore::open(&kit.state().join("blobs"), ENOUGH).unwrap();
        marks.carry(&blobs).await.unwrap();
        let site = Site::replay(&study, me, kit.policy().unwrap(), marks.all().await.unwrap()).unwrap();
        let client = kit.client(&kit.settings::<PartySettings>(&[]).unwrap().coordinator).unwrap();
        let (identity, sealing) = (kit.identity().unwrap(), kit.sealing().unwrap());
        Self {
            site,
            marks,
            blobs,
            identity,
            sealing,
            learning: learning(k),
            client,
            deviation,
            refused: BTreeSet::new(),
        }
    }

    /// Does what it is asked until `stop`; how often it has deviated, and with which codes it was refused.
    pub async fn run(mut self, stop: Stop) -> (usize, BTreeSet<String>) {
        let mut wrong = 0;
        while !stop.is_stopped() {
            let asked = self.client.next(Vec::new().into(), Duration::from_millis(200)).await.unwrap();
            let Some(task) = asked.map(|errand| Task::from_bytes(&errand.task).unwrap()) else { continue };
            wrong += usize::from(self.turn(&task).await);
        }
        (wrong, self.refused)
    }

    /// One task; whether its answer was wrong.
    async fn turn(&mut self, task: &Task) -> bool {
        let (staged, wrong) = match self.site.take(task).unwrap() {
            Order::Send(staged) => (*staged, false),
            Order::Work { before } => {
                for blob in self.site.inputs(task) {
                    if !self.blobs.contains(&blob) {
                        let found = self.client.fetch(blob.digest, blob.len, Vec::new()).await.unwrap();
                        self.blobs.keep(&found.sink).unwrap();
                    }
                }
                self.keep(before).await;
                let (payload, marks) = tokio::task::block_in_place(|| self.made(task));
                self.keep(marks).await;
                let marks = self.site.answer(task, Answer::Payload(payload), &self.identity);
                let staged = marks.iter().find_map(|mark| match mark {
                    Mark::Staged { answer } => Some(answer.clone()),
                    _ => None,
                });
                self.keep(marks).await;
                (staged.unwrap(), self.deviates(task))
            }
            Order::Decline(objection) => unreachable!("{objection}"),
        };
        let blob = staged.payload().unwrap();
        let upload = Upload { header: staged.to_bytes().into(), len: blob.len, digest: blob.digest };
        match self.client.submit(upload, Box::new(self.blobs.reader(&blob).unwrap())).await {
            Ok(_) => {}
            Err(Error::Refused(refusal)) => {
                self.refused.insert(refusal.code.into_owned());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(other) => panic!("{other}"),
        }
        wrong
    }

    fn deviates(&self, task: &Task) -> bool {
        let (kind, phase) = match self.deviation {
            Deviation::WrongShare => (JobKind::Question, Phase::Share),
            Deviation::ChosenHalf => (JobKind::Question, Phase::Upload),
            Deviation::ChosenHead => (JobKind::EncryptedHead, Phase::Encrypt),
            Deviation::ChosenPart => (JobKind::EncryptedHead, Phase::Upload),
        };
        (task.spec.kind, task.step.phase) == (kind, phase)
    }

    /// What the task asks, or what it hands in for it.
    fn made(&mut self, task: &Task) -> (Blob, Vec<Mark>) {
        let permit = (task.step.phase == Phase::Share).then(|| self.site.permit(task).unwrap());
        let (study, me) = (self.site.study(), self.site.me());
        let tools = SiteTools {
            study,
            me,
            sealing: &self.sealing,
            learning: &*self.learning,
            blobs: &self.blobs,
            checked: self.site.has_checked(task),
            sums: self.site.sums(),
            minimum_cohort: self.site.minimum_cohort(),
            minimum_difference: self.site.minimum_difference(),
            signer: &self.identity,
        };
        let mut marks = Vec::new();
        let (bundle, mut rng) = (self.site.bundle(task), system::rng().unwrap());
        let payload = site_payload(&tools, task, bundle, permit, &mut marks, &mut rng).unwrap();
        if !self.deviates(task) {
            return (payload, marks);
        }
        let mut bytes = self.blobs.read(&payload, payload.len).unwrap();
        match self.deviation {
            Deviation::WrongShare => {
                // Residues stay residues: by its form it is a share of this answer.
                let half = bytes.len() / 2;
                bytes[half..].iter_mut().for_each(|byte| *byte ^= 1);
            }
            Deviation::ChosenHalf | Deviation::ChosenHead => self.choose(task, &mut bytes),
            Deviation::ChosenPart => {
                let levels = task.spec.levels.iter().map(|l| Level(*l as usize));
                bytes = levels.flat_map(|level| self.chosen(task, level)).collect();
                assert_eq!(bytes.len() as u64, task.sizes.sum, "as long as a head");
            }
        }
        (self.blobs.keep(&bytes).unwrap(), marks)
    }

    /// Puts `(0, d)` for the first encryption that is this site's to send, and its digest for the right one's.
    fn choose(&self, task: &Task, bytes: &mut [u8]) {
        let study = self.site.study();
        let holding = payload::holding(study).unwrap();
        let me = usize::from(self.site.me().0);
        let share = holding.sent(me)[0];
        let place = holding.held(me).iter().position(|&held| held == share).unwrap();
        let top = study.circuit_params(task.spec.circuit.as_deref().unwrap()).unwrap().top_level();
        let chosen = self.chosen(task, top);
        let from = 32 * holding.held(me).len();
        bytes[from..from + chosen.len()].copy_from_slice(&chosen);
        let unit = (bytes.len() - from) / holding.sent(me).len();
        let mut h = Hasher::new("blindscope/federation/dealt/ciphertexts/v2");
        let digest =
            h.absorb(&round(task).0).absorb_u64(share as u64).absorb(&bytes[from..from + unit]).finish();
        bytes[32 * place..32 * (place + 1)].copy_from_slice(&digest.0);
    }

    /// `(0, d)`, an encryption of `d·s`.
    fn chosen(&self, task: &Task, level: Level) -> Vec<u8> {
        let circuit = task.spec.circuit.as_deref().unwrap();
        let params = self.site.study().circuit_params(circuit).unwrap();
        let mut d = vec![0; params.n()];
        d[0] = 1 << 40;
        let d = Encoder::new(&params).encode_integers(&d, level).unwrap();
        let chosen = vec![params.q().prefix(level.limbs()).zero(), d.poly().clone()];
        codec::encode_ciphertext(&Ciphertext::from_components(&params, chosen, Scale::ONE))
    }

    async fn keep(&mut self, marks: Vec<Mark>) {
        self.marks.append(&marks).await.unwrap();
        for mark in &marks {
            self.site.apply(mark).unwrap();
        }
    }
}
