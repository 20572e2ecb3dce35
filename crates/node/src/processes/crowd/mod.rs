//! A crowd: many sites of one study in this process, over a coordinator in another, for measurements of that one.
//!
//! Each has its keys, its connection and its state machine, and fetches whatever a site fetches. What they would each hold for themselves and
//! can share, they share: the study, the disk, signatures that were found right. So what they take together says nothing of what a site takes.

mod member;
mod pool;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Barrier, Semaphore, watch};
use tokio::task::JoinSet;

use super::Processes;
use crate::error::{Error, Result};
use crate::files;
use crate::kit::Kit;
use crate::kit::certificates::{Authority, Request, Role, Usage, identity_pem};
use crate::kit::provision::{self, Project};
use crate::system;
use blindscope_federation::{IdentityKey, Policy, SealingKey, Study};
use blindscope_transport::{Client, ClientTls, Credentials, Limits, Stop};
use member::Member;
use pool::Pool;

/// Sites that compute at a time.
const TURNS: usize = 4;

/// The sites of a study, and what they share.
pub struct Crowd {
    members: Vec<Member>,
    shared: Arc<Shared>,
}

/// What its sites share.
struct Shared {
    study: Study,
    policy: Policy,
    pool: Pool,
    turns: Semaphore,
    /// Uploads are made first; then all are sent at once, which is the worst that a coordinator meets.
    together: Barrier,
    begun: watch::Sender<Option<Instant>>,
}

impl Shared {
    async fn begins_together(&self) {
        if self.together.wait().await.is_leader() {
            self.begun.send_replace(Some(Instant::now()));
        }
    }
}

impl Crowd {
    /// Founds a study below `folder` whose sites are this crowd: kits are written for its coordinator and its administrators.
    ///
    /// # Errors
    /// As [`provision::found`]; [`Error::Transport`] for an address that is none.
    pub fn found(binary: &Path, folder: &Path, project: &Project) -> Result<(Processes, Self)> {
        let mut rng = system::rng()?;
        let (mut keys, mut requests) = (Vec::new(), Vec::new());
        for (name, role) in project.names() {
            if role == Role::Site {
                let (identity, sealing) = (IdentityKey::generate(&mut rng), SealingKey::generate(&mut rng));
                requests.push(Request::new(name, role, &identity, Some(&sealing)));
                keys.push((identity, sealing));
            } else {
                requests.push(provision::request(&Kit::at(folder.join(name)), name, role, &mut rng)?);
            }
        }
        let now = system::now_ms();
        provision::found_for(project, &requests, folder, now, &mut rng, |request| {
            request.role != Role::Site
        })?;
        files::folder(&folder.join("logs"))?;
        let processes = Processes::open(binary, folder, &[]);
        let study = processes.study()?;
        let coordinator = processes.kit(super::COORDINATOR);
        let authority = Authority::open(
            &project.name,
            &coordinator.startup("authority.pem"),
            &coordinator.local("authority.key"),
        )?;
        let mut members = Vec::new();
        for (member, (identity, sealing)) in study.members().iter().zip(keys) {
            let (name, me) = (&member.entry.name, member.site);
            let certificate = authority.issue(name, identity.public(), Usage::Client, 1, now)?;
            let key = identity_pem(&identity)?;
            let tls = ClientTls::new(Credentials {
                authority: authority.pem().as_bytes(),
                certificate: certificate.as_bytes(),
                key: key.as_bytes(),
            })?;
            let client = Client::new(&project.address, tls, Limits::default())?;
            members.push(Member { me, identity, sealing, client });
        }
        let shared = Shared {
            policy: provision::proposal(&study),
            pool: Pool::open(folder.join("crowd"))?,
            turns: Semaphore::new(TURNS),
            together: Barrier::new(members.len()),
            begun: watch::Sender::new(None),
            study,
        };
        Ok((processes, Self { members, shared: Arc::new(shared) }))
    }

    /// When all uploads were made and began to be sent, once that is so.
    pub fn begun(&self) -> watch::Receiver<Option<Instant>> {
        self.shared.begun.subscribe()
    }

    /// Runs all of them through one round until `stop`.
    ///
    /// # Errors
    /// That of the first site that cannot go on.
    pub async fn run(self, stop: Stop) -> Result<()> {
        let mut running = JoinSet::new();
        for member in self.members {
            running.spawn(member.run(self.shared.clone(), stop.clone()));
        }
        while let Some(done) = running.join_next().await {
            done.map_err(|_| Error::Defect { what: "a site of a crowd" })??;
        }
        Ok(())
    }
}
