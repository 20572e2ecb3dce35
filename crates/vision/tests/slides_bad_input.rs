//! Slides that lie, loop, end early or claim the earth are refused by name, at once and without memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::expect_used, reason = "a test")]

#[path = "common/mod.rs"]
mod common;
#[path = "../../../fuzz/src/slides.rs"]
mod fuzz;
#[path = "common/slides.rs"]
mod made;

use std::path::Path;

use peak_alloc::PeakAlloc;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use blindscope_vision::slides::{Opener, Slide, SlideProblem};
use made::{DicomLevel, Picture, dicom, put, tiff};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn colour(column: u64, row: u64) -> [u8; 3] {
    [10 * column as u8, 20 * row as u8, 200]
}

fn open(path: &Path) -> Result<Slide, SlideProblem> {
    Slide::open(path, Opener::Native)
}

fn sound() -> Vec<Picture> {
    let reduced = Picture { reduced: true, ..Picture::of(48, 32, 16, colour) };
    vec![Picture::of(96, 64, 16, colour), reduced]
}

#[test]
fn classic_and_big_files_hold_the_same_slide() {
    let folder = common::folder("slides-big");
    for big in [false, true] {
        let path = folder.join(format!("{big}.tif"));
        put(&path, &tiff(&sound(), big));
        let slide = open(&path).unwrap();
        let sizes: Vec<_> = slide.levels().iter().map(|l| (l.width, l.height, l.downsample)).collect();
        assert_eq!(sizes, [(96, 64, 1.0), (48, 32, 2.0)]);
        let region = slide.region(0, 40, 20, 2, 1).unwrap();
        assert_eq!(region.pixels, [20, 20, 200, 20, 20, 200]);
        assert!((slide.mpp().unwrap().mean() - 0.5).abs() < 1e-12);
    }
}

/// The files of one DICOM series are the levels of one slide.
#[test]
fn a_dicom_series_is_one_slide() {
    let folder = common::folder("slides-series");
    put(&folder.join("a.dcm"), &dicom(64, 32, 16, 0.5, "1.2.3", |f| [f as u8, 0, 9]));
    put(&folder.join("b.dcm"), &dicom(32, 16, 16, 1.0, "1.2.3", |f| [f as u8, 1, 9]));
    put(&folder.join("other.dcm"), &dicom(32, 16, 16, 1.0, "1.2.4", |f| [f as u8, 2, 9]));
    let slide = open(&folder.join("b.dcm")).unwrap();
    let sizes: Vec<_> = slide.levels().iter().map(|l| (l.width, l.height, l.downsample)).collect();
    assert_eq!(sizes, [(64, 32, 1.0), (32, 16, 2.0)]);
    assert!((slide.mpp().unwrap().mean() - 0.5).abs() < 1e-12);
    assert_eq!(slide.region(0, 16, 16, 1, 1).unwrap().pixels, [5, 0, 9]);
    assert_eq!(slide.region(1, 16, 0, 1, 1).unwrap().pixels, [1, 1, 9]);
    let listed = blindscope_vision::slides::list_slides(&folder, None).unwrap();
    let names: Vec<&str> = listed.slides.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["a", "other"]);
}

#[test]
fn a_loop_of_directories_is_named() {
    let folder = common::folder("slides-loop");
    let mut bytes = tiff(&sound(), false);
    // The last directory's link leads back to the first one.
    let first = bytes[4..8].to_vec();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&first);
    put(&folder.join("loop.tif"), &bytes);
    let problem = open(&folder.join("loop.tif")).unwrap_err();
    assert_eq!(problem.status(), "damaged");
    assert!(problem.to_string().contains("loop"), "{problem}");
}

#[test]
fn a_level_in_several_files_is_named() {
    let folder = common::folder("slides-concatenation");
    let uid = (0x0020, 0x9161, *b"UI", &b"1.2.3\0"[..]);
    let parts = |count: &'static [u8]| (0x0020, 0x9163, *b"US", count);
    // Eight frames make the level; two are in this file.
    for extra in [vec![uid], vec![uid, parts(&[4, 0])]] {
        let level = DicomLevel { extra: &extra, ..jpeg_level() };
        put(&folder.join("part.dcm"), &level.coded(&vec![jpeg(16); 2]));
        let problem = open(&folder.join("part.dcm")).unwrap_err();
        assert_eq!(problem.status(), "unsupported");
        assert!(problem.to_string().contains("concatenation"), "{problem}");
    }
    let alone = DicomLevel { extra: &[uid, parts(&[1, 0])], ..jpeg_level() };
    put(&folder.join("part.dcm"), &alone.coded(&vec![jpeg(16); 8]));
    let slide = open(&folder.join("part.dcm")).unwrap();
    assert!(slide.region(0, 0, 0, 64, 32).is_ok());
}

fn jpeg_level() -> DicomLevel<'static> {
    let (syntax, photometric) = ("1.2.840.10008.1.2.4.50", "YBR_FULL_422");
    DicomLevel { syntax, photometric, ..DicomLevel::default() }
}

fn jpeg_picture() -> Picture {
    Picture { compression: 7, tiles: vec![Some(jpeg(16)); 8], ..Picture::of(64, 32, 16, colour) }
}

/// A JPEG picture with some texture.
fn jpeg(side: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| image::Rgb([(x * 7 + y * 3) as u8, (x * y) as u8, 200 - (x ^ y) as u8]);
    let mut out = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(side, side, pixel).write_to(&mut out, image::ImageFormat::Jpeg).unwrap();
    out.into_inner()
}

/// A file of JPEG 2000 tiles, with the first one of a real slide.
fn jpeg_2000(slide: &[u8]) -> Vec<u8> {
    let begin = slide.windows(4).position(|w| w == [0xff, 0x4f, 0xff, 0x51]).unwrap();
    let end = begin + slide[begin..].windows(2).position(|w| w == [0xff, 0xd9]).unwrap() + 2;
    let side = u32::from_be_bytes(slide[begin + 8..begin + 12].try_into().unwrap());
    let tile = Some(slide[begin..end].to_vec());
    let side = u64::from(side);
    tiff(
        &[Picture { compression: 33_005, tiles: vec![tile], ..Picture::of(side, side, side, colour) }],
        false,
    )
}

type Change = fn(&mut Picture);

#[test]
fn claims_beyond_any_slide_cost_nothing() {
    let folder = common::folder("slides-claims");
    let path = folder.join("claim.tif");
    let claims: [(&str, Change); 4] = [
        ("too-large", |p| p.width = 1 << 31),
        ("too-large", |p| p.side = 1 << 20),
        ("damaged", |p| p.width = 1 << 20),
        ("damaged", |p| p.height = 0),
    ];
    for (status, change) in claims {
        let mut pictures = sound();
        change(&mut pictures[0]);
        put(&path, &tiff(&pictures[..1], true));
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let problem = open(&path).unwrap_err();
        assert_eq!(problem.status(), status, "{problem}");
        assert!(MEMORY.peak_usage() - before < 8 << 20, "{problem}");
    }
}

#[test]
fn a_tile_that_was_left_out_is_told_from_a_black_one() {
    let folder = common::folder("slides-missing");
    let mut pictures = sound();
    pictures[0].tiles[7] = None;
    put(&folder.join("m.tif"), &tiff(&pictures, false));
    let slide = open(&folder.join("m.tif")).unwrap();
    let problem = slide.region(0, 0, 0, 96, 64).unwrap_err().to_string();
    assert!(problem.contains("native tile 1,1 of level 0 is not in the file"), "{problem}");
    assert!(slide.region(0, 0, 0, 16, 16).is_ok());
}

/// Cut anywhere, a file is refused or reads what is whole; it never ends the program.
#[test]
fn files_cut_anywhere_are_refused_or_read() {
    let folder = common::folder("slides-cut");
    for (name, bytes) in
        [("c.tif", tiff(&sound(), false)), ("c.dcm", dicom(64, 32, 16, 0.5, "1.2", |f| [f as u8; 3]))]
    {
        let path = folder.join(name);
        for end in (0..bytes.len()).step_by(bytes.len() / 97) {
            put(&path, &bytes[..end]);
            if let Ok(slide) = open(&path) {
                let level = slide.levels()[0];
                let _ = slide.region(0, 0, 0, level.width as usize, level.height as usize);
            }
        }
        put(&path, &bytes[..bytes.len() - 8]);
        assert!(open(&path).is_err(), "{name} cut at its end");
    }
}

/// A bounded stand-in for the fuzz targets: thousands of files with a few bytes changed.
#[test]
fn changed_bytes_never_end_the_program() {
    let folder = common::folder("slides-changed");
    let mut rng = StdRng::seed_from_u64(17);
    let mut sources = vec![
        ("x.tif", tiff(&sound(), false)),
        ("x.tif", tiff(&sound(), true)),
        ("x.dcm", dicom(64, 32, 16, 0.5, "1.2", |f| [f as u8; 3])),
        ("x.dcm", jpeg_level().coded(&vec![jpeg(16); 8])),
        ("x.tif", tiff(&[jpeg_picture()], false)),
    ];
    if let Some(data) = common::data() {
        for name in ["small.svs", "boxes.tiff", "highdicom_sm_image.dcm"] {
            sources.push((name, std::fs::read(data.join("slides").join(name)).unwrap()));
        }
        let coded = std::fs::read(data.join("slides/histolab_tcga-cr-7395.svs")).unwrap();
        sources.push(("x.tif", jpeg_2000(&coded)));
    }
    let mut opened = 0;
    for (name, bytes) in &sources {
        let path = folder.join(name);
        put(&path, bytes);
        let sound = open(&path).unwrap();
        assert!(sound.region(0, 0, 0, 8, 8).is_ok(), "{name}: what is changed below is read as it is");
        for _ in 0..300 {
            let mut changed = bytes.clone();
            for _ in 0..rng.random_range(1..6) {
                // Half of the changes hit the structures at either end.
                let window = if rng.random() { bytes.len() } else { bytes.len().min(700) };
                let at = rng.random_range(0..window);
                let at = if rng.random() { at } else { bytes.len() - 1 - at };
                changed[at] = rng.random();
            }
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            opened += usize::from(fuzz::run(&path, &changed));
            assert!(MEMORY.peak_usage() - before < 512 << 20, "{name}: {} bytes", MEMORY.peak_usage());
        }
    }
    assert!(opened > 100, "{opened} of the changed files opened: the test looks at too little");
}
