//! The kit of a site that a signed change of the roster let in, or gave new keys.

use std::path::Path;

use super::write::{policy, toml};
use crate::error::{Error, Result};
use crate::files;
use crate::kit::certificates::{Request, Role};
use crate::kit::{Kit, PartySettings, keep, kept};

/// Writes what a site's folder needs beside its own keys: study, the roster's history, certificate, settings, a proposal of a policy. The
/// coordinator's kit has to know the change by which the roster names this request's keys.
///
/// # Errors
/// [`Error::Unknown`] for a request that the roster in force does not name; [`Error::File`] where the kit cannot be written.
pub fn later(
    coordinator: &Kit,
    request: &Request,
    address: &str,
    out: &Path,
    days: u32,
    now_ms: u64,
) -> Result<()> {
    if request.role != Role::Site {
        let (what, name) = ("site's request", request.name.clone());
        return Err(Error::Unknown {
            what,
            name,
            repair: "administrators and askers are signed by `cert sign`",
        });
    }
    let certificate = super::sign(coordinator, request, days, now_ms)?;
    let kit = Kit::at(out);
    kit.create()?;
    for file in ["study.toml", "authority.pem"] {
        files::write(&kit.startup(file), &files::read(&coordinator.startup(file), 4 << 20)?)?;
    }
    files::write(&kit.startup("certificate.pem"), certificate.as_bytes())?;
    let settings = PartySettings {
        name: request.name.clone(),
        coordinator: address.to_owned(),
        backbone: None,
        metrics: None,
        max_jobs: None,
        learning: ::toml::Table::new(),
    };
    let path = kit.startup("settings.toml");
    if !path.exists() {
        files::write(&path, toml(&path, &settings)?.as_bytes())?;
    }
    if !kit.local("policy.toml").exists() {
        files::write(&kit.local("policy.toml"), policy(&coordinator.study()?)?.as_bytes())?;
    }
    keep(&kit, &kept(coordinator)?)
}
