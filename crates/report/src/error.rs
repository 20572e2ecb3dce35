//! What cannot be put on a page.

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What cannot be put on a page.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no PNG file.
    #[error("image: {bytes} bytes do not begin with the signature of PNG; encode the picture as PNG first")]
    NotPng {
        /// How many bytes were given.
        bytes: usize,
    },
    /// A row whose cells are not as many as the columns.
    #[error(
        "table `{caption}`: a row of {found} cells under {expected} columns; give every row one cell a column"
    )]
    Row {
        /// The table's caption.
        caption: String,
        /// Cells of the row.
        found: usize,
        /// Columns of the table.
        expected: usize,
    },
}
