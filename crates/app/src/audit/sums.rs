//! Stage 4, sums: what a round of sums gives away before it is opened, to those who hold some of it.
//!
//! The coordinator holds every body. Holders hold their parts of every key. Everybody sees the opened sum of keys. Each attack makes up a
//! key from what its attacker holds, reads bodies under it, and traces the tiles of one site in what it read. The same attacks with one
//! holder, or one site, more than the study withstands show that they work.

use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::cohort::{Cohort, SITES, Sums, THRESHOLD};
use super::features::TokenSet;
use super::members::{TILES_A_SITE, TRIALS, rows};
use super::outcome::{Cell, Evidence, Gallery, GalleryRow, Point, View};
use super::tokens::trained;
use super::{AuditPlan, Error, Stage};
use blindscope_aggregate::one_round::SumKey;
use blindscope_audit::Picture;
use blindscope_audit::membership::{Population, auc};
use blindscope_audit::metrics::Similarity;
use blindscope_audit::sealed::{read_as_values, rescaled};

/// Pictures of a gallery.
const SHOWN: usize = 3;

/// A way to read a site's numbers out of a cohort that the site takes part in.
struct Reading {
    key: &'static str,
    name: String,
    view: View,
    read: Read,
}

type Read = fn(&Cohort<'_>) -> Result<Vec<f32>, Error>;

fn reading(key: &'static str, name: impl Into<String>, view: View, read: Read) -> Reading {
    Reading { key, name: name.into(), view, read }
}

/// Every reading: of site 0, but for the one of two honest sites' sum.
fn readings() -> Vec<Reading> {
    let few = THRESHOLD - 1;
    vec![
        reading(
            "sum_parts_too_few",
            format!(
                "a site's body under the key that its parts of {few} holders say, of {THRESHOLD} that open"
            ),
            View::Ciphertext,
            |cohort| cohort.read(&[0], &cohort.key(&[0], THRESHOLD - 1)),
        ),
        reading(
            "sum_parts_enough",
            format!("the same with its parts of {THRESHOLD} holders"),
            View::Beyond,
            |cohort| cohort.read(&[0], &cohort.key(&[0], THRESHOLD)),
        ),
        reading(
            "sum_of_keys",
            "a site's body under its share of the published sum of keys",
            View::Ciphertext,
            |cohort| cohort.read(&[0], &published(cohort).shared_out()),
        ),
        reading(
            "sum_of_keys_two_honest",
            "the same for all but two sites, which take their own keys off the published sum",
            View::Ciphertext,
            |cohort| cohort.read(&[0], &published(cohort).without(&others(cohort, 2)).shared_out()),
        ),
        reading(
            "sum_of_two_honest",
            "what the same sites know of the other two: the sum of both",
            View::Released,
            |cohort| cohort.read(&[0, 1], &published(cohort).without(&others(cohort, 2))),
        ),
        reading(
            "sum_of_keys_one_honest",
            "a site's body under the published sum of keys less those of all other sites",
            View::Beyond,
            |cohort| cohort.read(&[0], &published(cohort).without(&others(cohort, 1))),
        ),
    ]
}

/// The sum of keys that is published when a cohort's sum is opened.
fn published(cohort: &Cohort<'_>) -> SumKey {
    cohort.key(&(0..SITES as usize).collect::<Vec<_>>(), THRESHOLD)
}

/// The sum of the keys of all sites from `first` on: they know their own.
fn others(cohort: &Cohort<'_>, first: usize) -> SumKey {
    cohort.key(&(first..SITES as usize).collect::<Vec<_>>(), THRESHOLD)
}

pub(super) fn run(plan: &AuditPlan, set: &TokenSet, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    let bound = f64::from(set.others.tokens.iter().fold(1.0f32, |most, v| most.max(v.abs())));
    let sums = Sums::new(set.width, bound, TILES_A_SITE)?;
    let readings = readings();
    let mut found = vec![Vec::new(); readings.len()];
    let (mut bodies, mut random) = (Vec::new(), Vec::new());
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed ^ 0x5355_4d53);
    for trial in 0..TRIALS {
        let Some(drawn) = Drawn::new(set, &mut rng)? else {
            evidence.notes.push("too few tiles for attacks on a round of sums: left out.".into());
            return Ok(evidence);
        };
        let mut secret = plan.key_seed();
        secret[8..16].copy_from_slice(&(trial as u64).to_le_bytes());
        let sites: Vec<&[f32]> = drawn.inside.chunks_exact(TILES_A_SITE * set.width).collect();
        let cohort = sums.cohort(&sites, secret)?;
        for (reading, found) in readings.iter().zip(&mut found) {
            found.push(drawn.traced(&(reading.read)(&cohort)?, set.width));
        }
        bodies.push(drawn.traced(&read_as_values(cohort.body(0), &drawn.truth(set.width)), set.width));
        let noise: Vec<f32> = (0..set.width).map(|_| StandardNormal.sample(&mut rng)).collect();
        random.push(drawn.traced(&noise, set.width));
        stage.tick("a round of sums", trial + 1, TRIALS)?;
    }
    let mut put = |key: &str, view, name: String, found: &[f64]| {
        let at = (Point::Aggregate, view);
        evidence.put(Cell::new(key, at, name, ("AUC", ""), found, ("random numbers", &random)));
    };
    put("sum_body", View::Ciphertext, "tracing a tile in the bytes of its site's body".into(), &bodies);
    for (reading, found) in readings.into_iter().zip(&found) {
        put(reading.key, reading.view, format!("tracing a tile in {}", reading.name), found);
    }
    pictures(plan, set, bound, &mut evidence)?;
    Ok(evidence)
}

/// Tiles of a cohort, others, and what the attacker knows of tiles at large.
struct Drawn {
    population: Population,
    inside: Vec<f32>,
    outside: Vec<f32>,
}

impl Drawn {
    fn new(set: &TokenSet, rng: &mut ChaCha12Rng) -> Result<Option<Self>, Error> {
        let members = SITES as usize * TILES_A_SITE;
        let mut order: Vec<usize> = (0..set.others.labels.len()).collect();
        order.shuffle(rng);
        if order.len() < members + 2 * TILES_A_SITE + 10 {
            return Ok(None);
        }
        let of = |which: &[usize]| rows(&set.others, set.width, which);
        let (inside, rest) = order.split_at(members);
        let (outside, known) = rest.split_at(2 * TILES_A_SITE);
        let population = Population::new(&of(known), set.width)?;
        Ok(Some(Self { population, inside: of(inside), outside: of(outside) }))
    }

    /// The mean token of site 0: what a reading would be if it were right.
    fn truth(&self, width: usize) -> Vec<f32> {
        let own = self.victims(width);
        (0..width).map(|j| own.iter().skip(j).step_by(width).sum::<f32>() / TILES_A_SITE as f32).collect()
    }

    fn victims(&self, width: usize) -> &[f32] {
        &self.inside[..TILES_A_SITE * width]
    }

    /// How well site 0's tiles are told from others by what was read, brought to the truth's own mean and deviation.
    fn traced(&self, read: &[f32], width: usize) -> f64 {
        let read = rescaled(read, &self.truth(width));
        let scores = |tiles: &[f32]| self.population.scores(&read, tiles);
        auc(&scores(self.victims(width)), &scores(&self.outside))
    }
}

/// What a decoder makes of sites' tokens, one tile a site, as holders read them who are one too few, and enough.
fn pictures(plan: &AuditPlan, set: &TokenSet, bound: f64, evidence: &mut Evidence) -> Result<(), Error> {
    let victims: Vec<&[f32]> = set.victims.tokens.chunks_exact(set.width).take(SITES as usize).collect();
    if victims.len() < SITES as usize {
        return Ok(());
    }
    let mut secret = [0; 32];
    ChaCha12Rng::seed_from_u64(plan.seed ^ 0x5049_4354).fill_bytes(&mut secret);
    let (sums, decoder) = (Sums::new(set.width, bound, 1)?, trained(set)?);
    let cohort = sums.cohort(&victims, secret)?;
    for holders in [THRESHOLD - 1, THRESHOLD] {
        let mut shown = Vec::new();
        for (site, truth) in victims.iter().enumerate().take(SHOWN) {
            let read = cohort.read(&[site], &cohort.key(&[site], holders))?;
            let original: &Picture = &set.victims.pictures[site];
            let picture = decoder.decode(&rescaled(&read, truth))?;
            let similarity = Similarity::of(original, &picture)?;
            shown.push(GalleryRow::new(format!("site {}", site + 1), original, &picture, similarity));
        }
        let title = format!(
            "One tile's token in a round of sums, read by {holders} of {SITES} holders and decoded; {THRESHOLD} open a sum"
        );
        evidence.galleries.push(Gallery { title, rows: shown });
    }
    Ok(())
}
