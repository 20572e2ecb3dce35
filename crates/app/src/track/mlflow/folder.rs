//! A folder of runs as `MLflow`'s own file store lays it out: an experiment a study, a run a job.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Error, Result, Run};

/// Writes a run into the store `root`; the same run again replaces its own files and leaves what people added. Returns the run's folder.
///
/// # Errors
/// [`Error::File`] where the folder cannot be written.
pub fn write(run: &Run, root: &Path) -> Result<PathBuf> {
    fs::create_dir_all(root).map_err(Error::file("create the folder", root))?;
    let root = root.canonicalize().map_err(Error::file("look at", root))?;
    let experiment = experiment_id(&run.study_digest);
    let study = root.join(&experiment);
    let about = study.join("meta.yaml");
    if !about.exists() {
        put(&about, &experiment_yaml(run, &study, &experiment))?;
    }
    let id = run.id.get(..32).unwrap_or(&run.id);
    let folder = study.join(id);
    put(&folder.join("meta.yaml"), &run_yaml(run, &folder, &experiment, id))?;
    for series in &run.series {
        let mut lines = String::new();
        for point in &series.points {
            // Into a text nothing fails to be written.
            let _ = writeln!(lines, "{} {} {}", point.at_ms, point.value, point.step);
        }
        put(&folder.join("metrics").join(&series.name), &lines)?;
    }
    for (key, value) in &run.params {
        put(&folder.join("params").join(key), value)?;
    }
    for (key, value) in run.tags.iter().map(|(k, v)| (k.as_str(), v)).chain([("mlflow.runName", &run.name)]) {
        put(&folder.join("tags").join(key), value)?;
    }
    for (name, text) in &run.files {
        put(&folder.join("artifacts").join(name), text)?;
    }
    Ok(folder)
}

fn put(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::file("create the folder", parent))?;
    fs::write(path, text).map_err(Error::file("write", path))
}

/// A number of 18 digits, as `MLflow` gives its experiments; the same for a study each time.
fn experiment_id(digest: &str) -> String {
    let number = digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    format!("{}", 100_000_000_000_000_000 + number % 900_000_000_000_000_000)
}

fn experiment_yaml(run: &Run, folder: &Path, id: &str) -> String {
    let at = run.span_ms.0;
    format!(
        "artifact_location: {}\ncreation_time: {at}\nexperiment_id: '{id}'\nlast_update_time: {at}\nlifecycle_stage: active\nname: {}\n",
        uri(folder),
        quoted(&run.study)
    )
}

fn run_yaml(run: &Run, folder: &Path, experiment: &str, id: &str) -> String {
    let (start, end) = run.span_ms;
    // 3: finished, 4: failed.
    let status = if run.done { 3 } else { 4 };
    format!(
        "artifact_uri: {}\nend_time: {end}\nentry_point_name: ''\nexperiment_id: '{experiment}'\nlifecycle_stage: active\nrun_id: {id}\n\
         run_name: {}\nsource_name: ''\nsource_type: 4\nsource_version: ''\nstart_time: {start}\nstatus: {status}\ntags: []\nuser_id: ''\n",
        uri(&folder.join("artifacts")),
        quoted(&run.name)
    )
}

/// A text in YAML, whatever is in it: names of studies and jobs have letters, digits and `-_.` alone.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A path as a quoted `file:` address.
fn uri(path: &Path) -> String {
    let mut address = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    quoted(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_are_what_the_store_takes() {
        assert_eq!(uri(Path::new("/a b/ü'#")), "'file:///a%20b/%C3%BC%27%23'");
        let id = experiment_id(&"ff".repeat(32));
        assert_eq!((id.len(), experiment_id(&"ff".repeat(32))), (18, id.clone()));
        assert_ne!(id, experiment_id(&"0".repeat(64)));
    }
}
