//! Answers on standard output: for people, as CSV, as JSON.

use std::io::{self, Write as _};
use std::path::PathBuf;

use blindscope_node::asker::Prediction;

/// Answers with the rows that they belong to.
pub(super) struct Answers<'a> {
    pub(super) ids: &'a [String],
    pub(super) files: &'a [PathBuf],
    pub(super) predictions: &'a [Prediction],
    pub(super) classes: &'a [String],
}

impl Answers<'_> {
    fn rows(&self) -> impl Iterator<Item = (&String, String, &Prediction)> {
        let files = self.files.iter().map(|file| file.display().to_string());
        self.ids.iter().zip(files).zip(self.predictions).map(|((id, file), answer)| (id, file, answer))
    }

    pub(super) fn json(&self) -> anyhow::Result<()> {
        let row = |(id, file, Prediction { class, logits }): (&String, String, &Prediction)| {
            serde_json::json!({
                "id": id, "file": file, "class": class, "logits": logits, "classes": self.classes
            })
        };
        let answers: Vec<_> = self.rows().map(row).collect();
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &answers)?;
        Ok(writeln!(out)?)
    }

    pub(super) fn csv(&self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let head = ["id", "file", "class"].map(str::to_owned);
        writeln!(out, "{}", line(head.iter().chain(self.classes)))?;
        for (id, file, Prediction { class, logits }) in self.rows() {
            let logits: Vec<String> = logits.iter().map(ToString::to_string).collect();
            writeln!(out, "{}", line([id, &file, class].into_iter().chain(&logits)))?;
        }
        Ok(())
    }

    pub(super) fn text(&self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        for (id, _, Prediction { class, logits }) in self.rows() {
            let logits: Vec<String> = logits.iter().map(|logit| format!("{logit:.4}")).collect();
            writeln!(out, "{id:24}  {class:20}  {}", logits.join("  "))?;
        }
        Ok(())
    }
}

/// One line of CSV (RFC 4180).
fn line<'a>(cells: impl Iterator<Item = &'a String>) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    };
    cells.map(quoted).collect::<Vec<_>>().join(",")
}
