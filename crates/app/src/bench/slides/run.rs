//! A run over real slides: how much of it is not the model.

use std::ops::ControlFlow;
use std::path::Path;

use super::super::{Better, Error, Figure, Report};
use super::{AREA, SIDE};
use blindscope_vision::data::Preprocess;
use blindscope_vision::slides::{
    Bags, SlideEntry, SlideFacts, SlideRun, SlideSettings, TissueLevel, TissueRule, TissueSource,
    extract_slides,
};
use blindscope_vision::vit::{Engine, Vit};

/// Share of a run's wall time in which the model does not work.
pub(super) fn outside_the_model(
    slides: &Path,
    model: &Vit,
    scratch: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    let names = ["CMU-1-Small-Region.svs", "CMU-1-Small-Region_wsidicomizer.dcm", "synth_ycbcr420.tif"];
    let entry = |name: &&str| SlideEntry {
        name: (*name).into(),
        path: slides.join(name),
        facts: SlideFacts::default(),
    };
    let entries: Vec<SlideEntry> = names.iter().map(entry).collect();
    let tissue = TissueSource::Rule { rule: TissueRule::default(), level: TissueLevel::Mpp(8.0) };
    let run = SlideRun {
        slides: &entries,
        settings: SlideSettings { side: SIDE, tissue, ..SlideSettings::default() },
        out: &scratch.join("run"),
        encoder: "deit-tiny",
        model,
        preprocess: Preprocess::imagenet(SIDE),
        batch: 8,
        shard: None,
    };
    let (mut share, mut rate) = (1.0, 0.0);
    extract_slides(&Engine::Cpu, &run, &mut |now| {
        let (in_model, all) = now.in_model;
        (share, rate) = (1.0 - in_model.as_secs_f64() / all.as_secs_f64(), now.rate);
        ControlFlow::Continue(())
    })?;
    let whole = Bags::open(run.out)?.len();
    if whole != entries.len() {
        let reason = format!("{whole} of {} slides were done", entries.len());
        return Err(Error::Slide { path: slides.into(), reason });
    }
    report.figures.push(
        Figure::of(AREA, "share_outside_model_deit_tiny", "x", Better::Lower, &[share]).must(0.15, 0.05),
    );
    report.figures.push(Figure::of(AREA, "run_deit_tiny", "img/s", Better::Higher, &[rate]));
    Ok(())
}
