//! What every reader makes, and what reading may cost.

/// Eight-bit RGB pixels, rows top to bottom.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub pixels: Vec<u8>,
}

impl std::fmt::Debug for Rgb {
    /// The size alone: pixels are patients' data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgb({}×{})", self.width, self.height)
    }
}

/// What an image may cost before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Pixels once decoded.
    pub pixels: u64,
    /// Bytes that a decoder may allocate, and bytes of the picture as stored (sixteen bits and transparency count).
    pub decoder_bytes: u64,
}

impl Default for Limits {
    /// 256 MiB of file, 64 million pixels (8,000 × 8,000), 512 MiB of decoder memory: ample for tiles, and far below
    /// what a whole slide or a decompression bomb would take.
    fn default() -> Self {
        Self { file_bytes: 256 << 20, pixels: 64_000_000, decoder_bytes: 512 << 20 }
    }
}
