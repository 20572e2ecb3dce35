//! Services of a study as processes of their own, which end with the test.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{json, write};

/// The study's backbone.
pub(crate) const BACKBONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// A service.
pub(crate) struct Serving(Child);

impl Serving {
    /// The coordinator of a study of the sites `a` and `b` and the classes `scc` and `aca`, in this order, provisioned below `s`.
    pub(crate) fn study(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let project = format!(
            "name = \"x\"\naddress = \"127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\n\
            sites = [\"a\", \"b\"]\nadmins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n"
        );
        write(folder, "project.toml", project);
        json(folder, &format!("provision project.toml -c backbone={BACKBONE} --out s --all-local --json"));
        let mut coordinator = Self::begin(folder, "coordinator serve --kit s/coordinator");
        let mut said = String::new();
        BufReader::new(coordinator.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("listening"), "{said}");
        coordinator
    }

    /// A service by its command.
    pub(crate) fn begin(folder: &Path, line: &str) -> Self {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_blindscope"));
        serve.current_dir(folder).args(line.split(' ')).arg("--until-input-ends");
        Self(serve.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
