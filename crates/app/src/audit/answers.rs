//! Stage 4, answers: what the logits of a head say of the token that was asked about, of who was behind the head, and of the head itself.
//!
//! Every attack is made twice: on logits as the head computes them, and on answers as an asker opens them, after encryption, evaluation and
//! the noise that each answer gets. Heads with and without noise of the study's own.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use rayon::prelude::*;

use super::features::TokenSet;
use super::members::as_rows;
use super::noise::{Released, Study, rows, spec, trial};
use super::outcome::{Cell, Evidence, Gallery, GalleryRow, Point, View};
use super::tokens::{trained, views};
use super::{AuditPlan, Error, Stage};
use blindscope_audit::Picture;
use blindscope_audit::extraction::{agreement, linear_from_logits};
use blindscope_audit::membership::Trial;
use blindscope_audit::metrics::Similarity;
use blindscope_audit::token::{AnsweredHead, TokenFromAnswers, same_group};
use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Head, Packing, Plan, Policy, Server};

/// Bits right of the point to which the worst logit is promised.
const BITS: u32 = 10;
/// Pictures of the gallery.
const SHOWN: usize = 3;
/// Heads that are asked side by side, between two words of progress.
const TOGETHER: usize = 4;

/// How answers come to the attacker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the head computes them.
    Exact,
    /// As an asker opens them.
    Opened,
}

impl Way {
    const ALL: [Self; 2] = [Self::Exact, Self::Opened];

    fn key(self) -> &'static str {
        if self == Self::Exact { "" } else { "_opened" }
    }

    fn words(self) -> &'static str {
        if self == Self::Exact { "exact logits" } else { "answers as they are opened" }
    }
}

/// One head, and what it answers about the victims' and the candidates' tokens.
struct Answered {
    released: Released,
    /// By way: victims first, then candidates.
    logits: [Vec<Vec<f64>>; 2],
    /// Deviation of an answer's noise, as the plan states it.
    noise: f64,
}

pub(super) fn run(plan: &AuditPlan, set: &TokenSet, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    if set.others.labels.len() / 2 < 10 * set.classes {
        evidence.notes.push("too few tiles for attacks on answers: left out.".into());
        return Ok(evidence);
    }
    for epsilon in [None, Some(8.0)] {
        let study = Study { plan, set, spec: spec(set, epsilon)? };
        let count = if plan.quick { 8 } else { 32 };
        let name =
            epsilon.map_or("answers".into(), |e| format!("answers of heads with noise of \u{3b5} = {e}"));
        let heads = study.heads(count)?;
        stage.tick(&name, 0, count as usize)?;
        let mut answered = Vec::new();
        let mut heads = heads.into_iter().enumerate().peekable();
        while heads.peek().is_some() {
            let some: Vec<(usize, Released)> = heads.by_ref().take(TOGETHER).collect();
            let one =
                |(number, released)| self::answered(set, released, [plan.seed as u8 ^ number as u8; 32]);
            let some = some.into_par_iter().map(one).collect::<Result<Vec<Answered>, Error>>()?;
            answered.extend(some);
            stage.tick(&name, answered.len(), count as usize)?;
        }
        let of = Attacked { plan, set, epsilon, heads: &answered };
        of.tokens(&mut evidence)?;
        of.members(&study, &mut evidence)?;
        if epsilon.is_none() {
            of.copied(&mut evidence)?;
        }
    }
    Ok(evidence)
}

fn answered(set: &TokenSet, released: Released, seed: [u8; 32]) -> Result<Answered, Error> {
    let tokens = [rows(&set.victims, set.width), rows(&set.others, set.width)].concat();
    let exact = released.head.logits(&tokens)?;
    let (opened, noise) = asked(&released.head, &tokens, seed)?;
    Ok(Answered { released, logits: [exact, opened], noise })
}

/// Answers through encryption, and the deviation of their noise.
fn asked(head: &Head, tokens: &[Vec<f64>], seed: [u8; 32]) -> Result<(Vec<Vec<f64>>, f64), Error> {
    let mut rng = ChaCha20Rng::from_seed(seed);
    let policy = Policy { packing: Some(Packing::Feature), ..Policy::new(tokens.len()) };
    let plan = match Plan::new(head, policy.precise(BITS)) {
        Err(blindscope_classify::Error::TooCoarse { .. }) => Plan::new(head, policy)?,
        other => other?,
    };
    let secret = AskerSecret::generate(&plan, &mut rng)?;
    let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?;
    let (asker, server) = (Asker::new(&plan), Server::new(head, &plan)?);
    let question = asker.encrypt(tokens, &secret, &mut rng)?;
    let answer = server.answer_bytes(&keys, &question, &mut rng)?;
    Ok((asker.open(tokens.len(), &answer, &secret)?, plan.literal().error_std))
}

/// Heads of one promise, attacked through their answers.
struct Attacked<'a> {
    plan: &'a AuditPlan,
    set: &'a TokenSet,
    epsilon: Option<f64>,
    heads: &'a [Answered],
}

impl Attacked<'_> {
    fn key(&self) -> String {
        self.epsilon.map_or(String::new(), |e| format!("_epsilon_{e}"))
    }

    fn heads_in_words(&self) -> String {
        self.epsilon.map_or("heads without noise".into(), |e| format!("heads with noise of \u{3b5} = {e}"))
    }

    fn victims(&self) -> usize {
        self.set.victims.labels.len()
    }

    /// The token of each victim, from its logits under one head, some, and all.
    fn tokens(&self, evidence: &mut Evidence) -> Result<(), Error> {
        let (set, d) = (self.set, self.set.width);
        let known = TokenFromAnswers::new(&set.others.tokens, d)?;
        let equations: Vec<AnsweredHead> =
            self.heads.iter().filter_map(|a| AnsweredHead::of(&a.released.head)).collect();
        if equations.len() < self.heads.len() {
            return Ok(());
        }
        let random = views(self.plan, set)?.random;
        let centre = set.mean_token();
        let hits = |tokens: &[f32]| {
            let (groups, gallery) = (&set.victims.groups, &set.relatives);
            same_group(tokens, groups, &gallery.tokens, &gallery.groups, &centre)
        };
        let control = hits(&random);
        for way in Way::ALL {
            for count in [1, 8, 32].into_iter().filter(|count| *count <= self.heads.len()) {
                let tokens = self.found(&known, &equations, count, way)?;
                let name = format!(
                    "nearest neighbour of the likeliest token behind {} of {count} {}",
                    way.words(),
                    self.heads_in_words()
                );
                let key = format!("answer_token_{count}{}{}", way.key(), self.key());
                let (at, figure) = ((Point::Answer, View::Released), ("same group found", ""));
                evidence.put(Cell::new(key, at, name, figure, &hits(&tokens), ("random tokens", &control)));
                if count == self.heads.len() && self.epsilon.is_none() {
                    self.pictures(&tokens, count, way, evidence)?;
                }
            }
        }
        Ok(())
    }

    /// The likeliest token of every victim by the answers of the first `count` heads.
    fn found(
        &self,
        known: &TokenFromAnswers,
        equations: &[AnsweredHead],
        count: usize,
        way: Way,
    ) -> Result<Vec<f32>, Error> {
        let heads: Vec<&AnsweredHead> = equations.iter().take(count).collect();
        let noise = if way == Way::Exact { 0.0 } else { self.heads[0].noise };
        let one = |victim: usize| {
            let logits: Vec<&[f64]> =
                self.heads.iter().take(count).map(|a| a.logits[way as usize][victim].as_slice()).collect();
            Ok(known.token(&heads, &logits, noise)?)
        };
        Ok((0..self.victims()).map(one).collect::<Result<Vec<_>, Error>>()?.concat())
    }

    /// What a decoder makes of these tokens.
    fn pictures(&self, tokens: &[f32], count: usize, way: Way, evidence: &mut Evidence) -> Result<(), Error> {
        let (set, decoder) = (self.set, trained(self.set)?);
        let mean = Picture::mean(&set.others.pictures).unwrap_or_else(|| set.victims.pictures[0].clone());
        let (mut found, mut guess, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (token, original)) in tokens.chunks_exact(set.width).zip(&set.victims.pictures).enumerate() {
            let picture = decoder.decode(token)?;
            let similarity = Similarity::of(original, &picture)?;
            if at < SHOWN {
                shown.push(GalleryRow::new(format!("tile {}", at + 1), original, &picture, similarity));
            }
            found.push(similarity);
            guess.push(Similarity::of(original, &mean)?);
        }
        let name = format!("decoder on the likeliest token behind {} of {count} heads", way.words());
        let key = format!("answer_decoder{}", way.key());
        let at = (Point::Answer, View::Released);
        evidence.images(&key, at, &name, &found, ("mean of other tiles", &guess));
        let title = format!("Answers of {count} heads about one token, {}: decoder", way.words());
        evidence.galleries.push(Gallery { title, rows: shown });
        Ok(())
    }

    /// Who was behind a head, by asking it about every candidate: likelihood ratios with the other heads as shadows.
    fn members(&self, study: &Study<'_>, evidence: &mut Evidence) -> Result<(), Error> {
        for way in Way::ALL {
            let trials: Vec<Trial> = self.heads.iter().map(|a| self.trial(a, way)).collect();
            let (found, chance) = study.told(&trials)?;
            let name = format!(
                "membership by likelihood ratio, every tile asked about once, {} of {}",
                way.words(),
                self.heads_in_words()
            );
            let key = format!("answer_membership{}{}", way.key(), self.key());
            let at = (Point::Answer, View::Released);
            evidence.put(Cell::new(key, at, name, ("AUC", ""), &found, ("shuffled members", &chance)));
        }
        Ok(())
    }

    fn trial(&self, answered: &Answered, way: Way) -> Trial {
        let logits = &answered.logits[way as usize][self.victims()..];
        trial(logits, &self.set.others.labels, &answered.released.members)
    }

    /// The head itself, from one question a feature and one more.
    fn copied(&self, evidence: &mut Evidence) -> Result<(), Error> {
        let (d, tokens) = (self.set.width, as_rows(&self.set.victims.tokens, self.set.width));
        let most = self.set.victims.labels.iter();
        let commonest = (0..self.set.classes).map(|c| most.clone().filter(|l| **l == c).count()).max();
        let chance = commonest.unwrap_or(0) as f64 / self.victims().max(1) as f64;
        for way in Way::ALL {
            let mut shares = Vec::new();
            for (number, answered) in self.heads.iter().take(4).enumerate() {
                let head = &answered.released.head;
                // Askers standardise by themselves, so they know where a head's features lie and how far they go.
                let known = &head.literal().normalisation;
                let feature = |j: usize, q: f64| known.mean[j] + q / known.gain[j];
                let raw =
                    |q: &[f64]| -> Vec<f64> { q.iter().enumerate().map(|(j, q)| feature(j, *q)).collect() };
                let standard = |x: &Vec<f64>| -> Vec<f64> {
                    x.iter().enumerate().map(|(j, x)| (x - known.mean[j]) * known.gain[j]).collect()
                };
                // The queries do not depend on answers: they are taken down first, and asked at once.
                let mut queries = Vec::new();
                linear_from_logits(d, 1.0, &mut |q| {
                    queries.push(raw(q));
                    Ok(vec![0.0; self.set.classes])
                })?;
                let answers = match way {
                    Way::Exact => head.logits(&queries)?,
                    Way::Opened => asked(head, &queries, [0x63 ^ number as u8; 32])?.0,
                };
                let mut answers = answers.into_iter();
                let copy = linear_from_logits(d, 1.0, &mut |_| Ok(answers.next().unwrap_or_default()))?;
                let standardised: Vec<Vec<f64>> = tokens.iter().map(standard).collect();
                shares.push(agreement(&copy.logits(&standardised)?, &head.logits(&tokens)?));
            }
            let name = format!("linear head from {} chosen questions, {}", d + 1, way.words());
            let key = format!("answer_head{}", way.key());
            let (at, figure) = ((Point::Answer, View::Released), ("agreement", ""));
            let control = ("always the commonest class", [chance; 4]);
            evidence.put(Cell::new(key, at, name, figure, &shares, (control.0, &control.1)));
        }
        Ok(())
    }
}
