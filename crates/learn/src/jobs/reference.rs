//! What the settings of each kind of job may say, for pages and for filling in.

use serde_json::Value;

use super::settings::{
    EncryptedHeadSettings, FedAvgSettings, MetricsSettings, StatisticsSettings, UpdateSettings,
};
use crate::documented::{Documented as _, Key};
use blindscope_federation::JobKind;

/// The keys of a kind's settings; none where it has no settings.
pub fn keys(kind: JobKind) -> &'static [Key] {
    match kind {
        JobKind::Statistics | JobKind::Auto | JobKind::ClsMean => StatisticsSettings::KEYS,
        JobKind::Fedavg => FedAvgSettings::KEYS,
        JobKind::Update => UpdateSettings::KEYS,
        JobKind::Metrics => MetricsSettings::KEYS,
        JobKind::InferenceKeys | JobKind::EncryptedHead => EncryptedHeadSettings::KEYS,
        JobKind::Ceremony | JobKind::Sum | JobKind::Question => &[],
    }
}

/// The settings of a kind with every key at its default; keys without one are missing.
pub fn defaults(kind: JobKind) -> Value {
    let value = match kind {
        JobKind::Statistics | JobKind::Auto | JobKind::ClsMean => {
            serde_json::to_value(StatisticsSettings::default())
        }
        JobKind::Fedavg => serde_json::to_value(FedAvgSettings::default()),
        JobKind::Update => serde_json::to_value(UpdateSettings::default()),
        JobKind::InferenceKeys | JobKind::EncryptedHead => {
            serde_json::to_value(EncryptedHeadSettings::default())
        }
        JobKind::Metrics => serde_json::to_value(MetricsSettings::default()),
        JobKind::Ceremony | JobKind::Sum | JobKind::Question => Ok(Value::Null),
    };
    // Structs of numbers and texts always have a form.
    value.unwrap_or_default()
}
