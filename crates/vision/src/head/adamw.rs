//! AdamW (Loshchilov and Hutter, arXiv 1711.05101).

/// Moments of every tensor that is trained, and the step's settings.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// Step size.
    pub rate: f32,
    /// Decay of weights, applied to matrices only.
    pub decay: f32,
    /// Added to the root of the second moment: gradients far below it move nothing.
    pub epsilon: f32,
    step: i32,
    moments: Vec<(Vec<f32>, Vec<f32>)>,
}

/// Decay rates of the two moments and the denominator's guard, as in the paper.
const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

impl AdamW {
    /// An optimiser that has not stepped.
    pub fn new(rate: f32, decay: f32) -> Self {
        Self { rate, decay, epsilon: EPSILON, step: 0, moments: Vec::new() }
    }

    /// One that has made `steps` steps and keeps these first and second moments, a pair a tensor.
    pub fn resumed(rate: f32, decay: f32, steps: i32, moments: Vec<(Vec<f32>, Vec<f32>)>) -> Self {
        Self { step: steps, moments, ..Self::new(rate, decay) }
    }

    /// First and second moments, a pair a tensor.
    pub fn into_moments(self) -> Vec<(Vec<f32>, Vec<f32>)> {
        self.moments
    }

    /// One step: `(parameter, gradient, decays)` for every tensor, in the same order each time. A tensor whose gradient
    /// is empty is not trained.
    pub fn step<'a>(&mut self, tensors: impl Iterator<Item = (&'a mut [f32], &'a [f32], bool)>) {
        self.step += 1;
        let correct1 = 1.0 - BETA1.powi(self.step);
        let correct2 = 1.0 - BETA2.powi(self.step);
        for (at, (parameter, gradient, decays)) in tensors.enumerate() {
            if at == self.moments.len() {
                self.moments.push((vec![0.0; gradient.len()], vec![0.0; gradient.len()]));
            }
            let (first, second) = &mut self.moments[at];
            let shrink = if decays { 1.0 - self.rate * self.decay } else { 1.0 };
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((w, g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
                *m = BETA1 * *m + (1.0 - BETA1) * g;
                *v = BETA2 * *v + (1.0 - BETA2) * g * g;
                *w = *w * shrink - self.rate * (*m / correct1) / ((*v / correct2).sqrt() + self.epsilon);
            }
        }
    }
}

/// Cosine decay from 1 to 0 over `steps`, after a linear warm-up of `warmup` steps.
pub(crate) fn cosine(step: usize, steps: usize, warmup: usize) -> f32 {
    if step < warmup {
        return (step + 1) as f32 / warmup as f32;
    }
    let t = (step - warmup) as f32 / (steps.saturating_sub(warmup)).max(1) as f32;
    0.5 * (1.0 + (std::f32::consts::PI * t.min(1.0)).cos())
}
