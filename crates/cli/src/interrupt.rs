//! Ctrl-C: the first asks the work to stop where nothing is lost, the second ends the program at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Exit code of a program that stopped on Ctrl-C, as shells have it: 128 + SIGINT.
pub(crate) const EXIT: i32 = 130;

/// A flag that Ctrl-C (and SIGTERM) sets.
pub(crate) fn flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The order matters: the second signal finds the flag set by the first.
        signal_hook::flag::register_conditional_shutdown(signal, EXIT, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}
