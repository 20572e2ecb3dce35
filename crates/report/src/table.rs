//! Tables of text.

use crate::markup::{escape, put};
use crate::{Error, Result};

/// A table: columns, rows, and a caption that says what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table. The first column holds the rows' names.
    pub fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|c| (*c).to_owned()).collect();
        Self { caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Row`] unless it has one cell a column.
    pub fn push(&mut self, row: Vec<String>) -> Result<()> {
        if row.len() != self.columns.len() {
            let (found, expected) = (row.len(), self.columns.len());
            return Err(Error::Row { caption: self.caption.clone(), found, expected });
        }
        self.rows.push(row);
        Ok(())
    }

    /// What the table shows.
    pub fn caption(&self) -> &str {
        &self.caption
    }

    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, one cell a column each.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Writes the table with the caption as it should be printed.
    pub(crate) fn write(&self, caption: &str, out: &mut String) {
        put(
            out,
            format_args!("<div class=\"scroll\"><table><caption>{}</caption><thead><tr>", escape(caption)),
        );
        for (i, column) in self.columns.iter().enumerate() {
            let class = if self.is_numeric(i) { " class=\"n\"" } else { "" };
            put(out, format_args!("<th scope=\"col\"{class}>{}</th>", escape(column)));
        }
        out.push_str("</tr></thead><tbody>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for (i, cell) in row.iter().enumerate() {
                match (i, self.is_numeric(i)) {
                    (0, _) => put(out, format_args!("<th scope=\"row\">{}</th>", escape(cell))),
                    (_, true) => put(out, format_args!("<td class=\"n\">{}</td>", escape(cell))),
                    _ => put(out, format_args!("<td>{}</td>", escape(cell))),
                }
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
    }

    /// Whether every filled cell of a column begins like a number and is whole; such columns are set flush right.
    fn is_numeric(&self, column: usize) -> bool {
        let empty = |c: &str| matches!(c, "" | "—" | "-");
        let starts = |c: &str| c.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '−' | '+' | '<'));
        let number = |c: &str| starts(c) && !c.ends_with('…');
        let mut filled = self.rows.iter().filter_map(|r| r.get(column)).filter(|c| !empty(c)).peekable();
        column > 0 && filled.peek().is_some() && filled.all(|c| number(c))
    }
}
