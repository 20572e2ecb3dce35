//! Stage 3: CLS tokens, and their mean over sites.

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::features::TokenSet;
use super::outcome::{Cell, Evidence, Gallery, GalleryRow, Point, View};
use super::{AuditPlan, Error};
use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, mse};
use blindscope_audit::sealed::{Sealer, read_as_values};
use blindscope_audit::token::{Decoder, same_group};

/// Ridge penalties among which the attacker chooses, shares of the number of tiles.
const PENALTIES: [f64; 4] = [0.1, 1.0, 10.0, 100.0];

/// What an attacker reads instead of tokens: their bytes under encryption, or nothing at all.
pub(super) struct Views {
    pub(super) clear: Vec<f32>,
    pub(super) sealed: Vec<f32>,
    pub(super) random: Vec<f32>,
}

pub(super) fn run(plan: &AuditPlan, set: &TokenSet) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    let views = views(plan, set)?;
    retrieval(set, &views, &mut evidence);
    decoding(set, &views, &mut evidence)?;
    means(set, &mut evidence)?;
    Ok(evidence)
}

/// Tokens of the victims: as they are, as ciphertext bytes, as random numbers of the same mean and deviation.
pub(super) fn views(plan: &AuditPlan, set: &TokenSet) -> Result<Views, Error> {
    let mut sealer = Sealer::new(plan.key_seed())?;
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed ^ 0x544f_4b4e);
    let d = set.width;
    let (mut sealed, mut random) = (Vec::new(), Vec::new());
    for token in set.victims.tokens.chunks_exact(d) {
        sealed.extend(read_as_values(&sealer.seal(token)?, token));
        let mut noise = vec![0u8; 64 * d];
        rng.fill_bytes(&mut noise);
        random.extend(read_as_values(&noise, token));
    }
    Ok(Views { clear: set.victims.tokens.clone(), sealed, random })
}

fn retrieval(set: &TokenSet, views: &Views, evidence: &mut Evidence) {
    let centre = set.mean_token();
    let hits = |queries: &[f32]| {
        same_group(queries, &set.victims.groups, &set.relatives.tokens, &set.relatives.groups, &centre)
    };
    let control = hits(&views.random);
    let name = "nearest neighbour among tiles of the same and other groups";
    for (view, tokens, key) in [
        (View::Clear, &views.clear, "token_retrieval"),
        (View::Ciphertext, &views.sealed, "token_retrieval_ciphertext"),
    ] {
        let figure = ("same group found", "");
        evidence.put(Cell::new(
            key,
            (Point::Token, view),
            name,
            figure,
            &hits(tokens),
            ("random tokens", &control),
        ));
    }
}

fn decoding(set: &TokenSet, views: &Views, evidence: &mut Evidence) -> Result<(), Error> {
    let decoder = trained(set)?;
    let decode = |tokens: &[f32]| -> Result<Vec<Picture>, Error> {
        Ok(tokens.chunks_exact(set.width).map(|t| decoder.decode(t)).collect::<Result<_, _>>()?)
    };
    let similar = |found: &[Picture]| -> Result<Vec<Similarity>, Error> {
        let pairs = set.victims.pictures.iter().zip(found);
        Ok(pairs.map(|(a, b)| Similarity::of(a, b)).collect::<Result<_, _>>()?)
    };
    let mean = Picture::mean(&set.others.pictures).unwrap_or_else(|| set.victims.pictures[0].clone());
    let guess = similar(&vec![mean; set.victims.pictures.len()])?;
    let clear = decode(&views.clear)?;
    let found = similar(&clear)?;
    let name = "decoder learned on other tiles";
    evidence.images(
        "token_decoder",
        (Point::Token, View::Clear),
        name,
        &found,
        ("mean of other tiles", &guess),
    );
    let random = similar(&decode(&views.random)?)?;
    let sealed = similar(&decode(&views.sealed)?)?;
    let at = (Point::Token, View::Ciphertext);
    evidence.images("token_decoder_ciphertext", at, name, &sealed, ("random tokens", &random));
    let rows = set.victims.pictures.iter().zip(&clear).zip(&found).take(3).enumerate();
    let row = |(i, ((o, p), s)): (usize, ((&Picture, &Picture), &Similarity))| {
        GalleryRow::new(format!("tile {}", i + 1), o, p, *s)
    };
    evidence
        .galleries
        .push(Gallery { title: "CLS token in the clear: decoder".into(), rows: rows.map(row).collect() });
    Ok(())
}

/// The mean token of N sites, one tile each, given to the same decoder: how much of any one tile is left?
fn means(set: &TokenSet, evidence: &mut Evidence) -> Result<(), Error> {
    let decoder = trained(set)?;
    let mean = Picture::mean(&set.others.pictures).unwrap_or_else(|| set.victims.pictures[0].clone());
    let d = set.width;
    for sites in [1, 2, 3, 8] {
        let (mut found, mut guess) = (Vec::new(), Vec::new());
        let cohorts =
            set.victims.tokens.chunks_exact(sites * d).zip(set.victims.pictures.chunks_exact(sites));
        for (tokens, pictures) in cohorts {
            let released: Vec<f32> =
                (0..d).map(|j| tokens.chunks_exact(d).map(|t| t[j]).sum::<f32>() / sites as f32).collect();
            let picture = decoder.decode(&released)?;
            for original in pictures {
                found.push(Similarity::of(original, &picture)?);
                guess.push(Similarity::of(original, &mean)?);
            }
        }
        let at = (Point::Aggregate, View::Released);
        let name = format!("decoder on the mean token of {sites} site(s), one tile each");
        evidence.images(&format!("cls_mean_{sites}"), at, &name, &found, ("mean of other tiles", &guess));
    }
    Ok(())
}

/// The decoder of the penalty that does best on a fifth of the attacker's own tiles, learned on all of them.
pub(super) fn trained(set: &TokenSet) -> Result<Decoder, Error> {
    let (tokens, pictures) = (&set.others.tokens, &set.others.pictures);
    let held = (pictures.len() / 5).max(1);
    let cut = pictures.len() - held;
    let mut best = (f64::INFINITY, PENALTIES[0]);
    for penalty in PENALTIES {
        let decoder = Decoder::train(&tokens[..cut * set.width], &pictures[..cut], penalty)?;
        let mut error = 0.0;
        for (token, picture) in tokens[cut * set.width..].chunks_exact(set.width).zip(&pictures[cut..]) {
            error += mse(&decoder.decode(token)?.values, &picture.values);
        }
        if error < best.0 {
            best = (error, penalty);
        }
    }
    Ok(Decoder::train(tokens, pictures, best.1)?)
}
