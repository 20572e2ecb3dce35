//! What the coordinator shows, over the network.

use bytes::Bytes;

use super::{Check, Outcome};
use crate::files;
use crate::kit::certificates::{Request, Role};
use crate::kit::{Kit, PartySettings};
use crate::system;
use blindscope_transport::{Class, Client, Command, Join, Joined};

/// Clocks further apart give a warning, and fail: certificates and deadlines are dates.
const SKEWED_MS: u64 = 5_000;
const WRONG_MS: u64 = 300_000;

/// What the coordinator shows.
pub(super) async fn remote(kit: &Kit, settings: &PartySettings, is_site: bool) -> Vec<Check> {
    let client = match kit.client(&settings.coordinator) {
        Ok(client) => client,
        Err(e) => return vec![Check::failed("coordinator", e.to_string(), "correct the kit first")],
    };
    let hello = || Join { software: env!("CARGO_PKG_VERSION").to_owned(), study: None, has_study: false };
    // The first call pays for the connection; the second is timed for the clock.
    if let Err(e) = client.join(hello()).await {
        return vec![Check::failed(
            "coordinator",
            e.to_string(),
            "see the message; this machine dials out and needs no open port",
        )];
    }
    let sent = system::now_ms();
    let joined = match client.join(hello()).await {
        Ok(joined) => joined,
        Err(e) => return vec![Check::failed("coordinator", e.to_string(), "try again")],
    };
    let received = system::now_ms();
    let reached =
        Check::ok("coordinator", format!("{} in {} ms", settings.coordinator, received.saturating_sub(sent)));
    let mut checks =
        vec![reached, versions(&joined), same_study(kit, &joined), clock(sent, received, joined.now_ms)];
    if !is_site {
        checks.push(role(kit, &client).await);
    }
    checks
}

/// What the coordinator lets this kit do, which is not a site's.
async fn role(kit: &Kit, client: &Client) -> Check {
    const NAME: &str = "role";
    let asked = Request::read(&kit.transfer("request.toml")).ok().map(|request| request.role);
    let repair =
        "send transfer/request.toml to the coordinator again: `blindscope cert sign` admits its role";
    match (client.command(Command::ListJobs, Bytes::new()).await, asked) {
        (Ok(_), Some(Role::Asker)) => {
            Check::failed(NAME, "an administrator, though its request is an asker's", repair)
        }
        (Ok(_), _) => Check::ok(NAME, "an administrator: it may submit jobs"),
        (Err(blindscope_transport::Error::Refused(refusal)), asked) if refusal.class == Class::Forbidden => {
            match asked {
                Some(Role::Admin) => {
                    Check::failed(NAME, "an asker, though its request is an administrator's", repair)
                }
                _ => Check::ok(NAME, "an asker: it may ask heads that the coordinator releases"),
            }
        }
        (Err(e), _) => Check::failed(NAME, e.to_string(), "see the message"),
    }
}

fn versions(joined: &Joined) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    if joined.software == own {
        return Check::ok("versions", format!("both {own}"));
    }
    Check::new(
        "versions",
        Outcome::Warning,
        format!("{own} here, {} there", joined.software),
        "use the same release everywhere",
    )
}

fn same_study(kit: &Kit, joined: &Joined) -> Check {
    let own = files::read(&kit.startup("study.toml"), 4 << 20);
    if own.is_ok_and(|own| own.as_slice() == joined.study.as_ref()) {
        return Check::ok("same-study", "study.toml is the coordinator's");
    }
    Check::failed(
        "same-study",
        "the coordinator's study.toml is another",
        "install the startup folder of the newest kit",
    )
}

fn clock(sent: u64, received: u64, theirs: u64) -> Check {
    // Their clock was read somewhere between.
    let off = sent.saturating_sub(theirs).max(theirs.saturating_sub(received));
    let found = format!("{off} ms apart, at least");
    let repair = "synchronise both clocks (NTP)";
    match off {
        ..SKEWED_MS => Check::ok("clock", found),
        SKEWED_MS..WRONG_MS => Check::new("clock", Outcome::Warning, found, repair),
        _ => Check::failed("clock", found, repair),
    }
}
