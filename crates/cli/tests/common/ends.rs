//! What has to hold at the end of a study whose services were killed meanwhile.

use std::time::Duration;

use blindscope_node::admin::jobs::Admin;
use blindscope_node::admin::{jobs, log};
use blindscope_node::processes::Processes;

/// The result of a job that ends within minutes.
pub async fn ends_well(admin: &Admin, job: &str) -> Vec<u8> {
    let last = tokio::time::timeout(Duration::from_mins(3), admin.watch(job, |_| {})).await;
    jobs::result(admin.study(), &last.expect("the job ends").unwrap()).unwrap();
    admin.download(job, Vec::new()).await.unwrap().0
}

/// Whether the log holds every receipt of every site, and each answer once: what it says.
pub async fn verified(study: &mut Processes, jobs: usize) -> log::Verdict {
    let mut lines = Vec::new();
    study.admin().unwrap().log(0, false, &mut lines).await.unwrap();
    let mut receipts = Vec::new();
    for site in 0..study.sites() {
        study.kill_site(site);
        receipts.extend(log::receipts(&study.kit(&format!("site-{site}"))).await.unwrap());
    }
    let verdict = log::check(&study.study().unwrap(), &mut lines.as_slice(), &receipts).unwrap();
    assert_eq!(verdict.jobs, [jobs, 0, 0], "{verdict:?}");
    verdict
}
