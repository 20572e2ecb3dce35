//! What a page promises: nothing from outside, nothing of the input as markup, everything named.

#![allow(clippy::unwrap_used)]

use blindscope_report::{
    Bar, BarChart, BarSeries, Block, ConfusionMatrix, Drawing, Error, Fact, Figure, Headline, ImageCell,
    ImageGrid, LineChart, LineSeries, ModelCard, Png, Provenance, ReferenceLine, Report, Section, Table,
};

/// Text that would be noticed if it came through.
const EVIL: &str = "<script>alert('x')</script>\"&\u{1b}";

/// One transparent pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

fn figure(drawing: Drawing) -> Block {
    let mut numbers = Table::new(EVIL, &[EVIL, EVIL]);
    numbers.push(vec![EVIL.into(), EVIL.into()]).unwrap();
    Block::Figure(Box::new(Figure { caption: EVIL.into(), drawing, numbers: Some(numbers) }))
}

fn drawings() -> [Drawing; 4] {
    let points = vec![(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.75)];
    let bar = Bar { value: 0.5, interval: Some((0.4, f64::INFINITY)), reference: Some(0.9) };
    let cell = ImageCell { png: Png::new(PIXEL.to_vec()).unwrap(), alt: EVIL.into(), caption: EVIL.into() };
    [
        Drawing::Lines(LineChart {
            x: EVIL.into(),
            y: EVIL.into(),
            limits: None,
            series: vec![LineSeries { name: EVIL.into(), points }],
            references: vec![ReferenceLine { name: EVIL.into(), value: f64::NAN }],
        }),
        Drawing::Bars(BarChart {
            y: EVIL.into(),
            groups: vec![EVIL.into(), EVIL.into()],
            series: vec![BarSeries { name: EVIL.into(), bars: vec![bar] }],
            reference: EVIL.into(),
            limits: None,
        }),
        Drawing::Confusion(ConfusionMatrix { classes: vec![EVIL.into()], counts: vec![vec![0]] }),
        Drawing::Images(ImageGrid { columns: vec![EVIL.into()], rows: vec![(EVIL.into(), vec![cell])] }),
    ]
}

fn page() -> String {
    let mut section = Section::new(EVIL);
    section.paragraph(EVIL).push(Block::Note(EVIL.into())).push(Block::List(vec![EVIL.into()]));
    for drawing in drawings() {
        section.push(figure(drawing));
    }
    let facts = vec![Fact::new(EVIL, EVIL)];
    let card = ModelCard {
        details: facts.clone(),
        intended: vec![EVIL.into()],
        training_data: EVIL.into(),
        ..ModelCard::default()
    };
    let again = section.clone();
    Report {
        title: EVIL.into(),
        summary: EVIL.into(),
        headlines: vec![Headline { value: EVIL.into(), label: EVIL.into(), detail: EVIL.into() }],
        sections: vec![section, again, card.section()],
        provenance: Provenance {
            command: EVIL.into(),
            version: EVIL.into(),
            seed: Some(1),
            time: EVIL.into(),
            facts,
        },
    }
    .to_html()
}

/// The values of an attribute.
fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let start = format!(" {name}=\"");
    page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn no_text_becomes_markup() {
    let page = page();
    assert!(page.contains("&lt;script&gt;"), "the text itself is there");
    assert!(!page.contains("<script"), "as text only");
    assert!(!page.contains('\u{1b}'), "control characters are left out");
}

#[test]
fn nothing_is_loaded_from_outside() {
    let page = page();
    assert!(attributes(&page, "src").iter().all(|s| s.starts_with("data:image/png;base64,")));
    assert!(attributes(&page, "href").iter().all(|h| h.starts_with('#')));
    for loads in ["http:", "https:", "url(", "@import", "<link", "<iframe", "<script"] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn every_drawing_names_and_describes_itself() {
    let page = page();
    let ids = attributes(&page, "id");
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "an id twice: {ids:?}");
    let labels = attributes(&page, "aria-labelledby");
    assert!(labels.iter().flat_map(|l| l.split(' ')).all(|l| ids.contains(&l)), "{labels:?} in {ids:?}");
    assert_eq!(page.matches("<svg").count(), page.matches("<desc").count());
    assert_eq!(page.matches("<img").count(), attributes(&page, "alt").len());
}

#[test]
fn coordinates_are_numbers_whatever_the_values() {
    let page = page();
    let body = page.split("<body>").nth(1).unwrap();
    assert!(!body.contains("NaN") && !body.contains("inf"), "{body}");
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let e = Png::new(b"GIF89a".to_vec()).unwrap_err();
    assert_eq!(
        e.to_string(),
        "image: 6 bytes do not begin with the signature of PNG; encode the picture as PNG first"
    );
    let e = Table::new("t", &["a", "b"]).push(vec!["1".into()]).unwrap_err();
    assert_eq!(e, Error::Row { caption: "t".into(), found: 1, expected: 2 });
}
