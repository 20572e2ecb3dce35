//! What `coordinator serve` needs.

use std::net::{TcpListener, ToSocketAddrs as _};

use super::{Check, Outcome, checks};
use crate::kit::certificates::Role;
use crate::kit::{CoordinatorSettings, Kit, provision};
use blindscope_federation::Study;

/// The checks of a coordinator's kit.
pub(super) fn of_coordinator(kit: &Kit, settings: &CoordinatorSettings, study: Option<&Study>) -> Vec<Check> {
    let mut all =
        vec![checks::key_file(kit, "authority.key"), tls(kit), listen(&settings.listen), members(kit)];
    all.extend(study.map(|study| keys(kit, study)));
    all.push(inference(settings));
    all
}

fn tls(kit: &Kit) -> Check {
    match kit.server() {
        Ok(_) => Check::ok("tls", "certificate, key and authority belong together"),
        Err(e) => Check::failed("tls", e.to_string(), "serve from the folder that `provision` wrote"),
    }
}

fn keys(kit: &Kit, study: &Study) -> Check {
    const NAME: &str = "keys";
    let repair = "serve from the folder that `provision` wrote";
    match kit.identity() {
        Ok(identity) if provision::is_coordinator(study, identity.public()) => {
            Check::ok(NAME, "local/identity.key is the coordinator's that study.toml names")
        }
        Ok(_) => {
            Check::failed(NAME, "local/identity.key is not the coordinator's that study.toml names", repair)
        }
        Err(e) => Check::failed(NAME, e.to_string(), repair),
    }
}

fn listen(listen: &str) -> Check {
    const NAME: &str = "listen";
    let repair = "set listen = \"ADDRESS:PORT\" in startup/settings.toml, an address of this machine";
    let Some(address) = listen.to_socket_addrs().ok().and_then(|mut found| found.next()) else {
        return Check::failed(NAME, format!("{listen} is no address"), repair);
    };
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(NAME, format!("{address} is free")),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            let repair = "stop what listens there, unless it is this coordinator";
            Check::new(NAME, Outcome::Warning, format!("something listens on {address} already"), repair)
        }
        Err(e) => Check::failed(NAME, format!("{address}: {e}"), repair),
    }
}

fn members(kit: &Kit) -> Check {
    const NAME: &str = "members";
    match kit.members() {
        Ok(members) => {
            let count = |role| members.member.iter().filter(|member| member.role == role).count();
            let (admins, askers) = (count(Role::Admin), count(Role::Asker));
            let found = format!("{admins} administrators, {askers} askers");
            if admins == 0 {
                return Check::failed(
                    NAME,
                    found,
                    "nobody could submit a job: `blindscope cert sign` admits one",
                );
            }
            Check::ok(NAME, found)
        }
        Err(e) => Check::failed(NAME, e.to_string(), "correct local/members.toml, or restore it from a copy"),
    }
}

fn inference(settings: &CoordinatorSettings) -> Check {
    const NAME: &str = "inference";
    match &settings.inference {
        None => Check::ok(NAME, "no head is released"),
        Some(inference) => match inference.check() {
            Ok(()) => Check::ok(NAME, format!("releases the heads of {}", inference.jobs.join(", "))),
            Err(e) => Check::failed(NAME, e.to_string(), "correct [inference] in startup/settings.toml"),
        },
    }
}
