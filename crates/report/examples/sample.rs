//! Writes a page with every kind of block to standard output: `cargo run -p blindscope-report --example sample`.

#![allow(clippy::print_stdout, reason = "an example")]

use blindscope_report::{
    Bar, BarChart, BarSeries, Block, ConfusionMatrix, Drawing, Fact, Figure, Headline, LineChart, LineSeries,
    ModelCard, Provenance, ReferenceLine, Report, Result, Section, Table,
};

fn main() -> Result<()> {
    let mut section = Section::new("Drawn from made-up numbers");
    section.paragraph(
        "Every number on this page is made up: it shows what the crate can draw, and nothing else.",
    );
    section.push(Block::Note("A remark that must not be overlooked looks like this.".into()));
    section.push(figure("Accuracy by epoch at three sites", Drawing::Lines(lines()), None));
    section.push(figure("Four configurations", Drawing::Bars(bars()), Some(numbers()?)));
    let counts = vec![vec![48, 2, 0], vec![5, 41, 4], vec![0, 3, 47]];
    let classes = ["glands", "septa", "pearls"].map(str::to_owned).to_vec();
    let matrix = ConfusionMatrix { classes, counts };
    section.push(figure("Confusion matrix", Drawing::Confusion(matrix), None));
    section.push(Block::Table(numbers()?));
    let card = ModelCard {
        details: vec![Fact::new("Head", "32 hidden units, square activation")],
        not_intended: vec!["Any decision about a patient.".into()],
        training_data: "Made-up numbers.".into(),
        evaluation_data: "None.".into(),
        ..ModelCard::default()
    };
    let report = Report {
        title: "A sample page".into(),
        summary: "What a report looks like.".into(),
        headlines: vec![
            Headline { value: "96.1 %".into(), label: "accuracy".into(), detail: "made up".into() },
            Headline { value: "18 KB".into(), label: "a token".into(), detail: "made up".into() },
        ],
        sections: vec![section, card.section()],
        provenance: Provenance {
            command: "cargo run -p blindscope-report --example sample".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            seed: Some(7),
            time: "never".into(),
            facts: Vec::new(),
        },
    };
    print!("{}", report.to_html());
    Ok(())
}

fn figure(caption: &str, drawing: Drawing, numbers: Option<Table>) -> Block {
    Block::Figure(Box::new(Figure { caption: caption.into(), drawing, numbers }))
}

fn lines() -> LineChart {
    let curve = |i: usize| {
        let ceiling = 0.95 - 0.02 * i as f64;
        (1..=30).map(|e| (f64::from(e), ceiling - 0.5 * (-f64::from(e) / (4.0 + i as f64)).exp())).collect()
    };
    let series = (0..3).map(|i| LineSeries { name: format!("site {}", i + 1), points: curve(i) });
    LineChart {
        x: "epoch".into(),
        y: "accuracy".into(),
        series: series.collect(),
        references: vec![ReferenceLine { name: "another source, 0.9464".into(), value: 0.9464 }],
        ..LineChart::default()
    }
}

fn bars() -> BarChart {
    let names = ["clear, CLS", "encrypted, CLS", "clear, gradients", "encrypted, gradients"];
    let bar = |i: usize, g: usize| {
        let value = 0.96 - 0.02 * i as f64 - 0.01 * g as f64;
        let reference = (g == 0).then_some(value - 0.03);
        Bar { value, interval: Some((value - 0.03, (value + 0.02).min(1.0))), reference }
    };
    let series = names.iter().enumerate();
    BarChart {
        y: "share".into(),
        groups: ["accuracy", "F1", "precision", "recall"].map(str::to_owned).to_vec(),
        series: series
            .map(|(i, n)| BarSeries { name: (*n).into(), bars: (0..4).map(|g| bar(i, g)).collect() })
            .collect(),
        reference: "another source".into(),
        limits: Some((0.0, 1.0)),
    }
}

fn numbers() -> Result<Table> {
    let mut table = Table::new("The same as a table", &["configuration", "accuracy", "95 % interval"]);
    table.push(vec!["clear, CLS".into(), "0.960".into(), "0.930–0.980".into()])?;
    table.push(vec!["encrypted, CLS".into(), "0.960".into(), "0.930–0.980".into()])?;
    Ok(table)
}
