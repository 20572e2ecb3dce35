//! Resizing, bit for bit as Pillow does it: a separable filter whose support grows with the reduction (antialiasing),
//! coefficients of 22 bits, the rows first and then the columns, eight bits between the two.
//!
//! For output `i` of a side that shrinks by `s = input/output`: centre `c = (i + ½)·s`, taps `x` from `⌊c − r + ½⌋` to
//! `⌊c + r + ½⌋` with `r = support·max(s, 1)`, weights `f((x − c + ½)/max(s, 1))` divided by their sum.

use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

use crate::Rgb;

/// The filters that Pillow, `torchvision`, timm and `transformers` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The pixel under each centre; no antialiasing.
    Nearest,
    /// The mean of the pixels covered.
    Box,
    /// A triangle.
    Bilinear,
    /// A raised cosine, sharper than the triangle.
    Hamming,
    /// Keys' cubic with `a = −½`, which is Catmull–Rom's.
    Bicubic,
    /// A sinc in a window of three lobes.
    Lanczos,
}

impl Filter {
    /// The filter of Pillow's number, as `resample` holds it in `preprocessor_config.json`.
    pub fn from_pillow(number: u64) -> Option<Self> {
        let all = [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];
        all.get(usize::try_from(number).ok()?).copied()
    }

    /// The filter of timm's name.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];
        known.into_iter().find(|filter| filter.name() == name)
    }

    /// timm's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    /// Half the width of the filter in input pixels when nothing shrinks.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        use std::f64::consts::PI;
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
        let distance = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming if distance >= 1.0 => 0.0,
            Self::Hamming if distance == 0.0 => 1.0,
            Self::Hamming => {
                let x = distance * PI;
                x.sin() / x * (0.54 + 0.46 * x.cos())
            }
            Self::Bicubic => {
                const A: f64 = -0.5;
                if distance < 1.0 {
                    ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
                } else if distance < 2.0 {
                    (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

/// The picture at another size, both sides at least one pixel.
#[must_use]
pub fn resize(image: &Rgb, width: usize, height: usize, filter: Filter) -> Rgb {
    if filter == Filter::Nearest {
        return nearest(image, width, height);
    }
    let across = (width != image.width).then(|| Taps::new(image.width, width, filter));
    let down = (height != image.height).then(|| Taps::new(image.height, height, filter));
    let mut pixels = None;
    if let Some(taps) = &across {
        let mut out = vec![0; 3 * width * image.height];
        Arch::new().dispatch(Across { image, taps, out: &mut out });
        pixels = Some(out);
    }
    if let Some(taps) = &down {
        let rows = pixels.as_deref().unwrap_or(&image.pixels);
        let mut out = vec![0; 3 * width * height];
        Arch::new().dispatch(Down { rows, stride: 3 * width, taps, out: &mut out });
        pixels = Some(out);
    }
    Rgb { width, height, pixels: pixels.unwrap_or_else(|| image.pixels.clone()) }
}

/// Bits of a coefficient after the point: eight for the pixel and two of headroom leave these of 32.
const PRECISION: u32 = 22;

/// For each output position, the first input position and the coefficients from there on.
struct Taps {
    first: Vec<usize>,
    count: Vec<usize>,
    /// Room for the coefficients of one output.
    most: usize,
    coefficients: Vec<i32>,
}

impl Taps {
    fn new(input: usize, output: usize, filter: Filter) -> Self {
        let scale = input as f64 / output as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let most = support.ceil() as usize * 2 + 1;
        let mut taps = Self {
            first: Vec::with_capacity(output),
            count: Vec::with_capacity(output),
            most,
            coefficients: vec![0; most * output],
        };
        for (i, fixed) in taps.coefficients.chunks_exact_mut(most).enumerate() {
            let centre = (i as f64 + 0.5) * scale;
            // A cast cuts towards zero and takes what is negative to zero, as is wanted.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let weight = |x: usize| filter.at((x as f64 - centre + 0.5) * (1.0 / stretch));
            let mut weights: Vec<f64> = (first..end).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            if sum != 0.0 {
                weights.iter_mut().for_each(|w| *w /= sum);
            }
            for (fixed, weight) in fixed.iter_mut().zip(&weights) {
                let scaled = weight * f64::from(1 << PRECISION);
                *fixed = (if *weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32;
            }
            taps.first.push(first);
            taps.count.push(weights.len());
        }
        taps
    }

    fn of(&self, i: usize) -> (usize, &[i32]) {
        (self.first[i], &self.coefficients[i * self.most..i * self.most + self.count[i]])
    }
}

const HALF: i32 = 1 << (PRECISION - 1);

#[inline(always)]
fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

struct Across<'a> {
    image: &'a Rgb,
    taps: &'a Taps,
    out: &'a mut [u8],
}

/// Rows that are worked on side by side, so that one load takes a tap of all of them.
const ROWS: usize = 16;
/// Their samples of one column.
const LANES: usize = 3 * ROWS;

impl WithSimd for Across<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (length, stride) = (3 * self.image.width, self.out.len() / self.image.height);
        // Samples of each column behind one another: red of all rows, green, blue. Lanes of rows that are not there stay as they are.
        let mut turned = vec![0; LANES * self.image.width];
        let groups = self.image.pixels.chunks(ROWS * length);
        for (rows, out) in groups.zip(self.out.chunks_mut(ROWS * stride)) {
            let count = rows.len() / length;
            for (at, lanes) in turned.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                for (row, lane) in lanes.iter_mut().take(count).enumerate() {
                    *lane = rows[row * length + at];
                }
            }
            for i in 0..stride / 3 {
                let (first, coefficients) = self.taps.of(i);
                let mut sums = [HALF; LANES];
                for (tap, k) in turned.as_chunks::<LANES>().0[first..].iter().zip(coefficients) {
                    for (sum, value) in sums.iter_mut().zip(tap) {
                        *sum = sum.wrapping_add(i32::from(*value) * k);
                    }
                }
                let clipped = sums.map(clip);
                for (row, pixel) in
                    out.chunks_exact_mut(stride).map(|row| &mut row[3 * i..3 * i + 3]).enumerate()
                {
                    (0..3).for_each(|c| pixel[c] = clipped[c * ROWS + row]);
                }
            }
        }
    }
}

struct Down<'a> {
    rows: &'a [u8],
    stride: usize,
    taps: &'a Taps,
    out: &'a mut [u8],
}

/// Bytes of a row whose sums stay in registers.
const STRIP: usize = 64;

impl WithSimd for Down<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (i, out) in self.out.chunks_exact_mut(self.stride).enumerate() {
            let (first, coefficients) = self.taps.of(i);
            for (strip, out) in out.chunks_mut(STRIP).enumerate() {
                let start = first * self.stride + strip * STRIP;
                let mut sums = [HALF; STRIP];
                for (tap, k) in coefficients.iter().enumerate() {
                    let source = &self.rows[start + tap * self.stride..];
                    if let Some(source) = source.first_chunk::<STRIP>() {
                        for (sum, value) in sums.iter_mut().zip(source) {
                            *sum = sum.wrapping_add(i32::from(*value) * k);
                        }
                    } else {
                        for (sum, value) in sums.iter_mut().zip(source) {
                            *sum = sum.wrapping_add(i32::from(*value) * k);
                        }
                    }
                }
                for (out, sum) in out.iter_mut().zip(&sums) {
                    *out = clip(*sum);
                }
            }
        }
    }
}

/// The input position under each output position. Steps add up, as they do in Pillow.
fn nearest(image: &Rgb, width: usize, height: usize) -> Rgb {
    let positions = |input: usize, output: usize| -> Vec<usize> {
        let step = input as f64 / output as f64;
        let start = step * 0.5;
        std::iter::successors(Some(start), |at| Some(at + step))
            .take(output)
            .map(|at| (at as usize).min(input - 1))
            .collect()
    };
    let (columns, rows) = (positions(image.width, width), positions(image.height, height));
    let source = image.pixels.as_chunks::<3>().0;
    let pixels = rows.iter().flat_map(|y| columns.iter().flat_map(move |x| source[y * image.width + x]));
    Rgb { width, height, pixels: pixels.collect() }
}
