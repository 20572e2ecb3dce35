//! A job's result as a file.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::jobs::Admin;
use crate::error::Result;
use crate::files::{self, Part};
use blindscope_federation::{Blob, JobKind};
use blindscope_learn::jobs::{Clips, clips_in};

/// Longest model file that is read for what was clipped.
const MOST_MODEL: u64 = 1 << 28;
/// Bytes of the count at the end of an update.
const COUNT: i64 = 16;

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
        let clips = clips(view.kind, path).map_err(files::failed("read", path))?;
        Ok(Downloaded { result, clips })
    }
}

fn clips(kind: JobKind, path: &Path) -> std::io::Result<Option<Clips>> {
    let mut bytes = Vec::new();
    if kind == JobKind::Update {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-COUNT))?;
        file.read_to_end(&mut bytes)?;
    } else if fs::metadata(path)?.len() <= MOST_MODEL {
        bytes = fs::read(path)?;
    }
    Ok(clips_in(kind, &bytes))
}
