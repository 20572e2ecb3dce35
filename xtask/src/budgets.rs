//! Size budgets: a file over 600 lines is listed for a reader, over 800 it must be split.
//!
//! Tests do not count: files under `tests/`, `benches/` and `examples/`, and inline test modules.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

const LISTED: usize = 600;
const REFUSED: usize = 800;

/// Counts the source files that git knows or would add, and prints those over the budget.
pub(crate) fn run() -> Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .output()
        .context("run git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).context("read the file list")?;
    let mut sizes = Vec::new();
    for path in listing.lines().filter(|path| counts(path)) {
        // A file deleted but not yet committed is still listed.
        if let Ok(text) = fs::read_to_string(path) {
            sizes.push((source_lines(&text), path));
        }
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    for (lines, path) in sizes.iter().take_while(|(lines, _)| *lines > LISTED) {
        println!("{lines:6}  {path}");
    }
    let (over, widest) = (sizes.iter().filter(|(lines, _)| *lines > REFUSED).count(), sizes.first());
    if over > 0 {
        bail!("budgets: {over} files over {REFUSED} lines; split them");
    }
    println!("budgets: {} files, longest {} lines", sizes.len(), widest.map_or(0, |(lines, _)| *lines));
    Ok(())
}

fn counts(path: &str) -> bool {
    !path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples"))
}

/// Lines before the inline test module, which by convention ends the file.
fn source_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        assert!(counts("crates/ring/src/ntt.rs"));
        assert!(!counts("crates/ring/tests/ntt.rs"));
        assert!(!counts("crates/wire/benches/pack.rs"));
        assert_eq!(source_lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(source_lines("a\n#[cfg(test)]\nuse b;\nc\n"), 4);
    }
}
