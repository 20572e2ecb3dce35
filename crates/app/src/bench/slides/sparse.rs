//! The memory of a run over a slide of 100,000 × 100,000 pixels, whose file is made here: one stored tile that every place of
//! the grid names, as TIFF allows.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use super::super::{Better, Error, Figure, Report};
use super::{AREA, SIDE, peak_mib, reset_peak};
use blindscope_vision::data::Preprocess;
use blindscope_vision::slides::{Scale, SlideEntry, SlideFacts, SlideRun, SlideSettings, extract_slides};
use blindscope_vision::vit::{Engine, Vit};

/// Pixels in a row and in a column.
const EXTENT: u64 = 100_000;
/// Side of a native tile.
const TILE: u64 = 256;

/// Peak memory of a whole run at 8 µm a pixel: every native tile is read twice, for the overview and for tiles.
pub(super) fn memory(model: &Vit, scratch: &Path, report: &mut Report) -> Result<(), Error> {
    let path = scratch.join("large.tif");
    write(&path)?;
    let entries = [SlideEntry { name: "large".into(), path: path.clone(), facts: SlideFacts::default() }];
    let run = SlideRun {
        slides: &entries,
        settings: SlideSettings { scale: Scale::Mpp(8.0), side: SIDE, ..SlideSettings::default() },
        out: &scratch.join("large"),
        encoder: "deit-tiny",
        model,
        preprocess: Preprocess::imagenet(SIDE),
        batch: 8,
        shard: None,
    };
    let reset = reset_peak();
    let records = extract_slides(&Engine::Cpu, &run, &mut |_| ControlFlow::Continue(()))?;
    let tiles: usize = records.iter().map(|record| record.tiles).sum();
    if tiles == 0 {
        let reason = records.first().map_or("nothing was read".into(), |r| r.reason.clone());
        return Err(Error::Slide { path, reason });
    }
    match peak_mib().filter(|_| reset) {
        Some(mib) => report.figures.push(
            Figure::of(
                AREA,
                "peak_memory_100000_deit_tiny",
                "bytes",
                Better::Lower,
                &[mib * 1024.0 * 1024.0],
            )
            .must(700e6, 450e6),
        ),
        None => report.missing.push("peak memory: this system does not tell it".into()),
    }
    Ok(())
}

/// A BigTIFF of one uncompressed tile of stained noise.
fn write(path: &Path) -> std::io::Result<()> {
    let tiles = EXTENT.div_ceil(TILE).pow(2);
    let bytes = TILE * TILE * 3;
    let mut out = BufWriter::new(File::create(path)?);
    let tile_at = 16;
    let offsets_at = tile_at + bytes;
    let lengths_at = offsets_at + 8 * tiles;
    let directory_at = lengths_at + 8 * tiles;
    out.write_all(&[b'I', b'I', 43, 0, 8, 0, 0, 0])?;
    out.write_all(&directory_at.to_le_bytes())?;
    let mut state = 1u32;
    for _ in 0..TILE * TILE {
        // A linear congruential generator (Numerical Recipes): texture, nothing more.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 27) as u8;
        out.write_all(&[180 + noise, 90 + noise, 150 + noise])?;
    }
    for value in [tile_at, bytes] {
        (0..tiles).try_for_each(|_| out.write_all(&value.to_le_bytes()))?;
    }
    // Pixels a centimetre over one: half a micron a pixel.
    let resolution = 20_000 + (1u64 << 32);
    let entries: [(u16, u16, u64, u64); 14] = [
        (256, 4, 1, EXTENT),
        (257, 4, 1, EXTENT),
        (258, 3, 3, 0x0008_0008_0008),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (277, 3, 1, 3),
        (282, 5, 1, resolution),
        (283, 5, 1, resolution),
        (284, 3, 1, 1),
        (296, 3, 1, 3),
        (322, 4, 1, TILE),
        (323, 4, 1, TILE),
        (324, 16, tiles, offsets_at),
        (325, 16, tiles, lengths_at),
    ];
    out.write_all(&(entries.len() as u64).to_le_bytes())?;
    for (tag, kind, count, value) in entries {
        out.write_all(&tag.to_le_bytes())?;
        out.write_all(&kind.to_le_bytes())?;
        out.write_all(&count.to_le_bytes())?;
        out.write_all(&value.to_le_bytes())?;
    }
    out.write_all(&0u64.to_le_bytes())?;
    out.flush()
}
