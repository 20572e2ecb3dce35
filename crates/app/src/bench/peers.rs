//! Drives the peer scripts under `bench/peers` and reads their figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// Where the peers are.
#[derive(Debug, Clone)]
pub struct Peers {
    /// The folder with the scripts, or `None` to leave peers out.
    pub folder: Option<PathBuf>,
    /// A Python for peers without an environment of their own.
    pub python: PathBuf,
    /// Where `setup.py` puts one environment a peer.
    pub environments: Option<PathBuf>,
}

/// The environment of Pillow and `OpenSlide`.
const IMAGES: &str = "slides";

#[derive(Deserialize)]
struct Answer {
    figures: Vec<PeerFigure>,
}

#[derive(Deserialize)]
struct PeerFigure {
    figure: String,
    value: f64,
    n: Option<u64>,
    bits: Option<u32>,
}

/// A peer's figures by name, `ntt_forward/8192/46` for transforms; or why there are none.
type Figures = Result<BTreeMap<String, f64>, String>;

impl Peers {
    /// The Python of a peer's own environment, if there is one.
    pub(super) fn python_of(&self, peer: &str) -> PathBuf {
        let own = self.environments.as_ref().map(|folder| folder.join(peer).join("bin/python"));
        own.filter(|python| python.exists()).unwrap_or_else(|| self.python.clone())
    }

    /// SEAL through TenSEAL, milliseconds and bytes.
    pub(super) fn tenseal(&self, rounds: usize) -> Figures {
        let folder = self.folder.as_ref().ok_or("SEAL: peers were left out")?;
        let mut command = Command::new(self.python_of("tenseal"));
        command.arg(folder.join("tenseal_core.py")).args(["--json", "--rounds", &rounds.max(10).to_string()]);
        read("SEAL (python3 bench/peers/setup.py installs it)", &mut command)
    }

    /// OpenFHE on the head of the inference benchmark, milliseconds and bytes.
    pub(super) fn openfhe(&self, rounds: usize) -> Figures {
        let folder = self.folder.as_ref().ok_or("OpenFHE: peers were left out")?;
        let mut command = Command::new(self.python_of("openfhe"));
        let rounds = rounds.clamp(5, 21).to_string();
        command.arg(folder.join("openfhe_inference.py")).args(["--json", "--rounds", &rounds]);
        read("OpenFHE (python3 bench/peers/setup.py installs it)", &mut command)
    }

    /// OpenFHE on the core's operations, milliseconds.
    pub(super) fn openfhe_core(&self, rounds: usize) -> Figures {
        let folder = self.folder.as_ref().ok_or("OpenFHE: peers were left out")?;
        let mut command = Command::new(self.python_of("openfhe"));
        command.arg(folder.join("openfhe_core.py")).args(["--json", "--rounds", &rounds.max(10).to_string()]);
        read("OpenFHE (python3 bench/peers/setup.py installs it)", &mut command)
    }

    /// TenSEAL on the head of the inference benchmark, milliseconds and bytes. Twice a turn: an answer takes it seconds.
    pub(super) fn tenseal_inference(&self) -> Figures {
        let folder = self.folder.as_ref().ok_or("TenSEAL: peers were left out")?;
        let mut command = Command::new(self.python_of("tenseal"));
        command.arg(folder.join("tenseal_inference.py")).args(["--json", "--rounds", "2"]);
        read("TenSEAL (python3 bench/peers/setup.py installs it)", &mut command)
    }

    /// TenSEAL's sum of 3 × 768 values: milliseconds, and bytes of one upload.
    pub(super) fn tenseal_sum(&self, rounds: usize) -> Figures {
        let folder = self.folder.as_ref().ok_or("TenSEAL: peers were left out")?;
        let mut command = Command::new(self.python_of("tenseal"));
        command.arg(folder.join("tenseal_sum.py")).args(["--json", "--rounds", &rounds.max(10).to_string()]);
        read("TenSEAL (python3 bench/peers/setup.py installs it)", &mut command)
    }

    /// The reference pipeline of an input tile (Pillow, numpy); its answer to `arguments`.
    pub(super) fn pillow(&self, arguments: &[&str]) -> Result<serde_json::Value, String> {
        const NAME: &str = "Pillow (python3 bench/peers/setup.py installs it)";
        let folder = self.folder.as_ref().ok_or("Pillow: peers were left out")?;
        let mut command = Command::new(self.python_of(IMAGES));
        command.arg(folder.join("input_pillow.py")).args(arguments);
        let output = command.output().map_err(|e| format!("{NAME}: could not start {command:?}: {e}"))?;
        if !output.status.success() {
            let tail = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{NAME}: {}", tail.lines().last().unwrap_or("failed without a word")));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| format!("{NAME}: unreadable answer: {e}"))
    }

    /// scikit-learn's linear classifiers on folds of ours, percent.
    pub(super) fn sklearn(&self, rows: &Path, marks: &Path) -> Figures {
        let folder = self.folder.as_ref().ok_or("scikit-learn: peers were left out")?;
        let mut command = Command::new(self.python_of("sklearn"));
        command
            .arg(folder.join("learn_sklearn.py"))
            .arg("--rows")
            .arg(rows)
            .arg("--marks")
            .arg(marks)
            .arg("--json");
        read("scikit-learn (python3 bench/peers/setup.py installs it)", &mut command)
    }

    /// `tfhe-ntt`, microseconds.
    pub(super) fn tfhe_ntt(&self) -> Figures {
        let folder = self.folder.as_ref().ok_or("tfhe-ntt: peers were left out")?;
        let mut command = Command::new("cargo");
        // From its own folder, whose settings are not those of ours.
        command.args(["run", "--quiet", "--release", "--locked"]).current_dir(folder.join("tfhe-ntt"));
        read("tfhe-ntt", &mut command)
    }
}

fn read(name: &str, command: &mut Command) -> Figures {
    let output = command.output().map_err(|e| format!("{name}: could not start {command:?}: {e}"))?;
    if !output.status.success() {
        let tail = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}", tail.lines().last().unwrap_or("failed without a word")));
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("{name}: unreadable answer: {e}"))?;
    let key = |f: &PeerFigure| match (f.n, f.bits) {
        (Some(n), Some(bits)) => format!("{}/{n}/{bits}", f.figure),
        _ => f.figure.clone(),
    };
    Ok(answer.figures.iter().map(|f| (key(f), f.value)).collect())
}
