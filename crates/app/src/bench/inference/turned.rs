//! Many real tokens cheaply: every tile as it is, turned and mirrored, shrunk before it goes through the backbone.
//!
//! Turned tiles are what training on tissue augments with; they are other pixels and other tokens, not other tissue. Shrunk
//! ones cost the backbone a tenth. What is measured is agreement of encrypted and clear classes, which asks for many
//! different tokens; accuracies are measured on whole tiles elsewhere.

use std::path::Path;

use crate::bench::Error;
use blindscope_vision::data::{
    CsvColumns, Limits, Preprocess, Rgb, connected_groups, decode, read_csv, read_image,
};
use blindscope_vision::features::{FeatureCache, Features, backbone_digest};
use blindscope_vision::vit::{Config, Vit, load_with};
use blindscope_wire::Hasher;

/// Side that tiles are shrunk to.
const SIDE: usize = 64;
/// As it is, turned by a quarter, mirrored.
const WAYS: usize = 3;
/// Images a batch.
const BATCH: usize = 48;

/// CLS tokens of all tiles in all ways; unreadable tiles are left out. Copies of one tile share a group, in whatever way
/// they are turned.
pub(super) fn features(data: &Path, cache: &Path) -> Result<Features, Error> {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let tiles = read_csv(&data.join("lung-histology/manifest.csv"), &columns)?;
    let groups = connected_groups(&tiles);
    let mut backbone = Backbone::open(data, cache)?;
    let mut features =
        Features { width: backbone.model.config().width, classes: tiles.classes, ..Features::default() };
    let listed: Vec<_> = tiles.samples.iter().zip(groups).collect();
    for samples in listed.chunks(BATCH / WAYS) {
        let mut images = Vec::with_capacity(BATCH);
        for (sample, group) in samples {
            let limits = Limits::default();
            let image = read_image(&sample.path, limits).and_then(|bytes| decode(&bytes, limits));
            let Ok(image) = image else { continue };
            for way in 0..WAYS {
                features.ids.push(format!("{} {way}", sample.id));
                features.labels.push(Some(sample.label));
                features.groups.push(*group);
                images.push(turned(&image, way));
            }
        }
        features.values.extend(backbone.tokens(&images)?);
    }
    Ok(features)
}

/// The backbone for shrunk tiles, and what it has computed before.
struct Backbone {
    model: Vit,
    preprocess: Preprocess,
    cache: FeatureCache,
}

impl Backbone {
    fn open(data: &Path, cache: &Path) -> Result<Self, Error> {
        let config = Config { image: SIDE, classes: 0, ..Config::deit_tiny() };
        let weights = data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors");
        let (model, preprocess) = (load_with(&weights, config)?, Preprocess::imagenet(SIDE));
        let cache = FeatureCache::open(cache, &backbone_digest(&model, &preprocess), model.config().width)?;
        Ok(Self { model, preprocess, cache })
    }

    /// CLS tokens of images, one after the other.
    fn tokens(&mut self, images: &[Rgb]) -> Result<Vec<f32>, Error> {
        let digests: Vec<[u8; 32]> = images.iter().map(digest).collect();
        let known = |d: &[u8; 32]| self.cache.find(d).map(<[f32]>::to_vec);
        let found: Vec<Option<Vec<f32>>> = digests.iter().map(known).collect();
        let missing: Vec<usize> = (0..images.len()).filter(|&i| found[i].is_none()).collect();
        let pixels: Vec<f32> = missing.iter().flat_map(|&i| self.preprocess.pixels(&images[i])).collect();
        let new = if missing.is_empty() { Vec::new() } else { self.model.cls_tokens(&pixels)? };
        let rows = missing.iter().zip(new.chunks(self.model.config().width));
        self.cache.insert(rows.map(|(&i, row)| (digests[i], row.to_vec())).collect())?;
        Ok(digests.iter().filter_map(|d| self.cache.find(d)).flatten().copied().collect())
    }
}

/// Of size and pixels.
fn digest(image: &Rgb) -> [u8; 32] {
    let mut hasher = Hasher::new("blindscope/bench/turned/v1");
    hasher.absorb_u64(image.width as u64).absorb(&image.pixels);
    hasher.finish().0
}

/// The image as it is (0), turned by a quarter (1), mirrored (2).
fn turned(image: &Rgb, way: usize) -> Rgb {
    let (w, h) = (image.width, image.height);
    let (width, height) = if way == 1 { (h, w) } else { (w, h) };
    let source = |x: usize, y: usize| match way {
        1 => (y, h - 1 - x),
        2 => (w - 1 - x, y),
        _ => (x, y),
    };
    let place = |i: usize| {
        let (x, y) = source(i % width, i / width);
        3 * (y * w + x)
    };
    let pixels = (0..width * height).flat_map(|i| image.pixels[place(i)..place(i) + 3].to_vec()).collect();
    Rgb { width, height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_turn_and_mirror() {
        // Two columns, three rows; the red channel numbers the pixels.
        let pixels = (0..6u8).flat_map(|i| [i, 0, 0]).collect();
        let image = Rgb { width: 2, height: 3, pixels };
        let red = |way| {
            let t = turned(&image, way);
            (t.width, t.pixels.chunks(3).map(|p| p[0]).collect::<Vec<_>>())
        };
        assert_eq!(red(0), (2, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(red(1), (3, vec![4, 2, 0, 5, 3, 1]));
        assert_eq!(red(2), (2, vec![1, 0, 3, 2, 5, 4]));
    }
}
