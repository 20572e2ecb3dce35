//! The backward pass against finite differences, tensor by tensor.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "a test"
)]

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{Classifier, Tuning, batch_gradient};
use blindscope_vision::vit::{Config, Mlp, Parameters, Vit};

fn small(mlp: Mlp, prefix_positions: usize) -> Config {
    let base = Config::plain(8, 4, 12, 2, 3);
    Config { hidden: 20, mlp, registers: 1, layer_scale: true, prefix_positions, ..base }
}

/// Parameters large enough that every tensor matters.
fn model(config: &Config, rng: &mut ChaCha12Rng) -> Vit {
    let mut parameters = Parameters::zeros(config);
    for tensor in parameters.tensors_mut() {
        for value in tensor.iter_mut() {
            *value += rng.random_range(-0.4..0.4);
        }
    }
    Vit::new(config.clone(), parameters).unwrap()
}

struct Case {
    head: Classifier,
    pixels: Vec<f32>,
    labels: Vec<usize>,
}

impl Case {
    fn new(config: &Config, rng: &mut ChaCha12Rng) -> Self {
        let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
        let head = LinearHead { weight: random(3 * config.width), bias: random(3), width: config.width };
        Self { head: Classifier::Linear(head), pixels: random(3 * config.pixels()), labels: vec![0, 2, 1] }
    }

    fn loss(&self, model: &Vit) -> f64 {
        let logits = self.head.logits(&model.cls_tokens(&self.pixels).unwrap()).unwrap();
        let rows = logits.chunks_exact(3).zip(&self.labels);
        let losses = rows.map(|(row, label)| {
            let total: f64 = row.iter().map(|z| f64::from(*z).exp()).sum();
            total.ln() - f64::from(row[*label])
        });
        losses.sum::<f64>() / 3.0
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

/// Along g/|g| the loss must rise by |g|, for each tensor by itself.
fn check(model: &Vit, case: &Case, gradient: &Parameters) {
    let step = 4e-3;
    let specs = model.parameters().specs(model.config());
    for (at, spec) in specs.iter().enumerate() {
        let g = gradient.tensors()[at].clone();
        let length = norm(&g);
        if g.is_empty() || length < 1e-3 {
            assert!(
                spec.is_empty() || length > 0.0 || spec.name.contains("attn.qkv.bias"),
                "{} has no gradient",
                spec.name
            );
            continue;
        }
        let moved = |sign: f64| {
            let mut moved = model.clone();
            let mut tensors = moved.parameters_mut().tensors_mut();
            for (w, g) in tensors[at].iter_mut().zip(&g) {
                *w += (sign * step * f64::from(*g) / length) as f32;
            }
            case.loss(&moved)
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        assert!(
            (slope - length).abs() <= 1e-2 * length + 2e-4,
            "{}: slope {slope}, gradient {length}",
            spec.name
        );
    }
}

#[test]
fn every_parameter_and_the_pixels() {
    // Positions of the CLS token, of the registers as well, of neither.
    for (mlp, prefix_positions) in [(Mlp::Gelu, 1), (Mlp::SwiGlu, 2), (Mlp::SwiGlu, 0)] {
        let mut rng = ChaCha12Rng::seed_from_u64(3);
        let config = small(mlp, prefix_positions);
        let model = model(&config, &mut rng);
        let case = Case::new(&config, &mut rng);
        let gradient = batch_gradient(&model, &case.head, &case.pixels, &case.labels).unwrap();
        assert!((f64::from(gradient.loss) - case.loss(&model)).abs() < 1e-5);
        check(&model, &case, &gradient.backbone);

        let length = norm(&gradient.pixels);
        let moved = |sign: f64| {
            let step = |g: &f32| (sign * 4e-3 * f64::from(*g) / length) as f32;
            let pixels = case.pixels.iter().zip(&gradient.pixels).map(|(p, g)| p + step(g)).collect();
            Case { head: case.head.clone(), pixels, labels: case.labels.clone() }.loss(&model)
        };
        let slope = (moved(1.0) - moved(-1.0)) / 8e-3;
        assert!((slope - length).abs() <= 1e-2 * length + 2e-4, "pixels: slope {slope}, gradient {length}");
    }
}

#[test]
fn adapters_and_the_last_block() {
    for tuning in [Tuning::Lora { rank: 2, scale: 0.7 }, Tuning::LastBlocks(1)] {
        let mut rng = ChaCha12Rng::seed_from_u64(4);
        let config = small(Mlp::Gelu, 1);
        let mut model = model(&config, &mut rng);
        let case = Case::new(&config, &mut rng);
        let before = case.loss(&model);
        tuning.prepare(&mut model, &mut rng).unwrap();
        assert!((case.loss(&model) - before).abs() < 1e-6, "a fresh adapter must change nothing");
        for block in &mut model.parameters_mut().blocks {
            let adapters = [&mut block.qkv, &mut block.proj].into_iter().filter_map(|l| l.adapter.as_mut());
            adapters.for_each(|a| a.up.iter_mut().for_each(|v| *v = rng.random_range(-0.5..0.5)));
        }
        let recording = model.record(&case.pixels, tuning.first_block(config.depth)).unwrap();
        let whole = batch_gradient(&model, &case.head, &case.pixels, &case.labels).unwrap();
        let Classifier::Linear(head) = &case.head else { unreachable!() };
        let d_class = head.gradient(recording.cls_tokens(), &whole.logits).rows;
        let mut gradient = tuning.gradient(model.parameters());
        model.backward(&recording, &d_class, &mut gradient).unwrap();
        assert!(!gradient.is_empty());
        for (part, all) in gradient.tensors().into_iter().zip(whole.backbone.tensors()) {
            assert!(part.is_empty() || part.iter().zip(all).all(|(a, b)| (a - b).abs() < 1e-5));
        }
        check(&model, &case, &whole.backbone);
        let unmerged = case.loss(&model);
        Tuning::merge(&mut model);
        assert!((case.loss(&model) - unmerged).abs() < 1e-5);
    }
}
