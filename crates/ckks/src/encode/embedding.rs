//! The canonical embedding between `N/2` complex slots and `N` real coefficients.
//!
//! Slot `t` is the value of the polynomial at `ζ^(5^t)`, `ζ = exp(iπ/N)`; the powers of 5 are the exponents that are
//! 1 modulo 4. Since `ζ^((4k+1)·N/2) = i`, folding the upper half into imaginary parts gives
//! `m(ζ^(4k+1)) = Σ_{j<N/2} (m_j + i·m_(j+N/2))·ζ^j · exp(2πi·jk/(N/2))`: a twist and one complex transform of
//! half the length.
//!
//! Reference: Cheon, Kim, Kim, Song 2017, §3; the halved transform as in Chen, Chillotti, Song 2019, §5.

use std::sync::Arc;

use rustfft::{Fft, FftPlanner};
use zeroize::Zeroize;

use crate::Complex64;

pub(super) struct Embedding {
    half: usize,
    /// `ζ^j`, `j < N/2`
    twist: Vec<Complex64>,
    /// Slot `t` stands at transform index `(5^t - 1)/4 mod N/2`.
    position: Vec<u32>,
    to_slots: Arc<dyn Fft<f64>>,
    to_coefficients: Arc<dyn Fft<f64>>,
}

impl Embedding {
    pub(super) fn new(log_n: u32) -> Self {
        let (n, half) = (1usize << log_n, 1usize << (log_n - 1));
        let twist = (0..half)
            .map(|j| Complex64::from_polar(1.0, std::f64::consts::PI * j as f64 / n as f64))
            .collect();
        let mut power = 1;
        let position = (0..half)
            .map(|_| {
                let p = (power - 1) / 4 % half;
                power = power * 5 % (2 * n);
                p as u32
            })
            .collect();
        let mut planner = FftPlanner::new();
        let to_slots = planner.plan_fft_inverse(half);
        let to_coefficients = planner.plan_fft_forward(half);
        Self { half, twist, position, to_slots, to_coefficients }
    }

    /// `scale · τ^-1(values)`, missing values zero.
    pub(super) fn coefficients(&self, values: &[Complex64], scale: f64) -> Vec<f64> {
        let mut z = vec![Complex64::default(); self.half];
        for (v, &p) in values.iter().zip(&self.position) {
            z[p as usize] = *v;
        }
        self.to_coefficients.process(&mut z);
        let factor = scale / self.half as f64;
        let mut out = vec![0.0; 2 * self.half];
        let (low, high) = out.split_at_mut(self.half);
        for ((z, w), (l, h)) in z.iter().zip(&self.twist).zip(low.iter_mut().zip(high)) {
            let c = z * w.conj();
            *l = c.re * factor;
            *h = c.im * factor;
        }
        wipe(&mut z);
        out
    }

    /// `τ(coefficients)`
    pub(super) fn slots(&self, coefficients: &[f64]) -> Vec<Complex64> {
        let (low, high) = coefficients.split_at(self.half);
        let mut z: Vec<Complex64> =
            low.iter().zip(high).zip(&self.twist).map(|((&re, &im), w)| Complex64 { re, im } * w).collect();
        self.to_slots.process(&mut z);
        let out = self.position.iter().map(|&p| z[p as usize]).collect();
        wipe(&mut z);
        out
    }
}

fn wipe(z: &mut [Complex64]) {
    for v in z {
        v.re.zeroize();
        v.im.zeroize();
    }
}
