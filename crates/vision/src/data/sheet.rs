//! A text in columns: what it is separated by, and its header.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use blindscope_pixels::foreign::Found;

/// Bytes in which the header has to end.
const MOST_HEADER: u64 = 4 << 20;

/// The first line of a CSV file.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub(crate) header: Vec<String>,
    delimiter: u8,
}

impl Sheet {
    /// Looks at the first line: columns end at commas, semicolons or tabs, whichever it has most of.
    ///
    /// # Errors
    /// [`Error::Format`] for what is no text in columns, named for what it is, and for a name that two columns have;
    /// [`Error::Io`] where the file cannot be read.
    pub(crate) fn look(format: &'static str, path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let file = File::open(path).map_err(Error::io("reading", path))?;
        file.take(MOST_HEADER).read_to_end(&mut start).map_err(Error::io("reading", path))?;
        let bad = |reason: String| Error::format(format, path, reason);
        match Found::of(&start) {
            Some(Found::Table | Found::Text) => {}
            Some(found) => return Err(bad(found.described())),
            // Rows of another encoding are set aside where rows are read.
            None if !start.contains(&0) => {}
            None => return Err(bad("it is no text in columns; save it as CSV UTF-8".into())),
        }
        let end = start.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(start.len());
        let mut quoted = false;
        let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0)];
        for byte in &start[..end] {
            quoted ^= *byte == b'"';
            for (delimiter, count) in &mut counts {
                *count += usize::from(!quoted && byte == delimiter);
            }
        }
        // Of equals the first.
        let delimiter = counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(d, _)| *d);
        let mut sheet = Self { header: Vec::new(), delimiter };
        let mut reader = sheet.builder().from_reader(start.as_slice());
        let header = reader.headers().map_err(|e| bad(e.to_string()))?;
        sheet.header = header.iter().map(|h| h.trim_start_matches('\u{feff}').to_owned()).collect();
        let mut seen = std::collections::HashSet::new();
        match sheet.header.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
            Some(twice) => Err(bad(format!("two columns are called `{twice}`; rename one"))),
            None => Ok(sheet),
        }
    }

    /// How its rows are read.
    pub(crate) fn builder(&self) -> csv::ReaderBuilder {
        let mut builder = csv::ReaderBuilder::new();
        builder.trim(csv::Trim::All).delimiter(self.delimiter);
        builder
    }

    /// The header's names, for messages.
    pub(crate) fn columns(&self) -> String {
        let shown = self.header.iter().take(40).map(|name| format!("`{name}`"));
        let more = if self.header.len() > 40 {
            format!(" and {} more", self.header.len() - 40)
        } else {
            String::new()
        };
        shown.collect::<Vec<_>>().join(", ") + &more
    }
}
