//! Which tokens belong to one image: attention says.
//!
//! Each found token brings what attention gave it, and that is made of the tokens of its own image. So tokens are dealt to images
//! until the attention that each image's tokens pay one another is what they brought.

use faer::Mat;

use super::super::block::Block;

/// A token with what attention gave it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// Its embedding, `[d]`.
    pub(super) embedding: Vec<f64>,
    /// Attention's output before its projection, `[d]`.
    pub(super) mixed: Vec<f64>,
}

/// Rounds of dealing before the last one is taken.
const ROUNDS: usize = 20;

/// Queries, keys and values of one token, `[3d]`.
type Triple = Vec<f64>;

struct Dealer {
    heads: usize,
    /// Of the tokens before the patches, which all images share.
    prefix: Vec<Triple>,
    tokens: Vec<Vec<Triple>>,
    mixed: Vec<Vec<Vec<f64>>>,
}

/// For each image and position the number of its token in `tokens[k]`, or nothing where there is none. `prefix`: `[d, ·]`; `first`: for each
/// image what attention gave its tokens, about.
pub(super) fn group(
    block: &Block,
    prefix: &Mat<f64>,
    tokens: &[Vec<Token>],
    first: &[Vec<f64>],
) -> Vec<Vec<Option<usize>>> {
    let triples = |x: Mat<f64>| -> Vec<Triple> {
        let q = block.queries(&x);
        (0..q.ncols()).map(|k| q.col(k).iter().copied().collect()).collect()
    };
    let width = prefix.nrows();
    let of = |some: &Vec<Token>| {
        if some.is_empty() { Vec::new() } else { triples(Mat::from_fn(width, some.len(), |i, k| some[k].embedding[i])) }
    };
    let dealer = Dealer {
        heads: block.heads(),
        prefix: triples(prefix.clone()),
        tokens: tokens.iter().map(of).collect(),
        mixed: tokens.iter().map(|some| some.iter().map(|t| t.mixed.clone()).collect()).collect(),
    };
    let mut dealt = dealer.first(first);
    for _ in 0..ROUNDS {
        let next = dealer.again(&dealt);
        if next == dealt {
            break;
        }
        dealt = next;
    }
    dealt
}

impl Dealer {
    /// By the nearest of `outputs` of attention.
    fn first(&self, outputs: &[Vec<f64>]) -> Vec<Vec<Option<usize>>> {
        let mut dealt = vec![vec![None; self.tokens.len()]; outputs.len()];
        for (k, mixed) in self.mixed.iter().enumerate() {
            let cost = |token: usize, image: usize| distance(&mixed[token], &outputs[image]);
            for (token, image) in matched(mixed.len(), outputs.len(), cost) {
                dealt[image][k] = Some(token);
            }
        }
        dealt
    }

    /// Every position anew, by the attention that each image would pay each token.
    fn again(&self, dealt: &[Vec<Option<usize>>]) -> Vec<Vec<Option<usize>>> {
        let mut next = vec![vec![None; self.tokens.len()]; dealt.len()];
        for k in 0..self.tokens.len() {
            let cost = |token: usize, image: usize| {
                distance(&self.mixed[k][token], &self.attention(&dealt[image], k, token))
            };
            for (token, image) in matched(self.tokens[k].len(), dealt.len(), cost) {
                next[image][k] = Some(token);
            }
        }
        next
    }

    /// What token `token` of position `k` would be given among the other tokens of an image.
    fn attention(&self, image: &[Option<usize>], k: usize, token: usize) -> Vec<f64> {
        let own = &self.tokens[k][token];
        let others = image.iter().enumerate().filter(|(l, _)| *l != k);
        let others = others.filter_map(|(l, t)| t.map(|t| &self.tokens[l][t]));
        let all: Vec<&Triple> = self.prefix.iter().chain(others).chain([own]).collect();
        let d = own.len() / 3;
        let e = d / self.heads;
        let mut out = vec![0.0; d];
        for head in 0..self.heads {
            let at = head * e;
            let query = &own[at..at + e];
            let scores: Vec<f64> = all.iter().map(|t| dot(query, &t[d + at..d + at + e]) / (e as f64).sqrt()).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            for (t, weight) in all.iter().zip(&weights) {
                for (out, v) in out[at..at + e].iter_mut().zip(&t[2 * d + at..]) {
                    *out += weight / total * v;
                }
            }
        }
        out
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Pairs of tokens and images, cheapest pair first.
fn matched(tokens: usize, images: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(f64, usize, usize)> = (0..tokens)
        .flat_map(|t| (0..images).map(move |i| (t, i)))
        .map(|(t, i)| (cost(t, i), t, i))
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut used, mut full, mut out) = (vec![false; tokens], vec![false; images], Vec::new());
    for (_, t, i) in pairs {
        if !used[t] && !full[i] {
            (used[t], full[i]) = (true, true);
            out.push((t, i));
        }
    }
    out
}
