//! The kits' files.

use std::path::Path;

use serde::Serialize;

use super::{Parties, Project, member, write_members};
use crate::error::{Error, Result};
use crate::files;
use crate::kit::certificates::{Authority, Request, Role, Usage};
use crate::kit::{CoordinatorSettings, Kit, Members, PartySettings};
use blindscope_federation::{JobKind, Policy, PublicIdentity, Study};

/// What every kit is written from.
pub(super) struct Write<'a> {
    pub(super) project: &'a Project,
    pub(super) study: &'a Study,
    pub(super) authority: &'a Authority,
    pub(super) now_ms: u64,
}

impl Write<'_> {
    pub(super) fn coordinator(&self, kit: &Kit, identity: PublicIdentity, parties: &Parties) -> Result<()> {
        let project = self.project;
        let mut hosts = project.hosts.clone();
        hosts.insert(0, project.host().to_owned());
        let days = project.certificate_days;
        let certificate =
            self.authority.issue("coordinator", identity, Usage::Server(&hosts), days, self.now_ms)?;
        let settings = CoordinatorSettings {
            listen: project.listen(),
            metrics: None,
            queue: None,
            store: None,
            blobs: None,
            lease_seconds: None,
            max_jobs: None,
            inference: project.inference.clone(),
            learning: toml::Table::new(),
        };
        self.startup(kit, &certificate, &settings)?;
        write_members(kit, &Members { member: parties.others.iter().map(member).collect() })
    }

    pub(super) fn party(&self, kit: &Kit, request: &Request) -> Result<()> {
        kit.create()?;
        let days = self.project.certificate_days;
        let certificate =
            self.authority.issue(&request.name, request.identity, Usage::Client, days, self.now_ms)?;
        let settings = PartySettings {
            name: request.name.clone(),
            coordinator: self.project.address.clone(),
            backbone: None,
            metrics: None,
            max_jobs: None,
            learning: toml::Table::new(),
        };
        self.startup(kit, &certificate, &settings)?;
        let policy = kit.local("policy.toml");
        if request.role == Role::Site && !policy.exists() {
            files::write(&policy, self::policy(self.study)?.as_bytes())?;
        }
        Ok(())
    }

    fn startup(&self, kit: &Kit, certificate: &str, settings: &impl Serialize) -> Result<()> {
        files::write(&kit.startup("study.toml"), self.study.literal().to_toml()?.as_bytes())?;
        files::write(&kit.startup("authority.pem"), self.authority.pem().as_bytes())?;
        files::write(&kit.startup("certificate.pem"), certificate.as_bytes())?;
        let path = kit.startup("settings.toml");
        files::write(&path, toml(&path, settings)?.as_bytes())
    }
}

/// Rules that let the study's own jobs through.
pub(crate) fn proposal(study: &Study) -> Policy {
    let literal = study.literal();
    Policy {
        minimum_cohort: literal.minimum_cohort,
        minimum_difference: None,
        backbone: literal.backbone,
        jobs: JobKind::ALL.to_vec(),
        maximum_decryptions: literal.decryptions,
        maximum_rounds: 1000,
        max_epsilon: None,
        max_delta: None,
        lifetime_epsilon: None,
        privacy_unit: None,
    }
}

/// The file of these rules; the site reads it and makes it its own.
pub(super) fn policy(study: &Study) -> Result<String> {
    Ok(format!("{POLICY_HEAD}{}", proposal(study).to_toml()?))
}

const POLICY_HEAD: &str = "\
# This site's own rules. The coordinator never sees this file and cannot override it.
# minimum_cohort: fewest contributions in a sum that this site helps to open
# minimum_difference: where it stands, sums of one kind over nearly the same sites are refused: in how many sites two sets differ at least
# backbone: SHA-256 of the weights that may see this site's images
# jobs: kinds of jobs that this site takes part in
# maximum_decryptions: most ciphertexts that this site helps to open, all jobs together
# maximum_rounds: most rounds of one job
# max_epsilon, max_delta, lifetime_epsilon, privacy_unit: where one stands, only jobs with noise take part: most that one of them may give
#   away, most that all of them together may, and whose presence is hidden (\"patient\" or \"tile\")
";

/// A value as TOML text.
pub(crate) fn toml(path: &Path, value: &impl Serialize) -> Result<String> {
    toml::to_string_pretty(value)
        .map_err(|e| Error::Settings { path: path.to_owned(), reason: e.to_string() })
}
