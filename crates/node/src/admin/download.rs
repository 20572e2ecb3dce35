//! A job's result as a file.

use std::path::Path;

use super::jobs::Admin;
use crate::error::Result;
use crate::files::{self, Part};
use blindscope_federation::Blob;
use blindscope_learn::jobs::{Clips, clips_in_file};

/// A result that lies on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downloaded {
    /// Its digest and length.
    pub result: Blob,
    /// How much the sites clipped on the way to it, where its kind says so.
    pub clips: Option<Clips>,
}

impl Admin {
    /// The result of a job that is done, as a file: there in whole, its digest checked, or not at all.
    ///
    /// # Errors
    /// As [`Admin::download`]; [`crate::Error::File`] where the file cannot be written.
    pub async fn download_to(&self, job: &str, path: &Path) -> Result<Downloaded> {
        let view = self.status(job).await?;
        let (part, result) = self.result_of(&view, Part::begin(path)?).await?;
        part.place()?;
        let clips = clips_in_file(view.kind, path).map_err(files::failed("read", path))?;
        Ok(Downloaded { result, clips })
    }
}
