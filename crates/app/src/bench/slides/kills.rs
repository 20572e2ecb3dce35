//! Runs over slides that are killed at random moments: what is computed again, and whether the bytes are those of a run that was left
//! alone.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::super::{Better, Error, Figure, Report};
use super::AREA;

/// Kills of one measurement.
const KILLS: usize = 50;
/// Tiles a batch.
const BATCH: usize = 8;

/// Where a run is: slides before, and tiles of the one at hand.
type Place = (String, usize);

pub(super) fn figures(
    binary: &Path,
    slides: &Path,
    scratch: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    let folder = scratch.join("kills");
    let run = Run { binary, slides: folder.join("slides"), folder };
    std::fs::create_dir_all(&run.slides)?;
    for (name, file) in
        [("a", "CMU-1-Small-Region.svs"), ("b", "CMU-1-Small-Region.svs"), ("c", "synth_ycbcr420.tif")]
    {
        let end = Path::new(file).extension().unwrap_or_default().to_string_lossy().into_owned();
        std::fs::copy(slides.join(file), run.slides.join(format!("{name}.{end}")))?;
    }
    let begin = Instant::now();
    let whole = run.to_the_end("whole")?;
    let length = begin.elapsed().as_millis().max(1) as u64;
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    let (mut again, mut killed, mut begun) = (0usize, 0usize, 0usize);
    // A run that ends before it is killed is begun anew in another folder.
    while killed < KILLS && begun < 20 * KILLS {
        let out = format!("killed-{begun}");
        begun += 1;
        let mut last: Option<Place> = None;
        while killed < KILLS {
            let moment = rng.next_u64() % length;
            let Some(seen) = run.killed(&out, Duration::from_millis(moment))? else { break };
            killed += 1;
            if let (Some(last), Some(first)) = (&last, seen.first()) {
                // A run first tells where it goes on: what was told as done before it is not done again.
                again += usize::from(first < last);
            }
            last = seen.last().cloned().max(last);
        }
        let ended = run.to_the_end(&out)?;
        if ended != whole {
            return Err(Error::Slide {
                path: run.folder.join(out),
                reason: "other bytes after a kill".into(),
            });
        }
    }
    let mut figure = Figure::of(AREA, "killed_runs_computing_again", "count", Better::Lower, &[again as f64])
        .must(0.0, 0.0);
    figure.runs = killed;
    report.figures.push(figure);
    std::fs::remove_dir_all(&run.folder)?;
    Ok(())
}

struct Run<'a> {
    binary: &'a Path,
    slides: PathBuf,
    folder: PathBuf,
}

impl Run<'_> {
    fn command(&self, out: &str) -> Command {
        let mut command = Command::new(self.binary);
        command.args([
            "features",
            "extract",
            "--small",
            "--tile",
            "64",
            "--batch",
            &BATCH.to_string(),
            "--json",
        ]);
        command.arg("--slides").arg(&self.slides).arg(self.folder.join(out));
        // A line for every batch.
        command.env("BLINDSCOPE_PROGRESS", "0").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Runs to the end; every file that it leaves.
    fn to_the_end(&self, out: &str) -> Result<BTreeMap<PathBuf, Vec<u8>>, Error> {
        let output = self.command(out).stderr(Stdio::piped()).output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Slide { path: self.slides.clone(), reason });
        }
        let mut found = BTreeMap::new();
        files(&self.folder.join(out), Path::new(""), &mut found)?;
        Ok(found)
    }

    /// The places that a run tells of until it is killed; none where it ended before.
    fn killed(&self, out: &str, after: Duration) -> Result<Option<Vec<Place>>, Error> {
        let mut child = self.command(out).stderr(Stdio::piped()).spawn()?;
        std::thread::sleep(after);
        let ended = child.try_wait()?.is_some();
        // SIGKILL, where the system has it; a child that just ended is no error.
        let _ = child.kill();
        let mut text = String::new();
        if let Some(mut err) = child.stderr.take() {
            err.read_to_string(&mut text)?;
        }
        child.wait()?;
        Ok((!ended).then(|| text.lines().filter_map(place).collect()))
    }
}

/// `slides: 1 of 3 (33 %), 80.1 tiles/s, 2 s left, b 16/192`
fn place(line: &str) -> Option<Place> {
    line.split(", ").find_map(|part| {
        let (slide, tiles) = part.split_once(' ')?;
        let (done, _) = tiles.split_once('/')?;
        Some((slide.to_owned(), done.parse().ok()?))
    })
}

fn files(folder: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder.join(below))? {
        let name = below.join(entry?.file_name());
        if folder.join(&name).is_dir() {
            files(folder, &name, found)?;
        } else if name.extension().is_none_or(|end| end != "part") {
            found.insert(name.clone(), std::fs::read(folder.join(&name))?);
        }
    }
    Ok(())
}
