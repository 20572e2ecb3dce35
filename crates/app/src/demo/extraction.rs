//! Extraction by a process of the party whose tiles they are: whoever runs the demo opens nobody else's tiles for it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{Error, Result, read};
use super::options::DemoOptions;

/// Lines of a failed process that are shown.
const TAIL: usize = 8;

/// Runs `features extract` on a list of tiles, into the features file beside it, and returns the tiles that were set aside, a
/// line each. `progress` hears of tiles done and of all.
pub(super) fn extract(
    options: &DemoOptions,
    model: &Path,
    list: &Path,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &AtomicBool,
) -> Result<Vec<String>> {
    let (program, log) = (&options.program, list.with_extension("log"));
    let summary = File::create(&log).map_err(Error::file("writing", &log))?;
    let mut command = Command::new(program);
    command.args(["features", "extract"]).args([list, &list.with_extension("safetensors")]);
    command.arg("--model").arg(model).arg("--cache").arg(list.with_file_name("cache"));
    command.env("BLINDSCOPE_PROGRESS", "0.2").stdin(Stdio::null()).stdout(summary).stderr(Stdio::piped());
    let child = command.spawn().map_err(Error::file("starting", program))?;
    let mut tail = VecDeque::new();
    let done = follow(child, &mut tail, progress, cancel).map_err(Error::file("running", program))?;
    match done {
        _ if cancel.load(Ordering::Relaxed) => Err(Error::Stopped { folder: options.folder.clone() }),
        Some(status) if !status.success() => Err(Error::Process {
            name: format!("the extraction of {}", list.display()),
            status: status.to_string(),
            log,
            tail: tail.into_iter().collect::<Vec<_>>().join("\n"),
        }),
        _ => {
            let text = String::from_utf8_lossy(&read(&log)?).into_owned();
            Ok(text.lines().filter(|line| line.starts_with("set aside ")).map(str::to_owned).collect())
        }
    }
}

/// Reads a process's lines to their end and waits for its own; none when it was ended because of `cancel`.
fn follow(
    mut child: Child,
    tail: &mut VecDeque<String>,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &AtomicBool,
) -> std::io::Result<Option<std::process::ExitStatus>> {
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufReader::lines) {
        let line = line?;
        match counts(&line) {
            Some((done, total)) => progress(done, total),
            None => tail.push_back(line),
        }
        if tail.len() > TAIL {
            tail.pop_front();
        }
        if cancel.load(Ordering::Relaxed) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
    }
    child.wait().map(Some)
}

/// Reads `tiles: 24 of 216 (11 %), …`.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (done, rest) = line.strip_prefix("tiles: ")?.split_once(" of ")?;
    Some((done.parse().ok()?, rest.split_once(' ')?.0.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn progress_lines_are_told_from_others() {
        assert_eq!(counts("tiles: 24 of 216 (11 %), 80.1/s, 3 s left"), Some((24, 216)));
        assert_eq!(counts("Error: no tile"), None);
        assert_eq!(counts("tiles: all of them (1 %)"), None);
    }
}
