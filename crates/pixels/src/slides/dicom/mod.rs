//! DICOM whole-slide images: one file a level, frames as native tiles.

mod frames;
mod header;
mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use self::frames::Frames;
use self::header::Header;
use super::jpeg2000::{self, Components};
use super::problem::SlideProblem;
use super::reader::{Container, Level, Mpp, MppSource, TileProblem, checked};
use super::source::Source;
use super::tiff::jpeg_tile;
use crate::Rgb;
use crate::jpeg::Colours;

/// An open DICOM slide.
#[derive(Debug)]
pub struct DicomSlide {
    levels: Vec<Level>,
    files: Vec<Instance>,
    mpp: Result<Mpp, String>,
}

/// One level's file.
#[derive(Debug)]
struct Instance {
    source: Source,
    frames: Frames,
    coding: Coding,
    /// Frame of a tile by column and row, where frames do not simply fill the grid.
    placed: Option<HashMap<(u64, u64), u64>>,
}

#[derive(Clone, Copy, Debug)]
enum Coding {
    Jpeg(Colours),
    Jpeg2000,
    Native { grey: bool, planar: bool },
}

/// What tells files of one slide from others: the series, and nothing for files that are no level of a slide.
///
/// # Errors
/// [`SlideProblem`] for a file that cannot be read, and for DICOM whose header is damaged.
pub fn series(path: &Path) -> Result<Option<(String, u64)>, SlideProblem> {
    let source = Source::open(path)?;
    if !walk::is_dicom(&source) {
        return Ok(None);
    }
    let header = Header::read(&source)?;
    Ok(is_level(&header).then_some((header.series, header.total_columns)))
}

/// Labels and overviews are pictures of another kind.
fn is_level(header: &Header) -> bool {
    let kinds: Vec<&str> = header.image_type.split('\\').map(str::trim).collect();
    header.total_columns > 0 && !kinds.iter().any(|kind| ["LABEL", "OVERVIEW", "LOCALIZER"].contains(kind))
}

impl DicomSlide {
    /// Opens the slide that a file belongs to: with it, the files of the same series in its folder. None when it is no DICOM.
    ///
    /// # Errors
    /// [`SlideProblem`] for a file that cannot be read, as [`Self::open_files`] for it and the others of its series.
    pub fn open(path: &Path) -> Result<Option<Self>, SlideProblem> {
        let source = Source::open(path)?;
        if !walk::is_dicom(&source) {
            return Ok(None);
        }
        let header = Header::read(&source)?;
        let mut paths: Vec<PathBuf> = vec![path.into()];
        if !header.series.is_empty()
            && let Some(folder) = path.parent()
            && let Ok(entries) =
                std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        {
            let others = entries.flatten().map(|e| e.path()).filter(|p| p.file_name() != path.file_name());
            let named = others.filter(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("dcm")));
            paths.extend(
                named.filter(|p| series(p).ok().flatten().is_some_and(|(series, _)| series == header.series)),
            );
        }
        paths[1..].sort();
        Self::open_files(&paths).map(Some)
    }

    /// Opens the files of one slide.
    ///
    /// # Errors
    /// [`SlideProblem`] for a file that is cut or breaks the format, pixels that are not decoded, and a series without a level.
    pub fn open_files(paths: &[PathBuf]) -> Result<Self, SlideProblem> {
        let mut found: Vec<(Level, Instance, Header)> = Vec::new();
        for path in paths {
            let source = Source::open(path)?;
            let header = Header::read(&source)?;
            if paths.len() > 1 && !is_level(&header) {
                continue;
            }
            found.push(instance(source, header)?);
        }
        found.sort_by_key(|(level, ..)| std::cmp::Reverse(level.width));
        // A series may hold one level twice, such as before and after compression; the first file named wins.
        found.dedup_by_key(|(level, ..)| (level.width, level.height));
        let Some((_, _, base)) = found.first() else {
            return Err(SlideProblem::damaged("a DICOM series without a level"));
        };
        let mpp = mpp(base);
        let levels = checked(found.iter().map(|(level, ..)| *level).collect())?;
        let files = found.into_iter().map(|(_, instance, _)| instance).collect();
        Ok(Self { levels, files, mpp })
    }
}

fn mpp(header: &Header) -> Result<Mpp, String> {
    let per = |millimetres: Option<f64>, pixels: u64| millimetres.map(|mm| mm / pixels as f64);
    let volume = per(header.volume.0, header.total_columns).zip(per(header.volume.1, header.total_rows));
    // Pixel Spacing tells the distance between rows first.
    let spacing = header.spacing.map(|(rows, columns)| (columns, rows)).or(volume);
    let Some((x, y)) = spacing else { return Err("neither Pixel Spacing nor the volume's size".into()) };
    Mpp::plausible(1e3 * x, 1e3 * y, MppSource::Dicom)
        .ok_or_else(|| format!("Pixel Spacing says {:.4} × {:.4} µm, which no scanner has", 1e3 * x, 1e3 * y))
}

fn instance(source: Source, header: Header) -> Result<(Level, Instance, Header), SlideProblem> {
    if header.total_columns == 0 || header.total_rows == 0 {
        let modality = &header.modality;
        return Err(SlideProblem::Unsupported(format!(
            "DICOM without a total pixel matrix (modality `{modality}`): not a whole-slide image"
        )));
    }
    if header.concatenated && header.parts != 1 {
        return Err(SlideProblem::Unsupported(
            "a DICOM concatenation, one level in several files, is not read: export each level as one file"
                .into(),
        ));
    }
    for (what, count) in [("focal planes", header.focal_planes), ("optical paths", header.optical_paths)] {
        if count > 1 {
            return Err(SlideProblem::Unsupported(format!(
                "{count} {what}: which one to take is not for us to guess"
            )));
        }
    }
    let coding = coding(&header)?;
    let level = Level {
        width: header.total_columns,
        height: header.total_rows,
        downsample: 1.0,
        tile_width: header.columns as u32,
        tile_height: header.rows as u32,
    };
    let level = checked(vec![level])?[0];
    let (columns, rows) = level.tiles();
    let sparse = header.organisation == "TILED_SPARSE"
        || (header.organisation != "TILED_FULL" && !header.positions.is_empty());
    let placed = sparse.then(|| places(&header)).transpose()?;
    if placed.is_none() && header.frames < columns * rows {
        let reason = format!("{} frames do not fill {columns}×{rows} tiles", header.frames);
        return Err(SlideProblem::Damaged(reason));
    }
    let frames = Frames::find(&source, &header)?;
    Ok((level, Instance { source, frames, coding, placed }, header))
}

/// Frames by the tile that their position names.
fn places(header: &Header) -> Result<HashMap<(u64, u64), u64>, SlideProblem> {
    if header.positions.len() as u64 != header.frames {
        let reason = format!("{} positions for {} frames", header.positions.len(), header.frames);
        return Err(SlideProblem::Damaged(reason));
    }
    let place = |(frame, (x, y)): (usize, &(u64, u64))| {
        let (x, y) = (x.checked_sub(1), y.checked_sub(1));
        match (x, y) {
            (Some(x), Some(y)) if x % header.columns == 0 && y % header.rows == 0 => {
                Ok(((x / header.columns, y / header.rows), frame as u64))
            }
            _ => Err(SlideProblem::Unsupported(
                "frames that do not lie on a grid of tiles are not read".into(),
            )),
        }
    };
    header.positions.iter().enumerate().map(place).collect()
}

fn coding(header: &Header) -> Result<Coding, SlideProblem> {
    let refused = |what: String| Err(SlideProblem::Unsupported(what));
    if header.bits != 8 || ![1, 3].contains(&header.samples) {
        let (samples, bits) = (header.samples, header.bits);
        return refused(format!("{samples} samples of {bits} bits a pixel: fluorescence, or no photograph"));
    }
    let photometric = header.photometric.as_str();
    if (header.samples == 1) != photometric.starts_with("MONOCHROME") {
        return refused(format!("{} samples a pixel of {photometric}", header.samples));
    }
    match header.syntax.as_str() {
        "1.2.840.10008.1.2" | "1.2.840.10008.1.2.1" => match photometric {
            "RGB" => Ok(Coding::Native { grey: false, planar: header.planar == 1 }),
            "MONOCHROME2" => Ok(Coding::Native { grey: true, planar: false }),
            other => refused(format!("uncompressed {other} is not read")),
        },
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => match photometric {
            "RGB" => Ok(Coding::Jpeg(Colours::Rgb)),
            "YBR_FULL" | "YBR_FULL_422" => Ok(Coding::Jpeg(Colours::YCbCr)),
            "MONOCHROME2" => Ok(Coding::Jpeg(Colours::Guess)),
            other => refused(format!("JPEG of {other} is not read")),
        },
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => match photometric {
            "RGB" | "YBR_ICT" | "YBR_RCT" | "MONOCHROME2" => Ok(Coding::Jpeg2000),
            other => refused(format!("JPEG 2000 of {other} is not read")),
        },
        other => refused(format!("{} is not read", syntax_name(other))),
    }
}

fn syntax_name(uid: &str) -> String {
    let name = match uid {
        "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => "lossless JPEG",
        "1.2.840.10008.1.2.4.80" => "lossless JPEG-LS",
        "1.2.840.10008.1.2.4.81" => "JPEG-LS",
        "1.2.840.10008.1.2.4.110" | "1.2.840.10008.1.2.4.111" | "1.2.840.10008.1.2.4.112" => "JPEG XL",
        "1.2.840.10008.1.2.4.201" | "1.2.840.10008.1.2.4.202" | "1.2.840.10008.1.2.4.203" => {
            "high-throughput JPEG 2000"
        }
        "1.2.840.10008.1.2.5" => "run-length coding",
        _ => return format!("transfer syntax {uid}"),
    };
    format!("{name} (transfer syntax {uid})")
}

impl Container for DicomSlide {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn mpp(&self) -> Result<Mpp, String> {
        self.mpp.clone()
    }

    fn format(&self) -> String {
        let coding = match self.files.first().map(|f| f.coding) {
            Some(Coding::Jpeg(_)) => "JPEG",
            Some(Coding::Jpeg2000) => "JPEG 2000",
            _ => "uncompressed",
        };
        format!("DICOM, {coding}")
    }

    fn tile(&self, level: usize, column: u64, row: u64) -> Result<Rgb, TileProblem> {
        let damaged = |reason: String| TileProblem::Damaged { level, column, row, reason };
        let (Some(shape), Some(file)) = (self.levels.get(level), self.files.get(level)) else {
            return Err(damaged("no such level".into()));
        };
        let (columns, rows) = shape.tiles();
        if column >= columns || row >= rows {
            return Err(damaged("no such tile".into()));
        }
        let frame = match &file.placed {
            None => row * columns + column,
            Some(placed) => {
                placed.get(&(column, row)).copied().ok_or(TileProblem::Missing { level, column, row })?
            }
        };
        let bytes = file.frames.read(&file.source, frame).map_err(|e| damaged(e.to_string()))?;
        let (width, height) = (shape.tile_width, shape.tile_height);
        match file.coding {
            Coding::Jpeg(colours) => jpeg_tile(None, &bytes, colours, width, height),
            Coding::Jpeg2000 => jpeg2000::decode(&bytes, width, height, Components::Rgb),
            Coding::Native { grey, planar } => Ok(native(bytes, width, height, grey, planar)),
        }
        .map_err(damaged)
    }

    fn fingerprint(&self) -> Result<[u8; 32], SlideProblem> {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for file in &self.files {
            hash.update(file.source.fingerprint()?);
        }
        Ok(hash.finalize().into())
    }
}

/// The samples of a frame whose length has been checked, as RGB.
fn native(bytes: Vec<u8>, width: u32, height: u32, grey: bool, planar: bool) -> Rgb {
    let count = width as usize * height as usize;
    let pixels = if grey {
        bytes.iter().flat_map(|v| [*v; 3]).collect()
    } else if planar {
        (0..count).flat_map(|i| [bytes[i], bytes[count + i], bytes[2 * count + i]]).collect()
    } else {
        bytes
    };
    Rgb { width: width as usize, height: height as usize, pixels }
}
