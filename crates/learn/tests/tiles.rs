//! Tiles join a study by the names of their folders: whatever order or subset a site has, an update ends as over tiles that were
//! labelled by hand, or the site is refused.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use blindscope_federation::JobKind;
use blindscope_learn::features::{Backbone, Features, SyntheticPlan, TileList, synthesise};
use blindscope_learn::jobs::{
    Examples, SiteData, SiteLearner, SiteSettings, Terms, Tiles, UpdatePart, UpdateSettings, clear_twin,
    decode_all, job, open_site, update_values,
};

/// The study's classes, in no alphabetical order, and one that none of its folders is called by chance.
const STUDY: [&str; 4] = ["septa", "pearls", "glands", "artefact"];

/// A site's kit with tiles of some classes in folders, and features to go with them.
fn site(kit: &Path, terms: &Terms, present: &[&str], renamed: bool, seed: u64) {
    let plan = SyntheticPlan { side: 64, patients: 1, tiles: 2, sites: 1, seed };
    synthesise(&plan, &kit.join("tiles")).unwrap();
    for class in ["glands", "septa", "pearls"] {
        if !present.contains(&class) {
            std::fs::remove_dir_all(kit.join("tiles").join(class)).unwrap();
        }
    }
    if renamed {
        std::fs::rename(kit.join("tiles").join(present[0]), kit.join("tiles").join("Carcinoid")).unwrap();
    }
    let features = Features {
        width: terms.width,
        values: vec![0.5; terms.width].into(),
        ids: vec!["row".into()],
        labels: vec![Some(0)],
        groups: vec![0],
        classes: vec!["pearls".into()],
        backbone: Some(terms.backbone),
        ..Features::default()
    };
    features.save(&kit.join("train.safetensors")).unwrap();
}

fn opened(kit: &Path, model: &Path, terms: &Terms) -> blindscope_learn::jobs::Result<SiteLearner> {
    let settings = SiteSettings {
        train: "train.safetensors".into(),
        validation: None,
        tiles: Some("tiles".into()),
        backbone: Some(model.into()),
        models: None,
        history: None,
    };
    open_site(kit, &settings, terms)
}

/// The reference: a tile's class is the folder that it lies in, and its number that class's place in the study.
fn by_hand(kit: &Path, backbone: &Backbone) -> SiteData {
    let dataset = TileList::new(kit.join("tiles")).open().unwrap();
    let mut train = decode_all(&dataset).unwrap();
    for (tile, sample) in train.iter_mut().zip(&dataset.samples) {
        let folder = sample.id.split('/').next().unwrap();
        tile.label = STUDY.iter().position(|class| *class == folder).unwrap();
    }
    let tiles = Tiles { model: backbone.model.clone(), preprocess: backbone.preprocess.clone(), train };
    SiteData { train: Examples::default(), tiles: Some(tiles), ..SiteData::default() }
}

#[test]
fn tiles_of_every_order_and_subset_end_as_labelled_by_hand_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    let backbone = Backbone::small(1).unwrap();
    backbone.save(&model).unwrap();
    let terms = Terms {
        classes: STUDY.map(str::to_owned).to_vec(),
        width: backbone.model.config().width,
        backbone: backbone.digest(),
        allow_unknown_backbone: false,
    };
    let mut settings = UpdateSettings {
        part: UpdatePart::Head,
        width: terms.width,
        classes: STUDY.len(),
        hidden: 0,
        rounds: 2,
        epochs: 1,
        ..UpdateSettings::default()
    };
    settings.values = update_values(&backbone.model, &settings).unwrap();
    let spec = job("job", JobKind::Update, &settings).unwrap();
    let (mut ended, mut refused) = (0, 0);
    for seed in 0..8 {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let (mut joined, mut reference) = (Vec::new(), Vec::new());
        for number in 0..rng.random_range(2..=3) {
            let kit = folder.path().join(format!("{seed}-{number}"));
            let mut present = ["glands", "septa", "pearls"];
            present.shuffle(&mut rng);
            let present = &present[..rng.random_range(1..=3)];
            let renamed = rng.random_bool(0.2);
            site(&kit, &terms, present, renamed, 100 * seed + number);
            match opened(&kit, &model, &terms) {
                Ok(site) => {
                    assert!(!renamed, "a folder that the study does not know was taken");
                    reference.push(by_hand(&kit, &backbone));
                    joined.push(site);
                }
                Err(e) => {
                    let said = e.to_string();
                    assert!(
                        renamed && said.contains("`Carcinoid`") && said.contains("septa, pearls"),
                        "{said}"
                    );
                    refused += 1;
                }
            }
        }
        if !joined.is_empty() {
            let data: Vec<&SiteData> = joined.iter().map(SiteLearner::data).collect();
            let got = clear_twin(&spec, &data, &|_| {}).unwrap();
            assert!(
                got == clear_twin(&spec, &reference.iter().collect::<Vec<_>>(), &|_| {}).unwrap(),
                "seed {seed}"
            );
            ended += 1;
        }
    }
    assert!(ended >= 6 && refused >= 1, "{ended} ended, {refused} refused");
}
