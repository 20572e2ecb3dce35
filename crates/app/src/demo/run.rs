//! The demo from the first tile to the report.

use super::error::{DemoError, Result, make_folder, read, write};
use super::evaluate::TestSet;
use super::event::DemoEvent;
use super::inference::ask_here;
use super::jobs::Jobs;
use super::ledger::Ledger;
use super::local::LocalStudy;
use super::options::{DemoOptions, SITES, Size, THRESHOLD};
use super::results::{
    Agreement, BackboneFigures, ClientCurve, DataFigures, DemoResults, Evaluation, Exactness, LogFigures,
};
use super::tiles::{ASKER, Lists};
use super::{backbone, paper, tiles, traffic};
use crate::features::{self, Backbone, ExtractOptions, Features, TileList};
use crate::learn::{
    HistoryLine, Model, SiteData, SiteLearner, SiteSettings, UpdateState, clear_twin, open_site,
};
use crate::provision::{self, Project};
use crate::{heads, system};
use blindscope_classify::Head;
use blindscope_federation::{Deadlines, JobSpec};
use blindscope_vision::train::Classifier;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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
/// [`DemoError`]; [`DemoError::is_stop`] tells a stop from a fault. The same options in the same folder go on from there.
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

/// Results of the encrypted jobs and of their clear twins.
struct Learned {
    statistics: Vec<u8>,
    means: Vec<u8>,
    fedavg: Vec<u8>,
    update: Vec<u8>,
}

impl Demo<'_> {
    fn run(&mut self) -> Result<DemoOutcome> {
        let kits = self.options.folder.join("study");
        make_folder(&kits)?;
        let lists = self.tiles(&kits)?;
        let backbone = self.backbone()?;
        let test = self.features(&lists, &backbone)?;
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
        let (configurations, others, agreement) =
            self.ask(&jobs, &backbone, &lists, &set, &encrypted, &clear)?;
        let validation = Model::from_json(&encrypted.fedavg)?.validation;
        let records = study.records();
        let results = DemoResults {
            command: self.options.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: utc(system::now_ms()),
            seed: self.options.seed,
            quick: self.options.quick,
            synthetic: self.options.own.is_none(),
            machine: machine(),
            classes: test.classes.clone(),
            data: data_figures(&lists)?,
            backbone: figures_of(&backbone),
            steps: self.ledger.steps().to_vec(),
            traffic: traffic::figures(records),
            clients: clients(&kits)?,
            configurations,
            others,
            validation,
            exact: exactness(&encrypted, &clear),
            agreement,
            log: LogFigures { records: records.len(), verified: true },
        };
        self.report(results)
    }

    /// Does one step, or says that it was done before.
    fn step<T>(&mut self, at: usize, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(DemoError::Stopped { folder: self.options.folder.clone() });
        }
        let name = STEPS[at];
        (self.tell)(&DemoEvent::Step { number: at + 1, of: STEPS.len(), name });
        let start = Instant::now();
        let result = work(self)?;
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

    fn tiles(&mut self, kits: &Path) -> Result<Lists> {
        self.step(0, |demo| {
            if demo.ledger.has(STEPS[0]) {
                return Ok(Lists::at(kits));
            }
            let lists = tiles::prepare(demo.options, &demo.size, kits)?;
            for figures in data_figures(&lists)? {
                let total: usize = figures.tiles.iter().sum();
                demo.note(format!("{}: {total} tiles of {} groups", figures.list, figures.groups));
            }
            Ok(lists)
        })
    }

    fn backbone_path(&self) -> PathBuf {
        self.options.folder.join("backbone.safetensors")
    }

    fn backbone(&mut self) -> Result<Backbone> {
        self.step(1, |demo| {
            let path = demo.backbone_path();
            if demo.options.own.is_none() && !path.is_file() {
                let (total, tell) = (demo.size.public_epochs as u64, &mut *demo.tell);
                let mut progress = |done: usize, accuracy: f32| {
                    let what =
                        format!("epochs on public tiles (training accuracy {:.1} %)", accuracy * 100.0);
                    tell(&DemoEvent::Progress { what, done: done as u64, total });
                };
                backbone::train(demo.options, &demo.size, &path, &mut progress, demo.cancel)?;
            }
            let backbone = backbone::load(demo.options, &path)?;
            let config = backbone.model.config().clone();
            demo.note(format!(
                "a Vision Transformer of width {}, {} blocks, {} weights",
                config.width,
                config.depth,
                backbone.parameters()
            ));
            Ok(backbone)
        })
    }

    /// Extracts every list, and returns the asker's.
    fn features(&mut self, lists: &Lists, backbone: &Backbone) -> Result<Features> {
        self.step(2, |demo| {
            for (site, name) in lists.sites.iter().zip(SITES) {
                demo.extract(&site.train, backbone, &format!("tiles of {name}, to learn from"))?;
                demo.extract(&site.validation, backbone, &format!("tiles of {name}, to validate on"))?;
            }
            demo.extract(&lists.test, backbone, "held-out tiles of the asker")
        })
    }

    fn extract(&mut self, list: &Path, backbone: &Backbone, what: &str) -> Result<Features> {
        let path = list.with_extension("safetensors");
        if path.is_file() {
            return Ok(Features::load(&path)?);
        }
        let dataset = TileList::new(list).open()?;
        let cache = list.parent().map(|p| p.join("cache"));
        let options = ExtractOptions { cache, ..ExtractOptions::default() };
        let tell = &mut *self.tell;
        let mut progress = |now: &features::Progress| {
            let (done, total) = (now.done as u64, now.total as u64);
            tell(&DemoEvent::Progress { what: what.to_owned(), done, total });
        };
        let extracted = features::extract(&dataset, backbone, &options, &mut progress, self.cancel)?;
        for rejected in &extracted.rejected {
            self.note(format!("set aside: {} ({})", rejected.id, rejected.reason));
        }
        extracted.features.save(&path)?;
        Ok(extracted.features)
    }

    fn found(&mut self, kits: &Path, backbone: &Backbone, test: &Features) -> Result<LocalStudy> {
        self.step(3, |demo| {
            if !kits.join("coordinator").join("startup").join("study.toml").is_file() {
                let project = project(backbone, &test.classes);
                let founded = provision::all_local(&project, kits, system::now_ms(), &mut system::rng()?)?;
                demo.note(format!(
                    "study {} over {} sites, any {THRESHOLD} open a sum",
                    founded.digest,
                    SITES.len()
                ));
            }
            let learners = SITES.iter().map(|name| demo.learner(kits, name)).collect::<Result<Vec<_>>>()?;
            let mut study = LocalStudy::open(kits, learners)?;
            study.run(&JobSpec::ceremony("ceremony"), &mut |_, _| {})?;
            Ok(study)
        })
    }

    fn learner(&self, kits: &Path, name: &str) -> Result<SiteLearner> {
        Ok(open_site(&kits.join(name), &self.site_settings())?)
    }

    /// What a site's kit says about its data. The backbone lies outside of the kit, by an absolute path.
    fn site_settings(&self) -> SiteSettings {
        let backbone = match &self.options.own {
            Some(own) => PathBuf::from(&own.backbone.model),
            None => self.backbone_path(),
        };
        SiteSettings {
            train: "data/train.safetensors".into(),
            validation: Some("data/validation.safetensors".into()),
            tiles: Some("data/train.csv".into()),
            backbone: Some(std::path::absolute(&backbone).unwrap_or(backbone)),
            models: None,
            history: Some("data/history.jsonl".into()),
        }
    }

    fn learn(&mut self, study: &mut LocalStudy, jobs: &Jobs) -> Result<Learned> {
        let (statistics, means) = self
            .step(4, |demo| Ok((demo.job(study, &jobs.statistics)?, demo.job(study, &jobs.class_means)?)))?;
        let fedavg = self.step(5, |demo| demo.job(study, &jobs.fedavg))?;
        let update = self.step(6, |demo| demo.job(study, &jobs.update))?;
        Ok(Learned { statistics, means, fedavg, update })
    }

    fn job(&mut self, study: &mut LocalStudy, spec: &JobSpec) -> Result<Vec<u8>> {
        let tell = &mut *self.tell;
        let what = format!("rounds of {}, {} integers a site", spec.name, spec.values);
        let mut progress = |done, total| tell(&DemoEvent::Progress { what: what.clone(), done, total });
        let result = study.run(spec, &mut progress)?;
        progress(spec.rounds, spec.rounds);
        Ok(result)
    }

    /// The same jobs over the same data with nothing encrypted; `statistics` over the pooled data, which nobody has.
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

    #[allow(clippy::type_complexity, reason = "three lists of figures, taken apart at once")]
    fn ask(
        &mut self,
        jobs: &Jobs,
        backbone: &Backbone,
        lists: &Lists,
        set: &TestSet,
        encrypted: &Learned,
        clear: &Learned,
    ) -> Result<(Vec<Evaluation>, Vec<Evaluation>, Vec<Agreement>)> {
        self.step(8, |demo| {
            let mut rng = system::rng()?;
            let cls =
                [Model::from_json(&clear.fedavg)?.head()?, Model::from_json(&encrypted.fedavg)?.head()?];
            let asked = ask_here("fedavg", &cls[1], &set.rows, &mut rng)?;
            let mut agreement = vec![asked.agreement];
            let mut configurations = vec![
                set.evaluate_head("clear, CLS", &cls[0], Some(paper::CLEAR))?,
                set.evaluate("encrypted, CLS", &asked.logits, Some(paper::ENCRYPTED_CLS)),
            ];
            let (clear_set, head) = demo.updated(jobs, backbone, lists, &clear.update)?;
            let paper_clear = Some(paper::CLEAR);
            configurations.push(clear_set.evaluate_head("clear, gradients", &head, paper_clear)?);
            let (tuned_set, head) = demo.updated(jobs, backbone, lists, &encrypted.update)?;
            let asked = ask_here("update", &head, &tuned_set.rows, &mut rng)?;
            let paper_gradients = Some(paper::ENCRYPTED_GRADIENTS);
            configurations.push(tuned_set.evaluate("encrypted, gradients", &asked.logits, paper_gradients));
            agreement.push(asked.agreement);
            let mut others = Vec::new();
            let statistics = Model::from_json(&encrypted.statistics)?;
            for (name, shown) in
                [("ridge", "ridge from encrypted statistics"), ("lda", "LDA from encrypted statistics")]
            {
                others.push(set.evaluate_head(shown, &statistics.head_named(name)?, None)?);
            }
            let means = Model::from_json(&encrypted.means)?.head()?;
            others.push(set.evaluate_head("nearest mean CLS token", &means, None)?);
            Ok((configurations, others, agreement))
        })
    }

    /// The held-out tiles through the backbone that an update tuned, and its head.
    fn updated(
        &mut self,
        jobs: &Jobs,
        backbone: &Backbone,
        lists: &Lists,
        update: &[u8],
    ) -> Result<(TestSet, Head)> {
        let settings = &jobs.update_settings;
        let (model, head) =
            UpdateState::from_bytes(update, settings.values)?.apply(&backbone.model, settings)?;
        let tuned = Backbone { model, preprocess: backbone.preprocess.clone() };
        let dataset = TileList::new(&lists.test).open()?;
        let tell = &mut *self.tell;
        let mut progress = |now: &features::Progress| {
            let (done, total) = (now.done as u64, now.total as u64);
            tell(&DemoEvent::Progress {
                what: "held-out tiles through the tuned backbone".into(),
                done,
                total,
            });
        };
        let options = ExtractOptions::default();
        let extracted = features::extract(&dataset, &tuned, &options, &mut progress, self.cancel)?;
        let bound = settings.token_bound;
        let head = match head {
            Classifier::Polynomial { head, .. } => heads::polynomial(&head)?,
            Classifier::Linear(head) => {
                let width = head.width;
                heads::linear(&head, &vec![-bound; width], &vec![bound; width])?
            }
        };
        Ok((TestSet::new(&extracted.features, self.options.seed)?, head))
    }

    fn report(&mut self, mut results: DemoResults) -> Result<DemoOutcome> {
        let folder = self.options.folder.clone();
        self.step(9, |_| {
            let (report, json) = (folder.join("report.html"), folder.join("results.json"));
            let page = crate::report::demo_page(&results)?;
            write(&report, page.to_html().as_bytes())?;
            let bytes = serde_json::to_vec_pretty(&results).unwrap_or_default(); // plain data always prints
            write(&json, &bytes)?;
            results.steps.retain(|s| s.name != STEPS[9]);
            Ok(DemoOutcome { results, report, json })
        })
    }
}

fn project(backbone: &Backbone, classes: &[String]) -> Project {
    Project {
        name: "demo".into(),
        address: "127.0.0.1:0".into(),
        listen: None,
        hosts: Vec::new(),
        classes: classes.to_vec(),
        backbone: features::hex(&backbone.digest()),
        width: backbone.model.config().width as u32,
        sites: SITES.map(str::to_owned).to_vec(),
        admins: vec!["admin".into()],
        askers: vec![ASKER.into()],
        threshold: THRESHOLD,
        minimum_cohort: SITES.len() as u32,
        decryptions: 1 << 20,
        statistical_bits: 40,
        attempts: 4,
        certificate_days: 30,
        deadlines: Deadlines { ceremony_seconds: 600, upload_seconds: 3600, opening_seconds: 600 },
        inference: None,
    }
}

fn figures_of(backbone: &Backbone) -> BackboneFigures {
    let config = backbone.model.config();
    BackboneFigures {
        shape: [config.image, config.patch, config.width, config.depth],
        parameters: backbone.parameters(),
        digest: features::hex(&backbone.digest()),
    }
}

fn data_figures(lists: &Lists) -> Result<Vec<DataFigures>> {
    let one = |name: String, list: &Path| -> Result<DataFigures> {
        let dataset = TileList::new(list).open()?;
        let groups: std::collections::BTreeSet<_> = dataset.samples.iter().map(|s| &s.group).collect();
        Ok(DataFigures { list: name, tiles: dataset.class_counts(), groups: groups.len() })
    };
    let mut figures = Vec::new();
    for (site, name) in lists.sites.iter().zip(SITES) {
        figures.push(one(format!("{name}, training"), &site.train)?);
        figures.push(one(format!("{name}, validation"), &site.validation)?);
    }
    figures.push(one("held out".into(), &lists.test)?);
    Ok(figures)
}

/// The sites' own notes of their training.
fn clients(kits: &Path) -> Result<Vec<ClientCurve>> {
    let one = |site: &&str| {
        let text = read(&kits.join(site).join("data").join("history.jsonl"))?;
        let lines = text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let mut epochs: Vec<HistoryLine> = lines.collect();
        // A round that was begun twice was written down twice; the later one counts.
        epochs.reverse();
        let mut seen = std::collections::HashSet::new();
        epochs.retain(|e| seen.insert((e.job.clone(), e.epoch)));
        epochs.reverse();
        epochs.sort_by(|a, b| (&a.job, a.epoch).cmp(&(&b.job, b.epoch)));
        Ok(ClientCurve { site: (*site).to_owned(), epochs })
    };
    SITES.iter().map(one).collect()
}

fn exactness(encrypted: &Learned, clear: &Learned) -> Vec<Exactness> {
    let pairs = [
        ("statistics", &encrypted.statistics, &clear.statistics),
        ("class-means", &encrypted.means, &clear.means),
        ("fedavg", &encrypted.fedavg, &clear.fedavg),
        ("update", &encrypted.update, &clear.update),
    ];
    let digest = |bytes: &[u8]| features::hex(&Sha256::digest(bytes));
    let one = |(job, a, b): (&str, &Vec<u8>, &Vec<u8>)| Exactness {
        job: job.to_owned(),
        twin: "the same job with nothing encrypted".into(),
        encrypted: digest(a),
        clear: digest(b),
        equal: a == b,
    };
    pairs.into_iter().map(one).collect()
}

/// Processor and cores, as far as the system tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, m)| m.trim()));
    format!("{}, {cores} cores", model.unwrap_or(std::env::consts::ARCH))
}

/// `2026-01-31 12:34 UTC`
fn utc(now_ms: u64) -> String {
    let seconds = i64::try_from(now_ms / 1000).unwrap_or_default();
    time::OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| "at an unknown time".to_owned(),
        |t| {
            let (year, month, day, hour, minute) =
                (t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute());
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
        },
    )
}
