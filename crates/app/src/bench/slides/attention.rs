//! Attention on real tissue: slides put together from real tiles, learned by three sites through encrypted sums.
//!
//! No slides under a free licence are many enough to learn from, so a slide is drawn: benign tiles, and in every other one a few of a
//! tumour. Copies of one tile are on one side only, training or held out; tiles are drawn anew for each slide, so slides of one side share some.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom as _;

use super::super::learn::learned;
use super::super::{Better, Error, Figure, Report};
use super::AREA;
use blindscope_federation::{JobKind, JobSpec};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{
    AttentionSettings, EpochFigures, Examples, Model, SiteData, SiteLearner, StatisticsSettings, clear_twin,
    job,
};
use blindscope_vision::data::{CsvColumns, Limits, Preprocess, read_csv};
use blindscope_vision::features::{Extraction, extract};
use blindscope_vision::metrics::argmax;
use blindscope_vision::vit::Vit;

type Result<T> = std::result::Result<T, Error>;

/// Sites that learn together.
const SITES: usize = 3;
/// Tiles of a slide.
const TILES: usize = 16;
/// Those of a tumour, in a slide that has one.
const OF_TUMOUR: usize = 2;
/// Slides to learn from, and slides that are held out.
const SLIDES: [usize; 2] = [200, 200];
/// One group of so many is held out.
const HELD_OUT: usize = 4;
/// Draws of slides, of which the first is learned under encryption, and tiles of each group: as a rule, and where all is asked for.
const DRAWS: [u64; 2] = [1, 5];
const OF_GROUP: [usize; 2] = [2, usize::MAX];
/// Units of the attention.
const HIDDEN: usize = 32;

/// Accuracy on slides that were held out, beside the mean over tiles; whether the encrypted model is the pooled one.
pub(super) fn figures(data: &Path, model: &Vit, whole: bool, report: &mut Report) -> Result<()> {
    let tiles = tokens(data, model, OF_GROUP[usize::from(whole)])?;
    let (mut attention, mut mean) = (Vec::new(), Vec::new());
    for draw in 0..DRAWS[usize::from(whole)] {
        let mut rng = ChaCha12Rng::seed_from_u64(draw);
        let train = slides(&tiles, SLIDES[0], false, &mut rng)?;
        let held = slides(&tiles, SLIDES[1], true, &mut rng)?;
        let clear = clear_twin(&spec(tiles.width)?, &[&site(train.clone())], &|_| {})?;
        let clear = Model::from_json(&clear)?;
        if draw == 0 {
            let same = dealt(&tiles, &train, &clear)?;
            let figure = Figure::of(
                AREA,
                "attention_is_the_pooled_one_bit_for_bit",
                "x",
                Better::Higher,
                &[f64::from(u8::from(same))],
            );
            report.figures.push(figure.must(1.0, 1.0));
        }
        let pooling =
            clear.pooling.as_ref().ok_or(Error::WrongSum { what: "attention without attention" })?;
        attention.push(accuracy(&clear, &pooling.examples("the slides held out", &held)?, tiles.width)?);
        mean.push(by_the_mean(&train, &held, tiles.width)?);
    }
    for (name, found) in [("attention", attention), ("mean", mean)] {
        let name = format!("{name}_accuracy_slides_of_real_tiles");
        report.figures.push(Figure::of(AREA, name, "%", Better::Higher, &found));
    }
    Ok(())
}

/// Whether three sites, each with a third of the slides, end in the pooled model.
fn dealt(tiles: &Features, train: &Examples, pooled: &Model) -> Result<bool> {
    let mut sites = Vec::new();
    for number in 0..SITES {
        let of = |row: &usize| train.slides[*row] % SITES == number;
        let rows: Vec<usize> = (0..train.len()).filter(of).collect();
        let own = Examples {
            rows: train.rows.rows(tiles.width, &rows)?.into(),
            labels: rows.iter().map(|row| train.labels[*row]).collect(),
            slides: rows.iter().map(|row| train.slides[*row] / SITES).collect(),
            ..Examples::default()
        };
        sites.push(SiteLearner::new(site(own), |_: &EpochFigures| {}));
    }
    let model = learned(&spec(tiles.width)?, &sites, 1)?;
    Ok(model.heads == pooled.heads && model.pooling == pooled.pooling)
}

fn spec(width: usize) -> Result<JobSpec> {
    let settings = AttentionSettings {
        width,
        classes: 2,
        hidden: HIDDEN,
        examples: 512,
        tiles: 8192,
        validate: false,
        ..AttentionSettings::default()
    };
    Ok(job("attention", JobKind::Attention, &settings)?)
}

fn site(train: Examples) -> SiteData {
    SiteData { train, ..SiteData::default() }
}

/// CLS tokens of `most` tiles of each group.
fn tokens(data: &Path, model: &Vit, most: usize) -> Result<Features> {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let mut tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns)?;
    let mut taken: BTreeMap<(usize, Option<String>), usize> = BTreeMap::new();
    tiles.samples.retain(|tile| {
        let of = taken.entry((tile.label, tile.group.clone())).or_default();
        *of += 1;
        *of <= most
    });
    let (preprocess, limits) = (Preprocess::imagenet(model.config().image), Limits::default());
    let extraction = Extraction { model, preprocess, limits, batch: 8, cache: None };
    Ok(extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?.0)
}

/// Slides of real tiles; every other one has a tumour.
fn slides(tiles: &Features, count: usize, held_out: bool, rng: &mut ChaCha12Rng) -> Result<Examples> {
    let labels = tiles.known_labels()?;
    let side = (0..tiles.len()).filter(|row| tiles.groups[*row].is_multiple_of(HELD_OUT) == held_out);
    let benign = |row: &usize| tiles.classes[labels[*row]] == "lung_n";
    let (mut benign, mut tumour): (Vec<usize>, Vec<usize>) = side.partition(benign);
    let (mut rows, mut out) = (Vec::new(), Examples::default());
    for slide in 0..count {
        let label = slide % 2;
        benign.shuffle(rng);
        tumour.shuffle(rng);
        let marked = OF_TUMOUR * label;
        rows.extend(tumour.iter().take(marked));
        rows.extend(benign.iter().take(TILES - marked));
        out.labels.extend([label; TILES]);
        out.slides.extend([slide; TILES]);
    }
    out.rows = tiles.rows(&rows)?.into();
    Ok(out)
}

/// The best linear head on the mean of each slide's tiles.
fn by_the_mean(train: &Examples, held: &Examples, width: usize) -> Result<f64> {
    let settings = StatisticsSettings { width, classes: 2, examples: 512, ..StatisticsSettings::default() };
    let spec = job("mean", JobKind::Statistics, &settings)?;
    let model = Model::from_json(&clear_twin(&spec, &[&site(means(train, width)?)], &|_| {})?)?;
    accuracy(&model, &means(held, width)?, width)
}

fn means(slides: &Examples, width: usize) -> Result<Examples> {
    let mut out = Examples::default();
    for bag in slides.bags("mean")? {
        let rows = slides.rows.rows(width, &bag.rows)?;
        let column = |j: usize| rows.iter().skip(j).step_by(width).sum::<f32>() / bag.rows.len() as f32;
        out.rows.extend((0..width).map(column));
        out.labels.push(bag.label);
    }
    Ok(out)
}

/// Right answers in percent.
fn accuracy(model: &Model, slides: &Examples, width: usize) -> Result<f64> {
    let whole = slides.rows.whole()?;
    let tokens: Vec<Vec<f64>> =
        whole.chunks_exact(width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect();
    let logits = model.head()?.logits(&tokens)?;
    let right = logits.iter().zip(&slides.labels).filter(|(row, label)| {
        let row: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        argmax(&row) == **label
    });
    Ok(100.0 * right.count() as f64 / slides.labels.len().max(1) as f64)
}
