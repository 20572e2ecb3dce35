//! What is looked at before a service starts: study, certificates, room on the disk, the model, the data, the arithmetic. Each check
//! is a function of the kit; none changes anything.

use std::path::Path;

use super::{Check, Outcome};
use crate::files;
use crate::kit::certificates;
use crate::kit::{Kit, PartySettings};
use crate::system;
use blindscope_federation::Study;
use blindscope_learn::features::{Backbone, BackboneSource, hex};
use blindscope_learn::jobs::{SiteSettings, Terms, open_site};
use blindscope_ring::{Arithmetic, Prime, ntt_primes};

/// A certificate with fewer days left gives a warning.
const SHORT_DAYS: i64 = 30;
/// Free bytes below which a kit gets a warning, and fails.
const SCARCE: u64 = 10 << 30;
const NONE_LEFT: u64 = 256 << 20;

/// What every kit shows of itself, and its study, if that can be read.
pub(super) fn common(kit: &Kit) -> (Vec<Check>, Option<Study>) {
    let mut checks = vec![
        Check::ok("version", env!("CARGO_PKG_VERSION")),
        processor(),
        certificate(kit),
        key_file(kit, "identity.key"),
        disk(kit),
        writable(kit),
    ];
    let study = kit.study_now();
    checks.push(match &study {
        Ok(study) => Check::ok("study", study.digests_in_words()),
        Err(e) => {
            Check::failed("study", e.to_string(), "install the startup folder of the coordinator's kit")
        }
    });
    (checks, study.ok())
}

/// What a site's service needs besides.
pub(super) fn of_site(kit: &Kit, settings: &PartySettings, study: &Study) -> Vec<Check> {
    vec![
        key_file(kit, "sealing.key"),
        site(kit, study, &settings.name),
        policy(kit, study),
        backbone(kit, settings, study),
        learning(kit, settings, study),
    ]
}

/// Whether services can keep what they know: they would end at the first record.
fn writable(kit: &Kit) -> Check {
    const NAME: &str = "state";
    let probe = kit.state().join("preflight.part");
    let tried = files::folder(&kit.state()).and_then(|()| files::write(&probe, b"?"));
    // It was made a moment ago; one that stays is overwritten by the next check.
    let _ = std::fs::remove_file(&probe);
    match tried {
        Ok(()) => Check::ok(NAME, "state/ can be written"),
        Err(e) => Check::failed(NAME, e.to_string(), "give this user the folder, or mount it for writing"),
    }
}

fn processor() -> Check {
    // The path is chosen for each prime alike; the smallest ring is enough to see which.
    let prime = ntt_primes(40, 12, 1).ok().and_then(|primes| Prime::new(*primes.first()?, 12).ok());
    match prime.map(|prime| prime.arithmetic()) {
        Some(Arithmetic::Portable) | None => {
            let repair = "results are the same, several times slower; a processor with AVX2 and FMA helps, one with AVX-512 IFMA most";
            Check::new("processor", Outcome::Warning, "portable arithmetic", repair)
        }
        Some(fast) => Check::ok("processor", fast.name()),
    }
}

fn certificate(kit: &Kit) -> Check {
    let renew = "send transfer/request.toml to the coordinator again: `blindscope cert sign` renews it";
    let read = files::read(&kit.startup("certificate.pem"), 1 << 20);
    let Some(validity) = read.ok().and_then(|pem| certificates::validity(&pem)) else {
        return Check::failed(
            "certificate",
            "startup/certificate.pem is missing or is no certificate",
            renew,
        );
    };
    let now = i64::try_from(system::now_ms() / 1000).unwrap_or(i64::MAX);
    let days = (validity.until - now) / 86_400;
    if now < validity.from {
        return Check::failed("certificate", "it is not valid yet", "set this machine's clock");
    }
    match days {
        _ if now > validity.until => {
            Check::failed("certificate", format!("it ended {} days ago", -days), renew)
        }
        days if days < SHORT_DAYS => {
            Check::new("certificate", Outcome::Warning, format!("{days} days left"), renew)
        }
        _ => Check::ok("certificate", format!("{days} days left")),
    }
}

pub(super) fn key_file(kit: &Kit, file: &'static str) -> Check {
    let path = kit.local(file);
    match files::is_open_to_others(&path) {
        Ok(false) => Check::ok("key-file", format!("local/{file}, for its owner only")),
        Ok(true) => Check::failed(
            "key-file",
            format!("local/{file} can be read by others"),
            format!("chmod 600 {}", path.display()),
        ),
        Err(e) => {
            Check::failed("key-file", e.to_string(), "restore it from a copy, or request a new certificate")
        }
    }
}

fn site(kit: &Kit, study: &Study, name: &str) -> Check {
    match kit.site(study, name) {
        Ok(site) => Check::ok("keys", format!("{name} is {site} of the study, with these keys")),
        Err(e) => Check::failed("keys", e.to_string(), "use the folder in which the request was made"),
    }
}

fn policy(kit: &Kit, study: &Study) -> Check {
    let policy = match kit.policy() {
        Ok(policy) => policy,
        Err(e) => return Check::failed("policy", e.to_string(), "correct local/policy.toml"),
    };
    let literal = study.literal();
    if policy.backbone != literal.backbone {
        return Check::failed(
            "policy",
            "it allows another backbone than the study's",
            "agree on one, then correct local/policy.toml",
        );
    }
    if policy.minimum_cohort > literal.minimum_cohort {
        let found = format!(
            "it wants {} contributions in a sum, the study {}",
            policy.minimum_cohort, literal.minimum_cohort
        );
        return Check::failed("policy", found, "every job will be declined here: agree on one number");
    }
    if policy.maximum_decryptions == 0 || policy.maximum_rounds == 0 {
        let found = "maximum_decryptions or maximum_rounds is 0";
        return Check::failed("policy", found, "every job will be declined here: say how many may be");
    }
    let kinds: Vec<&str> = policy.jobs.iter().map(|kind| kind.name()).collect();
    Check::ok("policy", format!("cohort of {}, {}", policy.minimum_cohort, kinds.join(" ")))
}

fn backbone(kit: &Kit, settings: &PartySettings, study: &Study) -> Check {
    let Some(path) = &settings.backbone.as_ref().map(|path| kit.named(path)) else {
        let repair = "set backbone = \"FILE\" in startup/settings.toml to have its digest checked";
        return Check::new("backbone", Outcome::Warning, "no file is named", repair);
    };
    match digest(path) {
        Ok(found) if found == study.literal().backbone.0 => Check::ok("backbone", hex(&found)),
        Ok(found) => Check::failed(
            "backbone",
            format!("{} is {}, the study's is {}", path.display(), hex(&found), study.literal().backbone),
            "use the model that the study names, with its own preprocessing",
        ),
        Err(e) => Check::failed(
            "backbone",
            format!("{}: {e}", path.display()),
            "correct the path in startup/settings.toml: it is relative to the kit's folder",
        ),
    }
}

/// Weights, shape and preprocessing in one.
fn digest(path: &Path) -> Result<[u8; 32], blindscope_learn::features::Error> {
    Ok(Backbone::load(&BackboneSource::new(path.display().to_string()))?.digest())
}

/// Whether `site run` will find what it learns from: it opens the same files in the same way.
fn learning(kit: &Kit, settings: &PartySettings, study: &Study) -> Check {
    const NAME: &str = "learning";
    if settings.learning.contains_key("plain") {
        return Check::ok(NAME, "integers of its own (learning.plain)");
    }
    let read: Result<SiteSettings, _> = settings.learning.clone().try_into();
    let read = match read {
        Ok(read) => read,
        Err(e) => {
            let repair = "set train = \"FILE\" in [learning] of startup/settings.toml";
            return Check::failed(NAME, e.message().to_owned(), repair);
        }
    };
    match open_site(kit.folder(), &read, &Terms::of(study.literal())) {
        Ok(site) => {
            let (train, held) = (site.data().train.len(), site.data().validation.len());
            Check::ok(NAME, format!("{train} rows to learn from, {held} held back"))
        }
        Err(e) => Check::failed(NAME, e.to_string(), "`site run` would end here: correct what is named"),
    }
}

fn disk(kit: &Kit) -> Check {
    let state = kit.state();
    let place = if state.exists() { state.as_path() } else { kit.folder() };
    let Ok(fs) = rustix::fs::statvfs(place) else {
        return Check::failed("disk", format!("{} cannot be looked at", place.display()), "create it");
    };
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    let found = format!("{:.1} GiB free", free as f64 / f64::from(1 << 30));
    let repair = "free some, or move the folder";
    match free {
        ..NONE_LEFT => Check::failed("disk", found, repair),
        NONE_LEFT..SCARCE => Check::new("disk", Outcome::Warning, found, repair),
        _ => Check::ok("disk", found),
    }
}
