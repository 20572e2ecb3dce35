//! `blindscope features extract --slides`, `features merge`, `features pool`

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::progress::{Bar, duration};
use crate::shown::print_json;
use blindscope_learn::features::{
    self, Grid, Opener, Scale, SlideOptions, SlideProgress, SlideSettings, SlidesExtracted, TissueLevel,
    TissueRule, TissueSource,
};
use blindscope_learn::jobs::Model;

/// How slides become tiles.
#[derive(Debug, Args)]
#[command(next_help_heading = "Slides")]
pub(crate) struct SlideArgs {
    /// Read whole slides instead of tiles: a folder, or a CSV `path[,slide_id][,case_id][,label][,site][,mpp]`. The only other
    /// argument is then the folder to write into.
    #[arg(long, value_name = "DIR|CSV")]
    pub(crate) slides: Option<PathBuf>,
    /// What is known about the slides of a folder: a CSV `slide_id[,case_id][,label][,site][,mpp]`.
    #[arg(long, requires = "slides")]
    slides_csv: Option<PathBuf>,
    /// Microns a pixel of tiles.
    #[arg(long, requires = "slides", default_value_t = 0.5, conflicts_with = "mag")]
    mpp: f64,
    /// Magnification of tiles in TRIDENT's buckets (5, 10, 20, 40 …) instead.
    #[arg(long, requires = "slides", value_parser = clap::value_parser!(u32).range(1..=160))]
    mag: Option<u32>,
    /// Side of a tile in pixels.
    #[arg(long, requires = "slides", default_value_t = 256, value_parser = clap::value_parser!(u16).range(16..=4096))]
    tile: u16,
    /// Pixels that neighbouring tiles share.
    #[arg(long, requires = "slides", default_value_t = 0)]
    overlap: u16,
    /// Whose grid of tiles.
    #[arg(long, requires = "slides", value_enum, default_value_t = GridOption::Trident)]
    grid: GridOption,
    /// Where tissue is: biopsy or tcga (CLAM's presets at 8 µm a pixel), clam-biopsy or clam-tcga (on the level that CLAM
    /// takes), all, or a folder of NAME.geojson.
    #[arg(long, requires = "slides", default_value = "biopsy", value_name = "RULE|DIR")]
    tissue: String,
    /// Most tiles of one slide; a slide of more is set aside.
    #[arg(long, requires = "slides", default_value_t = 500_000)]
    max_tiles: u64,
    /// Do part I of N of the slides, such as 3/16; `features merge` joins the parts.
    #[arg(long, requires = "slides", value_name = "I/N")]
    shard: Option<String>,
    /// Name of the features' folder; the model's name unless set.
    #[arg(long, requires = "slides")]
    encoder: Option<String>,
    /// What opens slides: auto takes `OpenSlide` for what is not read otherwise.
    #[arg(long, requires = "slides", value_enum, default_value_t = OpenerOption::Auto)]
    opener: OpenerOption,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GridOption {
    /// One grid over the slide, row by row.
    Trident,
    /// A grid for each piece of tissue, column by column.
    Clam,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OpenerOption {
    Auto,
    Native,
    #[value(name = "openslide")]
    OpenSlide,
}

impl SlideArgs {
    fn settings(&self) -> anyhow::Result<SlideSettings> {
        let rule = |rule, level| TissueSource::Rule { rule, level };
        let near = TissueLevel::Mpp(8.0);
        let tissue = match self.tissue.as_str() {
            "biopsy" => rule(TissueRule::BIOPSY, near),
            "tcga" => rule(TissueRule::TCGA, near),
            "clam-biopsy" => rule(TissueRule::BIOPSY, TissueLevel::Clam),
            "clam-tcga" => rule(TissueRule::TCGA, TissueLevel::Clam),
            "all" => TissueSource::Everything,
            folder if Path::new(folder).is_dir() => TissueSource::Outlines(folder.into()),
            other => anyhow::bail!(
                "--tissue {other}: neither a rule (biopsy, tcga, clam-biopsy, clam-tcga, all) nor a folder"
            ),
        };
        anyhow::ensure!((0.05..=20.0).contains(&self.mpp), "--mpp {}: between 0.05 and 20", self.mpp);
        anyhow::ensure!(
            self.overlap < self.tile,
            "--overlap {}: less than --tile {}",
            self.overlap,
            self.tile
        );
        Ok(SlideSettings {
            scale: self.mag.map_or(Scale::Mpp(self.mpp), Scale::Magnification),
            side: self.tile.into(),
            overlap: self.overlap.into(),
            grid: match self.grid {
                GridOption::Trident => Grid::Trident,
                GridOption::Clam => Grid::Clam,
            },
            tissue,
            most_tiles: self.max_tiles,
            opener: match self.opener {
                OpenerOption::Auto => Opener::Auto,
                OpenerOption::Native => Opener::Native,
                OpenerOption::OpenSlide => Opener::OpenSlide,
            },
        })
    }

    /// The run that was asked for, if one over slides was; `model` names the features where `--encoder` does not.
    pub(crate) fn options(
        &self,
        out: &Path,
        model: &str,
        batch: usize,
        device: features::Device,
    ) -> anyhow::Result<Option<SlideOptions>> {
        let Some(slides) = &self.slides else { return Ok(None) };
        let model = Path::new(model.trim_end_matches('/'));
        let named = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Some(SlideOptions {
            slides: slides.clone(),
            facts: self.slides_csv.clone(),
            out: out.into(),
            settings: self.settings()?,
            encoder: self.encoder.clone().unwrap_or(named),
            batch,
            device,
            shard: self.shard.as_deref().map(shard).transpose()?,
        }))
    }
}

fn shard(text: &str) -> anyhow::Result<(usize, usize)> {
    let numbers = text.split_once('/').map(|(i, n)| (i.parse::<usize>(), n.parse::<usize>()));
    match numbers {
        Some((Ok(i), Ok(n))) if (1..=n).contains(&i) => Ok((i, n)),
        _ => anyhow::bail!("--shard {text}: a part and their number, such as 3/16"),
    }
}

/// Draws the progress of a run.
pub(crate) fn draw(bar: &mut Bar, now: &SlideProgress) {
    let mut note = format!("{:.1} tiles/s", now.rate);
    if let Some(left) = now.remaining {
        let _ = write!(note, ", {} left", duration(left));
    }
    if !now.slide.is_empty() {
        let _ = write!(note, ", {} {}/{}", now.slide, now.tiles, now.of_tiles);
    }
    if now.set_aside > 0 {
        let _ = write!(note, ", {} set aside", now.set_aside);
    }
    bar.show(now.slides as u64, now.of_slides as u64, &note);
}

/// Prints what became of slides.
pub(crate) fn show(run: &SlidesExtracted, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(run);
    }
    let mut out = io::stdout().lock();
    for slide in run.slides.iter().filter(|slide| !slide.is_done()) {
        writeln!(out, "set aside {} ({}): {}", slide.slide, slide.status, slide.reason)?;
    }
    for slide in run.slides.iter().filter(|slide| slide.is_done() && !slide.set_aside.is_empty()) {
        let first = &slide.set_aside[0];
        let (count, x, y) = (slide.set_aside.len(), first.x, first.y);
        writeln!(out, "{}: {count} tiles set aside, the first at {x},{y}: {}", slide.slide, first.reason)?;
    }
    writeln!(out, "{} slides with {} tiles, {} slides set aside", run.done, run.tiles, run.set_aside)?;
    if run.seconds > 0.0 {
        let on = run.graphics.as_ref().map_or(String::new(), |name| format!(" on {name}"));
        let share = run
            .share_outside_model
            .map_or(String::new(), |s| format!(", {:.0} % outside the model", 100.0 * s));
        writeln!(out, "{:.1} s{share}{on}", run.seconds)?;
    }
    writeln!(out, "written to {}", run.records.display())?;
    Ok(())
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The folder that all shards wrote into.
    folder: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn merge(args: &MergeArgs) -> anyhow::Result<()> {
    let merged = features::merge_slides(&args.folder)?;
    show(&merged, args.json)
}

#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    /// A run's folder, or a folder of NAME.h5 that TRIDENT or CLAM wrote.
    folder: PathBuf,
    /// The features file to write (.safetensors): one row a slide.
    out: PathBuf,
    /// A CSV `slide_id[,case_id][,label][,site]`; slides that it does not name are left out.
    #[arg(long)]
    slides_csv: Option<PathBuf>,
    /// Pool by the attention of this model file, of a job `attention` or of `train slides`, instead of taking the mean.
    #[arg(long, value_name = "MODEL")]
    attention: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Mean-pooled slides.
pub(crate) fn pool(args: &PoolArgs) -> anyhow::Result<()> {
    let slides = |pooled| bags(&args.folder, args.slides_csv.as_deref(), &args.out, pooled);
    let (features, rejected) = match &args.attention {
        None => slides(features::Pooled::Mean)?,
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let model = Model::from_json(&bytes).with_context(|| path.display().to_string())?;
            let pooling = model.pooling.with_context(|| format!("{} holds no attention", path.display()))?;
            let (tiles, rejected) = slides(features::Pooled::Tiles)?;
            (pooling.pool(&tiles)?.features, rejected)
        }
    };
    features.save(&args.out).with_context(|| format!("saving features to {}", args.out.display()))?;
    tell(&rejected);
    crate::shown::show(&features::Summary::new(&features), Some(&args.out), None, args.json)
}

/// The slides of a folder as rows of a file `out` that is to be written.
pub(crate) fn bags(
    folder: &Path,
    csv: Option<&Path>,
    out: &Path,
    pooled: features::Pooled,
) -> anyhow::Result<(features::Features, Vec<features::Rejected>)> {
    let table = csv.map(features::SlideTable::read).transpose()?;
    let bags = features::Bags::open(folder)?.with_scratch(&beside(out));
    let mut bar = Bar::new("slides");
    Ok(bags.collect(pooled, table.as_ref(), &mut |done| bar.show(done as u64, bags.len() as u64, "read"))?)
}

/// The folder of a file that is to be written: what does not fit into memory is set aside there.
pub(crate) fn beside(out: &Path) -> PathBuf {
    out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Names slides that were set aside, on standard error.
pub(crate) fn tell(rejected: &[features::Rejected]) {
    for slide in rejected {
        let _ = writeln!(io::stderr(), "set aside {}: {}", slide.id, slide.reason);
    }
}
