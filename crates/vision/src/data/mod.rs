//! Tiles on disk: listing them, decoding them, and splitting them without leaks.

mod copies;
mod csv;
mod dataset;
mod duplicates;
mod folder;
mod groups;
mod opened;
mod preprocess;
mod roles;
mod sheet;
mod split;

pub use blindscope_pixels::tile::{Filter, ImageProblem, decode, read_image, resize};
pub use blindscope_pixels::{Limits, Rgb};

pub use self::copies::{Copies, MOST_COMPARED, group_duplicates};
pub use self::csv::{CsvColumns, read_csv, read_unlabelled_csv};
pub(crate) use self::csv::{Listing, listed};
pub use dataset::{Dataset, Rejected, Sample};
pub use duplicates::{Duplicates, Fingerprint};
pub use folder::{read_folder, read_unlabelled};
pub(crate) use groups::DisjointSets;
pub use groups::connected_groups;
pub use opened::open_all;
pub(crate) use opened::{SEVERAL_LABELS, conflicts};
pub use preprocess::{Centre, Preprocess, Resize};
pub(crate) use roles::Role;
pub(crate) use sheet::Sheet;
pub use split::{Split, SplitPlan, check_no_leak, dirichlet_sites, k_fold, split_by_site};
