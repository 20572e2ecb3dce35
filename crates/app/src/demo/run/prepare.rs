//! The steps before there is a study: tiles, backbone, features.

use std::path::{Path, PathBuf};

use super::{Demo, STEPS};
use crate::demo::error::Result;
use crate::demo::event::DemoEvent;
use crate::demo::extraction::extract;
use crate::demo::options::SITES;
use crate::demo::tiles::{self, Lists};
use crate::demo::{backbone, gather};
use blindscope_learn::features::{Backbone, Features};

impl Demo<'_> {
    pub(super) fn tiles(&mut self, kits: &Path) -> Result<Lists> {
        self.step(0, |demo| {
            if demo.journal.has(STEPS[0]) {
                return Ok(Lists::at(kits));
            }
            let lists = tiles::prepare(demo.options, &demo.size, kits)?;
            for figures in gather::data(&lists)? {
                let total: usize = figures.tiles.iter().sum();
                demo.note(format!("{}: {total} tiles of {} groups", figures.list, figures.groups));
            }
            Ok(lists)
        })
    }

    pub(super) fn backbone(&mut self) -> Result<Backbone> {
        self.step(1, |demo| {
            let path = demo.backbone_path();
            if demo.options.own.is_none() && !path.is_file() {
                let (total, tell) = (demo.size.public_epochs as u64, &mut *demo.tell);
                let mut progress = |done: usize, accuracy: f32| {
                    let what =
                        format!("epochs on public tiles (training accuracy {:.1} %)", accuracy * 100.0);
                    tell(&DemoEvent::Progress { what, done: done as u64, total });
                };
                backbone::train(demo.options, &demo.size, &path, &mut progress, demo.cancel)?;
            }
            let backbone = backbone::load(demo.options, &path)?;
            let config = backbone.model.config().clone();
            demo.note(format!(
                "a Vision Transformer of width {}, {} blocks, {} weights",
                config.width,
                config.depth,
                backbone.parameters()
            ));
            Ok(backbone)
        })
    }

    /// Extracts every list, each by a process of its party, and returns the asker's.
    pub(super) fn features(&mut self, lists: &Lists) -> Result<Features> {
        self.step(2, |demo| {
            for (site, name) in lists.sites.iter().zip(SITES) {
                demo.extract(&site.train, &format!("tiles of {name}, to learn from"))?;
                demo.extract(&site.validation, &format!("tiles of {name}, to validate on"))?;
            }
            demo.extract(&lists.test, "held-out tiles of the asker")?;
            Ok(Features::load(&features_of(&lists.test))?)
        })
    }

    fn extract(&mut self, list: &Path, what: &str) -> Result<()> {
        if features_of(list).is_file() {
            return Ok(());
        }
        let (model, tell) = (self.weights(), &mut *self.tell);
        let mut progress = |done, total| tell(&DemoEvent::Progress { what: what.to_owned(), done, total });
        let aside = extract(self.options, &model, list, &mut progress, self.cancel)?;
        for line in aside {
            self.note(line);
        }
        Ok(())
    }
}

fn features_of(list: &Path) -> PathBuf {
    list.with_extension("safetensors")
}
