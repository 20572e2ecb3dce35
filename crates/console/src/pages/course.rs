//! A job's way through its steps, as a table and as curves.

use maud::{Markup, html};

use super::frame::drawn;
use super::words;
use blindscope_federation::Study;
use blindscope_node::admin::{Course, RoundCourse, StepCourse};
use blindscope_node::system;
use blindscope_report::{Drawing, LineChart, LineSeries};

/// Steps that are shown; of longer jobs the last.
const MOST: usize = 60;

/// The steps of a job, the newest first.
pub(super) fn steps(study: &Study, course: &Course) -> Markup {
    let left_out = course.steps.len().saturating_sub(MOST);
    let now_ms = system::now_ms();
    html! {
        div.scroll tabindex="0" { table {
            caption { "Steps, the newest first" @if left_out > 0 { "; " (left_out) " earlier ones are in the log" } }
            thead { tr {
                th.n scope="col" { "Round" } th scope="col" { "Phase" } th.n scope="col" { "Answers" } th.n scope="col" { "Bytes" }
                th.n scope="col" { "Took" } th scope="col" { "Missing" }
            } }
            tbody { @for step in course.steps.iter().rev().take(MOST) { (row(study, step, now_ms)) } }
        } }
    }
}

fn row(study: &Study, step: &StepCourse, now_ms: u64) -> Markup {
    let took = (step.seconds(now_ms) * 1000.0) as u64;
    html! {
        tr {
            td.n { (step.step.round + 1) @if step.step.attempt > 0 { ", attempt " (step.step.attempt + 1) } }
            th scope="row" { (step.step.phase) }
            td.n { (step.answers.len()) " of " (step.asked) }
            td.n { (words::bytes(step.bytes())) }
            td.n { (words::span(took)) @if step.closed_ms.is_none() { " so far" } }
            td { @for one in words::missing(study, &step.missing) { (one) ". " } }
        }
    }
}

/// Curves over the rounds; nothing for a job of fewer than two.
pub(super) fn curves(course: &Course) -> Markup {
    let rounds = course.rounds();
    if rounds.len() < 2 {
        return html! {};
    }
    html! {
        (curve("seconds", "Seconds of each round", &rounds, "seconds", &|round| round.seconds()))
        (curve("bytes", "Megabytes that sites sent in each round", &rounds, "MB", &|round| round.bytes as f64 / 1e6))
        (curve("contributions", "Contributions of each round", &rounds, "sites", &|round| round.contributions as f64))
    }
}

fn curve(
    id: &str,
    caption: &str,
    rounds: &[RoundCourse],
    unit: &str,
    value: &dyn Fn(&RoundCourse) -> f64,
) -> Markup {
    let points: Vec<(f64, f64)> =
        rounds.iter().map(|round| ((round.round + 1) as f64, value(round))).collect();
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let chart = LineChart {
        x: "round".to_owned(),
        y: unit.to_owned(),
        // Nothing is the honest lower end of what is counted.
        limits: Some((0.0, if most > 0.0 { most * 1.1 } else { 1.0 })),
        series: vec![LineSeries { name: caption.to_owned(), points }],
        references: Vec::new(),
    };
    html! {
        figure {
            (drawn(Drawing::Lines(chart).element(id, caption)))
            figcaption { (caption) }
            details {
                summary { "The numbers" }
                table {
                    thead { tr { th scope="col" { "round" } th.n scope="col" { (unit) } } }
                    tbody { @for round in rounds { tr {
                        td { (round.round + 1) } td.n { (format!("{:.3}", value(round))) }
                    } } }
                }
            }
        }
    }
}
