//! Stage 1: the gradient of one image, in the clear, under encryption, and released over several sites.

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::outcome::{Cell, Evidence, Gallery, GalleryRow, Point, View};
use super::{AuditPlan, ClosedForm, ClosedTarget, Error, Stage, Tile, Tiles, closed_form};
use blindscope_audit::Picture;
use blindscope_audit::closed::from_positions;
use blindscope_audit::metrics::Similarity;
use blindscope_audit::sealed::{Sealer, read_as_values};
use blindscope_vision::train::batch_gradient;
use blindscope_vision::vit::{Config, Parameters};

/// Sites over which a released gradient is averaged.
const COHORTS: [usize; 4] = [1, 2, 3, 8];

pub(super) fn run(plan: &AuditPlan, tiles: &Tiles, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    let chosen = tiles.of_different_groups(0, plan.images)?;
    let classes = tiles.classes.len();
    for (key, name, config, learned) in targets(plan) {
        let target = ClosedTarget::at_random_start(config, classes, plan.seed)?;
        let what = if learned {
            "closed form from positions"
        } else {
            "closed form from attention, positions fixed"
        };
        let (key, name) = (format!("gradient_{key}"), format!("{what}, {name}"));
        attack(&mut evidence, &Attack { key: &key, name: &name, target: &target, learned }, &chosen, stage)?;
    }
    if let Some(model) = plan.load_model()? {
        let target = ClosedTarget::with_new_head(model, classes, plan.seed);
        let name = "closed form, the study's backbone";
        let backbone = Attack { key: "gradient_backbone", name, target: &target, learned: true };
        attack(&mut evidence, &backbone, &chosen, stage)?;
    }
    let target = ClosedTarget::at_random_start(plan.paper_shape(), classes, plan.seed)?;
    sealed(plan, &target, &chosen, &mut evidence, stage)?;
    released(plan, &target, &chosen, &mut evidence, stage)?;
    Ok(evidence)
}

/// Key, name, shape, and whether positions are shared.
fn targets(plan: &AuditPlan) -> Vec<(&'static str, &'static str, Config, bool)> {
    if plan.quick {
        let small = plan.paper_shape();
        return vec![
            ("small_vit", "a small ViT", small.clone(), true),
            ("small_vit_fixed_positions", "a small ViT", small, false),
        ];
    }
    vec![
        ("paper_vit", "the paper's ViT", Config::paper(), true),
        ("vit_b16", "ViT-B/16", Config::vit_base(), true),
        ("paper_vit_fixed_positions", "the paper's ViT", Config::paper(), false),
    ]
}

/// Each original's likeness to the mean of the others: what a guess without any gradient reaches.
pub(super) fn mean_control(originals: &[Picture]) -> Result<Vec<Similarity>, Error> {
    let mut out = Vec::new();
    for (i, original) in originals.iter().enumerate() {
        let others: Vec<Picture> =
            originals.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p.clone()).collect();
        if let Some(mean) = Picture::mean(&others) {
            out.push(Similarity::of(original, &mean)?);
        }
    }
    Ok(out)
}

/// A closed-form attack on one target.
struct Attack<'a> {
    key: &'a str,
    name: &'a str,
    target: &'a ClosedTarget,
    /// Whether the positions' gradients are shared.
    learned: bool,
}

fn attack(
    evidence: &mut Evidence,
    attack: &Attack<'_>,
    tiles: &[Tile],
    stage: &mut Stage<'_>,
) -> Result<(), Error> {
    let Attack { key, name, target, learned } = *attack;
    let mut found: Vec<ClosedForm> = Vec::new();
    for (i, tile) in tiles.iter().enumerate() {
        found.push(closed_form(target, tile, learned)?);
        stage.tick(name, i + 1, tiles.len())?;
    }
    let originals: Vec<Picture> = found.iter().map(|c| c.original.clone()).collect();
    let control = mean_control(&originals)?;
    let similar: Vec<Similarity> = found.iter().map(|c| c.similarity).collect();
    let at = (Point::Gradient, View::Clear);
    evidence.images(key, at, name, &similar, ("mean of other tiles", &control));
    let labels: Vec<f64> = found.iter().map(|c| f64::from(c.label_found)).collect();
    let chance = vec![1.0 / target.head.classes() as f64; labels.len()];
    let label = Cell::new(
        format!("{key}_label"),
        at,
        "label from the last layer (iDLG)",
        ("label found", ""),
        &labels,
        ("guessing", &chance),
    );
    evidence.put(label);
    let seconds: Vec<f64> = found.iter().map(|c| c.seconds).collect();
    let worst = found.iter().map(|c| c.similarity.psnr).fold(f64::INFINITY, f64::min);
    let (rank, patches) = found.first().map_or((0, 0), |c| c.rank);
    evidence.notes.push(format!(
        "{name}: {} images, least PSNR {worst:.1} dB, {rank} independent equations for {patches} patches, median solve {:.3} s.",
        found.len(),
        median(&seconds)
    ));
    evidence.notes.extend(unseen(target.model.config(), rank).map(|note| format!("{name}: {note}")));
    evidence.seconds.push((key.to_owned(), seconds));
    let rows = found.iter().take(3).enumerate();
    let row = |(i, c): (usize, &ClosedForm)| {
        GalleryRow::new(format!("tile {}", i + 1), &c.original, &c.found, c.similarity)
    };
    evidence
        .galleries
        .push(Gallery { title: format!("Gradient of one image: {name}"), rows: rows.map(row).collect() });
    Ok(())
}

/// What no equation can add where there are fewer than patches. Every gradient sees a patch through the d − 1 centred values
/// of its embedding, and through dL/dW; both stay as they are when what the equations leave open moves within the
/// embedding's kernel.
fn unseen(config: &Config, rank: usize) -> Option<String> {
    let open = config.patches().saturating_sub(rank);
    let hidden = open * (config.patch_values() + 1).saturating_sub(config.width);
    (hidden > 0).then(|| {
        format!(
            "{hidden} of the image's {} values leave no trace in any gradient, {} more only in those of deeper layers; all are filled \
             in by smoothness.",
            config.pixels(),
            open * config.patch_values() - hidden
        )
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The two tensors that the closed form reads, from real ciphertext bytes and, as control, from random numbers.
fn sealed(
    plan: &AuditPlan,
    target: &ClosedTarget,
    tiles: &[Tile],
    evidence: &mut Evidence,
    stage: &mut Stage<'_>,
) -> Result<(), Error> {
    const NAME: &str = "closed form on ciphertext bytes";
    let mut sealer = Sealer::new(plan.key_seed())?;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed ^ 0x5345_414c);
    let (mut found, mut control, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (i, tile) in tiles.iter().enumerate() {
        let original = target.picture(tile);
        let pixels = original.normalised(&target.preprocess);
        let gradient = batch_gradient(&target.model, &target.head, &pixels, &[tile.label])?.backbone;
        let mut noise = vec![0u8; 1 << 16];
        let mut from_bytes =
            |bytes: Option<&mut Sealer>, into: &mut Vec<Similarity>| -> Result<Picture, Error> {
                let mut seen = Parameters { positions: Vec::new(), ..gradient.clone() };
                if let Some(sealer) = bytes {
                    seen.positions = read_as_values(&sealer.seal(&gradient.positions)?, &gradient.positions);
                    seen.patch.weight =
                        read_as_values(&sealer.seal(&gradient.patch.weight)?, &gradient.patch.weight);
                } else {
                    let mut random = |like: &[f32]| {
                        noise.resize(2 * like.len(), 0);
                        rng.fill_bytes(&mut noise);
                        read_as_values(&noise, like)
                    };
                    seen.positions = random(&gradient.positions);
                    seen.patch.weight = random(&gradient.patch.weight);
                }
                let recovered = from_positions(target.model.config(), &seen)?;
                let picture = Picture::from_normalised(&recovered.pixels, &target.preprocess);
                into.push(Similarity::of(&original, &picture)?);
                Ok(picture)
            };
        let picture = from_bytes(Some(&mut sealer), &mut found)?;
        from_bytes(None, &mut control)?;
        if let (true, Some(s)) = (i < 2, found.last()) {
            rows.push(GalleryRow::new(format!("tile {}", i + 1), &original, &picture, *s));
        }
        stage.tick(NAME, i + 1, tiles.len())?;
    }
    let at = (Point::Gradient, View::Ciphertext);
    evidence.images("gradient_ciphertext", at, NAME, &found, ("random numbers", &control));
    evidence
        .galleries
        .push(Gallery { title: "Gradient under encryption: the same attack on the bytes".into(), rows });
    Ok(())
}

/// Gradients averaged over N sites of one image each, decrypted as the protocol would.
fn released(
    plan: &AuditPlan,
    target: &ClosedTarget,
    tiles: &[Tile],
    evidence: &mut Evidence,
    stage: &mut Stage<'_>,
) -> Result<(), Error> {
    let pictures: Vec<Picture> = tiles.iter().map(|t| target.picture(t)).collect();
    for (step, sites) in COHORTS.into_iter().enumerate() {
        let (mut found, mut control) = (Vec::new(), Vec::new());
        let cohorts = (0..tiles.len() / sites).map(|i| i * sites..(i + 1) * sites);
        for cohort in cohorts.take(if plan.quick { 2 } else { 3 }) {
            let guess = Picture::mean(&[&pictures[..cohort.start], &pictures[cohort.end..]].concat());
            let originals = &pictures[cohort.clone()];
            let pixels: Vec<f32> = originals.iter().flat_map(|p| p.normalised(&target.preprocess)).collect();
            let labels: Vec<usize> = tiles[cohort].iter().map(|t| t.label).collect();
            let gradient = batch_gradient(&target.model, &target.head, &pixels, &labels)?.backbone;
            let recovered = from_positions(target.model.config(), &gradient)?;
            let picture = Picture::from_normalised(&recovered.pixels, &target.preprocess);
            // The attacker does not know whose image it got; the best likeness is counted, of the guess too.
            found.extend(best(originals, &picture)?);
            control.extend(guess.map(|g| best(originals, &g)).transpose()?.flatten());
        }
        let at = (Point::Gradient, View::Released);
        let name = format!("closed form on the mean gradient of {sites} site(s), one image each");
        let control = ("mean of other tiles", control.as_slice());
        evidence.images(&format!("gradient_released_{sites}"), at, &name, &found, control);
        stage.tick("released gradients", step + 1, COHORTS.len())?;
    }
    Ok(())
}

/// The likeness of `picture` to whichever original it resembles most.
fn best(originals: &[Picture], picture: &Picture) -> Result<Option<Similarity>, Error> {
    let each: Vec<Similarity> =
        originals.iter().map(|o| Similarity::of(o, picture)).collect::<Result<_, _>>()?;
    Ok(each.into_iter().max_by(|a, b| a.psnr.total_cmp(&b.psnr)))
}
