//! The study that the demo founds.

use super::options::{SITES, THRESHOLD};
use super::tiles::ASKER;
use blindscope_federation::Deadlines;
use blindscope_learn::features::{self, Backbone};
use blindscope_node::kit::InferenceSettings;
use blindscope_node::kit::provision::Project;

/// Most tokens of one question.
const BATCH: usize = 8;

/// Its project file: three sites, any two of which open a sum, and no sum of fewer than three.
pub(super) fn project(backbone: &Backbone, classes: &[String]) -> Project {
    Project {
        name: "demo".into(),
        // A free port is taken when the study is founded.
        address: "127.0.0.1:0".into(),
        listen: None,
        hosts: Vec::new(),
        classes: classes.to_vec(),
        backbone: features::hex(&backbone.digest()),
        allow_unknown_backbone: false,
        width: backbone.model.config().width as u32,
        sites: SITES.map(str::to_owned).to_vec(),
        admins: vec!["admin".into()],
        askers: vec![ASKER.into()],
        threshold: THRESHOLD,
        minimum_cohort: SITES.len() as u32,
        colluders: None,
        holders: Vec::new(),
        decryptions: 1 << 20,
        statistical_bits: 40,
        attempts: 4,
        certificate_days: 30,
        deadlines: Deadlines { ceremony_seconds: 600, upload_seconds: 3600, opening_seconds: 600 },
        inference: Some(InferenceSettings {
            jobs: vec!["fedavg".into(), "update".into()],
            batch: BATCH,
            precision: None,
            keys_each: 4,
            tokens_an_hour: 1 << 20,
            ..InferenceSettings::default()
        }),
    }
}
