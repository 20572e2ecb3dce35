//! Sites, jobs and projects that do not fit their study.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serving::{BACKBONE, Serving};
use crate::{blindscope, json, refused, write};

/// A site whose file names a class that the study has not ends at once, with both lists, whether or not anybody hears of it; and
/// `preflight` says the same.
#[test]
fn a_site_that_does_not_fit_ends_at_once() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    let backbone = "11".repeat(32);
    json(folder, &format!("provision project.toml -c backbone={backbone} --out s --all-local --json"));
    for (name, class, digest, word) in [
        ("renamed", "carcinoid", backbone.clone(), "`carcinoid` (1 rows)"),
        ("spelt", "Scc", backbone.clone(), "`Scc` (1 rows)"),
        ("other", "scc", "22".repeat(32), "the backbone is 2222"),
    ] {
        write(folder, "rows.csv", format!("id,label,f0,f1\np,{class},1,2\nq,aca,3,4\n"));
        json(folder, &format!("features import rows.csv s/a/{name}.safetensors --backbone {digest} --json"));
        let begun = Instant::now();
        let learning = format!("learning.train={name}.safetensors");
        let (code, said) = refused(folder, &format!("site run --kit s/a -c {learning}"));
        assert!(begun.elapsed() < Duration::from_secs(20), "it waited for somebody");
        assert!(code == 3 && said.contains(word), "{name}: {code} {said}");
        let checked = blindscope(folder, &format!("preflight --kit s/a -c {learning} --json"));
        assert_eq!(checked.status.code(), Some(7));
        let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
        let learning =
            checked["checks"].as_array().unwrap().iter().find(|c| c["name"] == "learning").unwrap();
        assert!(
            learning["outcome"] == "failed" && learning["found"].to_string().contains(word),
            "{learning}"
        );
    }
}

/// A study with features below `s/a` and `s/b` of a class that it has not.
fn study_without_fitting_sites(folder: &Path) -> Serving {
    let coordinator = Serving::study(folder);
    write(folder, "rows.csv", "id,label,f0,f1\np,carcinoid,1,2\nq,aca,3,4\n");
    for site in ["a", "b"] {
        let rows = format!("s/{site}/rows.safetensors");
        json(folder, &format!("features import rows.csv {rows} --backbone {BACKBONE} --json"));
    }
    coordinator
}

/// A site that ends at its start is no riddle to the administrator who waits for it; why it ended stays at the site.
#[test]
fn a_site_that_ends_at_its_start_is_seen_by_the_administrator() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let _coordinator = study_without_fitting_sites(folder);
    let seen = |site: usize| json(folder, "job sites --kit s/office --json")[site].clone();
    assert_eq!((&seen(0)["name"], &seen(0)["presence"]), (&"a".into(), &"unheard".into()));
    let (code, said) = refused(folder, "site run --kit s/a -c learning.train=rows.safetensors");
    assert!(code == 3 && said.contains("`carcinoid` (1 rows)"), "{code} {said}");
    assert_eq!((&seen(0)["presence"], &seen(1)["presence"]), (&"refused".into(), &"unheard".into()));
    let output = blindscope(folder, "job sites --kit s/office");
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("a has ended at its start") && !words.contains("carcinoid"), "{words}");
    // A rule that cannot be read ends a site as well.
    write(folder, "s/b/local/policy.toml", "minimum_cohorts = 3\n");
    write(folder, "s/b/numbers.txt", "1\n");
    let (code, said) = refused(folder, "site run --kit s/b -c learning={plain={file=\"numbers.txt\"}}");
    assert!(code == 3 && said.contains("minimum_cohorts"), "{code} {said}");
    assert_eq!(seen(1)["presence"], "refused");
}

/// Nobody waits for what cannot come: sites that were never there, or have ended at their start, are named, and the wait ends with an
/// exit code of its own, for the job that waits behind another as well. Then a job ends by its deadline, and says whom it missed.
#[test]
fn a_wait_for_sites_that_do_not_come_ends_and_names_them() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let _coordinator = study_without_fitting_sites(folder);
    let job = |name: &str, more: &str| {
        let text = format!("name = \"{name}\"\nkind = \"sum\"\nvalues = 4\nmax = 9\n{more}");
        write(folder, &format!("{name}.toml"), text);
    };
    job("first", "");
    // Of other data: what the first put in need not be void before.
    job("second", "upload_seconds = 2\ndata_version = \"2\"\n");
    let names = |line: &str, words: &[&str]| {
        let begun = Instant::now();
        let (code, said) = refused(folder, line);
        assert!(code == 9 && begun.elapsed() < Duration::from_secs(40), "{line}: {code} {said}");
        for word in words {
            assert!(said.contains(word), "{line}: {word}: {said}");
        }
    };
    let stops =
        ["upload of first needs 2 of 2 sites", "blindscope job abort first", "blindscope job watch first"];
    let unheard = ["a has not been heard", "b has not been heard"];
    names("job submit first.toml --kit s/office --wait --patience 1", &[&stops[..], &unheard].concat());
    names("job submit second.toml --kit s/office --wait --patience 1", &[&stops[..], &unheard].concat());
    for site in ["a", "b"] {
        refused(folder, &format!("site run --kit s/{site} -c learning.train=rows.safetensors"));
    }
    let ended = ["a has ended at its start", "b has ended at its start"];
    names("job watch first --kit s/office --patience 1 --json", &[&stops[..], &ended].concat());
    // The job that it waited behind is called off; its own deadline ends it.
    blindscope(folder, "job abort first --kit s/office");
    let (code, said) = refused(folder, "job watch second --kit s/office");
    assert!(
        code == 6 && said.contains("a, b (each of them) gave no answer by the deadline"),
        "{code} {said}"
    );
    assert!(said.contains("b has ended at its start"), "{said}");
    for (line, at) in [("status second", None), ("list", Some(1))] {
        let found = json(folder, &format!("job {line} --kit s/office --json"));
        let found = at.map_or(&found, |at: usize| &found[at]);
        let reason = found["reason"].as_str().unwrap();
        assert!(reason.contains("a, b (each of them)") && reason.contains("start the site"), "{reason}");
    }
    let output = blindscope(folder, "job status second --kit s/office");
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("FAILED: upload needed 2 sites in round 1 and had 0: a, b"), "{words}");
}

/// What contradicts the study is refused where it is typed: no coordinator is there that could be asked.
#[test]
fn jobs_that_contradict_the_study_are_refused_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\ndecryptions = 3\n";
    write(folder, "project.toml", project);
    json(
        folder,
        &format!("provision project.toml -c backbone={} --out s --all-local --json", "11".repeat(32)),
    );
    for (job, word) in [
        ("kind = \"cls-mean\"\n[settings]\nclasses = 3\n", "classes = 3, but the study has 2"),
        ("kind = \"statistics\"\n[settings]\nwidth = 3\n", "width = 3, but the study has 2"),
        (
            "kind = \"fedavg\"\n[settings]\nnames = [\"aca\", \"scc\"]\n",
            "but the study has [\"scc\",\"aca\"]",
        ),
        ("kind = \"fedavg\"\n[settings]\nrounds = 500\n", "but the study has 3 in its whole life"),
        ("kind = \"fedavg\"\n[settings]\nroundz = 5\n", "unknown field `roundz`"),
        ("kind = \"statistics\"\n[settings]\nclipped = 2.0\n", "clipped is 2, expected a share from 0 to 1"),
        ("kind = \"statistics\"\nvalues = 5\nmax = 9\n", "but its settings need"),
        ("kind = \"update\"\n", "backbone"),
    ] {
        write(folder, "job.toml", format!("name = \"job\"\n{job}"));
        let (code, said) = refused(folder, "job submit job.toml --kit s/office");
        assert!(code == 3 && said.contains(word), "{job}: {code} {said}");
    }
    // What fits is sent, and nobody is there.
    write(folder, "job.toml", "name = \"job\"\nkind = \"cls-mean\"\n");
    let (code, said) = refused(folder, "job submit job.toml --kit s/office");
    assert_eq!(code, 4, "{said}");
}

/// Each kind of kit has its own checks, and each says what to do.
#[test]
fn preflight_finds_what_would_end_a_service() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nlisten = \"127.0.0.1:0\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\n\
        sites = [\"a\", \"b\"]\nadmins = [\"office\"]\naskers = [\"clinic\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    json(
        folder,
        &format!("provision project.toml -c backbone={} --out s --all-local --json", "11".repeat(32)),
    );
    let checks = |line: &str| -> (i32, Vec<(String, String, String)>) {
        let output = blindscope(folder, &format!("{line} --json"));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
        let all = found["checks"].as_array().unwrap().iter();
        let all = all.map(|c| (text(c, "name"), text(c, "outcome"), text(c, "repair"))).collect();
        (output.status.code().unwrap(), all)
    };
    let fails = |line: &str, name: &str| {
        let (code, all) = checks(line);
        let failed =
            all.iter().any(|(found, how, repair)| found == name && how == "failed" && !repair.is_empty());
        assert!(code == 7 && failed, "{line}: {name} of {all:?}");
    };
    let (code, all) = checks("preflight --kit s/coordinator");
    assert!(code == 0 && all.len() >= 12, "{all:?}");
    fails("preflight --kit s/coordinator -c listen=nowhere", "listen");
    fails("preflight --kit s/coordinator -c listen=203.0.113.1:1", "listen");
    fails("preflight --kit s/coordinator -c inference.batch=0", "inference");
    for kit in ["s/a", "s/office", "s/clinic"] {
        fails(&format!("preflight --kit {kit}"), "coordinator");
    }
    fails("preflight --kit s/a", "learning");
    std::fs::write(folder.join("s/coordinator/local/members.toml"), "").unwrap();
    fails("preflight --kit s/coordinator", "members");
    let key = folder.join("s/coordinator/local/authority.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fails("preflight --kit s/coordinator", "key-file");
    std::fs::copy(folder.join("s/b/local/identity.key"), folder.join("s/coordinator/local/identity.key"))
        .unwrap();
    fails("preflight --kit s/coordinator", "keys");
    std::fs::remove_file(folder.join("s/a/startup/study.toml")).unwrap();
    fails("preflight --kit s/a", "study");
}

#[test]
fn a_project_that_no_study_can_be_is_refused_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"h:8443\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    let backbone = "11".repeat(32);
    for (change, word) in [
        ("address=h", "address is h, expected HOST:PORT"),
        ("sites=[\"a\",\"A\"]", "sites is \"A\""),
        ("sites=[\"a\",\"a\"]", "a, and a is there already"),
        ("admins=[\"b\"]", "b, and b is there already"),
        ("sites=[\"a\",\"../b\"]", "names are folders"),
        ("certificate_days=0", "1 to 3650 days"),
        ("certificate_days=-3", "certificate_days"),
        ("classes=[\"scc\",\"scc\"]", "scc, and scc is there already"),
        ("classes=[\"scc\",\"SCC\"]", "SCC, and scc is there already"),
        ("width=0", "1 to 65536"),
    ] {
        let (code, said) = refused(
            folder,
            &format!("provision project.toml -c backbone={backbone} -c {change} --out s --all-local"),
        );
        assert!(code == 3 && said.contains(word), "{change}: {code} {said}");
        assert!(!folder.join("s").exists(), "{change}");
        let _ = std::fs::remove_dir_all(folder.join("s"));
    }
}
