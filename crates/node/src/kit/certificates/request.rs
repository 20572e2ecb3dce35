//! What somebody who wants into a study sends to its coordinator: public keys, signed with the identity among them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::kit::config;
use blindscope_federation::{
    IdentityKey, PublicIdentity, PublicSealingKey, SealingKey, Signature, Signer as _, in_groups,
    request_digest,
};
use blindscope_wire::Digest;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Holds data and a share of the key.
    Site,
    /// Submits, watches and aborts jobs, reads the log.
    Admin,
    /// Asks for predictions.
    Asker,
}

/// A request's file. It holds nothing secret; what matters is that it comes from whom it names, so it is compared by its
/// fingerprint over a second way (a telephone call).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who asks.
    pub name: String,
    /// As what.
    pub role: Role,
    /// Its identity.
    pub identity: PublicIdentity,
    /// What parts of the key are sealed to; of a site only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing: Option<PublicSealingKey>,
    /// By the identity over all of this.
    pub signature: Signature,
}

impl Request {
    /// A signed request.
    pub fn new(name: &str, role: Role, identity: &IdentityKey, sealing: Option<&SealingKey>) -> Self {
        let (public, sealing) = (identity.public(), sealing.map(SealingKey::public));
        let signature = identity.sign(&digest(name, role, &public, sealing.as_ref()));
        Self { name: name.to_owned(), role, identity: public, sealing, signature }
    }

    /// The request in a file, its signature checked.
    ///
    /// # Errors
    /// [`Error::File`] where the file cannot be read or written; [`Error::Settings`] for text that is not the
    /// file's format; [`Error::Request`] for a request that its key did not sign.
    pub fn read(path: &Path) -> Result<Self> {
        let request: Self = config::load(path, &[])?;
        let signed = request.identity.verifies(&request.digest(), &request.signature);
        let whole = request.sealing.is_some() == (request.role == Role::Site);
        if signed && whole { Ok(request) } else { Err(Error::Request { name: request.name }) }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::File`] where the file cannot be written; [`Error::Settings`] for a name that TOML cannot hold.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string_pretty(self)
            .map_err(|e| Error::Settings { path: path.to_owned(), reason: e.to_string() })?;
        files::write(path, text.as_bytes())
    }

    /// What is signed.
    pub fn digest(&self) -> Digest {
        digest(&self.name, self.role, &self.identity, self.sealing.as_ref())
    }

    /// What two people compare on the telephone; of a site the same that the roster shows of it.
    pub fn fingerprint(&self) -> String {
        in_groups(&self.digest())
    }
}

fn digest(name: &str, role: Role, identity: &PublicIdentity, sealing: Option<&PublicSealingKey>) -> Digest {
    let role = match role {
        Role::Site => "site",
        Role::Admin => "admin",
        Role::Asker => "asker",
    };
    request_digest(name, role, identity, sealing)
}
