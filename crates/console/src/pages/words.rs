//! Numbers and times as people read them.

use time::OffsetDateTime;

use blindscope_federation::{JobStatus, JobView, Missing, SiteId, Study};

/// Bytes in a unit that leaves few digits.
pub(super) fn bytes(count: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let count = count as f64;
    match units.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count / size),
        None => format!("{count} bytes"),
    }
}

/// A count with its thousands kept apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A span of time.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", ms as f64 / 1e3),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// A moment, in UTC.
pub(super) fn moment(ms: u64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp((ms / 1000) as i64) else { return "unknown".to_owned() };
    let (date, month) = (at.date(), u8::from(at.month()));
    format!(
        "{}-{month:02}-{:02} {:02}:{:02}:{:02} UTC",
        date.year(),
        date.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// A site's name.
pub(super) fn site(study: &Study, site: SiteId) -> String {
    study.site(site).map_or_else(|| site.to_string(), |entry| entry.name.clone())
}

/// Sites by name.
pub(super) fn sites(study: &Study, all: impl IntoIterator<Item = SiteId>) -> String {
    let names: Vec<String> = all.into_iter().map(|one| site(study, one)).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// Who was missing and why, in a sentence each.
pub(super) fn missing(study: &Study, all: &[Missing]) -> Vec<String> {
    all.iter().map(|one| format!("{} {}", site(study, one.site), one.cause)).collect()
}

/// A state in a word, by which it is coloured too.
pub(super) fn state(view: &JobView) -> &'static str {
    match view.status {
        JobStatus::Waiting => "waiting",
        JobStatus::Asking(_) => "asking",
        JobStatus::Combining { .. } => "combining",
        JobStatus::Done { .. } => "done",
        JobStatus::Failed { .. } => "failed",
    }
}

/// What a job does at the moment, in a sentence.
pub(super) fn doing(study: &Study, view: &JobView) -> String {
    match &view.status {
        JobStatus::Waiting => "It waits for its turn.".to_owned(),
        JobStatus::Asking(step) => {
            let missing = step.expected.iter().copied().filter(|site| !step.answered.contains(site));
            let (phase, there, all) = (step.step.phase, step.answered.len(), step.expected.len());
            format!(
                "Phase {phase}: {there} of {all} sites have answered; it waits for {} until {}.",
                sites(study, missing),
                moment(step.deadline_ms)
            )
        }
        JobStatus::Combining { step } => format!("What came in phase {} is combined.", step.phase),
        JobStatus::Done { result } => format!("Done: {result}."),
        JobStatus::Failed { failure } => format!("It ended without a result. {}", failure.explain(study)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_their_unit() {
        assert_eq!([bytes(0), bytes(999), bytes(1500)], ["0 bytes", "999 bytes", "1.5 kB"]);
        assert_eq!(bytes(86_600_000), "86.6 MB");
        assert_eq!([count(7), count(1_048_576)], ["7", "1\u{202f}048\u{202f}576"]);
        assert_eq!([span(20), span(61_500), span(3_600_000)], ["20 ms", "61.5 s", "60 min"]);
        assert_eq!(moment(1_795_974_681_000), "2026-11-29 17:51:21 UTC");
    }
}
