//! Answers a slide and a patient: what is asked in the end is not what a tile shows, but what a person has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::choice::HeadFigures;
use super::data::Examples;
use super::folds::{GroupName, name_of_row};
use super::{Error, Result};

/// What `metrics` counts one answer of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountedBy {
    /// A row: a tile, or a slide where the model pools its tiles.
    #[default]
    Row,
    /// A slide: the mean probability over its tiles.
    Slide,
    /// A patient: the mean probability over the patient's slides, over the rows where no slides are named.
    Patient,
}

impl CountedBy {
    /// Whether rows are counted, which files and results of earlier releases do not say.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
    pub(super) fn is_rows(&self) -> bool {
        *self == Self::Row
    }
}

/// Integers behind the counts, for the interval: groups, then over groups the sums of squared answers, of answers times errors, of
/// squared errors.
pub(super) const SPREAD: usize = 4;

/// Most slides of one patient, so that sums of squares have a bound.
pub(super) const MOST_OF_A_GROUP: u64 = 4096;

/// What is judged as one: its class, what is answered, whose it is.
#[derive(Debug, Clone, PartialEq)]
struct Unit {
    label: usize,
    /// The patient's, or the group's; none where no row is known to belong to another's.
    group: Option<GroupName>,
    probabilities: Vec<f64>,
}

/// The classes and answers of slides or patients, and the groups that they are drawn in.
pub(super) struct Judged {
    pub(super) labels: Vec<usize>,
    pub(super) predicted: Vec<usize>,
    groups: Vec<GroupName>,
}

impl Judged {
    /// Of the logits of rows, `[n, classes of the head]`; `numbers` are the job's of the head's classes. Range: labels are one a row.
    ///
    /// # Errors
    /// [`Error::Data`] for rows that name no slide where slides are counted, no patient where patients are, and for a slide or a patient
    /// of several classes.
    pub(super) fn of(by: CountedBy, rows: &Examples, logits: &[f32], numbers: &[usize]) -> Result<Self> {
        let units = match by {
            CountedBy::Row => parts(rows, logits, numbers.len()),
            CountedBy::Slide => slides(rows, &parts(rows, logits, numbers.len()))?,
            CountedBy::Patient => {
                let parts = parts(rows, logits, numbers.len());
                let parts = if rows.slides.is_empty() { parts } else { slides(rows, &parts)? };
                patients(&parts)?
            }
        };
        let own = |(at, unit): (usize, &Unit)| unit.group.unwrap_or_else(|| name_of_row(&[at as f32]));
        Ok(Self {
            groups: units.iter().enumerate().map(own).collect(),
            predicted: units.iter().map(|unit| numbers[most(&unit.probabilities)]).collect(),
            labels: units.into_iter().map(|unit| unit.label).collect(),
        })
    }

    /// What the interval follows from.
    ///
    /// # Errors
    /// [`Error::Data`] for a group of more than [`MOST_OF_A_GROUP`].
    pub(super) fn spread(&self, operation: &'static str) -> Result<[u64; SPREAD]> {
        let mut groups: BTreeMap<GroupName, (u64, u64)> = BTreeMap::new();
        for ((group, label), answer) in self.groups.iter().zip(&self.labels).zip(&self.predicted) {
            let (answers, errors) = groups.entry(*group).or_default();
            *answers += 1;
            *errors += u64::from(label != answer);
        }
        if let Some((most, _)) = groups.values().find(|(answers, _)| *answers > MOST_OF_A_GROUP) {
            let (what, found) = ("answers of one patient", most.to_string());
            return Err(Error::Data {
                operation,
                what,
                found,
                expected: format!("at most {MOST_OF_A_GROUP}"),
            });
        }
        let sum = |of: fn(u64, u64) -> u64| groups.values().map(|(n, e)| of(*n, *e)).sum();
        Ok([groups.len() as u64, sum(|n, _| n * n), sum(|n, e| n * e), sum(|_, e| e * e)])
    }
}

/// What opened counts and their spread tell of the answers.
pub(super) fn figures(name: &str, counts: &[Vec<u64>], spread: [u64; SPREAD]) -> HeadFigures {
    let [groups, squares, products, errors] = spread;
    let all = counts.iter().flatten().sum();
    let right = counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
    HeadFigures::of(name, [all, groups, right], [squares, products, errors])
}

/// The rows themselves.
fn parts(rows: &Examples, logits: &[f32], classes: usize) -> Vec<Unit> {
    let unit = |(at, (label, logits)): (usize, (&usize, &[f32]))| Unit {
        label: *label,
        group: rows.groups.get(at).copied(),
        probabilities: softmax(logits),
    };
    rows.labels.iter().zip(logits.chunks_exact(classes.max(1))).enumerate().map(unit).collect()
}

fn slides(rows: &Examples, parts: &[Unit]) -> Result<Vec<Unit>> {
    const OPERATION: &str = "metrics by slide";
    // Labels and slides are compared there.
    let bags = rows.bags(OPERATION)?;
    let bag = |bag: &super::Bag| joined(bag.rows.iter().filter_map(|row| parts.get(*row)), OPERATION);
    bags.iter().map(bag).collect()
}

fn patients(parts: &[Unit]) -> Result<Vec<Unit>> {
    const OPERATION: &str = "metrics by patient";
    let mut of: BTreeMap<GroupName, Vec<&Unit>> = BTreeMap::new();
    for part in parts {
        let Some(group) = part.group else {
            let (what, found) = ("the patients of the rows", "not known".to_owned());
            let expected =
                "a patient for every row, as `features extract --slides` takes them from `case_id`"
                    .to_owned();
            return Err(Error::Data { operation: OPERATION, what, found, expected });
        };
        of.entry(group).or_default().push(part);
    }
    of.into_values().map(|parts| joined(parts.into_iter(), OPERATION)).collect()
}

/// Several as one: their mean probabilities. Range: there is one.
fn joined<'a>(parts: impl Iterator<Item = &'a Unit>, operation: &'static str) -> Result<Unit> {
    let (mut all, mut count) = (None::<Unit>, 0.0);
    for part in parts {
        count += 1.0;
        let Some(all) = &mut all else {
            all = Some(part.clone());
            continue;
        };
        if all.label != part.label {
            let (what, found) = ("the class of one slide or patient", "several, one a part".to_owned());
            let expected = "one class for all of it; count rows instead".to_owned();
            return Err(Error::Data { operation, what, found, expected });
        }
        all.probabilities.iter_mut().zip(&part.probabilities).for_each(|(sum, p)| *sum += p);
    }
    let mut all = all.ok_or_else(|| Error::Data {
        operation,
        what: "the rows of one slide or patient",
        found: "none".to_owned(),
        expected: "at least one".to_owned(),
    })?;
    all.probabilities.iter_mut().for_each(|p| *p /= count);
    Ok(all)
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|v| f64::from(v - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

/// The first of the largest.
fn most(probabilities: &[f64]) -> usize {
    let better = |best: usize, at: usize| if probabilities[at] > probabilities[best] { at } else { best };
    (1..probabilities.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three patients: one of two slides, two of one; tiles of a slide disagree.
    fn rows() -> (Examples, Vec<f32>) {
        let rows = [
            (0, 1, 0, [4.0, 0.0]),
            (0, 1, 0, [0.0, 1.0]),
            (1, 1, 0, [0.0, 0.5]),
            (2, 2, 1, [0.0, 2.0]),
            (3, 3, 1, [1.0, 0.0]),
            (3, 3, 1, [1.0, 0.5]),
        ];
        let mut of = Examples::default();
        for (slide, patient, label, _) in rows {
            of.slides.push(slide);
            of.groups.push([patient; 32]);
            of.labels.push(label);
        }
        (of, rows.iter().flat_map(|(.., logits)| *logits).collect())
    }

    #[test]
    fn slides_and_patients_answer_by_the_mean_of_their_parts() -> Result<()> {
        let (rows, logits) = rows();
        let slides = Judged::of(CountedBy::Slide, &rows, &logits, &[0, 1])?;
        assert_eq!(
            (slides.labels.as_slice(), slides.predicted.as_slice()),
            (&[0, 0, 1, 1][..], &[0, 1, 1, 0][..])
        );
        // Three patients of 2, 1 and 1 slides, with 1, 0 and 1 errors.
        assert_eq!(slides.spread("test")?, [3, 6, 3, 2]);
        let patients = Judged::of(CountedBy::Patient, &rows, &logits, &[0, 1])?;
        // The first: (0.63 + 0.38) / 2 for its class, so the larger one is right.
        assert_eq!((patients.labels, patients.predicted), (vec![0, 1, 1], vec![0, 1, 0]));
        let rows_alone = Judged::of(CountedBy::Row, &rows, &logits, &[1, 0])?;
        assert_eq!(rows_alone.predicted, [1, 0, 0, 0, 1, 1], "the job's numbers of the head's classes");
        Ok(())
    }

    #[test]
    fn figures_are_those_of_groups_of_answers() {
        let figures = figures("a", &[vec![300, 20], vec![20, 60]], [100, 1600, 160, 160]);
        assert_eq!((figures.examples, figures.groups), (400, 100));
        assert!((figures.accuracy - 0.9).abs() < 1e-12 && figures.interval[0] < 0.86);
    }

    #[test]
    fn unknown_slides_patients_and_mixed_classes_are_refused() {
        let (rows, logits) = rows();
        let refused = |rows: &Examples, by| match Judged::of(by, rows, &logits, &[0, 1]) {
            Err(Error::Data { what, .. }) => what,
            _ => "nothing",
        };
        let unnamed = Examples { slides: Vec::new(), ..rows.clone() };
        assert_eq!(refused(&unnamed, CountedBy::Slide), "the slides of the rows");
        let nobody = Examples { groups: Vec::new(), ..rows.clone() };
        assert_eq!(refused(&nobody, CountedBy::Patient), "the patients of the rows");
        let mut mixed = rows;
        mixed.labels[2] = 1;
        assert_eq!(refused(&mixed, CountedBy::Patient), "the class of one slide or patient");
        mixed.labels[1] = 1;
        assert_eq!(refused(&mixed, CountedBy::Slide), "the class of a slide");
    }
}
