//! The steps before there is a study: tiles, backbone, features.

use super::{Demo, STEPS};
use crate::demo::error::Result;
use crate::demo::event::DemoEvent;
use crate::demo::options::SITES;
use crate::demo::tiles::{self, Lists};
use crate::demo::{backbone, gather};
use crate::features::{self, Backbone, ExtractOptions, Features, TileList};
use std::path::Path;

impl Demo<'_> {
    pub(super) fn tiles(&mut self, kits: &Path) -> Result<Lists> {
        self.step(0, |demo| {
            if demo.ledger.has(STEPS[0]) {
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

    /// Extracts every list, and returns the asker's.
    pub(super) fn features(&mut self, lists: &Lists, backbone: &Backbone) -> Result<Features> {
        self.step(2, |demo| {
            for (site, name) in lists.sites.iter().zip(SITES) {
                demo.extract(&site.train, backbone, &format!("tiles of {name}, to learn from"))?;
                demo.extract(&site.validation, backbone, &format!("tiles of {name}, to validate on"))?;
            }
            demo.extract(&lists.test, backbone, "held-out tiles of the asker")
        })
    }

    fn extract(&mut self, list: &Path, backbone: &Backbone, what: &str) -> Result<Features> {
        let path = list.with_extension("safetensors");
        if path.is_file() {
            return Ok(Features::load(&path)?);
        }
        let dataset = TileList::new(list).open()?;
        let cache = list.parent().map(|p| p.join("cache"));
        let options = ExtractOptions { cache, ..ExtractOptions::default() };
        let tell = &mut *self.tell;
        let mut progress = |now: &features::Progress| {
            let (done, total) = (now.done as u64, now.total as u64);
            tell(&DemoEvent::Progress { what: what.to_owned(), done, total });
        };
        let extracted = features::extract(&dataset, backbone, &options, &mut progress, self.cancel)?;
        for rejected in &extracted.rejected {
            self.note(format!("set aside: {} ({})", rejected.id, rejected.reason));
        }
        extracted.features.save(&path)?;
        Ok(extracted.features)
    }
}
