//! The place that several coordinators share, by their settings.

use std::time::Duration;

use super::CoordinatorSettings;
use crate::error::{Error, Result};
use crate::system;
#[cfg(feature = "scale")]
use blindscope_federation::Study;
use blindscope_store::Shared;

/// What S3 clients read in their environment begins so.
const ENVIRONMENT: &str = "AWS_";
/// Seconds of a lease.
const LEASE: u32 = 10;

/// What a study's queues are called: its digest, which founding gave it and no change of its roster takes from it.
#[cfg(feature = "scale")]
pub(crate) fn queue_name(study: &Study) -> String {
    study.digest().to_string()
}

/// The shared place that the settings name, if they name one.
///
/// # Errors
/// [`Error::Project`] names the key that is wrong.
pub(crate) fn shared(settings: &CoordinatorSettings) -> Result<Option<Shared>> {
    if settings.queue.is_some() && settings.store.is_none() {
        return refused(
            "store",
            "not there",
            "postgres://USER@HOST/DATABASE beside queue, and blobs with it",
        );
    }
    let (store, blobs) = match (&settings.store, &settings.blobs) {
        (None, None) => return Ok(None),
        (Some(store), Some(blobs)) => (store.clone(), blobs.clone()),
        (Some(_), None) => return refused("blobs", "not there", "s3://BUCKET/PREFIX beside store"),
        (None, Some(_)) => {
            return refused("store", "not there", "postgres://USER@HOST/DATABASE beside blobs");
        }
    };
    let seconds = settings.lease_seconds.unwrap_or(LEASE);
    if !(1..=600).contains(&seconds) {
        return refused("lease_seconds", &seconds.to_string(), "1 to 600");
    }
    Ok(Some(Shared {
        store,
        blobs,
        environment: system::environment(ENVIRONMENT),
        holder: format!("{} (process {})", settings.listen, std::process::id()),
        lease: Duration::from_secs(seconds.into()),
    }))
}

fn refused<T>(key: &'static str, found: &str, expected: &str) -> Result<T> {
    Err(Error::Project { key, found: found.to_owned(), expected: expected.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> CoordinatorSettings {
        toml::from_str(&format!("listen = \"127.0.0.1:1\"\n{text}")).unwrap()
    }

    #[test]
    fn records_and_blobs_are_shared_together() {
        assert!(shared(&settings("")).unwrap().is_none());
        let store = "store = \"postgres://u@h/d\"\n";
        let both = format!("{store}blobs = \"s3://b/p\"\n");
        let found = shared(&settings(&both)).unwrap().unwrap();
        assert_eq!(found.lease, Duration::from_secs(10));
        for (text, key) in [
            (store.to_owned(), "blobs"),
            ("blobs = \"s3://b/p\"\n".to_owned(), "store"),
            ("queue = \"nats://h:1\"\n".to_owned(), "store"),
            (format!("{both}lease_seconds = 0\n"), "lease_seconds"),
        ] {
            let said = shared(&settings(&text)).err().unwrap().to_string();
            assert!(said.contains(key), "{said}");
        }
    }
}
