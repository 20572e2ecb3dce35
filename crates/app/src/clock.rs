//! Time on the processor, of this thread: what a busy machine takes away does not count.

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds of this thread.
fn now() -> f64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// CPU seconds of this process, all threads together.
pub(crate) fn of_process() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// CPU milliseconds of each of `runs` runs, each the mean of `inner` calls; one call before them is not counted.
pub(crate) fn milliseconds<T>(runs: usize, inner: usize, mut f: impl FnMut() -> T) -> Vec<f64> {
    std::hint::black_box(f());
    (0..runs)
        .map(|_| {
            let start = now();
            for _ in 0..inner {
                std::hint::black_box(f());
            }
            (now() - start) * 1e3 / inner as f64
        })
        .collect()
}
