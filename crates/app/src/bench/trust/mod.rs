//! `bench trust`: the attacks that a hostile reader found, run: each where it succeeds, against the way that it was found on, and
//! against what is built now; at sizes where an attacker has it easy, and through the real services.
//!
//! A row that counts what an attacker got has to be zero; its neighbour `…_old_way` shows that the attack is one.

mod ceremony;
mod chosen;
mod copies;
mod play;
mod rogue;
mod services;
mod toy;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{Better, Error, Figure, Report, timing};
use blindscope_ring::Arithmetic;

pub(super) const AREA: &str = "trust";

pub(super) fn run(runs: usize) -> Result<Report, Error> {
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend: backend() };
    chosen::figures(&mut report)?;
    ceremony::figures(&mut report)?;
    rogue::figures(&mut report)?;
    copies::figures(&mut report)?;
    services::figures(&mut report)?;
    timing::figures(AREA, runs, &mut report)?;
    Ok(report)
}

fn backend() -> String {
    let path = Arithmetic::available().last().unwrap_or(Arithmetic::Portable);
    format!(
        "attacks: rings of degree 64, and services in one process on loopback; arithmetic path of the timing rows: {path}"
    )
}

/// What an attacker got where nothing was to be got.
fn got(name: &str, count: usize) -> Figure {
    Figure::of(AREA, name, "count", Better::Lower, &[count as f64]).must(0.0, 0.0)
}

/// What the same attack gets the old way: `of`, or it is none.
fn got_before(name: &str, count: usize, of: usize) -> Figure {
    let of = of as f64;
    Figure::of(AREA, format!("{name}_old_way"), "count", Better::Higher, &[count as f64]).must(of, of)
}

fn failed(what: &'static str, reason: impl std::fmt::Display) -> Error {
    Error::Attack { what, reason: reason.to_string() }
}

fn seeded(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}
