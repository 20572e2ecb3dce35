//! Labels by name: what a site's rows are called against what the study calls its classes, and against its backbone.
//!
//! A features file numbers its own classes, in an order of its own. Those numbers mean nothing to anybody else: rows join a study
//! under the names of their classes alone, and features join it only when they are of its backbone.

use serde_json::Value;

use super::folds::group_names;
use super::{Error, Examples, Result};
use crate::features::Features;
use blindscope_federation::{JobSpec, StudyLiteral};
use blindscope_vision::features::hex;
use blindscope_vision::slides::slides_of_rows;

/// What every site of a study has to agree on before rows are learned from together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Names of the classes, in the study's order.
    pub classes: Vec<String>,
    /// Width of a feature row.
    pub width: usize,
    /// Digest of the backbone with its preprocessing, as `blindscope model show` prints it.
    pub backbone: [u8; 32],
    /// Whether features that do not say which backbone made them may join.
    pub allow_unknown_backbone: bool,
}

impl Terms {
    /// Those of a study.
    pub fn of(study: &StudyLiteral) -> Self {
        Self {
            classes: study.classes.clone(),
            width: study.width as usize,
            backbone: study.backbone.0,
            allow_unknown_backbone: study.allow_unknown_backbone,
        }
    }

    /// The rows with their labels as numbers of the study's classes. A file without rows of some class takes part with the others.
    ///
    /// # Errors
    /// [`Error::Data`] for a class that the study has not, with both lists; for rows without a label, of another width, of another
    /// backbone, or of none that is known where the study does not allow that.
    pub fn examples(&self, operation: &'static str, features: &Features) -> Result<Examples> {
        self.check_rows(operation, features)?;
        let labels = in_classes(operation, features, &self.classes)?;
        let slides = slides_of_rows(features.ids.iter().map(String::as_str)).unwrap_or_default();
        let groups = group_names(features);
        Ok(Examples { rows: features.values.clone(), labels, slides, groups, file: None })
    }

    /// Refuses rows of another width or another backbone than the study's.
    ///
    /// # Errors
    /// [`Error::Data`] with both widths, or both digests.
    pub fn check_rows(&self, operation: &'static str, features: &Features) -> Result<()> {
        if features.width != self.width {
            let found = features.width.to_string();
            return Err(Error::Data {
                operation,
                what: "width of a row",
                found,
                expected: self.width.to_string(),
            });
        }
        self.check_backbone(operation, features.backbone)
    }

    /// Refuses another backbone than the study's, and an unknown one unless the study allows it.
    ///
    /// # Errors
    /// [`Error::Data`] with both digests, or with how to state the one that is unknown.
    pub fn check_backbone(&self, operation: &'static str, found: Option<[u8; 32]>) -> Result<()> {
        const WHAT: &str = "the backbone";
        match found {
            Some(found) if found == self.backbone => Ok(()),
            None if self.allow_unknown_backbone => Ok(()),
            Some(found) => {
                let expected =
                    format!("{}, the study's; extract the features with that model", hex(&self.backbone));
                Err(Error::Data { operation, what: WHAT, found: hex(&found), expected })
            }
            None => {
                let expected = format!(
                    "{0}: state it by `features import --backbone {0}` if it is that one, or found the study with \
                     allow_unknown_backbone = true",
                    hex(&self.backbone)
                );
                Err(Error::Data { operation, what: WHAT, found: "unknown".into(), expected })
            }
        }
    }

    /// Refuses a job whose settings say another number of classes, other names of them, or another width than the study has.
    ///
    /// # Errors
    /// [`Error::Contradiction`] with the first setting that differs, what the job says and what the study has.
    pub fn check_job(&self, job: &JobSpec) -> Result<()> {
        for (field, expected) in self.facts() {
            // What a kind of job does not ask for, and an empty list, say nothing.
            let said =
                |found: &&Value| !found.is_null() && found.as_array().is_none_or(|names| !names.is_empty());
            if let Some(found) = job.settings.get(field).filter(said).filter(|found| **found != expected) {
                let (found, expected) = (found.to_string(), expected.to_string());
                return Err(Error::Contradiction { job: job.name.clone(), field, found, expected });
            }
        }
        Ok(())
    }

    /// The job with what its settings leave out and the study knows: number and names of the classes, width of a row.
    #[must_use]
    pub fn fill(&self, mut job: JobSpec) -> JobSpec {
        let keys = super::reference::keys(job.kind);
        if job.settings.is_null() {
            job.settings = Value::Object(serde_json::Map::new());
        }
        if let Value::Object(settings) = &mut job.settings {
            for (field, value) in self.facts() {
                let fits = field != "names" || value.to_string().len() <= MOST_NAMES;
                if fits && keys.iter().any(|key| key.name == field) {
                    settings.entry(field).or_insert(value);
                }
            }
        }
        job
    }

    /// What a job's settings may say of the study, as they would say it.
    fn facts(&self) -> [(&'static str, Value); 4] {
        [
            ("classes", self.classes.len().into()),
            ("width", self.width.into()),
            ("names", self.classes.clone().into()),
            ("backbone", hex(&self.backbone).into()),
        ]
    }
}

/// Most bytes of the names of classes in a job file, which goes to every site and into the log.
const MOST_NAMES: usize = 8 << 10;

/// Every row's label as a number of `classes`, joined by name.
///
/// # Errors
/// [`Error::Data`] for a class of some row that is not among `classes`, with both lists; for rows without a label.
pub fn in_classes(operation: &'static str, features: &Features, classes: &[String]) -> Result<Vec<usize>> {
    let numbers: Vec<Option<usize>> =
        features.classes.iter().map(|name| classes.iter().position(|c| c == name)).collect();
    let mut unlabelled = 0usize;
    let mut unknown = vec![0usize; features.classes.len()];
    let mut labels = Vec::with_capacity(features.len());
    for label in &features.labels {
        match label.map(|own| (own, numbers.get(own).copied().flatten())) {
            Some((_, Some(number))) => labels.push(number),
            Some((own, None)) => {
                if let Some(count) = unknown.get_mut(own) {
                    *count += 1;
                }
            }
            None => unlabelled += 1,
        }
    }
    let strangers = || features.classes.iter().zip(&unknown).filter(|(_, rows)| **rows > 0);
    if strangers().next().is_some() {
        let names: Vec<String> = strangers().map(|(name, rows)| format!("`{name}` ({rows} rows)")).collect();
        let (own, all) = (features.classes.join(", "), classes.join(", "));
        let found = format!("{}, among its classes [{own}]", names.join(" and "));
        let expected = format!("one of [{all}], spelt like that; rename the labels or leave those rows out");
        return Err(Error::Data { operation, what: "the class of some rows", found, expected });
    }
    if unlabelled > 0 {
        let found = format!("missing in {unlabelled} of {} rows", features.len());
        let expected = format!("one of [{}] in each row", classes.join(", "));
        return Err(Error::Data { operation, what: "the class name", found, expected });
    }
    Ok(labels)
}
