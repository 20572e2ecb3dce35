//! Pictures inside the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::markup::{escape, put};
use crate::{Error, Result};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A PNG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Png(Vec<u8>);

impl Png {
    /// Takes the bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::NotPng`] for bytes without its signature.
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        if bytes.starts_with(SIGNATURE) { Ok(Self(bytes)) } else { Err(Error::NotPng { bytes: bytes.len() }) }
    }

    fn data_uri(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(&self.0))
    }
}

/// One picture of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCell {
    /// The picture.
    pub png: Png,
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// A short line below it; may be empty.
    pub caption: String,
}

/// Pictures in named rows under named columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageGrid {
    /// Names of the columns; may be empty.
    pub columns: Vec<String>,
    /// Name and pictures of each row.
    pub rows: Vec<(String, Vec<ImageCell>)>,
}

impl ImageGrid {
    pub(crate) fn write(&self, out: &mut String) {
        out.push_str("<div class=\"scroll\"><table class=\"pictures\">");
        if !self.columns.is_empty() {
            out.push_str("<thead><tr><td></td>");
            for column in &self.columns {
                put(out, format_args!("<th scope=\"col\">{}</th>", escape(column)));
            }
            out.push_str("</tr></thead>");
        }
        out.push_str("<tbody>\n");
        for (name, cells) in &self.rows {
            put(out, format_args!("<tr><th scope=\"row\">{}</th>", escape(name)));
            for cell in cells {
                let (uri, alt, caption) = (cell.png.data_uri(), escape(&cell.alt), escape(&cell.caption));
                put(out, format_args!("<td><img src=\"{uri}\" alt=\"{alt}\"><span>{caption}</span></td>"));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
    }
}
