//! Rows in groups, dealt to sites as whole groups.

use super::{CLASSES, Study, WIDTH, examples, learner};
use blindscope_federation::JobSpec;
use blindscope_learn::jobs::{Examples, Model, SiteData, SiteLearner};

/// Copies of each example that stay together.
const COPIES: usize = 3;

/// Rows of which each [`COPIES`] neighbours are of one group and one class.
pub fn grouped(n: usize, seed: u64) -> Examples {
    let mut out = examples(n * COPIES, seed);
    let whole = out.rows.whole().unwrap().into_owned();
    out.rows = Vec::new().into();
    out.labels.clear();
    for group in 0..n {
        for copy in 0..COPIES {
            // Rows of one class stand `CLASSES` apart.
            let at = group / CLASSES * CLASSES * COPIES + group % CLASSES + copy * CLASSES;
            out.rows.extend(whole[at * WIDTH..(at + 1) * WIDTH].iter().copied());
            out.labels.push(group % CLASSES);
            out.groups.push([group as u8; 32]);
        }
    }
    out
}

/// The same rows at `sites` sites, whole groups each.
pub fn dealt(all: &Examples, sites: usize) -> Vec<SiteLearner> {
    let site = |site: usize| {
        let mut train = Examples::default();
        for at in 0..all.len() {
            if (usize::from(all.groups[at][0]) * 7 / 3) % sites == site {
                train.rows.extend(all.rows.row(WIDTH, at).unwrap().iter().copied());
                train.labels.push(all.labels[at]);
                train.groups.push(all.groups[at]);
            }
        }
        learner(SiteData { train, ..SiteData::default() })
    };
    (0..sites).map(site).collect()
}

/// Some of the rows.
pub fn select(all: &Examples, rows: &[usize]) -> Examples {
    Examples {
        rows: all.rows.rows(WIDTH, rows).unwrap().into(),
        labels: rows.iter().map(|i| all.labels[*i]).collect(),
        groups: rows.iter().map(|i| all.groups[*i]).collect(),
        ..Examples::default()
    }
}

/// The model that a job ends in, its sums encrypted.
pub fn encrypted(spec: &JobSpec, sites: &[SiteLearner]) -> Model {
    let (bytes, _) = Study::new(3).run(spec, &sites.iter().collect::<Vec<_>>());
    Model::from_json(&bytes).unwrap()
}
