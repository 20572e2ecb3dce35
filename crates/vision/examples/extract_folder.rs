//! CLS tokens of a folder of tiles: `extract_folder WEIGHTS FOLDER OUTPUT.safetensors [CACHE]`.
#![allow(clippy::print_stdout, reason = "an example speaks")]

use std::ops::ControlFlow;
use std::path::PathBuf;

use blindscope_vision::data::{Limits, Preprocess, read_folder};
use blindscope_vision::features::{Extraction, extract};
use blindscope_vision::vit;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [weights, folder, output, cache @ ..] = arguments.as_slice() else {
        return Err("usage: extract_folder WEIGHTS FOLDER OUTPUT.safetensors [CACHE]".into());
    };
    let model = vit::load(weights)?;
    let extraction = Extraction {
        preprocess: Preprocess::imagenet(model.config().image),
        model: &model,
        limits: Limits::default(),
        batch: 8,
        cache: cache.first().map(PathBuf::as_path),
    };
    let (features, rejected) = extract(&read_folder(folder)?, &extraction, &mut |p| {
        if p.done % 80 == 0 || p.done == p.total {
            println!("{} of {}, {:.1}/s, {:.0?} left", p.done, p.total, p.rate, p.remaining);
        }
        ControlFlow::Continue(())
    })?;
    features.save(output)?;
    for tile in &rejected {
        println!("set aside {}: {}", tile.id, tile.reason);
    }
    println!("{} rows of width {} in {}", features.len(), features.width, output.display());
    Ok(())
}
