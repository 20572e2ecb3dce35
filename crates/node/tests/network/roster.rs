//! A study of three sites whose roster changes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{ENOUGH, Serving};
use blindscope_federation::Change;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::kit::certificates::{Request, Role};
use blindscope_node::kit::{Approvals, Consent, Kit, PartySettings, provision};
use blindscope_node::plain::{NoLearning, Sums};
use blindscope_node::roster::Office;
use blindscope_node::{rehearsal, system};
use blindscope_transport::Client;

pub const LONG: Duration = Duration::from_mins(2);

pub fn kit(folder: &Path, name: &str) -> Kit {
    Kit::at(folder.join(name))
}

/// A study of three sites, of which two agree; its address.
pub fn found(folder: &Path) -> String {
    let project = rehearsal::on_loopback(rehearsal::project(3, 2, 2)).unwrap();
    provision::all_local(&project, folder, system::now_ms(), &mut system::rng().unwrap()).unwrap();
    project.address
}

pub async fn serve(folder: &Path) -> Serving {
    super::serve(folder, ENOUGH, Arc::new(Sums { learning: NoLearning })).await
}

pub fn request(folder: &Path, at: &str, name: &str) -> Request {
    provision::request(&kit(folder, at), name, Role::Site, &mut system::rng().unwrap()).unwrap()
}

/// The administrator proposes, people at these sites say this, and what is on its way is looked at until `done`.
pub async fn propose(folder: &Path, change: &Change, said: &[(&str, Consent)], version: u64) {
    let mut office = Office::of(&kit(folder, "admin"), &[]).unwrap();
    office.look().await.unwrap();
    office.propose(change).await.unwrap();
    let next = change.next(&office.study().epoch().unwrap()).unwrap().digest();
    for (site, consent) in said {
        let mut approvals = Approvals::of(&kit(folder, site)).unwrap();
        approvals.say_of_change(&next, *consent, system::now_ms());
        approvals.keep(&kit(folder, site)).unwrap();
    }
    let standing = async {
        while office.study().version() != version {
            tokio::time::sleep(Duration::from_millis(100)).await;
            office.look().await.unwrap();
        }
    };
    tokio::time::timeout(LONG, standing).await.expect("the change stands");
}

/// The result of a job over these sites, whose integers are drawn from their numbers.
pub async fn adds_up(folder: &Path, name: &str, sites: &[usize]) {
    let mut admin = Admin::of(&kit(folder, "admin"), &[]).unwrap();
    admin.learn_roster().await.unwrap();
    let spec = rehearsal::sums(name, 300, 1);
    admin.submit(&spec).await.unwrap();
    let last = tokio::time::timeout(LONG, admin.watch(name, |_| {})).await.expect("it ends").unwrap();
    jobs::result(admin.study(), &last).unwrap();
    let (bytes, _) = admin.download(name, Vec::new()).await.unwrap();
    assert!(bytes == rehearsal::expected(&spec, sites.iter().copied()), "{name}");
}

pub fn caller(folder: &Path, name: &str) -> Client {
    let settings: PartySettings = kit(folder, name).settings(&[]).unwrap();
    kit(folder, name).client(&settings.coordinator).unwrap()
}
