//! How many times faster the core's operations are than the peers', turn by turn.

use std::collections::BTreeMap;

use super::{AREA, Times, Turns, median};
use crate::bench::{Better, Figure, Report};
use blindscope_ring::Arithmetic;

/// A figure over a peer, with bar and aim where something must hold.
pub(super) struct Row {
    ours: &'static str,
    theirs: &'static str,
    /// What of the peer's time is not its work.
    less: Option<&'static str>,
    figure: &'static str,
    /// On doubles, on IFMA.
    bars: Option<[(f64, f64); 2]>,
}

impl Row {
    /// Bar and aim on a path; the portable one has none.
    fn must(&self, path: Arithmetic) -> Option<(f64, f64)> {
        let [doubles, ifma] = self.bars?;
        match path {
            Arithmetic::Ifma => Some(ifma),
            Arithmetic::Doubles => Some(doubles),
            _ => None,
        }
    }
}

pub(super) const SEAL_ROWS: [Row; 4] = [
    Row {
        ours: "encrypt",
        theirs: "encrypt_seeded",
        // Handing the values from Python to C++ is not SEAL's work.
        less: Some("python_list_to_seal"),
        figure: "encode_encrypt_over_seal",
        bars: Some([(4.0, 6.0), (6.0, 10.0)]),
    },
    Row {
        ours: "decrypt",
        theirs: "decrypt",
        less: None,
        figure: "decrypt_decode_over_seal",
        bars: Some([(4.0, 6.0), (6.0, 10.0)]),
    },
    Row {
        ours: "product",
        theirs: "multiply",
        less: None,
        figure: "product_over_seal",
        bars: Some([(5.0, 8.0), (7.0, 10.0)]),
    },
    Row {
        ours: "rotate",
        theirs: "rotate",
        less: None,
        figure: "rotation_over_seal",
        bars: Some([(4.0, 6.0), (6.0, 10.0)]),
    },
];

/// At moduli a little shorter than SEAL's, which it refuses at this degree; without a bar.
pub(super) const OPENFHE_ROWS: [Row; 4] = [
    Row { ours: "decrypt", theirs: "decrypt", less: None, figure: "decrypt_decode_over_openfhe", bars: None },
    Row { ours: "product", theirs: "multiply", less: None, figure: "product_over_openfhe", bars: None },
    Row { ours: "rotate", theirs: "rotate", less: None, figure: "rotation_over_openfhe", bars: None },
    Row { ours: "hoisted", theirs: "rotate_hoisted", less: None, figure: "hoisted_over_openfhe", bars: None },
];

pub(super) const TFHE_ROWS: [Row; 2] = [
    Row {
        ours: "ntt",
        theirs: "ntt_forward/8192/46",
        less: None,
        figure: "ntt_forward_over_tfhe_ntt",
        bars: Some([(2.0, 2.6), (1.5, 2.0)]),
    },
    // The peer leaves the factor N in; ours takes it out.
    Row {
        ours: "inverse_ntt",
        theirs: "ntt_inverse/8192/46",
        less: None,
        figure: "ntt_inverse_over_tfhe_ntt",
        bars: Some([(2.0, 2.6), (1.5, 2.0)]),
    },
];

/// How many times faster than a peer: medians of one turn divided, then the median over turns.
pub(super) fn against(
    name: &str,
    rows: &[Row],
    path: Arithmetic,
    ours: &[Times],
    peer: &Turns,
    report: &mut Report,
) {
    if let Some(why) = peer.iter().find_map(|turn| turn.as_ref().err()) {
        return report.missing.push(why.clone());
    }
    for row in rows {
        let milliseconds = |turn: &BTreeMap<String, f64>| {
            let unit = if row.theirs.starts_with("ntt") { 1e-3 } else { 1.0 };
            let less = row.less.and_then(|key| turn.get(key)).copied().unwrap_or(0.0);
            turn.get(row.theirs).map(|value| (value - less) * unit)
        };
        let turns = ours.iter().zip(peer.iter().flatten());
        let ratios: Option<Vec<f64>> = turns
            .map(|(times, peer)| milliseconds(peer).map(|theirs| theirs / median(&times[row.ours])))
            .collect();
        match ratios {
            Some(ratios) => {
                let measured = Figure::of(AREA, row.figure, "x", Better::Higher, &ratios);
                report.figures.push(measured.must_if(row.must(path)));
            }
            None => report.missing.push(format!("{name}: no figure {}", row.theirs)),
        }
    }
}
