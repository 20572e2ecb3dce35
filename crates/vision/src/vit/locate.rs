//! Which file of a model holds its weights.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use blindscope_pixels::foreign::CONVERT;

/// Hugging Face's names: the whole file, and the index of a file cut into shards.
const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weights at `path`: a file as it is; in a folder `model.safetensors`, an index of shards, or the only
/// `.safetensors` file, whatever its name.
///
/// # Errors
/// [`Error::Format`] for a folder with none or several, saying what lies there instead and what to do; [`Error::Io`] where the
/// folder cannot be read.
pub fn locate(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    for name in [WHOLE, INDEX] {
        let file = path.join(name);
        if file.exists() {
            return Ok(file);
        }
    }
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io("listing", path))? {
        let entry = entry.map_err(Error::io("listing", path))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let with = |ends: &[&str]| -> Vec<&String> {
        names.iter().filter(|n| ends.iter().any(|e| n.to_ascii_lowercase().ends_with(e))).collect()
    };
    let safe = with(&[".safetensors"]);
    let reason = match (safe.as_slice(), with(&[".bin", ".pt", ".pth", ".ckpt"]).first()) {
        ([only], _) => return Ok(path.join(only)),
        ([], Some(pickle)) => format!("it holds `{pickle}` and no .safetensors file; {CONVERT}"),
        ([], None) => format!("it holds no .safetensors file, but {}", some(&names)),
        (several, _) => {
            let several: Vec<String> = several.iter().map(|n| (*n).clone()).collect();
            format!("it holds several .safetensors files; name one of {}", some(&several))
        }
    };
    Err(Error::format("model", path, reason))
}

fn some(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(8).map(|n| format!("`{n}`")).collect();
    match names.len() {
        0 => "nothing".into(),
        more if more > shown.len() => format!("{} and {} more", shown.join(", "), more - shown.len()),
        _ => shown.join(", "),
    }
}
