//! H&E-like tiles drawn from a seed, for machines without data.
//!
//! Three classes differ in *structure alone*. A tile is first a grey field (lumina low, nuclei high). The field's ranks
//! are then mapped through one palette whose areas are drawn without regard to the class, so the colour histogram of a
//! tile, and with it every statistic that ignores where pixels lie, is independent of the class by construction. Stain
//! differs by site. These tiles teach nothing about cancer; they exercise the system.

mod field;
mod stain;

pub use stain::Stain;

use std::path::Path;

use image::RgbImage;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use crate::data::{Dataset, Rgb, Sample};
use crate::error::{Error, Result};

/// The classes, in label order.
pub const CLASSES: [&str; 3] = ["glands", "septa", "pearls"];

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticPlan {
    /// Side of a tile in pixels.
    pub side: usize,
    /// Patients of each class at each site.
    pub patients: usize,
    /// Tiles of each patient.
    pub tiles: usize,
    /// Hospitals, each with a stain of its own.
    pub sites: usize,
    /// Seed of everything.
    pub seed: u64,
}

/// Where a tile stands in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileIndex {
    /// Class label.
    pub class: usize,
    /// Site, from 0.
    pub site: usize,
    /// Patient within class and site, from 0.
    pub patient: usize,
    /// Tile of the patient, from 0.
    pub tile: usize,
}

impl SyntheticPlan {
    /// Every tile of the plan.
    pub fn tiles(&self) -> impl Iterator<Item = TileIndex> + use<> {
        let plan = *self;
        let sites = (0..CLASSES.len()).flat_map(move |class| (0..plan.sites).map(move |site| (class, site)));
        sites.flat_map(move |(class, site)| {
            let patients =
                (0..plan.patients).flat_map(move |patient| (0..plan.tiles).map(move |tile| (patient, tile)));
            patients.map(move |(patient, tile)| TileIndex { class, site, patient, tile })
        })
    }

    /// Draws one tile; the same plan and index give the same pixels on every machine of one arithmetic.
    pub fn draw(&self, index: TileIndex) -> Rgb {
        let stain = Stain::of_site(self.seed, index.site);
        let parts = [index.class, index.site, index.patient, index.tile];
        let mut rng = ChaCha12Rng::seed_from_u64(parts.iter().fold(self.seed, |s, p| mix(s, *p as u64)));
        let field = field::draw(index.class, self.side, &mut rng);
        paint(&field, self.side, &stain, &mut rng)
    }

    /// Writes every tile as `folder/CLASS/site-S-patient-P-T.png` with a list `folder/tiles.csv`
    /// (`path,label,patient,site`), and returns the listing.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`] when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Dataset> {
        let mut csv = String::from("path,label,patient,site\n");
        let mut dataset = Dataset { classes: CLASSES.map(str::to_owned).to_vec(), ..Dataset::default() };
        for class in CLASSES {
            let path = folder.join(class);
            std::fs::create_dir_all(&path).map_err(Error::io("creating", path))?;
        }
        for index in self.tiles() {
            let class = CLASSES[index.class];
            let (site, patient) = (index.site + 1, index.patient + 1);
            let id = format!("{class}/site-{site}-patient-{patient}-{}.png", index.tile + 1);
            let (patient, site) = (format!("{class}-{site}-{patient}"), format!("site-{site}"));
            let path = folder.join(&id);
            save_png(&self.draw(index), &path)?;
            csv.extend([&id, ",", class, ",", &patient, ",", &site, "\n"]);
            let (patient, site) = (Some(patient), Some(site));
            dataset.samples.push(Sample { id, path, label: index.class, group: None, patient, site });
        }
        let list = folder.join("tiles.csv");
        std::fs::write(&list, csv).map_err(Error::io("writing", list))?;
        dataset.samples.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(dataset)
    }
}

/// SplitMix64's finaliser: neighbouring indices give unrelated seeds.
fn mix(seed: u64, part: u64) -> u64 {
    let mut z = seed ^ part.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes an image as PNG.
///
/// # Errors
/// [`Error::Format`] when it cannot be written.
pub fn save_png(image: &Rgb, path: &Path) -> Result<()> {
    let buffer = RgbImage::from_raw(image.width as u32, image.height as u32, image.pixels.clone());
    let buffer = buffer.ok_or_else(|| {
        Error::shape("writing an image", image.width * image.height * 3, image.pixels.len())
    })?;
    buffer.save(path).map_err(|e| Error::format("PNG", path, e))
}

/// Haematoxylin and eosin of the five tissues, from the field's lowest ranks to its highest: lumen, keratin, stroma,
/// cytoplasm, nucleus.
const TISSUES: [[f32; 2]; 5] = [[0.02, 0.03], [0.10, 1.00], [0.15, 0.55], [0.45, 0.45], [1.10, 0.35]];

/// Colours the field by rank.
fn paint(field: &[f32], side: usize, stain: &Stain, rng: &mut ChaCha12Rng) -> Rgb {
    let mut order: Vec<u32> = (0..field.len() as u32).collect();
    order.sort_by(|a, b| field[*a as usize].total_cmp(&field[*b as usize]));
    let lumen = rng.random_range(0.08..0.16);
    let keratin = rng.random_range(0.06..0.12);
    let stroma = rng.random_range(0.30..0.42);
    let nuclei = rng.random_range(0.12..0.20);
    let ends = [lumen, lumen + keratin, lumen + keratin + stroma, 1.0 - nuclei, 1.0];
    let strength = rng.random_range(0.85..1.15);
    let mut pixels = vec![0u8; side * side * 3];
    for (rank, at) in order.into_iter().enumerate() {
        let share = rank as f32 / field.len() as f32;
        let tissue = ends.iter().position(|end| share < *end).unwrap_or(4);
        let grain: f32 = strength * rng.random_range(0.85..1.15);
        let [h, e] = TISSUES[tissue].map(|v| v * grain);
        pixels[at as usize * 3..at as usize * 3 + 3].copy_from_slice(&stain.colour(h, e));
    }
    Rgb { width: side, height: side, pixels }
}
