//! The lone token over the peers, turn by turn.

use std::collections::BTreeMap;

use super::{AREA, Bars, Case, Must, Peer, Turns};
use crate::bench::{Better, Figure, Report};

/// A ratio's name, ours of a turn, the keys of the peer's that are added up, and what must hold.
type Row<'a> = (&'static str, &'a dyn Fn(usize) -> f64, &'a [&'a str], Must);

pub(super) fn openfhe(case: &Case, turns: &Turns, bars: &Bars, report: &mut Report) {
    let latency = |i: usize| median(&turns.latency[i]);
    let rows: [Row<'_>; 3] = [
        ("latency_over_openfhe", &latency, &["inference"], bars.over_openfhe),
        ("bytes_over_openfhe", &|_| traffic(case), &["upload_bytes", "answer_bytes"], Some((4.0, 10.0))),
        ("keys_over_openfhe", &|_| case.plan.keys_len() as f64, &["key_bytes"], None),
    ];
    against("OpenFHE", &rows, &turns.openfhe, report);
}

/// Its way is a matrix product by as many rotations as a token has features: no bar is worth having.
pub(super) fn tenseal(case: &Case, turns: &Turns, report: &mut Report) {
    let latency = |i: usize| median(&turns.latency[i]);
    let rows: [Row<'_>; 3] = [
        ("latency_over_tenseal", &latency, &["inference"], None),
        ("bytes_over_tenseal", &|_| traffic(case), &["upload_bytes", "answer_bytes"], None),
        ("keys_over_tenseal", &|_| case.plan.keys_len() as f64, &["key_bytes"], None),
    ];
    against("TenSEAL", &rows, &turns.tenseal, report);
}

fn traffic(case: &Case) -> f64 {
    (case.plan.upload_len(1) + case.plan.answer_len(1)) as f64
}

fn median(samples: &[f64]) -> f64 {
    Figure::of(AREA, "", "", Better::Lower, samples).value
}

fn against(name: &str, rows: &[Row<'_>], turns: &[Peer], report: &mut Report) {
    let turns: Vec<&BTreeMap<String, f64>> = match turns.iter().map(Result::as_ref).collect() {
        Ok(turns) => turns,
        Err(why) => return report.missing.push(String::clone(why)),
    };
    for (figure, ours, theirs, must) in rows {
        let sum = |turn: &BTreeMap<String, f64>| theirs.iter().map(|k| turn.get(*k)).sum::<Option<f64>>();
        let ratio = |(i, turn): (usize, &&BTreeMap<String, f64>)| sum(turn).map(|t| t / ours(i));
        match turns.iter().enumerate().map(ratio).collect::<Option<Vec<f64>>>() {
            Some(ratios) => {
                report.figures.push(Figure::of(AREA, *figure, "x", Better::Higher, &ratios).must_if(*must));
            }
            None => report.missing.push(format!("{name}: no figures for {figure}")),
        }
    }
}
