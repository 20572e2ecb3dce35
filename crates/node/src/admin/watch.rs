//! Following a job, with an eye on the sites that it waits for.

use std::collections::BTreeSet;
use std::time::Duration;

use super::jobs::Admin;
use crate::error::Result;
use blindscope_federation::JobView;

/// Between two looks at the sites.
const PAUSE: Duration = Duration::from_secs(3);

impl Admin {
    /// As [`Admin::watch`]; `absent` hears once, in words, of each site of which nothing is to be expected.
    ///
    /// # Errors
    /// As [`Admin::watch`].
    pub async fn watch_with_sites(
        &self,
        job: &str,
        seen: impl FnMut(&JobView) + Send,
        absent: impl FnMut(&str) + Send,
    ) -> Result<JobView> {
        tokio::select! {
            last = self.watch(job, seen) => last,
            never = self.look(absent) => match never {},
        }
    }

    /// Tells of absences until it is dropped. A site that comes back is silence again, and told of when it is gone again.
    async fn look(&self, mut absent: impl FnMut(&str) + Send) -> std::convert::Infallible {
        let mut told = BTreeSet::new();
        loop {
            tokio::time::sleep(PAUSE).await;
            // The watch beside this says what is wrong with the connection.
            let Ok(sites) = self.sites().await else { continue };
            for site in sites {
                match site.absence() {
                    Some(words) if told.insert(site.name.clone()) => absent(&words),
                    Some(_) => {}
                    None => {
                        told.remove(&site.name);
                    }
                }
            }
        }
    }
}
