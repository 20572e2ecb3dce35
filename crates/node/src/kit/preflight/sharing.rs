//! Whether the places that several coordinators share answer, and let this one do there what it has to.

use super::{Check, Outcome};
use crate::kit::{CoordinatorSettings, shared};
use blindscope_federation::Study;
use blindscope_store::{Error, Look};

const STORE: &str = "store";
const BLOBS: &str = "blobs";

/// The checks of database and bucket; none where the kit keeps everything itself.
pub(super) async fn sharing(settings: &CoordinatorSettings, study: &Study) -> Vec<Check> {
    let place = match shared(settings) {
        Ok(None) => return Vec::new(),
        Ok(Some(place)) => place,
        Err(e) => return vec![Check::failed(STORE, e.to_string(), "correct startup/settings.toml")],
    };
    let Look { store, blobs } = Look::at(&place, study).await;
    let mut all = vec![database(store), bucket(blobs)];
    if let Some(url) = &settings.queue {
        all.push(queue(url, study).await);
    }
    all
}

#[cfg(feature = "scale")]
async fn queue(url: &str, study: &Study) -> Check {
    use blindscope_transport::queue::{Queue, Secrets};
    const NAME: &str = "queue";
    let secrets = Secrets::of(&crate::system::environment("NATS_"));
    match Queue::look(url, &secrets, &crate::kit::queue_name(study)).await {
        Ok(()) => Check::ok(NAME, "NATS answers and has the streams of this study; workers are asked"),
        Err(e) => {
            let repair = "until it does the leader works by itself; start nats-server with -js there, let this user in (NATS_USER and NATS_PASSWORD, or NATS_TOKEN, in the environment of the service), or correct queue in startup/settings.toml";
            Check::failed(NAME, e.to_string(), repair)
        }
    }
}

#[cfg(not(feature = "scale"))]
async fn queue(url: &str, _: &Study) -> Check {
    // As the other one, which waits.
    let found = format!("{url}: this build has no queue");
    std::future::ready(Check::failed("queue", found, "build with `--features scale`, or leave queue out"))
        .await
}

fn database(found: Result<Option<String>, Error>) -> Check {
    match found {
        Ok(None) => Check::ok(STORE, "PostgreSQL answers; nobody leads there now"),
        Ok(Some(leader)) => {
            let repair = "this one will wait behind it; where that is not meant, see `select * from lease`";
            Check::new(STORE, Outcome::Warning, format!("PostgreSQL answers; {leader} leads there"), repair)
        }
        // These say what to do themselves.
        Err(e @ (Error::Setting { .. } | Error::Owner { .. })) => {
            Check::failed(STORE, e.to_string(), "correct store in startup/settings.toml")
        }
        Err(e) => {
            let repair = "start PostgreSQL there, let this user in (its password is in the file that PGPASSFILE names), or correct store in startup/settings.toml";
            Check::failed(STORE, format!("PostgreSQL does not answer: {e}"), repair)
        }
    }
}

fn bucket(found: Result<(), Error>) -> Check {
    match found {
        Ok(()) => Check::ok(BLOBS, "the bucket lets objects be listed, written, read and deleted"),
        Err(e @ Error::Setting { .. }) => {
            Check::failed(BLOBS, e.to_string(), "correct blobs in startup/settings.toml")
        }
        Err(e) => {
            let repair = "make the bucket, let these keys in, or correct blobs in startup/settings.toml and AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY in the environment of the service";
            Check::failed(BLOBS, format!("the bucket does not do what it has to: {e}"), repair)
        }
    }
}
