//! Splits that keep groups whole and classes balanced.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Gamma};

use crate::error::{Error, Result};

/// Names of parts and their shares of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitPlan {
    /// Part names with shares; shares are positive and need not sum to one.
    pub parts: Vec<(String, f64)>,
    /// Seed of the shuffle.
    pub seed: u64,
}

impl SplitPlan {
    /// Train, validation and test in the given shares; a share of zero leaves a part out.
    pub fn train_validation_test(train: f64, validation: f64, test: f64, seed: u64) -> Self {
        let parts = [("train", train), ("validation", validation), ("test", test)];
        let parts =
            parts.into_iter().filter(|(_, share)| *share > 0.0).map(|(n, s)| (n.to_owned(), s)).collect();
        Self { parts, seed }
    }

    /// Equal shares for `sites` hospitals (IID).
    pub fn sites(sites: usize, seed: u64) -> Self {
        Self { parts: (1..=sites).map(|i| (format!("site-{i}"), 1.0)).collect(), seed }
    }

    /// Splits samples of the given labels and groups: every group goes to one part, and each part's class counts come
    /// as near to its share as whole groups allow (greedy, largest groups first, shuffled by the seed).
    ///
    /// # Errors
    /// [`Error::FewGroups`] when a class has fewer groups than there are parts, since some part would then lack the class.
    pub fn apply(&self, labels: &[usize], groups: &[usize]) -> Result<Split> {
        let total: f64 = self.parts.iter().map(|(_, share)| share).sum();
        if self.parts.is_empty()
            || self.parts.iter().any(|(_, s)| s.is_nan() || *s <= 0.0)
            || !total.is_finite()
        {
            return Err(Error::data("splitting", "every part needs a positive share"));
        }
        let table = GroupTable::new(labels, groups)?;
        for (class, groups) in table.groups_per_class().into_iter().enumerate() {
            if groups > 0 && groups < self.parts.len() {
                return Err(Error::FewGroups { class: class.to_string(), groups, parts: self.parts.len() });
            }
        }
        let counts = table.class_counts();
        let targets: Vec<Vec<f64>> =
            self.parts.iter().map(|(_, share)| counts.iter().map(|n| n * share / total).collect()).collect();
        let names = self.parts.iter().map(|(name, _)| name.clone()).collect();
        Ok(table.assign(names, &targets, self.seed))
    }
}

/// A part for every sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Names of the parts.
    pub names: Vec<String>,
    /// For each sample, the index of its part.
    pub part: Vec<usize>,
}

impl Split {
    /// Indices of the samples of one part.
    pub fn members(&self, part: usize) -> Vec<usize> {
        (0..self.part.len()).filter(|i| self.part[*i] == part).collect()
    }

    /// Indices of the samples outside one part: the training side of a fold.
    pub fn others(&self, part: usize) -> Vec<usize> {
        (0..self.part.len()).filter(|i| self.part[*i] != part).collect()
    }
}

/// Refuses a split, from wherever it comes, that puts one group into two parts.
///
/// # Errors
/// [`Error::Data`] names the number of such groups and the first of them.
pub fn check_no_leak(split: &Split, groups: &[usize]) -> Result<()> {
    if split.part.len() != groups.len() {
        return Err(Error::shape("checking a split", groups.len(), split.part.len()));
    }
    let mut home = std::collections::HashMap::new();
    let mut leaking = std::collections::BTreeSet::new();
    for (part, group) in split.part.iter().zip(groups) {
        if home.entry(group).or_insert(part) != &part {
            leaking.insert(group);
        }
    }
    match leaking.first() {
        None => Ok(()),
        Some(first) => {
            let n = leaking.len();
            let reason =
                format!("{n} group(s) lie in more than one part, the first is group {first}; split by group");
            Err(Error::data("checking a split", reason))
        }
    }
}

/// `k` grouped, stratified folds.
///
/// # Errors
/// As [`SplitPlan::apply`]; [`Error::Data`] for fewer than two folds.
pub fn k_fold(labels: &[usize], groups: &[usize], k: usize, seed: u64) -> Result<Split> {
    if k < 2 {
        return Err(Error::data("cross-validation", format!("{k} fold(s); at least two are needed")));
    }
    SplitPlan { parts: (1..=k).map(|i| (format!("fold-{i}"), 1.0)).collect(), seed }.apply(labels, groups)
}

/// Sites of unequal class mixtures: each class is dealt in proportions drawn from Dirichlet(α, …, α) (Hsu et al., arXiv
/// 1909.06335). Small α gives sites of nearly one class, large α approaches IID. Groups stay whole.
///
/// # Errors
/// [`Error::Data`] for α ≤ 0, no site, or when a site receives nothing (use another seed, a larger α or fewer sites).
pub fn dirichlet_sites(
    labels: &[usize],
    groups: &[usize],
    sites: usize,
    alpha: f64,
    seed: u64,
) -> Result<Split> {
    let table = GroupTable::new(labels, groups)?;
    let gamma = Gamma::new(alpha, 1.0).ok().filter(|_| sites > 0 && alpha.is_finite());
    let gamma =
        gamma.ok_or_else(|| Error::data("splitting by site", format!("α = {alpha}, {sites} sites")))?;
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut targets = vec![Vec::new(); sites];
    for count in table.class_counts() {
        let draws: Vec<f64> = (0..sites).map(|_| gamma.sample(&mut rng).max(f64::MIN_POSITIVE)).collect();
        let total: f64 = draws.iter().sum();
        for (target, draw) in targets.iter_mut().zip(draws) {
            target.push(count * draw / total);
        }
    }
    let split = table.assign((1..=sites).map(|i| format!("site-{i}")).collect(), &targets, seed);
    if let Some(empty) = (0..sites).find(|site| !split.part.contains(site)) {
        let reason = format!("site {} of {sites} received no tile at α = {alpha}, seed {seed}", empty + 1);
        return Err(Error::data("splitting by site", reason));
    }
    Ok(split)
}

/// The split that the tiles' own sites make.
///
/// # Errors
/// [`Error::Data`] when a tile names no site.
pub fn split_by_site(sites: &[Option<String>]) -> Result<Split> {
    let sites: Option<Vec<&String>> = sites.iter().map(Option::as_ref).collect();
    let sites = sites.filter(|sites| !sites.is_empty()).ok_or_else(|| {
        Error::data("splitting by site", "some tiles name no site; list them in a column `site`")
    })?;
    let mut names: Vec<String> = sites.iter().map(|s| (*s).clone()).collect();
    names.sort();
    names.dedup();
    let part = sites.iter().map(|s| names.partition_point(|n| n < *s)).collect();
    Ok(Split { names, part })
}

/// Class counts of each group.
struct GroupTable {
    group_of: Vec<usize>,
    counts: Vec<Vec<f64>>,
}

impl GroupTable {
    fn new(labels: &[usize], groups: &[usize]) -> Result<Self> {
        if labels.len() != groups.len() || labels.is_empty() {
            let expected = format!("{} groups, at least one", labels.len());
            return Err(Error::shape("splitting", expected, groups.len()));
        }
        let classes = labels.iter().max().map_or(0, |m| m + 1);
        let mut index = std::collections::HashMap::new();
        let mut group_of = Vec::with_capacity(groups.len());
        let mut counts: Vec<Vec<f64>> = Vec::new();
        for (label, group) in labels.iter().zip(groups) {
            let at = *index.entry(group).or_insert(counts.len());
            if at == counts.len() {
                counts.push(vec![0.0; classes]);
            }
            counts[at][*label] += 1.0;
            group_of.push(at);
        }
        Ok(Self { group_of, counts })
    }

    fn class_counts(&self) -> Vec<f64> {
        let mut total = vec![0.0; self.counts[0].len()];
        for group in &self.counts {
            total.iter_mut().zip(group).for_each(|(t, n)| *t += n);
        }
        total
    }

    fn groups_per_class(&self) -> Vec<usize> {
        (0..self.counts[0].len()).map(|c| self.counts.iter().filter(|g| g[c] > 0.0).count()).collect()
    }

    /// Gives each group, largest first, to the part that its classes are furthest short in, relative to the target.
    fn assign(&self, names: Vec<String>, targets: &[Vec<f64>], seed: u64) -> Split {
        let mut order: Vec<usize> = (0..self.counts.len()).collect();
        order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
        let size = |g: &usize| self.counts[*g].iter().sum::<f64>();
        order.sort_by(|a, b| size(b).total_cmp(&size(a)));
        let mut missing = targets.to_vec();
        let mut home = vec![0; self.counts.len()];
        for group in order {
            let need = |part: usize| -> f64 {
                let classes = self.counts[group].iter().zip(&missing[part]).zip(&targets[part]);
                classes.filter(|((n, _), _)| **n > 0.0).map(|((n, m), t)| n * m / t.max(1e-9)).sum()
            };
            let best = (0..targets.len()).fold((0, f64::NEG_INFINITY), |best, part| {
                let score = need(part);
                if score > best.1 { (part, score) } else { best }
            });
            home[group] = best.0;
            missing[best.0].iter_mut().zip(&self.counts[group]).for_each(|(m, n)| *m -= n);
        }
        Split { names, part: self.group_of.iter().map(|g| home[*g]).collect() }
    }
}
