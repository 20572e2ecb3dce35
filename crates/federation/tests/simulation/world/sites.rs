//! The sites' machines: each stops at any write, and comes back with its marks and its blobs.

use rand_core::Rng as _;

use super::{Compute, Held, Message, Share, SiteNode, World, willing};
use blindscope_federation::{
    Answer, Ask, Blob, Cause, Coordinator, Mark, Order, Phase, Record, SignedHeader, Site, SiteId, Task,
};

impl<C: Compute> World<'_, C> {
    pub(super) fn node(&mut self, site: SiteId) -> &mut SiteNode {
        &mut self.sites[usize::from(site.0)]
    }

    pub(super) fn start_site(&mut self, site: SiteId) {
        self.node(site).pending.clear();
        let marks = self.node(site).marks.clone();
        let history = &self.sites[usize::from(site.0)].history;
        let study = history.iter().fold(self.fixture.study.clone(), |s, c| s.succeeded(c).unwrap());
        let up = Site::replay(&study, site, willing(), marks).unwrap();
        self.node(site).up = Some(up);
    }

    pub(super) fn wake_site(&mut self, site: SiteId) {
        let over = |c: &Coordinator| {
            let keys = c.job_named("inference").and_then(|id| c.job(id));
            keys.is_some_and(|view| view.is_over())
        };
        let made = self.coordinator.as_ref().is_some_and(over);
        let last = self.sites.len() - self.faults.dead;
        if made && usize::from(site.0) >= last {
            self.node(site).dead = true;
        }
        if self.node(site).dead {
            return;
        }
        if self.node(site).up.is_none() {
            self.start_site(site);
        }
        self.send(|| Message::Poll(site));
        if self.changing {
            let version = self.node(site).up.as_ref().map_or(0, |up| up.study().version());
            self.send(|| Message::See(site, version));
        }
        let again = self.node(site).up.iter().flat_map(Site::unacknowledged).next().cloned();
        if let Some(answer) = again.filter(|_| self.chance(300)) {
            self.send_answer(site, &answer);
        }
        let pause = 200 + self.rng.next_u64() % 1000;
        self.at(pause, Message::WakeSite(site));
    }

    pub(super) fn send_answer(&mut self, site: SiteId, answer: &SignedHeader) {
        if self.lost.is_some_and(|lost| lost(site, answer.header.step)) {
            return;
        }
        let payload = answer.payload().map(|b| self.node(site).disk[&b.digest].clone()).unwrap_or_default();
        self.send(|| Message::Answer(site, Box::new(answer.clone()), payload.clone()));
    }

    /// Stores marks; false where the machine stops.
    pub(super) fn mark(&mut self, site: SiteId, marks: &[Mark]) -> bool {
        if marks.is_empty() {
            return true;
        }
        let before = self.crashes();
        if !before {
            let node = self.node(site);
            let pending = std::mem::take(&mut node.pending);
            node.marks.extend(pending);
            for mark in marks {
                node.marks.push(mark.clone());
                node.up.as_mut().unwrap().apply(mark).unwrap();
            }
        }
        if before || self.crashes() {
            self.node(site).up = None;
            return false;
        }
        true
    }

    /// Marks that wait for no flush of their own: a machine that stops before the next one forgets them.
    pub(super) fn mark_later(&mut self, site: SiteId, marks: &[Mark]) {
        let node = self.node(site);
        for mark in marks {
            node.up.as_mut().unwrap().apply(mark).unwrap();
        }
        node.pending.extend_from_slice(marks);
    }

    /// Fetches what a task needs; false where the coordinator does not give it now.
    pub(super) fn fetch(&mut self, site: SiteId, task: &Task) -> bool {
        let Some(coordinator) = self.coordinator.as_ref() else { return false };
        let Some(up) = self.sites[usize::from(site.0)].up.as_ref() else { return false };
        let inputs = up.inputs(task);
        if !inputs.iter().all(|b| coordinator.may_fetch(site, &b.digest)) {
            return false;
        }
        let blobs: Vec<_> = inputs.iter().map(|b| (b.digest, self.disk[&b.digest].clone())).collect();
        self.node(site).disk.extend(blobs);
        true
    }

    pub(super) fn receive_task(&mut self, site: SiteId, task: &Task) {
        let Some(up) = self.node(site).up.as_ref() else { return };
        // What is signed is learned first.
        if task.version > up.study().version() {
            return;
        }
        let mut marks = Vec::new();
        let answer = match up.take(task).unwrap() {
            Order::Send(answer) => return self.send_answer(site, &answer),
            Order::Decline(objection) => Answer::Declined(objection.cause()),
            Order::Work { .. } if self.chance(self.faults.decline) => Answer::Declined(Cause::Contribution),
            Order::Work { before } => {
                if !self.fetch(site, task) || !self.mark(site, &before) {
                    return;
                }
                match self.site_payload(site, task, &mut marks) {
                    Ok(Some(blob)) => Answer::Payload(blob),
                    Ok(None) => return,
                    Err(cause) => Answer::Declined(cause),
                }
            }
        };
        let identity = &self.fixture.sites[usize::from(site.0)];
        marks.extend(self.node(site).up.as_ref().unwrap().answer(task, answer, identity));
        let again = task.step.phase == Phase::Findings && marks.len() == 1;
        if again {
            self.mark_later(site, &marks);
        }
        if again || self.mark(site, &marks) {
            let Some(Mark::Staged { answer }) = marks.last() else { panic!("nothing staged") };
            self.send_answer(site, answer);
        }
    }

    /// Computes and keeps a payload; nothing where the machine stops.
    pub(super) fn site_payload(
        &mut self,
        site: SiteId,
        task: &Task,
        marks: &mut Vec<Mark>,
    ) -> Result<Option<Blob>, Cause> {
        let mut permit = None;
        if let Ask::Share { opening, target, .. } = &task.ask {
            permit = Some(self.node(site).up.as_mut().unwrap().permit(task).unwrap());
            let (opening, target) = (opening.digest(), target.digest);
            self.shares.push(Share { site, step: task.step, opening, target });
        }
        if let Ask::Open { commitment, .. } = &task.ask {
            self.opened.push((site, task.step, commitment.digest));
        }
        let up = self.node(site).up.as_ref().unwrap();
        let (bundle, sums) = (up.bundle(task), up.sums().clone());
        let disk = std::mem::take(&mut self.node(site).disk);
        let signer = &self.fixture.sites[usize::from(site.0)];
        let held = Held { bundle, permit, sums: &sums, signer, marks };
        let payload = self.compute.payload(site, task, held, &disk, &mut self.rng);
        self.node(site).disk = disk;
        let mut payload = payload?;
        if let Some(forged) = self.forged {
            payload = forged(site, task, payload);
        }
        if task.step.phase != Phase::Parts && self.chance(self.faults.rubbish) {
            for byte in &mut payload {
                *byte = !*byte;
            }
        }
        let blob = Blob::of(&payload);
        let before = self.crashes();
        if !before {
            self.node(site).disk.insert(blob.digest, payload);
        }
        if before || self.crashes() {
            self.node(site).up = None;
            return Ok(None);
        }
        Ok(Some(blob))
    }

    pub(super) fn receive_receipt(&mut self, site: SiteId, record: &Record) {
        let Some(up) = self.node(site).up.as_ref() else { return };
        // One for findings that a stopped machine has forgotten says nothing to it.
        let Ok(mark) = up.receive(record) else { return };
        self.node(site).receipts.push(record.clone());
        self.mark_later(site, &[mark]);
    }
}
