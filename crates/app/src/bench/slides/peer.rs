//! OpenSlide and Pillow in a process of their own.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::super::Peers;

/// The peer's answer to `arguments`, with corners on its input.
pub(super) fn peer(
    peers: &Peers,
    arguments: &[&str],
    corners: &[[u64; 2]],
) -> Result<serde_json::Value, String> {
    let name = "OpenSlide (python3 bench/peers/setup.py slides)";
    let folder = peers.folder.as_ref().ok_or("OpenSlide: peers were left out")?;
    let mut command = Command::new(peers.python_of("slides"));
    command.arg(folder.join("slides_openslide.py")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
    let text: Vec<String> = corners.iter().map(|[x, y]| format!("{x} {y}")).collect();
    let text = text.join("\n");
    if let Some(mut input) = child.stdin.take() {
        // A peer that ended early says so below.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}", words.lines().last().unwrap_or("failed without a word")));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{name}: unreadable answer: {e}"))
}
