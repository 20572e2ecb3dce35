//! Why a slide, or a tile of one, was set aside: a name for programs and a sentence for people.

/// What is wrong with a slide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlideProblem {
    /// The system refused to read it.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// The system's answer.
        reason: String,
    },
    /// The file ends before what its directories promise.
    #[error(
        "the file has {length} bytes and promises {bytes} at {at}: it is cut off; copy it again from where it came from"
    )]
    Truncated {
        /// Where reading began.
        at: u64,
        /// Bytes promised there.
        bytes: u64,
        /// Bytes there are.
        length: u64,
    },
    /// A file that belongs to the slide is not there.
    #[error("{first}, which belongs to it, is not there: copy the slide again with all of its files")]
    MissingCompanions {
        /// The first that is missing.
        first: String,
    },
    /// Neither TIFF nor DICOM.
    #[error("neither a TIFF (SVS, OME-TIFF, pyramid) nor a DICOM whole-slide file{hint}")]
    UnknownFormat {
        /// What else could open it.
        hint: &'static str,
    },
    /// The container breaks its own rules.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Directories, tiles or pixels beyond what a slide has.
    #[error("{what}: {got} are more than the {limit} allowed; the file is damaged or not a slide")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        got: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// A format, compression or pixel type that is not read.
    #[error("{0}")]
    Unsupported(String),
    /// Nothing tells how large a pixel is.
    #[error("no microns a pixel ({found}); give them in the column `mpp` of --slides-csv")]
    NoMpp {
        /// What was found instead.
        found: String,
    },
    /// The slide is coarser than what was asked for.
    #[error(
        "its finest level has {have} µm a pixel, coarser than the {want} asked for; enlarging would invent detail"
    )]
    TooCoarse {
        /// Of the finest level, in thousandths rounded for reading.
        have: String,
        /// Asked for.
        want: String,
    },
    /// No tissue was found.
    #[error("no tissue was found; look at its thumbnail, or bring contours with --tissue")]
    NoTissue,
    /// Contours were asked for and are not there.
    #[error("no contours for it: {0}")]
    NoContours(String),
    /// The grid has too many tiles.
    #[error("{got} tiles are more than the {limit} allowed a slide (--max-tiles)")]
    TooManyTiles {
        /// Tiles of the grid.
        got: u64,
        /// Allowed.
        limit: u64,
    },
    /// No tile of the grid could be read.
    #[error("no tile could be read, {tiles} could not; the first: {first}")]
    NoTiles {
        /// Tiles of the grid.
        tiles: usize,
        /// Why the first could not.
        first: String,
    },
}

impl SlideProblem {
    /// The status in `slides.json`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::Truncated { .. } => "truncated",
            Self::MissingCompanions { .. } => "missing-companions",
            Self::UnknownFormat { .. } => "unknown-format",
            Self::Damaged(_) => "damaged",
            Self::TooLarge { .. } => "too-large",
            Self::Unsupported(_) => "unsupported",
            Self::NoMpp { .. } => "no-mpp",
            Self::TooCoarse { .. } => "too-coarse",
            Self::NoTissue => "no-tissue",
            Self::NoContours(_) => "no-contours",
            Self::TooManyTiles { .. } => "too-many-tiles",
            Self::NoTiles { .. } => "no-tiles",
        }
    }

    /// A damaged container.
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// Refuses more than `limit` of something.
pub(super) fn bounded(what: &'static str, got: u64, limit: u64) -> Result<u64, SlideProblem> {
    if got > limit { Err(SlideProblem::TooLarge { what, got, limit }) } else { Ok(got) }
}
