//! The demo from the first tile to the report.

mod prepare;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::ask::{Answered, Asking, Brought};
use super::error::{Error, Result, make_folder, write};
use super::evaluate::TestSet;
use super::event::DemoEvent;
use super::gather::{self, Learned};
use super::jobs::Jobs;
use super::ledger::Ledger;
use super::options::{DemoOptions, SITES, Size, THRESHOLD};
use super::project::project;
use super::results::{DemoResults, LogFigures};
use super::study::Study;
use super::traffic;
use blindscope_federation::{JobSpec, JobStatus, JobView};
use blindscope_learn::features::{Backbone, Features};
use blindscope_learn::jobs::{Model, SiteData, SiteLearner, SiteSettings, Terms, clear_twin, open_site};
use blindscope_node::kit::Kit;
use blindscope_node::system;

/// Names of the steps, in order.
const STEPS: [&str; 10] = [
    "Prepare each party's tiles",
    "Make the shared backbone",
    "Extract CLS tokens at each site",
    "Found the study and its keys",
    "Learn exactly: encrypted statistics",
    "Federated averaging under encryption",
    "Average the whole model's update under encryption",
    "Learn the same in the clear, to compare",
    "Ask encrypted questions about held-out tiles",
    "Write the report",
];

/// What a demo left behind.
#[derive(Debug, Clone)]
pub struct DemoOutcome {
    /// Everything measured.
    pub results: DemoResults,
    /// The report.
    pub report: PathBuf,
    /// The same as data.
    pub json: PathBuf,
}

/// Runs the demo; `tell` hears what happens, and once `cancel` is set the demo stops at the next point where nothing is lost.
///
/// # Errors
/// [`Error`] where a step of the study fails or `progress` breaks; [`Error::is_stop`] tells a stop from a fault. The same options
/// in the same folder go on from there.
pub fn run(
    options: &DemoOptions,
    tell: &mut dyn FnMut(&DemoEvent),
    cancel: &AtomicBool,
) -> Result<DemoOutcome> {
    let size = Size::of(options);
    let ledger = Ledger::open(options)?;
    let mut demo = Demo { options, size, ledger, tell, cancel };
    demo.run()
}

struct Demo<'a> {
    options: &'a DemoOptions,
    size: Size,
    ledger: Ledger,
    tell: &'a mut dyn FnMut(&DemoEvent),
    cancel: &'a AtomicBool,
}

impl Demo<'_> {
    fn run(&mut self) -> Result<DemoOutcome> {
        let kits = self.options.folder.join("study");
        make_folder(&kits)?;
        let lists = self.tiles(&kits)?;
        let backbone = self.backbone()?;
        let test = self.features(&lists)?;
        let jobs = Jobs::new(
            &backbone,
            test.classes.len(),
            &self.size,
            self.options.seed,
            self.options.own.is_none(),
        )?;
        let mut study = self.found(&kits, &backbone, &test)?;
        let encrypted = self.learn(&mut study, &jobs)?;
        let clear = self.twins(&kits, &jobs)?;
        let set = TestSet::new(&test, self.options.seed)?;
        let brought = Brought { jobs: &jobs, backbone: &backbone, lists: &lists, set: &set };
        let Answered { configurations, others, agreement } = self.ask(&study, brought, &encrypted, &clear)?;
        let validation = Model::from_json(&encrypted.fedavg)?.validation;
        let records = study.records()?;
        let results = DemoResults {
            command: self.options.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: gather::utc(system::now_ms()),
            seed: self.options.seed,
            quick: self.options.quick,
            synthetic: self.options.own.is_none(),
            machine: gather::machine(),
            classes: test.classes.clone(),
            data: gather::data(&lists)?,
            backbone: gather::backbone(&backbone),
            steps: self.ledger.steps().to_vec(),
            traffic: traffic::figures(&records),
            clients: gather::clients(&kits)?,
            configurations,
            others,
            validation,
            exact: gather::exactness(&encrypted, &clear),
            agreement,
            log: LogFigures { records: records.len(), verified: true },
        };
        self.report(results)
    }

    /// Does one step, or says that it was done before.
    fn step<T>(&mut self, at: usize, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Stopped { folder: self.options.folder.clone() });
        }
        let name = STEPS[at];
        (self.tell)(&DemoEvent::Step { number: at + 1, of: STEPS.len(), name });
        let start = Instant::now();
        let result = work(self).map_err(|e| {
            // Ctrl-C reaches the services too: what then fails here is the stop, not a fault.
            let stopped = self.cancel.load(Ordering::Relaxed);
            if stopped { Error::Stopped { folder: self.options.folder.clone() } } else { e }
        })?;
        let seconds = start.elapsed().as_secs_f64();
        if self.ledger.has(name) {
            (self.tell)(&DemoEvent::Kept);
        } else {
            self.ledger.finish(name, seconds)?;
            (self.tell)(&DemoEvent::Done { seconds });
        }
        Ok(result)
    }

    fn note(&mut self, text: impl Into<String>) {
        (self.tell)(&DemoEvent::Note(text.into()));
    }

    fn backbone_path(&self) -> PathBuf {
        self.options.folder.join("backbone.safetensors")
    }

    fn found(&mut self, kits: &Path, backbone: &Backbone, test: &Features) -> Result<Study> {
        self.step(3, |demo| {
            let project = project(backbone, &test.classes);
            let learning = toml::Table::try_from(demo.site_settings()).map_err(|e| {
                blindscope_node::Error::Settings { path: kits.to_owned(), reason: e.to_string() }
            })?;
            let study = Study::start(demo.options, kits, project, &vec![learning; SITES.len()])?;
            demo.note(format!(
                "coordinator and {} sites run as processes of their own; logs in {}",
                SITES.len(),
                kits.join("logs").display()
            ));
            demo.note(format!(
                "every round of sums has keys of its own: any {THRESHOLD} of {} sites open what most of them have signed",
                SITES.len()
            ));
            Ok(study)
        })
    }

    fn learner(&self, kits: &Path, name: &str) -> Result<SiteLearner> {
        let kit = Kit::at(kits.join(name));
        let terms = Terms::of(kit.study()?.literal());
        Ok(open_site(kit.folder(), &self.site_settings(), &terms)?)
    }

    /// Where the shared backbone lies.
    fn weights(&self) -> PathBuf {
        match &self.options.own {
            Some(own) => PathBuf::from(&own.backbone.model),
            None => self.backbone_path(),
        }
    }

    /// What a site's kit says about its data. The backbone lies outside of the kit, by an absolute path.
    fn site_settings(&self) -> SiteSettings {
        let backbone = self.weights();
        SiteSettings {
            train: "data/train.safetensors".into(),
            validation: Some("data/validation.safetensors".into()),
            tiles: Some("data/train.csv".into()),
            backbone: Some(std::path::absolute(&backbone).unwrap_or(backbone)),
            models: None,
            history: Some("data/history.jsonl".into()),
        }
    }

    fn learn(&mut self, study: &mut Study, jobs: &Jobs) -> Result<Learned> {
        let (statistics, means) = self
            .step(4, |demo| Ok((demo.job(study, &jobs.statistics)?, demo.job(study, &jobs.class_means)?)))?;
        let fedavg = self.step(5, |demo| demo.job(study, &jobs.fedavg))?;
        let update = self.step(6, |demo| demo.job(study, &jobs.update))?;
        Ok(Learned { statistics, means, fedavg, update })
    }

    fn job(&mut self, study: &mut Study, spec: &JobSpec) -> Result<Vec<u8>> {
        let tell = &mut *self.tell;
        let mut progress = |view: &JobView| {
            let (phase, there) = match &view.status {
                JobStatus::Asking(step) => (step.step.phase.name(), step.answered.len()),
                JobStatus::Combining { .. } => ("adding up", 0),
                JobStatus::Done { .. } => ("done", SITES.len()),
                _ => ("waiting", 0),
            };
            let done = if view.is_over() { view.rounds } else { view.round };
            let what = format!("rounds of {} ({phase}, {there} of {} sites)", spec.name, SITES.len());
            tell(&DemoEvent::Progress { what, done, total: view.rounds });
        };
        study.run(spec, &mut progress, self.cancel)
    }

    /// The same jobs over the same sites' data with nothing encrypted: each site's integers, added in the clear.
    fn twins(&mut self, kits: &Path, jobs: &Jobs) -> Result<Learned> {
        self.step(7, |demo| {
            let sites = SITES.iter().map(|name| demo.learner(kits, name)).collect::<Result<Vec<_>>>()?;
            let data: Vec<&SiteData> = sites.iter().map(SiteLearner::data).collect();
            let mut twin = |spec: &JobSpec| -> Result<Vec<u8>> {
                (demo.tell)(&DemoEvent::Note(format!("{} in the clear", spec.name)));
                Ok(clear_twin(spec, &data, &|_| {})?)
            };
            Ok(Learned {
                statistics: twin(&jobs.statistics)?,
                means: twin(&jobs.class_means)?,
                fedavg: twin(&jobs.fedavg)?,
                update: twin(&jobs.update)?,
            })
        })
    }

    fn ask(
        &mut self,
        study: &Study,
        brought: Brought<'_>,
        encrypted: &Learned,
        clear: &Learned,
    ) -> Result<Answered> {
        self.step(8, |demo| {
            let (tell, cancel, seed) = (&mut *demo.tell, demo.cancel, demo.options.seed);
            let mut asking = Asking { study, brought, seed, tell, cancel };
            asking.all(encrypted, clear)
        })
    }

    fn report(&mut self, mut results: DemoResults) -> Result<DemoOutcome> {
        let folder = self.options.folder.clone();
        self.step(9, |_| {
            let (report, json) = (folder.join("report.html"), folder.join("results.json"));
            let page = super::report::demo_page(&results)?;
            write(&report, page.to_html().as_bytes())?;
            let bytes = serde_json::to_vec_pretty(&results).unwrap_or_default(); // plain data always prints
            write(&json, &bytes)?;
            results.steps.retain(|s| s.name != STEPS[9]);
            Ok(DemoOutcome { results, report, json })
        })
    }
}
