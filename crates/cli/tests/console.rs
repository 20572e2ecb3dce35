//! The console of a real study: who is let in, what pages say, what forms do, and what a coordinator that dies or lies shows.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helper functions of tests"
)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use blindscope_node::admin::jobs;
use blindscope_node::kit::Kit;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{project, sums};
use common::processes;

/// A console as a process, killed when dropped.
struct Console {
    child: Child,
    host: String,
    token: String,
}

impl Console {
    fn start(kit: &Kit) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
        command.arg("console").arg("--kit").arg(kit.folder()).args([
            "--json",
            "--until-input-ends",
            "--audit",
        ]);
        command.arg(kit.folder());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let open = said["open"].as_str().unwrap();
        let token = open.split_once("token=").unwrap().1.to_owned();
        Self { child, host: said["listening"].as_str().unwrap().to_owned(), token }
    }

    /// The whole answer to a request of these lines, with its `Host` unless they name one.
    fn ask(&self, method: &str, path: &str, lines: &[String], body: &str) -> String {
        let mut tcp = TcpStream::connect(&self.host).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let mut head = vec![format!("{method} {path} HTTP/1.1"), "Connection: close".to_owned()];
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            head.push(format!("Host: {}", self.host));
        }
        head.extend_from_slice(lines);
        let head = head.join("\r\n");
        let length = body.len();
        write!(tcp, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).unwrap();
        // Results are bytes.
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Comes in; the cookie's line.
    fn enter(&self) -> String {
        let answer = self.ask("GET", &format!("/enter?token={}", self.token), &[], "");
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
        format!("Cookie: {}", set.split(';').next().unwrap())
    }

    fn page(&self, cookie: &str, path: &str) -> String {
        self.ask("GET", path, &[cookie.to_owned()], "")
    }

    /// Sends a form of the session.
    fn form(&self, cookie: &str, path: &str, word: &str, rest: &str) -> String {
        let lines = [
            cookie.to_owned(),
            format!("Origin: http://{}", self.host),
            "Content-Type: application/x-www-form-urlencoded".to_owned(),
        ];
        self.ask("POST", path, &lines, &format!("word={word}&{rest}"))
    }

    /// The page as soon as it says something.
    fn until(&self, cookie: &str, path: &str, said: &str) -> String {
        let begun = Instant::now();
        loop {
            let page = self.page(cookie, path);
            if page.contains(said) {
                return page;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "no {said} in {page}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn word(page: &str) -> String {
    let at = page.find("name=\"word\" value=\"").unwrap() + 19;
    page[at..at + 64].to_owned()
}

/// As browsers write a form's field.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

fn status(answer: &str) -> &str {
    &answer[9..12]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_browser_that_showed_the_token_is_let_in_and_only_our_own_forms_do_anything() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = processes(folder.path(), project(3, 2, 3));
    study.start_coordinator().unwrap();
    study.ready().await.unwrap();
    let console = Console::start(&study.kit("admin"));
    // Nobody is in yet; a guess does not use the token up; the token works once.
    assert_eq!(status(&console.page("Cookie: a=b", "/")), "401");
    assert_eq!(status(&console.page("Cookie: a=b", "/enter?token=00")), "403");
    let cookie = console.enter();
    assert_eq!(status(&console.page("Cookie: a=b", &format!("/enter?token={}", console.token))), "403");
    let page = console.until(&cookie, "/", "records verified");
    assert_eq!(status(&page), "200");
    for header in
        ["content-security-policy: default-src 'none'", "x-frame-options: DENY", "cache-control: no-store"]
    {
        assert!(page.contains(header), "{header}");
    }
    // An audit's report is shown, and a script that somebody put into it does nothing.
    assert_eq!(status(&console.page(&cookie, "/audit/report")), "404");
    let report = study.kit("admin").folder().join("report.html");
    std::fs::write(report, "<p>52.26 dB</p><script>alert(1)</script>").unwrap();
    let report = console.page(&cookie, "/audit/report");
    assert!(report.contains("52.26 dB") && report.contains("default-src 'none'; img-src data:"), "{report}");
    assert!(report.contains("sandbox") && !report.contains("script-src"), "{report}");
    assert!(console.page(&cookie, "/audit").contains("title=\"Report of the audit\""));
    // DNS rebinding: another name led here. The same request under our own name is answered.
    for host in ["evil.example.org", "127.0.0.1", "evil.localhost:80", ""] {
        let answer = console.ask("GET", "/", &[cookie.clone(), format!("Host: {host}")], "");
        assert!(["421", "400"].contains(&status(&answer)), "{host}: {answer}");
    }
    // A form of elsewhere: a foreign origin, none at all, a guessed word. The same form of ours does what it says.
    admin_job(&study, "target").await;
    let right = word(&page);
    let body = format!("word={right}");
    let kind = "Content-Type: application/x-www-form-urlencoded".to_owned();
    for origin in ["Origin: http://evil.example.org", "Origin: null", "X-None: 1"] {
        let lines = [cookie.clone(), kind.clone(), origin.to_owned()];
        assert_eq!(status(&console.ask("POST", "/jobs/target/abort", &lines, &body)), "403", "{origin}");
    }
    let wrong = "0".repeat(64);
    assert_eq!(status(&console.form(&cookie, "/jobs/target/abort", &wrong, "")), "403");
    let view = study.admin().unwrap().status("target").await.unwrap();
    assert!(!view.is_over(), "nothing was done");
    assert_eq!(status(&console.form(&cookie, "/jobs/target/abort", &right, "")), "303");
    assert!(study.admin().unwrap().status("target").await.unwrap().is_over());
    // Who leaves is out.
    assert_eq!(status(&console.form(&cookie, "/leave", &right, "")), "200");
    assert_eq!(status(&console.page(&cookie, "/")), "401");
}

async fn admin_job(study: &Processes, name: &str) {
    study.admin().unwrap().submit(&sums(name, 2000, 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_are_judged_as_files_and_pages_follow_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = processes(folder.path(), project(3, 2, 3));
    study.start().await.unwrap();
    let console = Console::start(&study.kit("admin"));
    let cookie = console.enter();
    let word = word(&console.page(&cookie, "/submit"));
    let submit = |file: &str, what: &str| {
        console.form(&cookie, "/jobs", &word, &format!("what={what}&file={}", encoded(file)))
    };
    // What a file would be refused for is said, and the file is still there to correct; nothing is taken as markup.
    let refused = [
        ("name = \"a\"\nkind = \"sum\"\nvalues = 10\nmax = 9\ncolour = 3", "colour"),
        ("name = \"a\"\nkind = \"statistics\"\n[settings]\nwidth = 5", "width"),
        ("name = \"a\"\nkind = \"sum\"\nvalues = 0\nmax = 9", "values"),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
    ];
    for (file, said) in refused {
        let answer = submit(file, "submit");
        assert!(
            status(&answer) == "422" && answer.contains("Not submitted.") && answer.contains(said),
            "{answer}"
        );
        assert!(answer.contains("aria-invalid=\"true\"") && !answer.contains("<script>alert"), "{answer}");
    }
    let file = "name = \"from-a-form\"\nkind = \"sum\"\nrounds = 2\r\nvalues = 300\nmax = 1000\n";
    let checked = submit(file, "check");
    assert!(status(&checked) == "200" && checked.contains("Nothing was submitted yet"), "{checked}");
    assert!(study.admin().unwrap().list().await.unwrap().is_empty());

    // A part is answered as soon as there is news, not before.
    let seen = |page: &str| {
        let at = page.find("seen=").unwrap() + 5;
        page[at..].split('"').next().unwrap().to_owned()
    };
    let version = seen(&console.page(&cookie, "/jobs"));
    let (held, took) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let answer = console.page(&cookie, &format!("/live/jobs?seen={version}"));
            (answer, Instant::now())
        });
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        assert_eq!(status(&submit(file, "submit")), "303");
        let (answer, at) = waiting.join().unwrap();
        (answer, at.saturating_duration_since(begun))
    });
    assert!(held.contains("from-a-form"), "{held}");
    println!("a part followed the submission after {took:?}");
    let admin = study.admin().unwrap();
    let last = admin.watch("from-a-form", |_| {}).await.unwrap();
    let result = jobs::result(admin.study(), &last).unwrap();
    let page = console.until(&cookie, "/jobs/from-a-form", &result.digest.to_string());
    assert!(page.contains("<svg role=\"img\"") && page.contains("Seconds of each round"), "{page}");
    let file = console.page(&cookie, "/jobs/from-a-form/result");
    assert!(file.contains("attachment; filename=\"from-a-form.bin\"") && status(&file) == "200");
    let opened = console.page(&cookie, "/opened");
    assert!(opened.matches("site-0, site-1, site-2").count() >= 2, "{opened}");
    let log = console.page(&cookie, "/log");
    assert!(log.contains("founded") && log.contains("chain, signatures, every step"), "{log}");
    assert!(console.page(&cookie, "/log/0").contains("&quot;founded&quot;"));
    for path in ["/log/999999", "/jobs/none", "/nothing", "/live/jobs/none", "/assets/../x"] {
        assert_eq!(status(&console.page(&cookie, path)), "404", "{path}");
    }

    // A coordinator that dies is said to be away, and pages stay; one that is back is followed again.
    study.kill_coordinator(0);
    let page = console.until(&cookie, "/jobs", "does not answer");
    assert!(page.contains("from-a-form"));
    study.start_coordinator().unwrap();
    study.ready().await.unwrap();
    admin_job(&study, "after").await;
    console.until(&cookie, "/jobs", "/jobs/after");
    assert!(!console.page(&cookie, "/jobs").contains("does not answer"));

    // One that comes back with another log is told apart: its records are signed, and still not those that were seen.
    study.kill_coordinator(0);
    let state = study.kit("coordinator").state();
    std::fs::rename(&state, state.with_file_name("aside")).unwrap();
    study.start_coordinator().unwrap();
    study.ready().await.unwrap();
    let page = console.until(&cookie, "/jobs", "does not hold together");
    assert!(page.contains("/jobs/after"), "what was verified before stays: {page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_is_for_this_machine_and_for_kits_that_have_pages() {
    let folder = tempfile::tempdir().unwrap();
    let study = processes(folder.path(), project(3, 2, 3));
    let start = |kit: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
        command.arg("console").arg("--kit").arg(study.kit(kit).folder()).args(more);
        let out = command.stdin(Stdio::null()).output().unwrap();
        (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, said) = start("admin", &["--listen", "0.0.0.0:0"]);
    assert!(code == 2 && said.contains("loopback"), "{said}");
    let (code, said) = start("coordinator", &[]);
    assert!(code == 3 && said.contains("administrator's or a site's kit"), "{said}");
    assert_eq!(start("nobody", &[]).0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_sees_what_would_leave_and_says_its_word_by_the_jobs_digest() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = processes(folder.path(), project(3, 2, 3));
    study.start().await.unwrap();
    let kit = study.kit("site-0");
    let console = Console::start(&kit);
    let cookie = console.enter();
    let page = console.until(&cookie, "/rules", "would leave");
    let word = word(&page);
    assert!(page.contains("do not wait") && page.contains("local/policy.toml"), "{page}");
    assert_eq!(status(&console.form(&cookie, "/rules/ask", &word, "say=on")), "303");
    let admin = study.admin().unwrap();
    let id = admin.submit(&sums("asked", 500, 1)).await.unwrap().to_string();
    let page = console.until(&cookie, "/rules", "nothing is computed before somebody says a word");
    assert!(page.contains(&id) && page.contains("encrypted integers") && page.contains("allowed"), "{page}");
    // Digests that no job has, and forms of elsewhere, say nothing.
    let other = "ab".repeat(32);
    assert_eq!(status(&console.form(&cookie, &format!("/rules/{other}"), &word, "say=approved")), "404");
    assert_eq!(status(&console.form(&cookie, &format!("/rules/{id}"), &other, "say=approved")), "403");
    assert!(!admin.status("asked").await.unwrap().is_over());
    assert_eq!(status(&console.form(&cookie, &format!("/rules/{id}"), &word, "say=approved")), "303");
    jobs::result(admin.study(), &admin.watch("asked", |_| {}).await.unwrap()).unwrap();
    // Which two of the three sites open is up to who is first.
    let page = console.until(&cookie, "/opened", "<td>contributed");
    assert!(page.contains("/jobs/asked"), "{page}");
    // What is an administrator's is refused by the coordinator, whatever a page sends.
    assert_eq!(status(&console.form(&cookie, "/jobs/asked/abort", &word, "")), "409");
    let file = encoded("name = \"a\"\nkind = \"sum\"\nvalues = 10\nmax = 9");
    let answer = console.form(&cookie, "/jobs", &word, &format!("what=submit&file={file}"));
    assert!(status(&answer) == "422" && answer.contains("administrator"), "{answer}");
}
