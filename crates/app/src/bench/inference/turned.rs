//! Many real tokens cheaply: every tile shrunk, then as it is, turned and mirrored, before it goes through the backbone.
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
        let mut images = Vec::with_capacity(BATCH / WAYS);
        for (sample, group) in samples {
            let limits = Limits::default();
            let image = read_image(&sample.path, limits).and_then(|bytes| decode(&bytes, limits));
            let Ok(image) = image else { continue };
            for way in 0..WAYS {
                features.ids.push(format!("{} {way}", sample.id));
                features.labels.push(Some(sample.label));
                features.groups.push(*group);
            }
            images.push(image);
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

    /// CLS tokens of images in all ways, one after the other.
    fn tokens(&mut self, images: &[Rgb]) -> Result<Vec<f32>, Error> {
        let digests: Vec<[u8; 32]> =
            images.iter().flat_map(|i| (0..WAYS).map(|way| digest(i, way))).collect();
        let known =
            |image: usize| (0..WAYS).all(|way| self.cache.find(&digests[WAYS * image + way]).is_some());
        let missing: Vec<usize> = (0..images.len()).filter(|&image| !known(image)).collect();
        if !missing.is_empty() {
            let shrunk = missing.iter().map(|&image| self.preprocess.pixels(&images[image]));
            let pixels: Vec<f32> =
                shrunk.flat_map(|pixels| (0..WAYS).flat_map(move |way| turned(&pixels, SIDE, way))).collect();
            let new = self.model.cls_tokens(&pixels)?;
            let at = missing.iter().flat_map(|&image| (0..WAYS).map(move |way| WAYS * image + way));
            let rows = at.zip(new.chunks(self.model.config().width));
            self.cache.insert(rows.map(|(at, row)| (digests[at], row.to_vec())).collect())?;
        }
        Ok(digests.iter().filter_map(|d| self.cache.find(d)).flatten().copied().collect())
    }
}

/// Of size, pixels and way.
fn digest(image: &Rgb, way: usize) -> [u8; 32] {
    let mut hasher = Hasher::new("blindscope/bench/turned/v2");
    hasher.absorb_u64(way as u64).absorb_u64(image.width as u64).absorb(&image.pixels);
    hasher.finish().0
}

/// Pixels `[channels, side, side]` as they are (0), turned by a quarter (1), mirrored (2).
fn turned(pixels: &[f32], side: usize, way: usize) -> Vec<f32> {
    let source = |x: usize, y: usize| match way {
        1 => side * (side - 1 - x) + y,
        2 => side * y + side - 1 - x,
        _ => side * y + x,
    };
    let plane =
        |plane: &[f32]| -> Vec<f32> { (0..side * side).map(|i| plane[source(i % side, i / side)]).collect() };
    pixels.chunks_exact(side * side).flat_map(plane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_turn_and_mirror() {
        // Two planes of two columns and two rows.
        let pixels = [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0];
        assert_eq!(turned(&pixels, 2, 0), pixels);
        assert_eq!(turned(&pixels, 2, 1), [2.0, 0.0, 3.0, 1.0, 12.0, 10.0, 13.0, 11.0]);
        assert_eq!(turned(&pixels, 2, 2), [1.0, 0.0, 3.0, 2.0, 11.0, 10.0, 13.0, 12.0]);
    }
}
