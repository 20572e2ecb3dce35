//! Learning on real tiles through encrypted sums: what is chosen, beside scikit-learn on the same folds; the split that the paper
//! used, marked as what it is; what noise costs.

mod asked;
mod members;
mod round;
mod rows;

use std::path::Path;

use self::asked::{ask, ask_encrypted};
use self::members::Target;
pub(super) use self::round::learned;
use self::rows::{Answers, SITES, cls, folds, leaky, sites, tokens};
use super::part::{OnPart, Parts};
use super::scratch::Scratch;
use super::{Better, Error, Figure, Peers, Report};
use blindscope_federation::{JobKind, JobSpec, Privacy};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{Model, SiteData, SiteLearner, StatisticsSettings, clear_twin, sized};

type Result<T> = std::result::Result<T, Error>;

const AREA: &str = "learn";
/// Folds of cross-validation.
const FOLDS: usize = 5;
/// Seed of folds, of what each site has, and of the first draw of noise.
const SEED: u64 = 1;
/// Draws of noise.
const DRAWS: u64 = 5;
/// Probability below which an answer would go to a person.
const SURE: f64 = 0.9;
/// Share of tiles that the paper's protocol holds out.
const HELD_OUT: f64 = 0.2;
/// The promise whose price is measured; the norm is that of nearly all CLS tokens of this backbone.
const PRIVACY: &str = r#"{"epsilon": 8, "delta": 1e-5, "unit": "patient", "norm": 25}"#;

/// Parts of the bench.
const PARTS: u64 = 7;

pub(super) fn run(data: Option<&Path>, peers: &Peers, tell: OnPart<'_>) -> Result<Report> {
    let backend = format!("{SITES} sites, sums encrypted, seed {SEED}; intervals of 95 %, groups as units");
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    let Some(data) = data else {
        report.missing.push("everything: no folder of tiles and weights (--data or BLINDSCOPE_DATA)".into());
        return Ok(report);
    };
    let mut parts = Parts::new(PARTS, tell);
    all(data, peers, &mut report, &mut parts)?;
    parts.end(&report.figures);
    Ok(report)
}

fn all(data: &Path, peers: &Peers, report: &mut Report, parts: &mut Parts<'_>) -> Result<()> {
    parts.begin("CLS tokens of the tiles (kept for the next run)", &report.figures);
    let both = tokens(data)?;
    let all = cls(&both)?;
    let folds = folds(&all, FOLDS, SEED)?;
    parts.begin("auto on folds of whole groups", &report.figures);
    let auto = grouped(&all, &folds, report)?;
    parts.begin("scikit-learn on the same folds", &report.figures);
    beside_peers(&all, &folds, auto, peers, report)?;
    parts.begin("the paper's split, asked through encryption", &report.figures);
    paper(&both, report)?;
    parts.begin("auto with noise", &report.figures);
    let noised = job(JobKind::Auto, &all, Some(promise()?))?;
    with_noise(&noised, &all, &folds, auto, report)?;
    for (spec, name, must) in [
        (&job(JobKind::Auto, &all, None)?, "without_noise", None),
        (&noised, "epsilon_8", Some((0.60, 0.55))),
    ] {
        parts.begin(&format!("members, {name}"), &report.figures);
        report.figures.extend(members::figures(&Target { spec, name, must }, &all)?);
    }
    Ok(())
}

fn promise() -> Result<Privacy> {
    serde_json::from_str(PRIVACY).map_err(|_| Error::WrongSum { what: "the bench's own promise" })
}

fn settings(all: &Features) -> StatisticsSettings {
    let (width, classes) = (all.width, all.classes.len());
    StatisticsSettings { width, classes, examples: 4096, seed: SEED, ..StatisticsSettings::default() }
}

fn job(kind: JobKind, all: &Features, privacy: Option<Privacy>) -> Result<JobSpec> {
    sized_job(kind, &settings(all), privacy)
}

fn sized_job(kind: JobKind, settings: &StatisticsSettings, privacy: Option<Privacy>) -> Result<JobSpec> {
    let settings = serde_json::to_value(settings).unwrap_or_default();
    Ok(sized(JobSpec { kind, settings, privacy: privacy.map(Box::new), ..JobSpec::named("bench") })?)
}

/// Every row asked of what was learned without its fold.
fn cross_validated(spec: &JobSpec, all: &Features, folds: &[usize], seed: u64) -> Result<Answers> {
    let mut answers = Answers::default();
    for fold in 0..FOLDS {
        let (held, rest): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|row| folds[*row] == fold);
        let model = learned(spec, &sites(&all.select(&rest), true, SEED)?, seed + 1000 * fold as u64)?;
        ask(&model, &all.select(&held), &mut answers)?;
    }
    Ok(answers)
}

fn percent(name: &str, answers: &Answers) -> Figure {
    let (value, spread) = answers.accuracy();
    Figure { spread, ..Figure::of(AREA, name, "%", Better::Higher, &[value]) }
}

/// `auto` on folds of whole groups; its accuracy. Its first head is the pooled one.
fn grouped(all: &Features, folds: &[usize], report: &mut Report) -> Result<f64> {
    let spec = job(JobKind::Auto, all, None)?;
    let answers = cross_validated(&spec, all, folds, SEED)?;
    report.figures.push(percent("auto_grouped", &answers));
    let [answered, wrong] = answers.beyond(SURE);
    for (name, value, better) in [
        ("auto_grouped_calibration_error", answers.calibration_error(), Better::Lower),
        ("auto_grouped_answered_from_90_percent_on", answered, Better::Higher),
        ("auto_grouped_wrong_from_90_percent_on", wrong, Better::Lower),
    ] {
        report.figures.push(Figure::of(AREA, name, "%", better, &[value]));
    }
    let rest: Vec<usize> = (0..all.len()).filter(|row| folds[*row] != 0).collect();
    let dealt = sites(&all.select(&rest), true, SEED)?;
    let parts: Vec<&SiteData> = dealt.iter().map(SiteLearner::data).collect();
    let mut pooled = SiteData::default();
    for part in &parts {
        pooled.train.rows.extend(part.train.rows.whole()?.iter().copied());
        pooled.train.labels.extend(&part.train.labels);
        pooled.train.groups.extend(&part.train.groups);
    }
    let clear = Model::from_json(&clear_twin(&spec, &[&pooled], &|_| {})?)?;
    let same = learned(&spec, &dealt, SEED)?.heads == clear.heads;
    let figure = Figure::of(
        AREA,
        "auto_is_the_pooled_one_bit_for_bit",
        "x",
        Better::Higher,
        &[f64::from(u8::from(same))],
    );
    report.figures.push(figure.must(1.0, 1.0));
    Ok(answers.accuracy().0)
}

/// The best of scikit-learn's on the same folds.
fn beside_peers(
    all: &Features,
    folds: &[usize],
    auto: f64,
    peers: &Peers,
    report: &mut Report,
) -> Result<()> {
    let scratch = Scratch::new("learn")?;
    let (rows, marks) = (scratch.path().join("rows.f32"), scratch.path().join("marks.json"));
    let values: Vec<u8> = all.values.whole()?.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(&rows, values)?;
    let told = serde_json::json!({
        "width": all.width, "labels": all.known_labels()?, "groups": all.groups, "folds": folds,
    });
    std::fs::write(&marks, told.to_string())?;
    match peers.sklearn(&rows, &marks) {
        Ok(found) => {
            for (name, value) in &found {
                report.figures.push(Figure::of(
                    AREA,
                    format!("sklearn_{name}"),
                    "%",
                    Better::Higher,
                    &[*value],
                ));
            }
            let best = found.values().copied().fold(0.0, f64::max);
            let over = Figure::of(AREA, "auto_over_best_of_sklearn", "%", Better::Higher, &[auto - best]);
            report.figures.push(over.must(-0.2, 0.5));
        }
        Err(why) => report.missing.push(format!("scikit-learn on the same folds: {why}")),
    }
    Ok(())
}

/// What a patient's privacy costs.
fn with_noise(spec: &JobSpec, all: &Features, folds: &[usize], auto: f64, report: &mut Report) -> Result<()> {
    let mut lost = Vec::new();
    for draw in 0..DRAWS {
        let answers = cross_validated(spec, all, folds, SEED + draw)?;
        if draw == 0 {
            report.figures.push(percent("auto_grouped_epsilon_8", &answers));
        }
        lost.push(auto - answers.accuracy().0);
    }
    let figure = Figure::of(AREA, "lost_at_epsilon_8_by_patient", "%", Better::Lower, &lost);
    report.figures.push(figure.must(3.0, 1.0));
    Ok(())
}

/// The paper's own protocol: a random split, which has copies of one tile on both sides; learned and asked through encryption.
fn paper(both: &Features, report: &mut Report) -> Result<()> {
    let held = leaky(both, HELD_OUT, SEED);
    let (test, train): (Vec<usize>, Vec<usize>) = (0..both.len()).partition(|row| held[*row]);
    let settings = StatisticsSettings { halves: true, ..settings(both) };
    let spec = sized_job(JobKind::Auto, &settings, None)?;
    let model = learned(&spec, &sites(&both.select(&train), false, SEED)?, SEED)?;
    let (mut answers, test) = (Answers::default(), both.select(&test));
    let alike = ask_encrypted(&model, &test, SEED as u8, &mut answers)?;
    report.figures.push(percent("auto_leaky_random_split_asked_encrypted", &answers).must(96.12, 97.0));
    let same = Figure::of(AREA, "class_as_in_the_clear_leaky_random_split", "%", Better::Higher, &[alike]);
    report.figures.push(same.must(100.0, 100.0));
    Ok(())
}
