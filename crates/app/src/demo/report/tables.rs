//! Tables of a demo's results.

use crate::demo::{DemoResults, SameClasses, paper};
use blindscope_report::{Result, Table};

/// Bytes for people.
pub(super) fn bytes(n: f64) -> String {
    match n {
        n if n < 1e3 => format!("{n:.0} B"),
        n if n < 1e6 => format!("{:.1} KB", n / 1e3),
        n => format!("{:.2} MB", n / 1e6),
    }
}

/// Tiles by list and class.
pub(super) fn data(results: &DemoResults) -> Result<Table> {
    let columns: Vec<&str> =
        ["list"].into_iter().chain(results.classes.iter().map(String::as_str)).chain(["groups"]).collect();
    let mut table = Table::new(
        "Tiles of each list by class, and the groups (patients, or original tiles) they belong to",
        &columns,
    );
    for list in &results.data {
        let counts = list.tiles.iter().map(usize::to_string);
        let row = std::iter::once(list.list.clone()).chain(counts).chain([list.groups.to_string()]);
        table.push(row.collect())?;
    }
    Ok(table)
}

/// Seconds of each step.
pub(super) fn steps(results: &DemoResults) -> Result<Table> {
    let mut table =
        Table::new("Time of each step of this run, everything on one machine", &["step", "seconds"]);
    for step in &results.steps {
        table.push(vec![step.name.clone(), format!("{:.1}", step.seconds)])?;
    }
    Ok(table)
}

/// What moved.
pub(super) fn traffic(results: &DemoResults) -> Result<Table> {
    let columns =
        ["job", "phase", "rounds", "messages", "bytes each", "bytes in all", "bytes a value", "seconds"];
    let caption = "What the sites sent, by job and phase, from the coordinator's log. Seconds run from the question to the last answer and \
                   hold local training";
    let mut table = Table::new(caption, &columns);
    for t in &results.traffic {
        let each =
            if t.values > 0 { format!("{:.2}", t.bytes_each as f64 / t.values as f64) } else { "—".into() };
        table.push(vec![
            t.job.clone(),
            t.phase.clone(),
            t.rounds.to_string(),
            t.messages.to_string(),
            bytes(t.bytes_each as f64),
            bytes(t.bytes as f64),
            each,
            format!("{:.2}", t.seconds),
        ])?;
    }
    Ok(table)
}

/// Encrypted jobs and their clear twins.
pub(super) fn exactness(results: &DemoResults) -> Result<Table> {
    let mut table = Table::new(
        "Each encrypted job and the same job with nothing encrypted: SHA-256 of both results",
        &["job", "encrypted", "in the clear", "equal"],
    );
    for e in &results.exact {
        let short = |d: &str| d.get(..16).unwrap_or(d).to_owned() + "…";
        let equal = if e.equal { "bit for bit" } else { "NO" };
        table.push(vec![e.job.clone(), short(&e.encrypted), short(&e.clear), equal.into()])?;
    }
    Ok(table)
}

/// Encrypted inference beside the paper.
pub(super) fn inference(results: &DemoResults) -> Result<Table> {
    let mut columns = vec!["figure"];
    let names: Vec<String> = results.agreement.iter().map(|a| format!("head of {}", a.head)).collect();
    columns.extend(names.iter().map(String::as_str));
    columns.push(paper::SOURCE);
    let mut table = Table::new("Encrypted inference of the held-out tokens", &columns);
    let all = &results.agreement;
    let mut row = |name: &str, value: &dyn Fn(&SameClasses) -> String, paper: &str| {
        let cells = std::iter::once(name.to_owned()).chain(all.iter().map(value)).chain([paper.to_owned()]);
        table.push(cells.collect())
    };
    row("tokens asked", &|a| a.tokens.to_string(), "—")?;
    row("class equal to that in the clear", &|a| format!("{} of {}", a.same_class, a.tokens), "—")?;
    row("largest error of a logit", &|a| format!("{:.1e}", a.worst_error), "—")?;
    row("bound on that error, planned", &|a| format!("{:.1e}", a.error_bound), "—")?;
    row("smallest lead of a clear class over the next", &|a| format!("{:.1e}", a.smallest_lead), "—")?;
    row(
        "bytes of a question, all tokens together, a token",
        &|a| bytes(a.question_bytes as f64 / a.tokens.max(1) as f64),
        "—",
    )?;
    row(
        "bytes of a question of one token",
        &|a| bytes(a.lone_token_bytes as f64),
        &bytes(paper::TOKEN_BYTES),
    )?;
    row("bytes of all answers", &|a| bytes(a.answer_bytes as f64), "—")?;
    row("bytes of evaluation keys, sent once", &|a| bytes(a.key_bytes as f64), "—")?;
    let paper_ms = format!("{:.0} ms", paper::INFERENCE_MS);
    row("one token, from question to opened answer", &|a| format!("{:.1} ms", a.lone_ms), &paper_ms)?;
    row("the same, processor time", &|a| format!("{:.1} ms", a.lone_cpu_ms), "—")?;
    row("all tokens, from question to opened answers", &|a| format!("{:.2} s", a.seconds), "—")?;
    Ok(table)
}
