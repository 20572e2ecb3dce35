//! The page.

use crate::document::{Block, Fact, Figure, Provenance, Report, Section};
use crate::markup::{anchor, escape, put};

/// The style of pages: colours, light and dark, and what drawings are drawn with.
pub const STYLE: &str = include_str!("style.css");

/// The page may show its own pictures and style, and nothing else: no script, no request.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Numbers of figures and tables as they are met.
#[derive(Default)]
struct Count {
    figures: usize,
    tables: usize,
}

impl Report {
    /// The report as one HTML page that loads nothing.
    pub fn to_html(&self) -> String {
        let mut out = String::with_capacity(1 << 16);
        let title = escape(&self.title);
        out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        put(
            &mut out,
            format_args!("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", escape(POLICY)),
        );
        out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        put(&mut out, format_args!("<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"));
        out.push_str("<a class=\"skip\" href=\"#content\">Skip to the content</a>\n");
        put(
            &mut out,
            format_args!("<header><h1>{title}</h1>\n<p class=\"lead\">{}</p>\n", escape(&self.summary)),
        );
        self.write_headlines(&mut out);
        let anchors = self.anchors();
        self.write_contents(&anchors, &mut out);
        out.push_str("</header>\n<main id=\"content\">\n");
        let mut count = Count::default();
        for (section, anchor) in self.sections.iter().zip(&anchors) {
            section.write(anchor, &mut count, &mut out);
        }
        self.provenance.write(&mut out);
        out.push_str(
            "</main>\n<footer><p>Made by Blindscope. This page is one file and loads nothing.</p></footer>\n",
        );
        out.push_str("</body>\n</html>\n");
        out
    }

    /// An anchor a section, unique on the page.
    fn anchors(&self) -> Vec<String> {
        let one = |(i, s): (usize, &Section)| format!("s{}-{}", i + 1, anchor(&s.title));
        self.sections.iter().enumerate().map(one).collect()
    }

    fn write_headlines(&self, out: &mut String) {
        if self.headlines.is_empty() {
            return;
        }
        out.push_str("<ul class=\"heads\">\n");
        for h in &self.headlines {
            let (value, label, detail) = (escape(&h.value), escape(&h.label), escape(&h.detail));
            put(out, format_args!("<li><b>{value}</b><span>{label}</span><small>{detail}</small></li>\n"));
        }
        out.push_str("</ul>\n");
    }

    fn write_contents(&self, anchors: &[String], out: &mut String) {
        out.push_str("<nav aria-label=\"Contents\"><ol>\n");
        for (section, anchor) in self.sections.iter().zip(anchors) {
            put(out, format_args!("<li><a href=\"#{anchor}\">{}</a></li>\n", escape(&section.title)));
        }
        out.push_str("<li><a href=\"#provenance\">Where this comes from</a></li>\n</ol></nav>\n");
    }
}

impl Section {
    fn write(&self, anchor: &str, count: &mut Count, out: &mut String) {
        put(
            out,
            format_args!(
                "<section aria-labelledby=\"{anchor}\"><h2 id=\"{anchor}\">{}</h2>\n",
                escape(&self.title)
            ),
        );
        for block in &self.blocks {
            block.write(count, out);
        }
        out.push_str("</section>\n");
    }
}

impl Block {
    fn write(&self, count: &mut Count, out: &mut String) {
        match self {
            Self::Paragraph(text) => put(out, format_args!("<p>{}</p>\n", escape(text))),
            Self::Note(text) => {
                put(out, format_args!("<p class=\"note\" role=\"note\">{}</p>\n", escape(text)));
            }
            Self::List(items) => {
                out.push_str("<ul>\n");
                for item in items {
                    put(out, format_args!("<li>{}</li>\n", escape(item)));
                }
                out.push_str("</ul>\n");
            }
            Self::Facts(facts) => write_facts(facts, out),
            Self::Table(table) => {
                count.tables += 1;
                table.write(&format!("Table {}. {}", count.tables, table.caption()), out);
            }
            Self::Figure(figure) => figure.write(count, out),
        }
    }
}

impl Figure {
    fn write(&self, count: &mut Count, out: &mut String) {
        count.figures += 1;
        let number = count.figures;
        put(out, format_args!("<figure id=\"figure-{number}\">\n"));
        self.drawing.write(&format!("f{number}"), &self.caption, out);
        put(
            out,
            format_args!("<figcaption><b>Figure {number}.</b> {}</figcaption>\n", escape(&self.caption)),
        );
        if let Some(numbers) = &self.numbers {
            out.push_str("<details open><summary>The numbers</summary>\n");
            numbers.write(numbers.caption(), out);
            out.push_str("</details>\n");
        }
        out.push_str("</figure>\n");
    }
}

impl Provenance {
    fn write(&self, out: &mut String) {
        out.push_str(
            "<section aria-labelledby=\"provenance\"><h2 id=\"provenance\">Where this comes from</h2>\n",
        );
        out.push_str(
            "<p>Every number without another source was measured by this run of this command:</p>\n",
        );
        put(out, format_args!("<p><code>{}</code></p>\n", escape(&self.command)));
        let mut facts = vec![Fact::new("Version", &self.version)];
        facts.extend(self.seed.map(|s| Fact::new("Seed", s.to_string())));
        facts.push(Fact::new("Made", &self.time));
        facts.extend(self.facts.iter().cloned());
        write_facts(&facts, out);
        out.push_str("</section>\n");
    }
}

fn write_facts(facts: &[Fact], out: &mut String) {
    if facts.is_empty() {
        return;
    }
    out.push_str("<dl>\n");
    for fact in facts {
        put(out, format_args!("<dt>{}</dt><dd>{}</dd>\n", escape(&fact.name), escape(&fact.value)));
    }
    out.push_str("</dl>\n");
}
