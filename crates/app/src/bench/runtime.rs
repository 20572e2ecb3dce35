//! ONNX Runtime as a peer that runs one pass whenever it is asked to, so that its passes and ours alternate.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::Peers;

/// A running peer; it ends when this is dropped.
pub(super) struct OnnxRuntime {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// One pass.
#[derive(Deserialize)]
pub(super) struct Pass {
    /// Seconds on the clock.
    pub(super) wall: f64,
    /// CPU seconds of all threads.
    pub(super) cpu: f64,
}

impl OnnxRuntime {
    /// Starts the peer on weights and pixels that were written for it; returns once a first pass is done.
    pub(super) fn start(
        peers: &Peers,
        shape: &[(&str, usize)],
        weights: &Path,
        pixels: &Path,
    ) -> Result<Self, String> {
        let folder = peers.folder.as_ref().ok_or("ONNX Runtime: peers were left out")?;
        let mut command = Command::new(peers.python_of("onnx"));
        command.arg(folder.join("vit_onnx.py")).arg("--serve");
        command.arg("--weights").arg(weights).arg("--pixels").arg(pixels);
        for (name, value) in shape {
            command.arg(format!("--{name}")).arg(value.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = "ONNX Runtime (python3 bench/peers/setup.py onnx)";
        let mut child = command.spawn().map_err(|e| format!("{name}: could not start {command:?}: {e}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{name}: no pipes"));
        };
        let mut peer = Self { child, input, output: BufReader::new(output) };
        match peer.line() {
            Ok(line) if line.trim() == "ready" => Ok(peer),
            _ => Err(format!("{name}: {}", peer.last_words())),
        }
    }

    /// Runs the batch once.
    pub(super) fn pass(&mut self) -> Result<Pass, String> {
        let answer = self.ask("run")?;
        serde_json::from_str(&answer).map_err(|e| format!("ONNX Runtime: unreadable answer: {e}"))
    }

    /// The batch's CLS tokens.
    pub(super) fn tokens(&mut self) -> Result<Vec<f32>, String> {
        let answer = self.ask("tokens")?;
        serde_json::from_str(&answer).map_err(|e| format!("ONNX Runtime: unreadable answer: {e}"))
    }

    fn ask(&mut self, what: &str) -> Result<String, String> {
        let asked = writeln!(self.input, "{what}").and_then(|()| self.input.flush());
        asked.and_then(|()| self.line()).map_err(|e| format!("ONNX Runtime: {e}"))
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map(|_| line)
    }

    /// The last line that the peer complained with.
    fn last_words(&mut self) -> String {
        // It ended by itself, or it is of no use.
        let _ = self.child.kill();
        let lines = self.child.stderr.take().map(|err| BufReader::new(err).lines().map_while(Result::ok));
        lines.and_then(Iterator::last).unwrap_or_else(|| "failed without a word".into())
    }
}

impl Drop for OnnxRuntime {
    fn drop(&mut self) {
        // Nothing is left to be told if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
