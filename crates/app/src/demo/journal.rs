//! What a run has done so far, so that a second run of the same command goes on where the first one stopped.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{Error, Result, make_folder, read, write};
use super::options::DemoOptions;
use super::results::StepFigures;

/// `demo.json` in the demo's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    /// What was asked for: another question is another demo.
    question: String,
    /// Finished steps.
    steps: Vec<StepFigures>,
}

/// The journal of one folder.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    saved: Saved,
}

impl Journal {
    /// Opens or begins the journal of these options.
    ///
    /// # Errors
    /// [`Error::Folder`] when the folder holds something else.
    pub(super) fn open(options: &DemoOptions) -> Result<Self> {
        let path = options.folder.join("demo.json");
        let question = question(options);
        if path.is_file() {
            let saved: Option<Saved> = serde_json::from_slice(&read(&path)?).ok();
            let refuse = |found| Error::Folder { folder: options.folder.clone(), found };
            let saved = saved.ok_or_else(|| refuse("a demo.json that this version cannot read"))?;
            if saved.question != question {
                return Err(refuse("a demo with other options"));
            }
            return Ok(Self { path, saved });
        }
        if options.folder.is_dir() && !is_empty(&options.folder)? {
            let (folder, found) = (options.folder.clone(), "files that are no demo's");
            return Err(Error::Folder { folder, found });
        }
        make_folder(&options.folder)?;
        let journal = Self { path, saved: Saved { question, steps: Vec::new() } };
        journal.save()?;
        Ok(journal)
    }

    /// Whether a step is finished.
    pub(super) fn has(&self, name: &str) -> bool {
        self.saved.steps.iter().any(|s| s.name == name)
    }

    /// Writes down a finished step.
    pub(super) fn finish(&mut self, name: &str, seconds: f64) -> Result<()> {
        self.saved.steps.retain(|s| s.name != name);
        self.saved.steps.push(StepFigures { name: name.to_owned(), seconds });
        self.save()
    }

    /// The finished steps.
    pub(super) fn steps(&self) -> &[StepFigures] {
        &self.saved.steps
    }

    fn save(&self) -> Result<()> {
        let json = serde_json::to_vec_pretty(&self.saved).unwrap_or_default(); // plain data always prints
        write(&self.path, &json)
    }
}

fn question(options: &DemoOptions) -> String {
    let own = options.own.as_ref().map(|o| {
        format!("tiles {} model {} per group {}", o.tiles.path.display(), o.backbone.model, o.per_group)
    });
    let quick = if options.quick { "quick" } else { "whole" };
    format!("{quick} seed {} {}", options.seed, own.unwrap_or_else(|| "synthetic".into()))
}

fn is_empty(folder: &Path) -> Result<bool> {
    let mut entries = std::fs::read_dir(folder).map_err(Error::file("listing", folder))?;
    Ok(entries.next().is_none())
}
