//! A batch comes out of an update after several plain steps, where the attacks on a gradient fail.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::missing_docs_in_private_items, reason = "a test")]

mod common;

use blindscope_audit::spans::{Observed, SearchPlan, SpanImage, recover, recover_update};
use blindscope_vision::train::{Classifier, batch_gradient};
use blindscope_vision::vit::Parameters;
use common::{Batch, IMAGES, batch};

const STEPS: usize = 5;
/// That of the audit.
const RATE: f32 = 1e-2;

struct Case {
    batch: Batch,
    /// Weights before less weights after.
    update: Parameters,
    /// The loss at every step.
    losses: Vec<f32>,
}

fn case(seed: u64) -> Case {
    let batch = batch(seed);
    let Batch { model, head, pixels, labels, .. } = &batch;
    let (mut after, mut tuned, mut losses) = (model.clone(), head.clone(), Vec::new());
    for _ in 0..STEPS {
        let g = batch_gradient(&after, &Classifier::Linear(tuned.clone()), pixels, labels).unwrap();
        let descend = |w: &mut [f32], g: &[f32]| w.iter_mut().zip(g).for_each(|(w, g)| *w -= RATE * g);
        for (w, g) in after.parameters_mut().tensors_mut().into_iter().zip(g.backbone.tensors()) {
            descend(w, g);
        }
        descend(&mut tuned.weight, &g.head_weight);
        descend(&mut tuned.bias, &g.head_bias);
        losses.push(g.loss);
    }
    let mut update = model.parameters().clone();
    for (w, after) in update.tensors_mut().into_iter().zip(after.parameters().tensors()) {
        w.iter_mut().zip(after).for_each(|(w, after)| *w -= after);
    }
    Case { batch, update, losses }
}

impl Case {
    fn observed(&self) -> Observed<'_> {
        Observed { gradient: &self.update, model: &self.batch.model, head: &self.batch.head, images: IMAGES }
    }

    fn psnr(&self, found: &[SpanImage]) -> Vec<f64> {
        self.batch.compare(found).into_iter().map(|(psnr, _)| psnr).collect()
    }
}

#[test]
fn a_batch_comes_out_of_an_update_after_five_steps() {
    let case = case(4);
    let plan = SearchPlan { starts: 4, ..SearchPlan::default() };
    let found = recover_update(&case.observed(), &plan, &mut |step| {
        println!("{step:?}");
        true
    })
    .unwrap();
    let (reached, misfits) = (case.psnr(&found), found.iter().map(|f| f.misfit).collect::<Vec<_>>());
    println!("losses {:.2?}: {reached:.1?} dB at misfits {misfits:.5?}", case.losses);
    assert!(reached.iter().all(|psnr| *psnr > 30.0), "{reached:?}");
    let short = SearchPlan { starts: 1, rounds: 3, ..SearchPlan::default() };
    let plain = case.psnr(&recover(&case.observed(), &short, &mut |_| true).unwrap());
    println!("as if it were a gradient: {plain:.1?} dB");
    assert!(plain.iter().all(|psnr| *psnr < 25.0), "{plain:?}");
}

#[test]
fn an_attack_that_is_stopped_gives_what_it_has() {
    let case = case(5);
    let plan = SearchPlan { starts: 8, rounds: 1, steps: 20, ..SearchPlan::default() };
    let found = recover_update(&case.observed(), &plan, &mut |step| step.known == 0).unwrap();
    assert!(found.len() <= IMAGES && !found.is_empty(), "{}", found.len());
    let none = SearchPlan { starts: 0, ..plan };
    assert!(recover_update(&case.observed(), &none, &mut |_| true).is_err());
}
