//! Stage 4: who was in an aggregate or behind a head, and what a head's answers give away.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

use super::features::{Part, TokenSet};
use super::outcome::{Cell, Evidence, Point, View};
use super::{AuditPlan, Error, Stage, noise};
use blindscope_audit::extraction::{Quadratic, agreement, linear_from_logits, quadratic_from_logits};
use blindscope_audit::membership::{Population, auc, head_scores};
use blindscope_audit::sealed::{Sealer, read_as_values};
use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::{
    HeadPlan, LinearHead, LogisticPlan, PolynomialHead, train_logistic, train_polynomial,
};

/// Tiles that each site brings to an aggregate.
pub(super) const TILES_A_SITE: usize = 4;
/// Cohorts drawn for each figure.
pub(super) const TRIALS: usize = 20;

pub(super) fn run(plan: &AuditPlan, set: &TokenSet, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    for (i, sites) in [1, 2, 3, 8].into_iter().enumerate() {
        aggregate(plan, set, sites, &mut evidence)?;
        stage.tick("membership in aggregates", i + 1, 4)?;
    }
    released_head(plan, set, &mut evidence)?;
    stage.tick("membership in a released head", 1, 1)?;
    noise::run(plan, set, &mut evidence, stage)?;
    extraction(plan, set, &mut evidence)?;
    stage.tick("extraction through queries", 1, 1)?;
    Ok(evidence)
}

/// Rows of some tiles of a part.
pub(super) fn rows(part: &Part, width: usize, which: &[usize]) -> Vec<f32> {
    which.iter().flat_map(|i| &part.tokens[i * width..(i + 1) * width]).copied().collect()
}

/// Members and as many others, drawn from the attacker-independent half; the other half is what the attacker knows.
fn draw(
    set: &TokenSet,
    members: usize,
    rng: &mut ChaCha12Rng,
) -> Option<(Vec<usize>, Vec<usize>, Vec<usize>)> {
    let mut order: Vec<usize> = (0..set.others.labels.len()).collect();
    order.shuffle(rng);
    let rest = order.split_off((2 * members).min(order.len()));
    let others = order.split_off(members.min(order.len()));
    (others.len() == members && rest.len() > 10).then_some((order, others, rest))
}

fn aggregate(plan: &AuditPlan, set: &TokenSet, sites: usize, evidence: &mut Evidence) -> Result<(), Error> {
    let members = sites * TILES_A_SITE;
    let d = set.width;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed ^ sites as u64);
    let mut sealer = Sealer::new(plan.key_seed())?;
    let (mut clear, mut sealed, mut random) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TRIALS {
        let Some((inside, outside, known)) = draw(set, members, &mut rng) else {
            evidence.notes.push(format!("too few tiles for an aggregate over {sites} sites: left out."));
            return Ok(());
        };
        let population = Population::new(&rows(&set.others, d, &known), d)?;
        let inside = rows(&set.others, d, &inside);
        let outside = rows(&set.others, d, &outside);
        let parts: Vec<Vec<f32>> = inside
            .chunks_exact(TILES_A_SITE * d)
            .map(|site| (0..d).map(|j| site.chunks_exact(d).map(|t| t[j]).sum()).collect())
            .collect();
        let released: Vec<f32> =
            (0..d).map(|j| parts.iter().map(|p| p[j]).sum::<f32>() / members as f32).collect();
        let bytes = read_as_values(&sealer.seal_sum(&parts)?, &released);
        let noise: Vec<f32> = (0..d).map(|_| StandardNormal.sample(&mut rng)).collect();
        for (seen, into) in [(&released, &mut clear), (&bytes, &mut sealed), (&noise, &mut random)] {
            into.push(auc(&population.scores(seen, &inside), &population.scores(seen, &outside)));
        }
    }
    let name = format!("tracing a tile in the mean over {sites} site(s) of {TILES_A_SITE} tiles");
    let key = format!("membership_aggregate_{sites}");
    let (control, figure) = (("random numbers", random.as_slice()), ("AUC", ""));
    evidence.put(Cell::new(&key, (Point::Aggregate, View::Released), &name, figure, &clear, control));
    let key = format!("{key}_ciphertext");
    evidence.put(Cell::new(key, (Point::Aggregate, View::Ciphertext), name, figure, &sealed, control));
    Ok(())
}

pub(super) fn as_rows(weights: &[f32], width: usize) -> Vec<Vec<f64>> {
    weights.chunks_exact(width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
}

fn as_values(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn head_of(width: usize, map: Map) -> Result<Head, Error> {
    let literal = HeadLiteral { normalisation: Normalisation::identity(width, 1e6), map, range: None };
    Head::new(literal).map_err(|e| Error::Attack(e.into()))
}

fn linear(head: &LinearHead) -> Result<Head, Error> {
    let layer = Affine { weights: as_rows(&head.weight, head.width), bias: as_values(&head.bias) };
    head_of(head.width, Map::Linear { layer })
}

fn polynomial(head: &PolynomialHead) -> Result<Head, Error> {
    let hidden = head.bias1.len();
    let inner = Affine { weights: as_rows(&head.weight1, head.width), bias: as_values(&head.bias1) };
    let outer = Affine { weights: as_rows(&head.weight2, hidden), bias: as_values(&head.bias2) };
    head_of(head.width, Map::Polynomial { inner, polynomial: as_values(&head.polynomial), outer })
}

fn labels(part: &Part, which: &[usize]) -> Vec<usize> {
    which.iter().map(|i| part.labels[*i]).collect()
}

fn released_head(plan: &AuditPlan, set: &TokenSet, evidence: &mut Evidence) -> Result<(), Error> {
    let d = set.width;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed ^ 0x4d45_4d42);
    let (mut found, mut chance) = (Vec::new(), Vec::new());
    let members = (set.others.labels.len() / 3).min(90);
    for trial in 0..if plan.quick { 4 } else { TRIALS / 2 } {
        let Some((inside, outside, _)) = draw(set, members, &mut rng) else { return Ok(()) };
        let y = labels(&set.others, &inside);
        let training = LogisticPlan { seed: plan.seed ^ trial as u64, ..LogisticPlan::default() };
        let Ok(head) = train_logistic(&rows(&set.others, d, &inside), d, &y, set.classes, &training) else {
            // A draw without one of the classes trains no head; the next one does.
            continue;
        };
        let head = linear(&head)?;
        let scores = |which: &[usize]| {
            head_scores(&head, &as_rows(&rows(&set.others, d, which), d), &labels(&set.others, which))
        };
        found.push(auc(&scores(&inside)?, &scores(&outside)?));
        let mut both = [scores(&inside)?, scores(&outside)?].concat();
        both.shuffle(&mut rng);
        let (a, b) = both.split_at(both.len() / 2);
        chance.push(auc(a, b));
    }
    let name = format!("membership by loss on a released linear head, {members} training tiles");
    let at = (Point::Head, View::Released);
    evidence.put(Cell::new("membership_head", at, name, ("AUC", ""), &found, ("shuffled members", &chance)));
    Ok(())
}

fn extraction(plan: &AuditPlan, set: &TokenSet, evidence: &mut Evidence) -> Result<(), Error> {
    let d = set.width;
    let all: Vec<usize> = (0..set.others.labels.len()).collect();
    let x = rows(&set.others, d, &all);
    let y = labels(&set.others, &all);
    let tokens = as_rows(&set.victims.tokens, d);
    let wrong = |e: blindscope_classify::Error| Error::Attack(e.into());
    let most = (0..set.classes).map(|c| y.iter().filter(|l| **l == c).count()).max().unwrap_or(0);
    let chance = [most as f64 / y.len().max(1) as f64; 2];
    let at = (Point::Head, View::Released);
    let mut put = |key: String, name: String, value: f64| {
        let cell = Cell::new(
            key,
            at,
            name,
            ("agreement", ""),
            &[value, value],
            ("always the commonest class", &chance),
        );
        evidence.put(cell);
    };

    let victim = linear(&train_logistic(&x, d, &y, set.classes, &LogisticPlan::default())?)?;
    let ask = |head: &Head, q: &[f64]| -> blindscope_audit::Result<Vec<f64>> {
        Ok(head.logits(&[q])?.into_iter().next().unwrap_or_default())
    };
    let stolen = linear_from_logits(d, 1.0, &mut |q| ask(&victim, q))?;
    let same = agreement(&stolen.logits(&tokens).map_err(wrong)?, &victim.logits(&tokens).map_err(wrong)?);
    put("extraction_linear".into(), format!("linear head from {} chosen logit queries", d + 1), same);

    let trained =
        train_polynomial(&x, d, &y, set.classes, &HeadPlan { epochs: 10, ..HeadPlan::default() }, None)?;
    let square = polynomial(&trained.head)?;
    let stolen = quadratic_from_logits(d, 1.0, &mut |q| ask(&square, q))?;
    let guesses: Vec<Vec<f64>> = tokens.iter().map(|t| stolen.logits(t)).collect();
    let same = agreement(&guesses, &square.logits(&tokens).map_err(wrong)?);
    let name = format!("polynomial head of degree 2 from {} chosen logit queries", Quadratic::queries(d));
    put("extraction_polynomial".into(), name, same);

    for queries in [100, 1000] {
        let (q, answers) = label_queries(set, &x, queries, plan.seed, |q| ask(&victim, q))?;
        let Ok(copy) = train_logistic(&q, d, &answers, set.classes, &LogisticPlan::default()) else {
            continue;
        };
        let copy = linear(&copy)?;
        let same = agreement(&copy.logits(&tokens).map_err(wrong)?, &victim.logits(&tokens).map_err(wrong)?);
        put(
            format!("extraction_top1_{queries}"),
            format!("linear head from {queries} answers of the class alone"),
            same,
        );
    }
    Ok(())
}

/// Queries like tokens (mean and deviation of each feature), and the classes they were answered with.
fn label_queries(
    set: &TokenSet,
    like: &[f32],
    count: usize,
    seed: u64,
    mut ask: impl FnMut(&[f64]) -> blindscope_audit::Result<Vec<f64>>,
) -> Result<(Vec<f32>, Vec<usize>), Error> {
    let (d, n) = (set.width, (like.len() / set.width).max(1) as f32);
    let mean = set.mean_token();
    let deviation: Vec<f32> = (0..d)
        .map(|j| (like.iter().skip(j).step_by(d).map(|v| (v - mean[j]).powi(2)).sum::<f32>() / n).sqrt())
        .collect();
    let mut rng = ChaCha12Rng::seed_from_u64(seed ^ 0x544f_5031);
    let (mut queries, mut answers) = (Vec::with_capacity(count * d), Vec::with_capacity(count));
    for _ in 0..count {
        let q: Vec<f32> = (0..d)
            .map(|j| {
                let z: f32 = StandardNormal.sample(&mut rng);
                mean[j] + deviation[j] * z
            })
            .collect();
        let logits = ask(&as_values(&q))?;
        answers.push(blindscope_audit::extraction::top(&logits).unwrap_or(0));
        queries.extend(q);
    }
    Ok((queries, answers))
}
