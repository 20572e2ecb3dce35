//! A gradient does not say in which order a batch was: results are paired with originals as well as they can be.

use super::pixel::mse;
use crate::Picture;

/// For each original the index of its reconstruction, every reconstruction used once: the pairing of least total squared
/// error for up to seven pictures, and closest pairs first beyond. *Shapes*: as many originals as reconstructions.
pub fn best_order(originals: &[Picture], found: &[Picture]) -> Vec<usize> {
    let n = originals.len().min(found.len());
    let cost: Vec<Vec<f64>> = originals
        .iter()
        .take(n)
        .map(|a| found.iter().take(n).map(|b| mse(&a.values, &b.values)).collect())
        .collect();
    if n > 7 {
        return greedy(&cost);
    }
    let mut best = (f64::INFINITY, Vec::new());
    search(&cost, &mut Vec::new(), 0.0, &mut best);
    best.1
}

fn search(cost: &[Vec<f64>], taken: &mut Vec<usize>, total: f64, best: &mut (f64, Vec<usize>)) {
    if total >= best.0 {
        return;
    }
    if taken.len() == cost.len() {
        *best = (total, taken.clone());
        return;
    }
    for next in 0..cost.len() {
        if !taken.contains(&next) {
            let step = cost[taken.len()][next];
            taken.push(next);
            search(cost, taken, total + step, best);
            taken.pop();
        }
    }
}

fn greedy(cost: &[Vec<f64>]) -> Vec<usize> {
    let n = cost.len();
    let mut pairs: Vec<(usize, usize)> = (0..n * n).map(|i| (i / n, i % n)).collect();
    pairs.sort_by(|a, b| cost[a.0][a.1].total_cmp(&cost[b.0][b.1]));
    let (mut order, mut used) = (vec![usize::MAX; n], vec![false; n]);
    for (a, b) in pairs {
        if order[a] == usize::MAX && !used[b] {
            order[a] = b;
            used[b] = true;
        }
    }
    order
}
