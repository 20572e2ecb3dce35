//! The model card of the federated head.

use super::figures::with_interval;
use crate::demo::DemoResults;
use blindscope_report::{Fact, ModelCard, Section};

pub(super) fn model_card(results: &DemoResults) -> Section {
    let [image, patch, width, depth] = results.backbone.shape;
    let fedavg = results.configurations.iter().find(|e| e.name == "encrypted, CLS");
    let figures = fedavg.map(|e| {
        let all = [
            ("Accuracy", &e.accuracy),
            ("Macro F1", &e.f1),
            ("Macro precision", &e.precision),
            ("Macro recall", &e.recall),
        ];
        all.map(|(name, e)| Fact::new(format!("{name}, %"), with_interval(e))).to_vec()
    });
    let tiles = |what: &str| {
        let lists = results.data.iter().filter(|d| d.list.contains(what));
        lists.flat_map(|d| &d.tiles).sum::<usize>()
    };
    let source = if results.synthetic {
        "Synthetic tiles, drawn by this program from a seed: three textures whose colours are distributed alike. They teach nothing about \
         cancer."
    } else {
        "Tiles that were given to this run."
    };
    ModelCard {
        details: vec![
            Fact::new("Head", "two layers with a trained polynomial of degree 2 between them, evaluated under encryption as trained"),
            Fact::new("Features", format!("CLS token of a Vision Transformer: {image}×{image} pixels, patch {patch}, width {width}, {depth} blocks")),
            Fact::new("Backbone", results.backbone.digest.clone()),
            Fact::new("Classes", results.classes.join(", ")),
        ],
        intended: vec!["Showing what federated learning and inference through encryption give and cost on this machine.".into()],
        not_intended: vec!["Any decision about a patient: nothing here was validated clinically.".into()],
        training_data: format!("{source} {} tiles at three sites; whole groups stay at one site.", tiles("training")),
        evaluation_data: format!("{} tiles of groups that no site has.", tiles("held out")),
        figures: figures.unwrap_or_default(),
        limits: vec![
            "Intervals tell what other groups of the same source would give, not what another scanner, stain or hospital would.".into(),
            "A head can be copied by asking it often enough: limits on questions are a policy of the coordinator.".into(),
        ],
        privacy: vec![
            "Tiles, tokens, gradients and each site's counts stay at their site or are encrypted under a key that no party holds.".into(),
            "What is opened is a sum over all sites. An aggregate says something about its summands; nothing here adds noise to it.".into(),
            "Sites and coordinator are taken to follow the protocol; a site that sends a wrong update is not detected.".into(),
        ],
    }
    .section()
}
