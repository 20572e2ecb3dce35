//! A study as real processes: a job, end to end.

mod common;

use blindscope_node::rehearsal::{expected, project, sums};
use common::processes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_sites_add_up_without_a_ceremony() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = processes(folder.path(), project(3, 2, 3));
    study.start().await.unwrap();
    let admin = study.admin().unwrap();
    let spec = sums("totals", 5000, 2);
    let job = admin.submit(&spec).await.unwrap();
    assert_eq!(admin.submit(&spec).await.unwrap(), job, "the same file is the same job");

    let mut seen = 0;
    let last = admin.watch("totals", |_| seen += 1).await.unwrap();
    assert!(seen >= 1);
    blindscope_node::admin::jobs::result(admin.study(), &last).unwrap();
    let (result, _) = admin.download("totals", Vec::new()).await.unwrap();
    assert!(result == expected(&spec, 0..3));

    // The log verifies, and shows an edit.
    let mut log = Vec::new();
    let count = admin.log(0, false, &mut log).await.unwrap();
    let verdict =
        blindscope_node::admin::log::check(&study.study().unwrap(), &mut log.as_slice(), &[]).unwrap();
    assert_eq!((verdict.records, verdict.jobs), (count, [1, 0, 0]));
    let text = String::from_utf8(log).unwrap().replacen("\"round\":1", "\"round\":0", 1);
    blindscope_node::admin::log::check(&study.study().unwrap(), &mut text.as_bytes(), &[]).unwrap_err();
    assert_eq!(study.ended(), None);
}
