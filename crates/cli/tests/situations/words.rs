//! What people read when something is wrong: sentences that name the place, and no words of parsers.

use crate::{blindscope, json, refused, write};

/// Words of types and libraries that nobody should have to know.
const FOREIGN: [&str; 8] = ["u32", "u64", "usize", "f32", "f64", "CSV error", "\n;", "null"];

fn in_words(said: &str, line: &str) {
    for word in FOREIGN {
        assert!(!said.contains(word), "{line}: {word}: {said}");
    }
}

#[test]
fn rows_that_cannot_be_read_are_named_by_line_and_column() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let line = "features import x.csv x.safetensors";
    for (rows, words) in [
        ("a,x,,2\nb,y,3,4\n", ["line 2, column `f0`", "it is empty"]),
        ("a,x,1,2\nb,y,3\n", ["line 3 has 3 fields", "the header 4"]),
        ("a,x,1,5,2,5\nb,y,3,4\n", ["line 2 has 6 fields", "in quotes"]),
        ("a,x,0x10,2\n", ["line 2, column `f0`", "no number"]),
        ("a,x,1e39,2\n", ["row `a`", "not finite"]),
    ] {
        write(folder, "x.csv", format!("id,label,f0,f1\n{rows}"));
        let (code, said) = refused(folder, line);
        assert!(code == 3 && words.iter().all(|word| said.contains(word)), "{rows}: {code} {said}");
        in_words(&said, rows);
        assert!(!folder.join("x.safetensors").exists());
    }
}

#[test]
fn classes_that_may_be_one_are_told_of_wherever_a_file_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write(folder, "x.csv", "id,label,f0,f1\na,scc,1,2\nb,SCC,3,4\nc,nan,5,6\nd,aca,7,8\n");
    let made = json(folder, "features import x.csv x.safetensors --json");
    let shown = json(folder, "features show x.safetensors --json");
    for summary in [made, shown] {
        let said = summary["warnings"].to_string();
        assert!(said.contains("`SCC` and `scc` are two here"), "{said}");
        assert!(said.contains("class `nan` is a class like any other"), "{said}");
        assert!(!said.contains("`aca` and"), "{said}");
    }
}

/// A value of a wrong kind is named with its key, in the project file, in settings and in a job.
#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_key() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let project = "name = \"x\"\naddress = \"127.0.0.1:9\"\nclasses = [\"scc\", \"aca\"]\nwidth = 2\nsites = [\"a\", \"b\"]\n\
        admins = [\"office\"]\nthreshold = 2\nminimum_cohort = 2\n";
    write(folder, "project.toml", project);
    let provision = format!("provision project.toml -c backbone={} --out s --all-local", "11".repeat(32));
    for (change, words) in [
        ("width=-3", ["`width`", "a whole number from 0"]),
        ("classes=3", ["`classes`", "a list"]),
        ("allow_unknown_backbone=3", ["`allow_unknown_backbone`", "true or false"]),
        ("deadlines={upload_secs=3}", ["upload_secs", "`upload_seconds`"]),
        ("sites=[]", ["sites is 0", "two sites at least"]),
        ("hosts=[\"h:1\"]", ["hosts is `h:1`", "without a port"]),
    ] {
        let (code, said) = refused(folder, &format!("{provision} -c {change}"));
        assert!(code == 3 && words.iter().all(|word| said.contains(word)), "{change}: {code} {said}");
        in_words(&said, change);
        assert!(!folder.join("s").exists(), "{change}");
    }
    assert!(blindscope(folder, &provision).status.success());
    for (job, words) in [
        ("kind = \"fedavg\"\n[settings]\nhidden = 8\nrate = \"fast\"\n", ["rate: ", "expected a number"]),
        ("kind = \"fedavg\"\n[settings]\nhidden = 1.5\n", ["hidden: ", "a whole number"]),
        ("kind = \"statistics\"\n[settings]\nbound = nan\n", ["bound: ", "no finite number"]),
        ("kind = \"metrics\"\n", ["model is missing", "64 hexadecimal digits"]),
        ("kind = \"sum\"\nmax = 4\n", ["values is missing or none", "expected 1 to"]),
        ("kind = \"sum\"\nvalues = -1\nmax = 4\n", ["values = -1", "a whole number"]),
    ] {
        write(folder, "job.toml", format!("name = \"job\"\n{job}"));
        let (code, said) = refused(folder, "job submit job.toml --kit s/office");
        assert!(code == 3 && words.iter().all(|word| said.contains(word)), "{job}: {code} {said}");
        in_words(&said, job);
    }
}
