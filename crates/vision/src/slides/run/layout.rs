//! Where a run writes: TRIDENT's folders, so that its readers find what they know.
//!
//! ```text
//! OUT/slides.json                                           what became of each slide
//! OUT/run.json                                              settings and backbone: one folder, one kind of features
//! OUT/0.5mpp_256px_0px_overlap/patches/NAME_patches.h5      coordinates
//! OUT/0.5mpp_256px_0px_overlap/features_MODEL/NAME.h5       features and coordinates
//! OUT/thumbnails/NAME.png, OUT/contours_geojson/NAME.geojson
//! ```

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::prepare::SlideSettings;
use crate::error::{Error, Result};
use crate::features::hex;
use crate::replace::replace;
use crate::slides::Scale;

/// A run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    root: PathBuf,
    tiles: PathBuf,
    encoder: String,
}

impl RunFolder {
    /// The folders of these settings for the encoder of this name; nothing is written.
    pub fn new(root: &Path, settings: &SlideSettings, encoder: &str) -> Self {
        let scale = match settings.scale {
            Scale::Mpp(mpp) => format!("{mpp}mpp"),
            Scale::Magnification(magnification) => format!("{magnification}x"),
        };
        let tiles = root.join(format!("{scale}_{}px_{}px_overlap", settings.side, settings.overlap));
        let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        Self { root: root.into(), tiles, encoder: encoder.chars().map(safe).collect() }
    }

    /// Makes the folders; one folder holds features of one backbone under one set of settings.
    ///
    /// # Errors
    /// [`Error::Data`] when the folder belongs to other settings or another backbone, [`Error::Io`] where it cannot be made or
    /// read.
    pub(super) fn create(&self, settings: &SlideSettings, backbone: &[u8; 32]) -> Result<()> {
        for folder in [
            self.patches_folder(),
            self.features_folder(),
            self.root.join("thumbnails"),
            self.root.join("contours_geojson"),
        ] {
            std::fs::create_dir_all(&folder).map_err(Error::io("creating", &folder))?;
        }
        let path = self.root.join("run.json");
        let run = json!({ "settings": settings, "encoder": self.encoder, "backbone": hex(backbone) });
        match std::fs::read(&path) {
            Ok(bytes) => {
                let there: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                if there != run {
                    let reason = format!(
                        "{} was begun with other settings or another model ({} tells which): name another folder",
                        self.root.display(),
                        path.display()
                    );
                    return Err(Error::data("extracting slides", reason));
                }
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut bytes =
                    serde_json::to_vec_pretty(&run).map_err(|e| Error::format("JSON", &path, e))?;
                bytes.push(b'\n');
                replace(&path, &bytes)
            }
            Err(e) => Err(Error::io("reading", &path)(e)),
        }
    }

    fn patches_folder(&self) -> PathBuf {
        self.tiles.join("patches")
    }

    /// Where features lie.
    pub fn features_folder(&self) -> PathBuf {
        self.tiles.join(format!("features_{}", self.encoder))
    }

    /// A slide's features.
    pub fn features(&self, slide: &str) -> PathBuf {
        self.features_folder().join(format!("{slide}.h5"))
    }

    pub(super) fn patches(&self, slide: &str) -> PathBuf {
        self.patches_folder().join(format!("{slide}_patches.h5"))
    }

    pub(super) fn journal(&self, slide: &str) -> PathBuf {
        self.features_folder().join(format!("{slide}.journal"))
    }

    pub(super) fn thumbnail(&self, slide: &str) -> PathBuf {
        self.root.join("thumbnails").join(format!("{slide}.png"))
    }

    pub(super) fn contours(&self, slide: &str) -> PathBuf {
        self.root.join("contours_geojson").join(format!("{slide}.geojson"))
    }

    /// The file of records, of a shard where there are shards.
    pub fn records(&self, shard: Option<(usize, usize)>) -> PathBuf {
        match shard {
            None => self.root.join("slides.json"),
            Some((i, n)) => self.root.join(format!("slides.{i}-of-{n}.json")),
        }
    }
}
