//! Drawings of a demo's results.

use crate::demo::{ClientCurve, DemoResults, Estimate, Evaluation, paper};
use blindscope_report::{
    Bar, BarChart, BarSeries, Block, ConfusionMatrix, Drawing, Figure, LineChart, LineSeries, ReferenceLine,
    Result, Table,
};

fn figure(caption: String, drawing: Drawing, numbers: Option<Table>) -> Block {
    Block::Figure(Box::new(Figure { caption, drawing, numbers }))
}

/// A share in per cent.
pub(super) fn percent(value: f64) -> String {
    if value.is_finite() { format!("{:.1} %", value * 100.0) } else { "—".into() }
}

/// A share with its interval.
pub(super) fn with_interval(e: &Estimate) -> String {
    format!("{:.1} ({:.1}–{:.1})", e.value * 100.0, e.low * 100.0, e.high * 100.0)
}

/// The paper's figure 2 beside ours: client accuracy by epoch.
pub(super) fn clients(results: &DemoResults, job: &str) -> Result<Option<Block>> {
    let curves: Vec<&ClientCurve> =
        results.clients.iter().filter(|c| c.epochs.iter().any(|e| e.job == job)).collect();
    if curves.is_empty() {
        return Ok(None);
    }
    let points = |c: &ClientCurve| {
        let epochs = c.epochs.iter().filter(|e| e.job == job);
        epochs.map(|e| (e.epoch as f64, f64::from(e.accuracy) * 100.0)).collect::<Vec<_>>()
    };
    let mut table =
        Table::new("Training accuracy by epoch, per cent", &["site", "first epoch", "last epoch", "epochs"]);
    for curve in &curves {
        let points = points(curve);
        let at = |p: Option<&(f64, f64)>| p.map_or_else(|| "—".into(), |p| format!("{:.1}", p.1));
        let (first, last) = (at(points.first()), at(points.last()));
        table.push(vec![curve.site.clone(), first, last, points.len().to_string()])?;
    }
    let [a, b, c] = paper::CLIENTS.map(|p| format!("{:.2}", p * 100.0));
    let all = format!("the paper's clients after 30 epochs: {a}, {b}, {c}");
    let reference = |(i, value): (usize, &f64)| {
        let name = if i == 0 { all.clone() } else { String::new() };
        ReferenceLine { name, value: value * 100.0 }
    };
    let references =
        if job == "fedavg" { paper::CLIENTS.iter().enumerate().map(reference).collect() } else { Vec::new() };
    let series = |c: &&ClientCurve| LineSeries { name: c.site.clone(), points: points(c) };
    let chart = LineChart {
        x: "epoch".into(),
        y: "accuracy on the site's own training tiles, %".into(),
        limits: None,
        series: curves.iter().map(series).collect(),
        references,
    };
    let caption = format!(
        "Client accuracy by epoch in {job}, from the sites' own notes ({}'s figure 2 shows the same for its clients). Each round \
         begins from the common head, which is where a curve may jump.",
        paper::SOURCE
    );
    Ok(Some(figure(caption, Drawing::Lines(chart), Some(table))))
}

/// The paper's figure 4 beside ours: the four configurations.
pub(super) fn configurations(results: &DemoResults) -> Result<Block> {
    let bar = |e: &Estimate, reference: Option<f64>| Bar {
        value: e.value * 100.0,
        interval: Some((e.low * 100.0, e.high * 100.0)),
        reference: reference.map(|r| r * 100.0),
    };
    let series = |e: &Evaluation| BarSeries {
        name: e.name.clone(),
        bars: vec![
            bar(&e.accuracy, e.paper_accuracy),
            bar(&e.f1, None),
            bar(&e.precision, None),
            bar(&e.recall, None),
        ],
    };
    let chart = BarChart {
        y: "per cent of held-out tiles".into(),
        limits: Some((0.0, 100.0)),
        groups: ["accuracy", "F1", "precision", "recall"].map(str::to_owned).to_vec(),
        series: results.configurations.iter().map(series).collect(),
        reference: format!("accuracy in {}, on its own data", paper::SOURCE),
    };
    let caption = format!(
        "{{clear, encrypted}} × {{gradients, CLS}} on tiles that no site has seen, with 95 % intervals of a bootstrap over whole \
         groups; the arrangement is that of figure 4 in {}",
        paper::SOURCE
    );
    Ok(figure(
        caption,
        Drawing::Bars(chart),
        Some(evaluations("Per cent, with 95 % intervals", &results.configurations)?),
    ))
}

/// Evaluations as a table.
pub(super) fn evaluations(caption: &str, all: &[Evaluation]) -> Result<Table> {
    let columns = ["configuration", "accuracy", "F1", "precision", "recall", "paper"];
    let mut table = Table::new(caption, &columns);
    for e in all {
        let paper = e.paper_accuracy.map_or_else(|| "—".into(), |p| format!("{:.2}", p * 100.0));
        let [a, f, p, r] = [&e.accuracy, &e.f1, &e.precision, &e.recall].map(with_interval);
        table.push(vec![e.name.clone(), a, f, p, r, paper])?;
    }
    Ok(table)
}

/// Who is taken for whom.
pub(super) fn confusion(results: &DemoResults, evaluation: &Evaluation) -> Block {
    let matrix = ConfusionMatrix { classes: results.classes.clone(), counts: evaluation.confusion.clone() };
    let caption = format!("Held-out tiles by true and predicted class: {}", evaluation.name);
    figure(caption, Drawing::Confusion(matrix), None)
}

/// Validation counts, summed under encryption.
pub(super) fn validation(results: &DemoResults) -> Option<Block> {
    let counts = results.validation.clone()?;
    let matrix = ConfusionMatrix { classes: results.classes.clone(), counts };
    let caption = "Tiles that the sites held back, by true and predicted class. Each site's counts were encrypted; only the sum over \
                   all sites was ever opened, so nobody learns how well the model does at one site"
        .to_owned();
    Some(figure(caption, Drawing::Confusion(matrix), None))
}
