//! A site that plays its part of questions from its own kit, over its own connection, and gives wrong shares of answers.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "shared by the test files")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::heads::{SITES, learning};
use super::network::ENOUGH;
use blindscope_federation::{
    Answer, Blob, IdentityKey, Mark, Order, Phase, SealingKey, Site, SiteId, SiteTools, Task, site_payload,
};
use blindscope_learn::jobs::SiteLearner;
use blindscope_node::kit::{Kit, PartySettings};
use blindscope_node::system;
use blindscope_store::{BlobStore, Marks};
use blindscope_transport::{Client, Stop, Upload};

/// The site of a kit, with the marks that an honest service left there.
pub struct Rogue {
    site: Site,
    marks: Marks,
    blobs: BlobStore,
    identity: IdentityKey,
    sealing: SealingKey,
    learning: Arc<SiteLearner>,
    client: Client,
}

impl Rogue {
    pub async fn of(folder: &Path, k: usize) -> Self {
        let kit = Kit::at(folder.join(SITES[k]));
        let (study, me) = (kit.study().unwrap(), SiteId(k as u16));
        let marks = Marks::open(&kit.state().join("marks.db"), &study, me).await.unwrap();
        let blobs = BlobStore::open(&kit.state().join("blobs"), ENOUGH).unwrap();
        marks.carry(&blobs).await.unwrap();
        let site = Site::replay(&study, me, kit.policy().unwrap(), marks.all().await.unwrap()).unwrap();
        let client = kit.client(&kit.settings::<PartySettings>(&[]).unwrap().coordinator).unwrap();
        let (identity, sealing) = (kit.identity().unwrap(), kit.sealing().unwrap());
        Self { site, marks, blobs, identity, sealing, learning: learning(k), client }
    }

    /// Does what it is asked until `stop`; how many wrong shares it has given.
    pub async fn run(mut self, stop: Stop) -> usize {
        let mut wrong = 0;
        while !stop.is_stopped() {
            let asked = self.client.next(Vec::new().into(), Duration::from_millis(200)).await.unwrap();
            let Some(task) = asked.map(|errand| Task::from_bytes(&errand.task).unwrap()) else { continue };
            wrong += usize::from(self.turn(&task).await);
        }
        wrong
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
                (staged.unwrap(), task.step.phase == Phase::Share)
            }
            Order::Decline(objection) => unreachable!("{objection}"),
        };
        let blob = staged.payload().unwrap();
        let upload = Upload { header: staged.to_bytes().into(), len: blob.len, digest: blob.digest };
        self.client.submit(upload, Box::new(self.blobs.reader(&blob).unwrap())).await.unwrap();
        wrong
    }

    /// What the task asks; a share of an answer is one of something else.
    fn made(&mut self, task: &Task) -> (Blob, Vec<Mark>) {
        let share = task.step.phase == Phase::Share;
        let permit = share.then(|| self.site.permit(task).unwrap());
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
        if !share {
            return (payload, marks);
        }
        let mut bytes = self.blobs.read(&payload, payload.len).unwrap();
        // Residues stay residues: by its form it is a share of this answer.
        let half = bytes.len() / 2;
        bytes[half..].iter_mut().for_each(|byte| *byte ^= 1);
        (self.blobs.keep(&bytes).unwrap(), marks)
    }

    async fn keep(&mut self, marks: Vec<Mark>) {
        self.marks.append(&marks).await.unwrap();
        for mark in &marks {
            self.site.apply(mark).unwrap();
        }
    }
}
