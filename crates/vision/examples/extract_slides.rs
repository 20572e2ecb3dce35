//! Features of a folder of slides, with the share of time outside the model: `extract_slides SLIDES OUT WEIGHTS [SIDE]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::ops::ControlFlow;
use std::path::Path;

use blindscope_vision::data::Preprocess;
use blindscope_vision::slides::{SlideRun, SlideSettings, extract_slides, list_slides};
use blindscope_vision::vit::{self, Engine};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [slides, out, weights, rest @ ..] = arguments.as_slice() else {
        return Err("extract_slides SLIDES OUT WEIGHTS [SIDE]".into());
    };
    let side = rest.first().map_or(Ok(256), |side| side.parse())?;
    let model = vit::load(Path::new(weights))?;
    let list = list_slides(Path::new(slides), None)?;
    let run = SlideRun {
        slides: &list.slides,
        settings: SlideSettings { side, ..SlideSettings::default() },
        out: Path::new(out),
        encoder: "model",
        preprocess: Preprocess::imagenet(model.config().image),
        model: &model,
        batch: 8,
        shard: None,
    };
    let mut last = None;
    let records = extract_slides(&Engine::Cpu, &run, &mut |now| {
        last = Some(now.clone());
        ControlFlow::Continue(())
    })?;
    for record in records {
        println!("{} {} {} tiles {}", record.slide, record.status, record.tiles, record.reason);
    }
    if let Some(now) = last {
        let (model, all) = now.in_model;
        let outside = 100.0 * (1.0 - model.as_secs_f64() / all.as_secs_f64());
        println!("{:.1} tiles/s, {outside:.1} % of {:.1} s outside the model", now.rate, all.as_secs_f64());
    }
    Ok(())
}
