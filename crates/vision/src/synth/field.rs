//! The grey field of each class: where lumina, keratin, fibres and nuclei lie. Only ranks matter afterwards.

use std::f32::consts::{PI, TAU};

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

/// Lengths are in pixels of a 224-pixel tile and scale with the side.
const REFERENCE: f32 = 224.0;

/// A soft ellipse added to the field: `height` at its centre, falling to nothing at its edge.
#[derive(Clone, Copy)]
struct Spot {
    x: f32,
    y: f32,
    long: f32,
    short: f32,
    angle: f32,
    height: f32,
}

struct Canvas {
    side: usize,
    values: Vec<f32>,
}

impl Canvas {
    /// Fibrous ground: three oblique waves and grain.
    fn new(side: usize, rng: &mut ChaCha12Rng) -> Self {
        let waves: Vec<[f32; 3]> = (0..3)
            .map(|_| {
                let angle: f32 = rng.random_range(0.0..PI);
                let rate = TAU / rng.random_range(14.0..40.0);
                [angle.cos() * rate, angle.sin() * rate, rng.random_range(0.0..TAU)]
            })
            .collect();
        let scale = REFERENCE / side as f32;
        let values = (0..side * side)
            .map(|i| {
                let (x, y) = ((i % side) as f32 * scale, (i / side) as f32 * scale);
                let wave: f32 = waves.iter().map(|w| (w[0] * x + w[1] * y + w[2]).sin()).sum();
                0.12 * wave + rng.random_range(-0.1..0.1)
            })
            .collect();
        Self { side, values }
    }

    fn spot(&mut self, s: Spot) {
        let scale = self.side as f32 / REFERENCE;
        let (x, y) = (s.x * scale, s.y * scale);
        let (long, short) = ((s.long * scale).max(0.7), (s.short * scale).max(0.7));
        let reach = long.max(short);
        let (sin, cos) = s.angle.sin_cos();
        let range = |centre: f32| {
            let low = (centre - reach).max(0.0) as usize;
            low..((centre + reach + 1.0).max(0.0) as usize).min(self.side)
        };
        for py in range(y) {
            for px in range(x) {
                let (dx, dy) = (px as f32 - x, py as f32 - y);
                let (u, v) = ((dx * cos + dy * sin) / long, (dy * cos - dx * sin) / short);
                let inside = 1.0 - u * u - v * v;
                if inside > 0.0 {
                    self.values[py * self.side + px] += s.height * inside.sqrt();
                }
            }
        }
    }

    /// A nucleus: round, or drawn out along `angle`.
    fn nucleus(&mut self, x: f32, y: f32, angle: f32, stretch: f32, rng: &mut ChaCha12Rng) {
        let size: f32 = rng.random_range(3.8..5.6);
        let (long, short) = (size * stretch.sqrt(), size / stretch.sqrt());
        self.spot(Spot { x, y, long, short, angle, height: 2.0 });
    }

    fn scatter(&mut self, count: usize, stretch: f32, rng: &mut ChaCha12Rng) {
        for _ in 0..count {
            let [x, y] = anywhere(rng);
            let angle = rng.random_range(0.0..PI);
            self.nucleus(x, y, angle, stretch, rng);
        }
    }
}

fn anywhere(rng: &mut ChaCha12Rng) -> [f32; 2] {
    [rng.random_range(0.0..REFERENCE), rng.random_range(0.0..REFERENCE)]
}

/// The field `[side, side]` of a class.
pub(super) fn draw(class: usize, side: usize, rng: &mut ChaCha12Rng) -> Vec<f32> {
    let mut canvas = Canvas::new(side, rng);
    match class {
        0 => glands(&mut canvas, rng),
        1 => septa(&mut canvas, rng),
        _ => pearls(&mut canvas, rng),
    }
    canvas.values
}

/// Round lumina, each within a palisade of nuclei that point at it.
fn glands(canvas: &mut Canvas, rng: &mut ChaCha12Rng) {
    for _ in 0..rng.random_range(5..9) {
        let ([x, y], radius) = (anywhere(rng), rng.random_range(14.0..26.0f32));
        canvas.spot(Spot { x, y, long: radius, short: radius, angle: 0.0, height: -3.0 });
        let count = (TAU * (radius + 7.0) / 10.0) as usize;
        for i in 0..count {
            let angle = TAU * i as f32 / count as f32 + rng.random_range(-0.08..0.08);
            let far = radius + rng.random_range(5.0..9.0);
            canvas.nucleus(x + far * angle.cos(), y + far * angle.sin(), angle, 1.8, rng);
        }
    }
    canvas.scatter(25, 1.2, rng);
}

/// Long curved air spaces with thin walls; flat nuclei lie along them.
fn septa(canvas: &mut Canvas, rng: &mut ChaCha12Rng) {
    let angle: f32 = rng.random_range(0.0..PI);
    for _ in 0..rng.random_range(6..10) {
        let [mut x, mut y] = anywhere(rng);
        let mut heading = angle + rng.random_range(-0.5..0.5);
        for step in 0..14 {
            heading += rng.random_range(-0.18..0.18);
            x += 8.0 * heading.cos();
            y += 8.0 * heading.sin();
            canvas.spot(Spot { x, y, long: 9.0, short: 6.0, angle: heading, height: -1.6 });
            if step % 2 == 0 {
                let off = if rng.random_bool(0.5) { 11.0 } else { -11.0 };
                canvas.nucleus(x - off * heading.sin(), y + off * heading.cos(), heading, 2.6, rng);
            }
        }
    }
    canvas.scatter(45, 1.2, rng);
}

/// Keratin whorls: concentric dark and pale rings in a sheet of evenly spaced round nuclei.
fn pearls(canvas: &mut Canvas, rng: &mut ChaCha12Rng) {
    let centres: Vec<([f32; 2], f32)> =
        (0..rng.random_range(2..5)).map(|_| (anywhere(rng), rng.random_range(26.0..44.0))).collect();
    let scale = REFERENCE / canvas.side as f32;
    let spacing: f32 = rng.random_range(8.5..11.0);
    for (i, value) in canvas.values.iter_mut().enumerate() {
        let (x, y) = ((i % canvas.side) as f32 * scale, (i / canvas.side) as f32 * scale);
        for ([cx, cy], radius) in &centres {
            let r = (x - cx).hypot(y - cy);
            if r < *radius {
                *value += -1.2 + 1.5 * (TAU * r / spacing).cos();
            }
        }
    }
    let step = 17.0;
    for cell in 0..13 * 13 {
        let x = (cell % 13) as f32 * step + step / 2.0 + rng.random_range(-3.0..3.0);
        let y = (cell / 13) as f32 * step + step / 2.0 + rng.random_range(-3.0..3.0);
        if centres.iter().all(|([cx, cy], r)| (x - cx).hypot(y - cy) > *r) {
            let angle = rng.random_range(0.0..PI);
            canvas.nucleus(x, y, angle, 1.1, rng);
        }
    }
}
