//! Tiles on disk: listing them, decoding them, and splitting them without leaks.

mod copies;
mod csv;
mod dataset;
mod duplicates;
mod folder;
mod groups;
mod image;
mod jpeg;
mod preprocess;
mod split;

pub use self::copies::{Copies, MOST_COMPARED, group_duplicates};
pub use self::csv::{CsvColumns, read_csv};
pub use dataset::{Dataset, Rejected, Sample};
pub use duplicates::{Duplicates, Fingerprint};
pub use folder::read_folder;
pub use groups::connected_groups;
pub use image::{ImageProblem, Limits, Rgb, decode, read_image};
pub use preprocess::Preprocess;
pub use split::{Split, SplitPlan, check_no_leak, dirichlet_sites, k_fold, split_by_site};
