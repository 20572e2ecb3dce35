//! The process itself: memory, files and processor time, where the system tells.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use rustix::time::{ClockId, clock_gettime};

use crate::exposition::single;

/// This process.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(bytes) = resident() {
            single(&mut to, "process_resident_bytes", "Memory of the process that is in use", bytes)?;
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            single(&mut to, "process_open_files", "File descriptors in use", files.count() as u64)?;
        }
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        let help = "Processor time that the process has used, in seconds";
        let metric = to.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        ConstCounter::new(seconds).encode(metric)
    }
}

/// Bytes in use, as Linux tells them.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
