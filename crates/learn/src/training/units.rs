//! Figures a slide and a patient: what is asked in the end is not what a tile shows, but what a person has.

use serde::Serialize;

use super::Error;
use blindscope_vision::features::Features;
use blindscope_vision::metrics::Metrics;
use blindscope_vision::slides::slides_of_rows;

/// Figures over slides or patients, the answer of each being the mean probability over its parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitFigures {
    /// Slides, or patients.
    pub count: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// 95 % interval of it, bootstrap over patients; over groups where patients are unknown.
    pub accuracy_interval: [f64; 2],
    /// Mean recall over classes.
    pub balanced_accuracy: f64,
    /// Mean F1 over classes.
    pub macro_f1: f64,
    /// 95 % interval of it, likewise.
    pub macro_f1_interval: [f64; 2],
    /// Area under the ROC curve, each class against the rest, mean; none where all are of one class.
    pub auc: Option<f64>,
}

/// What is judged as one: rows, slides or patients.
struct Units {
    labels: Vec<usize>,
    /// What the bootstrap draws as one.
    groups: Vec<usize>,
    /// `[units, classes]`
    probabilities: Vec<f64>,
}

/// Figures by slide, where every row names its slide; and by patient, where every row names its patient.
pub(super) struct ByUnit {
    pub(super) slides: Option<UnitFigures>,
    pub(super) patients: Option<UnitFigures>,
}

impl ByUnit {
    /// Of the logits of rows. None where there is nothing to tell: unnamed, of several classes, or as many as rows.
    pub(super) fn new(logits: &[f32], features: &Features, classes: usize) -> Result<Self, Error> {
        let patients = numbered(&features.patients);
        let groups = patients.clone().unwrap_or_else(|| features.groups.clone());
        let labels = features.known_labels()?;
        let rows = Units { labels, groups, probabilities: softmax(logits, classes) };
        let slides = slides_of_rows(features.ids.iter().map(String::as_str));
        let slides = slides.and_then(|slides| rows.joined(&slides, classes));
        let parts = slides.as_ref().unwrap_or(&rows);
        // Groups are patients where those are known.
        let of_patients = patients.and_then(|_| parts.joined(&parts.groups, classes));
        let figures = |units: Option<&Units>| units.map(|units| units.figures(classes)).transpose();
        Ok(Self { slides: figures(slides.as_ref())?, patients: figures(of_patients.as_ref())? })
    }
}

/// A number a name, in order of appearance; none where a row has none.
fn numbered(names: &[Option<String>]) -> Option<Vec<usize>> {
    let mut numbers = std::collections::HashMap::new();
    let number = |name: &Option<String>| {
        let next = numbers.len();
        name.as_deref().map(|name| *numbers.entry(name.to_owned()).or_insert(next))
    };
    let numbers: Option<Vec<usize>> = names.iter().map(number).collect();
    numbers.filter(|numbers| !numbers.is_empty())
}

fn softmax(logits: &[f32], classes: usize) -> Vec<f64> {
    let row = |logits: &[f32]| {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = logits.iter().map(|v| f64::from(v - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |p| p / sum)
    };
    logits.chunks_exact(classes.max(1)).flat_map(row).collect()
}

impl Units {
    /// The units of these numbers, each of all parts that have its number. None where the parts of one have several classes, or
    /// nothing is joined.
    fn joined(&self, numbers: &[usize], classes: usize) -> Option<Self> {
        let mut sorted: Vec<usize> = numbers.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() == numbers.len() {
            return None;
        }
        let mut labels: Vec<Option<usize>> = vec![None; sorted.len()];
        let (mut groups, mut parts) = (vec![0; sorted.len()], vec![0usize; sorted.len()]);
        let mut probabilities = vec![0.0; sorted.len() * classes];
        let of_parts = self.probabilities.chunks_exact(classes.max(1));
        for (((number, label), group), part) in
            numbers.iter().zip(&self.labels).zip(&self.groups).zip(of_parts)
        {
            let unit = sorted.binary_search(number).ok()?;
            if *labels[unit].get_or_insert(*label) != *label {
                return None;
            }
            (groups[unit], parts[unit]) = (*group, parts[unit] + 1);
            let sums = &mut probabilities[unit * classes..][..classes];
            sums.iter_mut().zip(part).for_each(|(sum, p)| *sum += p);
        }
        for (sums, parts) in probabilities.chunks_exact_mut(classes.max(1)).zip(&parts) {
            for sum in sums {
                *sum /= *parts as f64;
            }
        }
        Some(Self { labels: labels.into_iter().flatten().collect(), groups, probabilities })
    }

    fn figures(&self, classes: usize) -> Result<UnitFigures, Error> {
        // The logarithm of a probability is a logit of it.
        let logits: Vec<f32> =
            self.probabilities.iter().map(|p| p.max(f64::from(f32::MIN_POSITIVE)).ln() as f32).collect();
        let metrics = Metrics::new(&logits, &self.labels, &self.groups, classes, 1)?;
        Ok(UnitFigures {
            count: self.labels.len(),
            accuracy: metrics.confusion.accuracy(),
            accuracy_interval: [metrics.accuracy_interval.low, metrics.accuracy_interval.high],
            balanced_accuracy: metrics.confusion.balanced_accuracy(),
            macro_f1: metrics.confusion.macro_f1(),
            macro_f1_interval: [metrics.f1_interval.low, metrics.f1_interval.high],
            auc: metrics.auc,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three patients: one of two slides, two of one; tiles of a slide disagree.
    fn features() -> (Features, Vec<f32>) {
        let rows = [
            ("s1/0_0", "p1", 0, [4.0, 0.0]),
            ("s1/1_0", "p1", 0, [0.0, 1.0]),
            ("s2/0_0", "p1", 0, [0.0, 0.5]),
            ("s3/0_0", "p2", 1, [0.0, 2.0]),
            ("s4/0_0", "p3", 1, [1.0, 0.0]),
            ("s4/1_0", "p3", 1, [1.0, 0.5]),
        ];
        let mut features =
            Features { width: 1, classes: vec!["a".into(), "b".into()], ..Features::default() };
        for (id, patient, label, _) in rows {
            features.ids.push(id.into());
            features.patients.push(Some(patient.into()));
            features.labels.push(Some(label));
            features.groups.push(0);
        }
        (features, rows.iter().flat_map(|row| row.3).collect())
    }

    #[test]
    fn a_slide_is_the_mean_of_its_tiles_and_a_patient_of_its_slides() {
        let (features, logits) = features();
        let found = ByUnit::new(&logits, &features, 2).unwrap();
        let (slides, patients) = (found.slides.unwrap(), found.patients.unwrap());
        // s1: (0.982 + 0.269)/2 for class a; s2 is wrong by a little, s4 wrong.
        assert_eq!((slides.count, slides.accuracy), (4, 0.5));
        // p1: (0.625 + 0.378)/2 = 0.501, right; p2 right; p3 wrong.
        assert_eq!((patients.count, patients.accuracy), (3, 2.0 / 3.0));
        assert!(patients.accuracy_interval[0] < 2.0 / 3.0 && patients.accuracy_interval[1] > 2.0 / 3.0);
        // Whole patients are drawn: with both of p1's slides or neither, a share of a quarter is never seen.
        assert!(slides.accuracy_interval[1] > slides.accuracy);
    }

    #[test]
    fn nothing_is_told_of_units_that_are_not_known() {
        let (mut features, logits) = features();
        features.patients[2] = None;
        let found = ByUnit::new(&logits, &features, 2).unwrap();
        assert!(found.slides.is_some() && found.patients.is_none());
        features.labels[1] = Some(1);
        assert!(ByUnit::new(&logits, &features, 2).unwrap().slides.is_none(), "a slide of two classes");
        features.ids[0] = "tile.png".into();
        assert!(ByUnit::new(&logits, &features, 2).unwrap().slides.is_none());
    }
}
