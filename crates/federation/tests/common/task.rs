//! A task as the coordinator gives it: of a job's first round, with its sizes.

use blindscope_federation::{Ask, JobSpec, Phase, SettledRound, Sizes, Step, Study, Task, VoidRound};

/// One of the first attempt, under the roster that the study was founded with.
pub(crate) fn task(study: &Study, spec: &JobSpec, phase: Phase, ask: Ask) -> Task {
    let step = Step { job: spec.id(study), round: 0, attempt: 0, phase };
    Task {
        study: study.digest(),
        version: 0,
        key: step.job,
        step,
        spec: spec.clone(),
        sizes: Sizes::of(study, spec).unwrap(),
        deadline_ms: 1,
        ask,
        start: None,
        grounds: None,
    }
}

/// Asks for an upload to a sum, and shows what became of earlier rounds.
pub(crate) fn upload_task(
    study: &Study,
    spec: &JobSpec,
    voids: Vec<VoidRound>,
    settled: Vec<SettledRound>,
) -> Task {
    task(
        study,
        spec,
        Phase::Upload,
        Ask::Upload { public_key: None, input: None, pairs: false, voids, settled },
    )
}
