//! A kit: the folder of one party.
//!
//! ```text
//! startup/   from the coordinator, the same for ever: study.toml, settings.toml, authority.pem, certificate.pem
//! local/     made here, never leaves: identity.key, sealing.key, policy.toml (site), authority.key, members.toml (coordinator)
//! transfer/  on its way in or out: request.toml, results
//! state/     the database and its blobs, signed changes of the roster: what to back up
//! ```

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::certificates::{self, Role};
use super::config;
use crate::error::{Error, Result};
use crate::files;
use blindscope_federation::{IdentityKey, Policy, PublicIdentity, SealingKey, SiteId, Study, StudyLiteral};
use blindscope_transport::{Client, ClientTls, Credentials, Limits, ServerTls};

/// Longest certificate or study file.
const MAX: u64 = 4 << 20;

/// One party's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kit {
    folder: PathBuf,
}

/// `local/members.toml` of the coordinator: who may call it besides the study's sites.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// In the order in which they were signed.
    #[serde(default)]
    pub member: Vec<Person>,
}

/// Somebody who is not a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its key.
    pub identity: PublicIdentity,
}

impl Kit {
    /// The kit in this folder, which may not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// A file that settings name: relative to the kit's folder, wherever the command is run. A name that is no file there stays as it is,
    /// since models may be named that were fetched.
    pub fn named(&self, path: &Path) -> PathBuf {
        let here = self.folder.join(path);
        if here.exists() { here } else { path.to_owned() }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file from the coordinator.
    pub fn startup(&self, file: &str) -> PathBuf {
        self.folder.join("startup").join(file)
    }

    /// A file of its own.
    pub fn local(&self, file: &str) -> PathBuf {
        self.folder.join("local").join(file)
    }

    /// A file on its way.
    pub fn transfer(&self, file: &str) -> PathBuf {
        self.folder.join("transfer").join(file)
    }

    /// Where its database is.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Makes the folders that are missing.
    ///
    /// # Errors
    /// [`Error::File`] where a folder cannot be made.
    pub fn create(&self) -> Result<()> {
        ["startup", "local", "transfer", "state"]
            .iter()
            .try_for_each(|name| files::folder(&self.folder.join(name)))
    }

    /// The study.
    ///
    /// # Errors
    /// [`Error::File`] where `startup/study.toml` cannot be read; [`Error::Federation`] for one that is no study.
    pub fn study(&self) -> Result<Study> {
        let text = files::read_text(&self.startup("study.toml"), MAX)?;
        Ok(Study::new(StudyLiteral::from_toml(&text)?)?)
    }

    /// The study under the newest version of its roster that is known here: each change in `state/roster.jsonl` is signed by a quorum of
    /// the version before, from `startup/study.toml` on.
    ///
    /// # Errors
    /// As [`Self::study`]; [`Error::Federation`] for a change that is not signed so.
    pub fn study_now(&self) -> Result<Study> {
        super::history::read(self, self.study()?)
    }

    /// Its settings, with `overrides`.
    ///
    /// # Errors
    /// [`Error::Kit`] where there is no kit; see [`config::load`].
    pub fn settings<T: DeserializeOwned>(&self, overrides: &[String]) -> Result<T> {
        let path = self.startup("settings.toml");
        if !path.exists() {
            return Err(Error::Kit {
                folder: self.folder.clone(),
                what: "startup/settings.toml",
                found: "not there".to_owned(),
                expected: "a party's folder".to_owned(),
                repair: "name it with --kit; `blindscope provision` makes kits",
            });
        }
        config::load(&path, overrides)
    }

    /// A site's policy. Nothing overrides it.
    ///
    /// # Errors
    /// [`Error::File`] where `local/policy.toml` is there and cannot be read; [`Error::Federation`] for one that is no policy.
    pub fn policy(&self) -> Result<Policy> {
        Ok(Policy::from_toml(&files::read_text(&self.local("policy.toml"), MAX)?)?)
    }

    /// The coordinator's members besides the sites.
    ///
    /// # Errors
    /// See [`config::load`].
    pub fn members(&self) -> Result<Members> {
        config::load(&self.local("members.toml"), &[])
    }

    /// Its identity.
    ///
    /// # Errors
    /// [`Error::File`] where `local/identity.key` cannot be read; [`Error::KeyFile`] where it holds no identity.
    pub fn identity(&self) -> Result<IdentityKey> {
        certificates::read_identity(&self.local("identity.key"))
    }

    /// A site's sealing key.
    ///
    /// # Errors
    /// [`Error::File`] where `local/sealing.key` cannot be read; [`Error::KeyFile`] where it holds no sealing key.
    pub fn sealing(&self) -> Result<SealingKey> {
        certificates::read_sealing(&self.local("sealing.key"))
    }

    /// This site's number in `study`, its keys being those that the study names.
    ///
    /// # Errors
    /// [`Error::Kit`] and those of the keys.
    pub fn site(&self, study: &Study, name: &str) -> Result<SiteId> {
        let repair = "send the coordinator the request of this folder and install the kit that comes back";
        let wrong = |what, found: &str, expected: &str| Error::Kit {
            folder: self.folder.clone(),
            what,
            found: found.to_owned(),
            expected: expected.to_owned(),
            repair,
        };
        let site = study
            .site_named(name)
            .ok_or_else(|| wrong("the name in settings.toml", name, "a site of the roster"))?;
        let entry = study
            .site(site)
            .ok_or_else(|| wrong("the name in settings.toml", name, "a site of the roster"))?;
        if entry.identity != self.identity()?.public() {
            return Err(wrong("local/identity.key", "another key", "the identity that the roster names"));
        }
        if entry.sealing != self.sealing()?.public() {
            return Err(wrong("local/sealing.key", "another key", "the sealing key that the roster names"));
        }
        Ok(site)
    }

    /// A client of the coordinator with this kit's certificate.
    ///
    /// # Errors
    /// [`Error::File`] where a certificate or key of the kit cannot be read; [`Error::Transport`] where they do not belong
    /// together, or the address is none.
    pub fn client(&self, address: &str) -> Result<Client> {
        let (authority, certificate, key) = self.credentials()?;
        let tls =
            ClientTls::new(Credentials { authority: &authority, certificate: &certificate, key: &key })?;
        Ok(Client::new(address, tls, Limits::default())?)
    }

    /// The serving end's settings with this kit's certificate.
    ///
    /// # Errors
    /// [`Error::File`] where a certificate or key of the kit cannot be read; [`Error::Transport`] where they do not belong
    /// together.
    pub fn server(&self) -> Result<ServerTls> {
        let (authority, certificate, key) = self.credentials()?;
        Ok(ServerTls::new(Credentials { authority: &authority, certificate: &certificate, key: &key })?)
    }

    fn credentials(&self) -> Result<(Pem, Pem, Pem)> {
        let startup = |file| files::read(&self.startup(file), MAX);
        Ok((
            startup("authority.pem")?,
            startup("certificate.pem")?,
            files::read(&self.local("identity.key"), MAX)?,
        ))
    }
}

type Pem = Zeroizing<Vec<u8>>;
