//! Draws synthetic tiles into a folder: `cargo run --example synthetic_tiles -- FOLDER [SEED]`.
#![allow(clippy::print_stdout, reason = "an example speaks")]

use std::path::PathBuf;

use blindscope_vision::synth::SyntheticPlan;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: synthetic_tiles FOLDER [SEED]")?);
    let seed = arguments.next().as_deref().unwrap_or("1").parse()?;
    let plan = SyntheticPlan { side: 224, patients: 4, tiles: 2, sites: 3, seed };
    let tiles = plan.write(&folder)?;
    println!("{} tiles in {}", tiles.samples.len(), folder.display());
    Ok(())
}
