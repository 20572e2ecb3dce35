//! Following a job, with an eye on the sites that it waits for. Nobody waits without being told for whom, nor for what cannot come.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::jobs::Admin;
use crate::documents::{Presence, SiteView};
use crate::error::{Error, Result};
use crate::system;
use blindscope_federation::{JobStatus, JobView, StepView, Study};

/// Between two looks at the sites, and at the job ahead where the watched one waits for its turn.
const PAUSE: Duration = Duration::from_secs(3);
const PAUSE_IN_QUEUE: Duration = Duration::from_secs(15);
/// How long nothing changes until it is said whom the job waits for; twice as long each time after, up to the longest.
const FIRST_REMINDER: Duration = Duration::from_secs(30);
const LONGEST_REMINDER: Duration = Duration::from_mins(30);
/// How long sites that have ended at their start may take to come back: longer than a running site is silent, so that none is taken
/// for another process of the same kit.
const RESTART: Duration = Duration::from_secs(45);
/// How long sites that were never heard are waited for, unless said otherwise.
pub const PATIENCE: Duration = Duration::from_mins(10);

impl Admin {
    /// As [`Admin::watch`]; `tell` hears, in words, of each site of which nothing is to be expected, and from time to time whom the job
    /// waits for. The wait is given up where too few sites are there for the step to end well: those of the others that have ended at
    /// their start may come back for three quarters of a minute, those that were never heard for `patience`. The job stays as it is.
    ///
    /// # Errors
    /// As [`Admin::watch`]; [`Error::NothingComes`] where the wait was given up.
    pub async fn watch_with_sites(
        &self,
        job: &str,
        seen: impl FnMut(&JobView) + Send,
        tell: impl FnMut(&str) + Send,
        patience: Duration,
    ) -> Result<JobView> {
        tokio::select! {
            last = self.watch(job, seen) => last,
            given_up = self.look(job, tell, patience) => Err(given_up),
        }
    }

    /// Tells of the wait until it is dropped, or nothing can come.
    async fn look(&self, job: &str, mut tell: impl FnMut(&str) + Send, patience: Duration) -> Error {
        let mut told = BTreeSet::new();
        let (mut reminder, mut vigil) = (Reminder::default(), Vigil::new(patience));
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause.min(patience)).await;
            // The watch beside this says what is wrong with the connection.
            let Ok(view) = self.status(job).await else { continue };
            // Sites may follow jobs too, and are not told of each other.
            let sites = self.sites().await.unwrap_or_default();
            absences(&sites, &mut told, &mut tell);
            let in_queue = matches!(view.status, JobStatus::Waiting);
            pause = if in_queue { PAUSE_IN_QUEUE } else { PAUSE };
            let Some(ahead) = self.at_work(&view).await else { continue };
            if let Some(reason) = vigil.keep(self.study(), &ahead, &sites) {
                return Error::NothingComes { job: view.id, name: view.name, reason };
            }
            if reminder.is_due(&ahead) {
                tell(&wait(self.study(), &view, &ahead));
            }
        }
    }

    /// The job that a job waits for: itself, once it is at work.
    async fn at_work(&self, view: &JobView) -> Option<JobView> {
        let waits = |job: &JobView| matches!(job.status, JobStatus::Waiting);
        if !waits(view) {
            return Some(view.clone());
        }
        self.list().await.ok()?.into_iter().find(|job| !job.is_over() && !waits(job))
    }
}

/// Tells once of each site of which nothing is to be expected. One that comes back is silence again, and told of when it is gone again.
fn absences(sites: &[SiteView], told: &mut BTreeSet<String>, tell: &mut impl FnMut(&str)) {
    for site in sites {
        match site.absence() {
            Some(words) if told.insert(site.name.clone()) => tell(&words),
            Some(_) => {}
            None => {
                told.remove(&site.name);
            }
        }
    }
}

/// When to say again that nothing has changed.
struct Reminder {
    last: Option<JobStatus>,
    since: Instant,
    after: Duration,
}

impl Default for Reminder {
    fn default() -> Self {
        Self { last: None, since: Instant::now(), after: FIRST_REMINDER }
    }
}

impl Reminder {
    fn is_due(&mut self, view: &JobView) -> bool {
        if self.last.as_ref() != Some(&view.status) {
            *self = Self { last: Some(view.status.clone()), ..Self::default() };
        }
        let due = self.since.elapsed() >= self.after;
        if due {
            (self.since, self.after) = (Instant::now(), (2 * self.after).min(LONGEST_REMINDER));
        }
        due
    }
}

/// For how long too few sites have been there.
struct Vigil {
    patience: Duration,
    /// Since when those that have not ended at their start are too few, and those that were ever heard.
    without_ended: Option<Instant>,
    without_unheard: Option<Instant>,
}

impl Vigil {
    fn new(patience: Duration) -> Self {
        Self { patience, without_ended: None, without_unheard: None }
    }

    /// Why nothing comes, once that is so for too long.
    fn keep(&mut self, study: &Study, view: &JobView, sites: &[SiteView]) -> Option<String> {
        let step = match &view.status {
            JobStatus::Asking(step) => Some(step),
            _ => None,
        };
        let short = |is_gone: fn(&SiteView) -> bool| {
            step.is_some_and(|step| {
                step.expected.len() < step.needed + gone(study, step, sites, is_gone).len()
            })
        };
        let since = |before: Option<Instant>, short: bool| short.then(|| before.unwrap_or_else(Instant::now));
        self.without_ended = since(self.without_ended, short(has_ended));
        self.without_unheard = since(self.without_unheard, short(is_unheard));
        let over =
            |since: Option<Instant>, most: Duration| since.is_some_and(|since| since.elapsed() >= most);
        let over =
            over(self.without_ended, RESTART.min(self.patience)) || over(self.without_unheard, self.patience);
        step.filter(|_| over).map(|step| nothing_comes(study, view, step, sites))
    }
}

fn has_ended(site: &SiteView) -> bool {
    site.presence == Presence::Refused
}

fn is_unheard(site: &SiteView) -> bool {
    has_ended(site) || site.presence == Presence::Unheard
}

/// The sites of a step that have not answered and are gone.
fn gone<'s>(
    study: &Study,
    step: &StepView,
    sites: &'s [SiteView],
    is_gone: fn(&SiteView) -> bool,
) -> Vec<&'s SiteView> {
    let named =
        |site| sites.iter().find(|view| study.site(site).is_some_and(|entry| entry.name == view.name));
    step.awaited().filter_map(named).filter(|site| is_gone(site)).collect()
}

/// Who is not there, until when the job waits, and what to do.
fn nothing_comes(study: &Study, view: &JobView, step: &StepView, sites: &[SiteView]) -> String {
    let gone: Vec<String> =
        gone(study, step, sites, is_unheard).into_iter().filter_map(SiteView::absence).collect();
    format!(
        "{} of {} needs {} of {} sites, and {}. The job stays open {}: start them and follow it again (`blindscope job watch {}`), or end it \
         (`blindscope job abort {}`)",
        step.step.phase,
        view.name,
        step.needed,
        step.expected.len(),
        gone.join("; "),
        left(step),
        view.name,
        view.name
    )
}

/// Whom a job waits for, until when, and how to stop.
fn wait(study: &Study, view: &JobView, ahead: &JobView) -> String {
    let behind = if view.id == ahead.id { String::new() } else { format!(" waits behind {}", ahead.name) };
    let state = match &ahead.status {
        JobStatus::Asking(step) => format!("{}, {}", step.explain(study), left(step)),
        JobStatus::Combining { step } => format!("combining after {}", step.phase),
        _ => "about to begin".to_owned(),
    };
    let name = &view.name;
    format!("{name}{behind}: {state}; Ctrl-C ends this wait, `blindscope job abort {name}` the job")
}

/// For how long a step takes answers, by this machine's clock.
fn left(step: &StepView) -> String {
    let seconds = step.deadline_ms.saturating_sub(system::now_ms()) / 1000;
    let (number, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("for {number} {unit} at most")
}
