//! The estimates that `docs/notes/security/estimates.md` states are of the parameters that the code takes: every set is in the table, none is
//! larger than its row, and no bit that is claimed is missing. The page is read, not repeated.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it says"
)]

use std::collections::BTreeSet;

use blindscope_aggregate::one_round::RINGS;
use blindscope_ckks::ring_switch::{MIN_DEGREE, MODULUS_BITS};
use blindscope_ckks::{ModulusLiteral, ParametersLiteral, Security, presets};
use blindscope_classify::{Affine, Head, HeadLiteral, KeyOwner, Map, Normalisation, Plan, Policy};

const PAGE: &str = include_str!("../../../docs/notes/security/estimates.md");

struct Row {
    set: String,
    log_n: u32,
    log_q: u32,
    distributions: [String; 2],
    classical: Option<u32>,
    quantum: Option<u32>,
}

fn rows() -> Vec<Row> {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let row = |line: &str| {
        let c = cells(line);
        Row {
            set: c[0].clone(),
            log_n: c[1].parse().unwrap(),
            log_q: c[2].parse().unwrap(),
            distributions: [c[3].clone(), c[4].clone()],
            classical: c[5].parse().ok(),
            quantum: c[6].parse().ok(),
        }
    };
    PAGE.lines().filter(|l| l.starts_with('|')).skip(2).map(row).collect()
}

fn named(set: &str) -> BTreeSet<(u32, u32)> {
    rows().iter().filter(|r| r.set == set).map(|r| (r.log_n, r.log_q)).collect()
}

fn bits(literal: &ParametersLiteral) -> u32 {
    let of = |list: &ModulusLiteral| match list {
        ModulusLiteral::Bits(widths) => widths.iter().sum::<u32>(),
        ModulusLiteral::Primes(primes) => primes.iter().map(|p| 64 - p.leading_zeros()).sum(),
    };
    of(&literal.ciphertext) + of(&literal.special)
}

#[test]
fn the_security_table_is_estimated_row_by_row() {
    for (set, row) in [("classical row", Security::Classical128), ("quantum row", Security::Quantum128)] {
        let code: BTreeSet<_> = (0..20).filter_map(|n| row.max_log_qp(n).map(|bits| (n, bits))).collect();
        assert_eq!(named(set), code, "{set}");
    }
}

#[test]
fn named_sets_and_fixed_chains_are_estimated() {
    let sets = [("depth_two", presets::depth_two()), ("linear_head", presets::linear_head())];
    for (name, literal) in sets {
        assert_eq!(named(name), [(literal.log_n, bits(&literal))].into(), "{name}");
    }
    assert_eq!(named("answers"), [(MIN_DEGREE.ilog2(), MODULUS_BITS)].into());
    for degree in [1u32, 2, 4] {
        let literal = wide(degree).params().literal().clone();
        assert_eq!(named(&format!("wide, degree {degree}")), [(literal.log_n, bits(&literal))].into());
    }
}

/// The plan of a small head under a collective key.
fn wide(degree: u32) -> Plan {
    let affine =
        |rows: usize, width: usize| Affine { weights: vec![vec![0.25; width]; rows], bias: vec![0.0; rows] };
    let polynomial = [vec![0.0, 1.0, 0.5], vec![0.0, 1.0, 0.5, 0.1, 0.1]];
    let map = match degree {
        1 => Map::Linear { layer: affine(2, 8) },
        2 => Map::Polynomial { inner: affine(2, 8), polynomial: polynomial[0].clone(), outer: affine(2, 2) },
        _ => Map::Polynomial { inner: affine(2, 8), polynomial: polynomial[1].clone(), outer: affine(2, 2) },
    };
    let normalisation = Normalisation::identity(8, 1.0);
    let head = Head::new(HeadLiteral { normalisation, map, range: Some(2.0) }).unwrap();
    let policy = Policy { key: KeyOwner::Collective, ..Policy::new(1) };
    Plan::new(&head, policy).expect("a plan under a collective key")
}

#[test]
fn rings_of_sums_are_estimated_before_and_after_the_hint() {
    let code: BTreeSet<_> = RINGS.iter().map(|r| (r.log_n, r.widths.iter().sum())).collect();
    for set in ["sums, 168 coins", "sums, 168 coins, hint", "sums, 42 coins, hint"] {
        assert_eq!(named(set), code, "{set}");
    }
}

/// What the estimates have to come to. Attacks get cheaper: a run with a newer estimator may fail here, as it should.
#[test]
fn what_is_claimed_is_estimated() {
    for row in rows() {
        let what = format!("{}: 2^{}, {} bits", row.set, row.log_n, row.log_q);
        if let Some(bits) = row.classical {
            assert!(bits >= 128, "{what}: {bits} bits against classical attackers");
        }
        if let (Some(bits), true) = (row.quantum, row.set == "quantum row" || row.set == "answers") {
            assert!(bits >= 128, "{what}: {bits} bits against quantum attackers");
        }
        assert!(row.distributions.iter().all(|d| !d.is_empty()));
    }
    // Rings that are in use without a figure would pass the above.
    let open: Vec<String> = rows().iter().filter(|r| r.classical.is_none()).map(|r| r.set.clone()).collect();
    assert!(open.is_empty(), "not estimated: {open:?}");
}
