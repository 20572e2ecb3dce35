//! Batches of 4,096 in the packing that the planner takes for them, eight bits promised.

use std::io::{BufReader, Seek, Write};

use chacha20::ChaCha20Rng;

use super::{AREA, Bars, Case, Scratch, lower, off, tokens};
use crate::bench::{Better, Error, Figure, Report};
use crate::clock::milliseconds;
use blindscope_classify::{Head, Policy};

pub(super) fn run(
    head: &Head,
    runs: usize,
    bars: &Bars,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> Result<(), Error> {
    const BATCH: usize = 4096;
    let case = Case::new(head, Policy::new(BATCH).precise(8), bars.path, rng)?;
    let asked = tokens(rng, BATCH);
    // Questions are read as a server reads them.
    let mut file = Scratch::new("inference")?.nameless()?;
    case.asker.encrypt_into(&asked, &case.secret, rng, &mut file)?;
    file.flush()?;
    let bytes = file.stream_position()? as f64;
    let mut answer = || -> Result<Vec<u8>, Error> {
        file.rewind()?;
        let answer = case.server.answer(&case.keys, BufReader::with_capacity(1 << 16, &file), rng)?;
        Ok(answer.to_bytes(&case.plan))
    };
    let first = answer()?;
    case.worst(head, &asked, &first)?;
    drop(asked);
    let reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let times = milliseconds(runs.clamp(3, 7), 1, &mut answer);
    let rate: Vec<f64> = times.iter().map(|ms| BATCH as f64 / ms * 1e3).collect();
    let mut put = |f: Figure| report.figures.push(f);
    put(Figure::of(AREA, "throughput_batch_of_4096", "tokens/s", Better::Higher, &rate)
        .must_if(bars.throughput));
    let predicted = case.plan.report_on(crate::plan::machine(&case.plan)).predicted_ms;
    put(lower("batch_of_4096_predicted", "ms", &[predicted]));
    put(lower("batch_of_4096_off_prediction", "x", &off(&times, predicted)).must(1.5, 1.2));
    put(lower("upload_token_in_batch_of_4096", "bytes", &[bytes / BATCH as f64]).must(10.5e3, 8e3));
    put(lower("answer_token_in_batch_of_4096", "bytes", &[first.len() as f64 / BATCH as f64])
        .must(200.0, 64.0));
    put(lower("evaluation_keys_batch_of_4096", "bytes", &[case.plan.keys_len() as f64]).must(8e6, 3e6));
    match reset.then(peak_memory).flatten() {
        Some(peak) => put(lower("server_memory_batch_of_4096", "MB", &[peak]).must(256.0, 100.0)),
        None => report.missing.push("server memory: /proc does not tell the peak here".into()),
    }
    Ok(())
}

/// Peak resident memory of this whole process since it was last reset, in MB: an upper bound of the server's.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0 / 1e6)
}
