//! A batch comes out token by token: of a gradient, and not of ciphertexts.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::missing_docs_in_private_items, reason = "a test")]

mod common;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use blindscope_audit::Picture;
use blindscope_audit::metrics::Similarity;
use blindscope_audit::sealed::{Sealer, read_as_values};
use blindscope_audit::spans::{Observed, SearchPlan, SpanImage, TokenPlan, recover_tokens};
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::Parameters;
use common::{Batch, IMAGES, batch};

/// PSNR of the batch's own mean.
fn control(batch: &Batch) -> f64 {
    let mean = Picture::mean(&batch.originals).unwrap();
    let each = batch.originals.iter().map(|o| Similarity::of(o, &mean).unwrap().psnr);
    each.fold(f64::NEG_INFINITY, f64::max)
}

fn gradient(batch: &Batch) -> Parameters {
    let head = Classifier::Linear(batch.head.clone());
    batch_gradient(&batch.model, &head, &batch.pixels, &batch.labels).unwrap().backbone
}

fn attack(batch: &Batch, gradient: &Parameters, plan: &TokenPlan, whole: &SearchPlan) -> Vec<SpanImage> {
    let observed = Observed { gradient, model: &batch.model, head: &batch.head, images: IMAGES };
    recover_tokens(&observed, plan, whole, &mut |_| true).unwrap().images
}

#[test]
fn a_batch_comes_out_token_by_token() {
    let case = batch(3);
    let found = attack(&case, &gradient(&case), &TokenPlan::default(), &SearchPlan::default());
    for ((psnr, found), label) in case.compare(&found).into_iter().zip(&case.labels) {
        let found = found.unwrap();
        println!("{psnr:.1} dB, misfit {:.1e}, label {:?}", found.misfit, found.label);
        assert!(psnr > 60.0 && found.found());
        assert!(found.label.is_none_or(|l| l == *label));
    }
}

#[test]
fn a_batch_in_ciphertexts_is_worth_random_numbers() {
    let case = batch(5);
    let mut sealer = Sealer::new([7; 32]).unwrap();
    let mut rng = ChaCha12Rng::seed_from_u64(8);
    let plan = TokenPlan { rounds: 1, steps: 40, ..TokenPlan::default() };
    let whole = SearchPlan { rounds: 1, steps: 20, ..SearchPlan::default() };
    let mut reached = Vec::new();
    for sealed in [true, false] {
        let mut seen = gradient(&case);
        let block = seen.blocks.remove(0);
        let mut blind = |values: &mut Vec<f32>| {
            let bytes = if sealed {
                sealer.seal(values).unwrap()
            } else {
                let mut bytes = vec![0; 2 * values.len()];
                rng.fill_bytes(&mut bytes);
                bytes
            };
            *values = read_as_values(&bytes, values);
        };
        let mut block = block;
        for values in [&mut block.proj.weight, &mut block.fc1.weight, &mut block.fc2.weight] {
            blind(values);
        }
        blind(&mut seen.positions);
        blind(&mut seen.patch.weight);
        seen.blocks.insert(0, block);
        let found = attack(&case, &seen, &plan, &whole);
        let psnr: Vec<f64> = case.compare(&found).into_iter().map(|(psnr, _)| psnr).collect();
        println!("sealed {sealed}: {psnr:.1?} dB, the batch's mean {:.1}", control(&case));
        reached.push(psnr.iter().sum::<f64>() / IMAGES as f64);
    }
    assert!((reached[0] - reached[1]).abs() < 3.0, "{reached:?}");
    assert!(reached.iter().all(|r| *r < control(&case)), "{reached:?}");
}
