//! A study as its hospitals set it up, command by command: requests, provision, kits, services, a renewal, wrong inputs.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SITES: [&str; 3] = ["hospital-a", "hospital-b", "hospital-c"];

/// A folder in which every party has a folder of its own.
struct World(tempfile::TempDir);

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
        command.current_dir(self.0.path()).args(line.split(' ')).env_remove("RUST_BACKTRACE");
        command
    }

    fn output(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What a command that succeeds prints.
    fn says(&self, line: &str) -> String {
        let Output { status, stdout, stderr } = self.output(line);
        assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// The exit code and message of a command that fails.
    fn fails(&self, line: &str) -> (i32, String) {
        let Output { status, stdout, stderr } = self.output(line);
        assert!(!status.success(), "{line}");
        assert!(stdout.is_empty(), "nothing but a result goes to standard output");
        (status.code().unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// What a party gets from the coordinator, and how it reads its own data.
    fn install(&self, party: &str, seed: usize) {
        let (from, to) = (self.path("study").join(party), self.path(party));
        copy(&from.join("startup"), &to.join("startup"));
        if from.join("local/policy.toml").exists() {
            std::fs::copy(from.join("local/policy.toml"), to.join("local/policy.toml")).unwrap();
            let settings = to.join("startup/settings.toml");
            let text = std::fs::read_to_string(&settings).unwrap();
            std::fs::write(settings, format!("{text}\n[learning.plain]\nseed = {seed}\n")).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Running services; they end when this does, and with the test.
struct Services(Vec<Child>);

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Provisions a study from requests, and installs everybody's kit.
fn founded() -> World {
    let world = World(tempfile::tempdir().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = format!(
        "name = \"lung\"\naddress = \"{port}\"\nlisten = \"{port}\"\nclasses = [\"aca\", \"scc\"]\nbackbone = \"{}\"\nwidth = 768\n\
        sites = [\"hospital-a\", \"hospital-b\", \"hospital-c\"]\nadmins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n",
        "ab".repeat(32)
    );
    std::fs::write(world.path("project.toml"), project).unwrap();
    for site in SITES {
        let said = world.says(&format!("cert request --name {site} --kit {site}"));
        assert!(said.contains("fingerprint"), "{said}");
    }
    world.says("cert request --name office --role admin --kit office");
    let (code, said) =
        world.fails("provision project.toml --out study --request hospital-a/transfer/request.toml");
    assert!(code == 3 && said.contains("hospital-b"), "{code} {said}");
    let requests = SITES.iter().chain(&["office"]).map(|p| format!(" {p}/transfer/request.toml"));
    let line = format!("provision project.toml --out study --request{}", requests.collect::<String>());
    assert!(world.says(&line).contains("digest"));
    for (seed, party) in SITES.into_iter().chain(["office"]).enumerate() {
        world.install(party, seed);
    }
    world
}

fn serve(world: &World) -> Services {
    let mut services = Services(Vec::new());
    let sites = SITES.map(|site| format!("site run --kit {site} --until-input-ends"));
    for line in
        ["coordinator serve --kit study/coordinator --until-input-ends".to_owned()].iter().chain(&sites)
    {
        let mut command = world.command(line);
        command
            .env("BLINDSCOPE_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        services.0.push(command.spawn().unwrap());
    }
    let begun = Instant::now();
    while !world.output("job list --kit office").status.success() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the coordinator does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    services
}

#[test]
fn hospitals_found_a_study_and_add_up() {
    let world = founded();
    let (code, said) = world.fails("job list --kit office");
    assert!(code == 4, "{code} {said}");
    let running = serve(&world);

    let totals = "name = \"totals\"\nkind = \"sum\"\nrounds = 1\nvalues = 100\nmax = 1000\n";
    std::fs::write(world.path("totals.toml"), totals).unwrap();
    world.says("job submit totals.toml --kit office --wait");
    world.says("job download totals --out totals.bin --kit office");
    assert_eq!(std::fs::read(world.path("totals.bin")).unwrap().len(), 800);
    let preflight: serde_json::Value =
        serde_json::from_str(&world.says("preflight --kit hospital-a --json")).unwrap();
    assert!(!preflight["checks"].as_array().unwrap().is_empty());

    // The audit log as a file, whole and with a record struck out.
    let log = world.says("job log --kit office");
    std::fs::write(world.path("log.jsonl"), &log).unwrap();
    world.says("log verify log.jsonl --kit office");
    let without: Vec<&str> = log.lines().enumerate().filter(|(i, _)| *i != 3).map(|(_, line)| line).collect();
    std::fs::write(world.path("cut.jsonl"), without.join("\n") + "\n").unwrap();
    let (code, said) = world.fails("log verify cut.jsonl --kit office");
    assert!(code == 8, "{code} {said}");

    // An asker who comes later is known without a restart; a request that was altered is not signed.
    world.says("cert request --name clinic --role asker --kit clinic");
    let request = std::fs::read_to_string(world.path("clinic/transfer/request.toml")).unwrap();
    std::fs::write(world.path("altered.toml"), request.replace("clinic", "klinik")).unwrap();
    let (code, said) = world.fails("cert sign altered.toml --kit study/coordinator --out no.pem");
    assert!(code == 3 && said.contains("signature"), "{code} {said}");
    let sign = "cert sign clinic/transfer/request.toml --kit study/coordinator --out clinic/certificate.pem";
    world.says(sign);
    copy(&world.path("office/startup"), &world.path("clinic/startup"));
    std::fs::rename(world.path("clinic/certificate.pem"), world.path("clinic/startup/certificate.pem"))
        .unwrap();
    let (code, said) = world.fails("job list --kit clinic -c name=clinic");
    assert!(code == 5 && said.contains("administrator"), "{code} {said}");
    for line in [
        "predict nowhere.safetensors --kit clinic --job totals",
        "predict nowhere.npy --kit clinic --head totals",
        "job submit nowhere.toml --kit office",
    ] {
        let (code, said) = world.fails(line);
        assert!(code == 3 && said.contains("nowhere"), "{line}: {code} {said}");
    }
    drop(running);
}

/// A job that is submitted again gives the same sum; while a hospital is away it says why it cannot, and what is possible.
#[test]
fn a_job_that_is_submitted_again_works_or_says_what_to_change() {
    let world = founded();
    let mut running = serve(&world);
    let submit = |name: &str, more: &str| {
        let max = if more.contains("max") { "" } else { "max = 1000\n" };
        let totals = format!("name = \"{name}\"\nkind = \"sum\"\nvalues = 100\n{max}{more}");
        std::fs::write(world.path("job.toml"), totals).unwrap();
        world.output("job submit job.toml --kit office --wait")
    };
    let sum = |name: &str| {
        world.says(&format!("job download {name} --out {name}.bin --kit office"));
        std::fs::read(world.path(&format!("{name}.bin"))).unwrap()
    };
    assert!(submit("totals", "").status.success());
    assert!(submit("again", "").status.success());
    let all = sum("totals");
    assert!(all == sum("again"));

    running.0[3].kill().unwrap();
    running.0[3].wait().unwrap();
    let refused = submit("lost", "upload_seconds = 4\n");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success(), "{said}");
    for word in ["hospital-a", "hospital-b", "an earlier job summed the same values", "data_version"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // The same integers under the name of newer data: hospitals know them again, and nobody waits for the one that is away.
    let renamed = submit("renamed", "upload_seconds = 4\ndata_version = \"2026-12\"\n");
    let said = String::from_utf8(renamed.stderr).unwrap();
    assert!(!renamed.status.success() && said.contains("hospital-a"), "{said}");
    // Other integers: a sum over whoever is there.
    let newer = "upload_seconds = 4\ndata_version = \"2027-01\"\n";
    assert!(submit("newer", &newer.replace("upload", "max = 1001\nupload")).status.success());
    let two = sum("newer");
    assert!(two.len() == all.len() && two != all);
}

#[test]
fn what_is_typed_wrongly_is_answered_with_a_repair() {
    let world = World(tempfile::tempdir().unwrap());
    std::fs::write(world.path("bad.toml"), "name = \"x\"\nkind = \"everything\"\n").unwrap();
    for (line, code, word) in [
        ("job list --kit nowhere", 3, "--kit"),
        ("coordinator serve --kit nowhere", 3, "provision"),
        ("site run --kit nowhere", 3, "provision"),
        ("provision nowhere.toml --out study", 3, "nowhere.toml"),
        ("provision bad.toml --out study --all-local", 3, "bad.toml"),
        ("cert sign nowhere.toml --kit nowhere --out x.pem", 3, "nowhere.toml"),
        ("log verify nowhere.jsonl --kit nowhere", 3, "nowhere"),
        ("demo --data nowhere", 2, "--model"),
        ("demo --data nowhere --model nowhere --folder run", 3, "nowhere"),
        ("features show nowhere.safetensors", 3, "nowhere"),
        ("features import nowhere.h5 out.safetensors", 3, "nowhere"),
        ("plan --head nowhere.json", 3, "nowhere"),
        ("train head nowhere.safetensors head.json", 3, "nowhere"),
        ("train backbone nowhere head.json --small --save-backbone b.safetensors", 3, "nowhere"),
        ("features split nowhere.safetensors parts --sites 2", 3, "nowhere"),
        ("features extract nowhere out.safetensors --small", 3, "nowhere"),
        ("model show --model nowhere", 3, "model fetch"),
        ("data check nowhere", 3, "nowhere"),
        ("job", 2, "Usage"),
    ] {
        let (found, said) = world.fails(line);
        assert!(found == code && said.contains(word), "{line}: exit code {found}, {said}");
    }
}

#[test]
fn shells_get_their_completions() {
    let world = World(tempfile::tempdir().unwrap());
    for shell in ["bash", "zsh", "fish"] {
        let script = world.says(&format!("completions {shell}"));
        assert!(script.contains("blindscope") && script.contains("preflight"), "{shell}");
    }
}

/// A hospital joins by the word of the others, takes part, and the log says who let it in.
#[test]
fn a_hospital_joins_by_the_word_of_the_others() {
    let world = founded();
    let mut running = serve(&world);
    let asked = world.says("cert request --name hospital-d --kit hospital-d");
    let print = asked.lines().find_map(|line| line.strip_prefix("fingerprint ")).unwrap().to_owned();
    let request = "hospital-d/transfer/request.toml";
    let proposed = world.says(&format!("study change --join {request} --kit office"));
    assert!(proposed.contains("hospital-d joins with keys"), "{proposed}");
    let seen = |kit: &str| -> serde_json::Value {
        serde_json::from_str(&world.says(&format!("study roster --json --kit {kit}"))).unwrap()
    };
    // What people compare is the same at the newcomer and at those who let it in.
    let shown = world.says("study roster --kit hospital-a");
    assert!(
        shown.contains(&print) && shown.contains("what hospital-d alone contributes"),
        "{print}: {shown}"
    );
    let digest = seen("hospital-a")["next"].as_str().unwrap().to_owned();
    let settings = std::fs::read_to_string(world.path("hospital-a/startup/settings.toml")).unwrap();
    let address =
        settings.lines().find_map(|line| line.strip_prefix("coordinator = ")).unwrap().trim_matches('"');
    let kit = format!("study kit {request} --kit study/coordinator --address {address} --out hospital-d");
    let (code, said) = world.fails(&kit);
    assert!(code == 3 && said.contains("study change"), "nobody has let it in: {code} {said}");
    world.says(&format!("site refuse --roster {digest} --kit hospital-c"));
    for site in ["hospital-a", "hospital-b"] {
        world.says(&format!("site approve --roster {digest} --kit {site}"));
    }
    let begun = Instant::now();
    while seen("office")["version"] != 1 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", world.says("study roster --kit office"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let sent = world.says(&kit);
    let roster = world.says("study roster --kit hospital-a");
    assert!(roster.contains(&print), "{roster}");
    let digest = roster.lines().find_map(|line| line.strip_prefix("digest of the roster ")).unwrap();
    assert!(sent.contains(digest), "{sent}");
    let path = world.path("hospital-d/startup/settings.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[learning.plain]\nseed = 3\n")).unwrap();
    let mut joined = world.command("site run --kit hospital-d --until-input-ends");
    joined.env("BLINDSCOPE_LOG", "error").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    running.0.push(joined.spawn().unwrap());
    let totals = "name = \"totals\"\nkind = \"sum\"\nrounds = 1\nvalues = 100\nmax = 1000\n";
    std::fs::write(world.path("totals.toml"), totals).unwrap();
    world.says("job submit totals.toml --kit office --wait");
    let status = world.says("job status totals --kit office");
    assert!(status.contains("roster 1"), "{status}");
    std::fs::write(world.path("log.jsonl"), world.says("job log --kit office")).unwrap();
    let verified = world.says("log verify log.jsonl --kit office");
    let four = "hospital-a, hospital-b, hospital-c, hospital-d; by hospital-a, hospital-b";
    assert!(verified.contains("roster 1 from record") && verified.contains(four), "{verified}");
}
