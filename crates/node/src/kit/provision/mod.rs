//! From a project file and the parties' requests to a study with a kit for everybody.
//!
//! Each party makes its keys itself ([`request`]); the coordinator sees public halves only and founds the study over them
//! ([`found`]). on one machine, for a first try, [`all_local`] does both in one step.

mod checked;
mod later;
mod project;
mod write;

use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::files;
use crate::kit::certificates::{self, Authority, Request, Role, Usage};
use crate::kit::{Kit, Members, Person};
use blindscope_federation::{IdentityKey, PublicIdentity, SealingKey, Study};

pub(crate) use checked::name as check_name;
pub use later::later;
pub use project::{Parties, Project};
pub(crate) use write::{proposal, toml as settings_text};

/// What was founded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Founded {
    /// The study's name.
    pub study: String,
    /// Its digest, hexadecimal: what everybody compares.
    pub digest: String,
    /// Whom its sums withstand and who may be missing, in words.
    pub sums: String,
    /// The coordinator's kit.
    pub coordinator: PathBuf,
    /// Everybody else's: name and folder.
    pub kits: Vec<(String, PathBuf)>,
}

/// Makes a party's keys and its request in the kit `kit`. Keys that are there already are used again.
///
/// # Errors
/// [`Error::Project`] for a name that cannot be a folder; [`Error::File`] where the kit cannot be written; [`Error::KeyFile`]
/// for a key that is there and is none.
pub fn request(kit: &Kit, name: &str, role: Role, rng: &mut impl CryptoRng) -> Result<Request> {
    check_name("--name", name)?;
    kit.create()?;
    let identity = identity(kit, rng)?;
    let sealing = if role == Role::Site { Some(sealing(kit, rng)?) } else { None };
    let request = Request::new(name, role, &identity, sealing.as_ref());
    request.write(&kit.transfer("request.toml"))?;
    Ok(request)
}

/// Founds the study of `project` over these requests, below the folder `out`: one kit a party, named after it.
///
/// # Errors
/// [`Error::Project`] for what is wrong with the project, and [`Error::Unknown`] for a party without a request: nothing is
/// written then. [`Error::File`] where a kit cannot be written.
pub fn found(
    project: &Project,
    requests: &[Request],
    out: &Path,
    now_ms: u64,
    rng: &mut impl CryptoRng,
) -> Result<Founded> {
    found_for(project, requests, out, now_ms, rng, |_| true)
}

/// As [`found`], with kits for the coordinator and those parties alone that are wanted.
pub(crate) fn found_for(
    project: &Project,
    requests: &[Request],
    out: &Path,
    now_ms: u64,
    rng: &mut impl CryptoRng,
    wanted: impl Fn(&Request) -> bool,
) -> Result<Founded> {
    project.check()?;
    let parties = project.parties(requests)?;
    let coordinator = Kit::at(out.join("coordinator"));
    coordinator.create()?;
    let identity = identity(&coordinator, rng)?;
    let literal = project.study(identity.public(), &parties)?;
    let study = Study::new(literal)?;
    let authority = authority(&coordinator, &project.name, now_ms, rng)?;
    let write = write::Write { project, study: &study, authority: &authority, now_ms };
    write.coordinator(&coordinator, identity.public(), &parties)?;
    let mut kits = Vec::new();
    for request in parties.all().filter(|request| wanted(request)) {
        let kit = Kit::at(out.join(&request.name));
        write.party(&kit, request)?;
        kits.push((request.name.clone(), kit.folder().to_owned()));
    }
    Ok(Founded {
        study: project.name.clone(),
        digest: study.digest().to_string(),
        sums: study.literal().sums_in_words(),
        coordinator: coordinator.folder().to_owned(),
        kits,
    })
}

/// A whole study on one machine: everybody's keys are made here too.
///
/// # Errors
/// As [`request`] for each name of the project, and [`found`].
pub fn all_local(project: &Project, out: &Path, now_ms: u64, rng: &mut impl CryptoRng) -> Result<Founded> {
    project.check()?;
    let mut requests = Vec::new();
    for (name, role) in project.names() {
        requests.push(request(&Kit::at(out.join(name)), name, role, rng)?);
    }
    found(project, &requests, out, now_ms, rng)
}

/// Signs one request with a coordinator's authority: a renewal, or a new administrator or asker, who is admitted with it.
/// Returns the certificate, PEM.
///
/// A site that the roster in force does not name is refused: a signed change lets it in first.
///
/// # Errors
/// [`Error::Unknown`] for a site that the study does not name, or names with other keys; [`Error::File`] or
/// [`Error::Certificate`] where the kit has no authority that can be used.
pub fn sign(coordinator: &Kit, request: &Request, days: u32, now_ms: u64) -> Result<String> {
    let study = coordinator.study_now()?;
    let entry = study.site_named(&request.name).and_then(|site| study.site(site));
    if request.role == Role::Site {
        let known = entry
            .is_some_and(|e| e.identity == request.identity && Some(&e.sealing) == request.sealing.as_ref());
        if !known {
            let (what, name) = ("site of the study", request.name.clone());
            return Err(Error::Unknown {
                what,
                name,
                repair: "let a change of the roster name its keys first: `blindscope study change`",
            });
        }
    } else {
        admit(coordinator, request)?;
    }
    let name = &study.literal().name;
    let authority =
        Authority::open(name, &coordinator.startup("authority.pem"), &coordinator.local("authority.key"))?;
    authority.issue(&request.name, request.identity, Usage::Client, days, now_ms)
}

fn admit(coordinator: &Kit, request: &Request) -> Result<()> {
    let mut members = coordinator.members()?;
    members.member.retain(|member| member.name != request.name);
    members.member.push(member(request));
    write_members(coordinator, &members)
}

fn member(request: &Request) -> Person {
    Person { name: request.name.clone(), role: request.role, identity: request.identity }
}

fn write_members(coordinator: &Kit, members: &Members) -> Result<()> {
    let path = coordinator.local("members.toml");
    files::write(&path, write::toml(&path, members)?.as_bytes())
}

fn identity(kit: &Kit, rng: &mut impl CryptoRng) -> Result<IdentityKey> {
    let path = kit.local("identity.key");
    if !path.exists() {
        certificates::write_identity(&path, &IdentityKey::generate(rng))?;
    }
    certificates::read_identity(&path)
}

fn sealing(kit: &Kit, rng: &mut impl CryptoRng) -> Result<SealingKey> {
    let path = kit.local("sealing.key");
    if !path.exists() {
        certificates::write_sealing(&path, &SealingKey::generate(rng))?;
    }
    certificates::read_sealing(&path)
}

fn authority(kit: &Kit, study: &str, now_ms: u64, rng: &mut impl CryptoRng) -> Result<Authority> {
    let (certificate, key) = (kit.startup("authority.pem"), kit.local("authority.key"));
    if key.exists() {
        return Authority::open(study, &certificate, &key);
    }
    Authority::create(study, &IdentityKey::generate(rng), &certificate, &key, now_ms)
}

/// The identity of a coordinator's kit, for a check that it is the study's.
pub(crate) fn is_coordinator(study: &Study, identity: PublicIdentity) -> bool {
    study.literal().coordinator == identity
}
