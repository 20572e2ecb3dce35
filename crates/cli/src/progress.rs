//! Progress on stderr: a bar that redraws itself on a terminal, a plain line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Least time between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(100);
/// Least time between two lines in a log, unless `BLINDSCOPE_PROGRESS` says otherwise, in seconds.
const LINE: Duration = Duration::from_secs(10);
/// Cells of the bar.
const CELLS: usize = 24;

/// One running operation.
pub(crate) struct Bar {
    what: &'static str,
    terminal: bool,
    least: Duration,
    drawn: Option<Instant>,
    open: bool,
}

impl Bar {
    pub(crate) fn new(what: &'static str) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            what,
            terminal,
            least: if terminal { REDRAW } else { line_interval() },
            drawn: None,
            open: false,
        }
    }

    /// Shows `done` of `total`, with a note such as the rate. The last step is always shown on a terminal.
    pub(crate) fn show(&mut self, done: u64, total: u64, note: &str) {
        let finished = self.terminal && done >= total;
        if !finished && self.drawn.is_some_and(|at| at.elapsed() < self.least) {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(self.what, done, total, note, self.terminal);
        let mut err = io::stderr().lock();
        // A closed stderr must not stop the work.
        let _ = if self.terminal { write!(err, "\r\x1b[2K{line}") } else { writeln!(err, "{line}") };
        let _ = err.flush();
        self.open = self.terminal;
    }
}

impl Drop for Bar {
    /// What is printed next begins on a line of its own.
    fn drop(&mut self) {
        if self.open {
            let _ = writeln!(io::stderr());
        }
    }
}

fn line_interval() -> Duration {
    let asked = std::env::var("BLINDSCOPE_PROGRESS").ok().and_then(|text| text.parse().ok());
    asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(LINE)
}

fn line(what: &str, done: u64, total: u64, note: &str, terminal: bool) -> String {
    let share = if total == 0 { 1.0 } else { done as f64 / total as f64 };
    let percent = 100.0 * share;
    if terminal {
        let full = (share * CELLS as f64) as usize;
        let bar: String = (0..CELLS).map(|i| if i < full { '█' } else { '·' }).collect();
        format!("{what} {bar} {done}/{total} ({percent:.0} %)  {note}")
    } else {
        format!("{what}: {done} of {total} ({percent:.0} %), {note}")
    }
}

/// A length of time in the two largest units that fit it.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round().min(3e9) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_in_two_units() {
        let shown = [0.4, 61.0, 3_725.0].map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(shown, ["0 s", "1 min 1 s", "1 h 2 min"]);
        assert_eq!(duration(Duration::MAX), "833333 h 20 min");
    }

    #[test]
    fn a_log_gets_words_and_a_terminal_a_bar() {
        assert_eq!(line("tiles", 3, 12, "5.0/s", false), "tiles: 3 of 12 (25 %), 5.0/s");
        assert!(line("tiles", 12, 12, "", true).contains(&"█".repeat(CELLS)));
        assert!(line("tiles", 0, 0, "", false).contains("100 %"));
    }
}
