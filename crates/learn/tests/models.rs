//! Fetching from a hub that misbehaves in every way a hub can: a server on this machine plays it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use blindscope_learn::features::hex;
use blindscope_learn::models::{FetchRequest, Fetched, ModelName, Store, fetch};

/// What the server does with one request for the weights.
#[derive(Clone, Copy)]
enum Play {
    /// Serves the file, ranges too.
    Whole,
    /// Announces everything, sends this many bytes more and hangs up.
    Cut(usize),
    /// Ignores ranges.
    NoRanges,
    /// Answers a range with other bytes than were asked for.
    WrongRange,
    /// Sends endlessly without announcing a length.
    Endless,
    Status(u16),
}

struct Hub {
    url: String,
    /// Request heads, in order.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    /// Plays `plays` for the weights in turn, the last one ever after. There is a `config.json` and no other file.
    fn start(weights: &[u8], plays: &[Play]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (heads, weights) = (Arc::clone(&seen), weights.to_vec());
        let mut plays: VecDeque<Play> = plays.iter().copied().collect();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = read_head(&stream);
                heads.lock().unwrap().push(head.clone());
                let path = head.split(' ').nth(1).unwrap().to_owned();
                let answered = match path.as_str() {
                    "/owner/name/resolve/main/model.safetensors" => {
                        let play = if plays.len() > 1 { plays.pop_front() } else { plays.front().copied() };
                        answer(&mut stream, &head, &weights, play.unwrap())
                    }
                    "/owner/name/resolve/main/config.json" => send(&mut stream, "200 OK", "", b"{}"),
                    _ => send(&mut stream, "404 Not Found", "", b"no"),
                };
                // The client may have hung up on purpose.
                drop(answered);
            }
        });
        Self { url, seen }
    }

    /// Heads of the requests for the weights.
    fn weights_requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().filter(|head| head.contains("model.safetensors")).cloned().collect()
    }
}

fn read_head(stream: &TcpStream) -> String {
    let mut head = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
        head.push('\n');
    }
    head
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n")?;
    stream.write_all(body)
}

/// The server's tag: the digest's first digits, so that another file has another tag.
fn tag(weights: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(weights))[..16])
}

fn answer(stream: &mut TcpStream, head: &str, weights: &[u8], play: Play) -> std::io::Result<()> {
    let tag = tag(weights);
    let field = |name: &str| head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
    let from = field("range").filter(|_| field("if-range") == Some(tag.as_str()));
    let from = from.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let headers = format!("etag: {tag}\r\n");
    match (play, from) {
        (Play::Status(status), _) => send(stream, &format!("{status} No"), "", b"no"),
        (Play::Endless, _) => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[0; 4096])?;
            }
        }
        (Play::WrongRange, Some(from)) => {
            let end = weights.len() - 1;
            let range = format!("content-range: bytes {}-{end}/{}\r\n", from - 1, weights.len());
            send(stream, "206 Partial Content", &range, &weights[from - 1..])
        }
        (Play::Whole | Play::Cut(_), Some(from)) => {
            let end = weights.len() - 1;
            let range = format!("{headers}content-range: bytes {from}-{end}/{}\r\n", weights.len());
            let length = weights.len() - from;
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\ncontent-length: {length}\r\nconnection: close\r\n{range}\r\n"
            )?;
            let body = &weights[from..];
            stream.write_all(if let Play::Cut(bytes) = play { &body[..bytes.min(length)] } else { body })
        }
        (Play::Cut(bytes), None) => {
            let length = weights.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
            )?;
            stream.write_all(&weights[..bytes])
        }
        _ => send(stream, "200 OK", &headers, weights),
    }
}

fn weights() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect()
}

fn store(name: &str) -> Store {
    let folder = std::env::temp_dir().join(format!("blindscope-models-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    Store::new(folder)
}

fn request(hub: &Hub, sha256: Option<[u8; 32]>) -> FetchRequest {
    let name = ModelName::new("owner/name").unwrap();
    FetchRequest { hub: hub.url.clone(), name, sha256, most_bytes: 1 << 20, token: None }
}

fn run(request: &FetchRequest, store: &Store) -> Result<Fetched, blindscope_learn::models::Error> {
    fetch(request, store, &mut |_| {}, &AtomicBool::new(false))
}

fn file(store: &Store) -> PathBuf {
    store.folder().join("owner--name@main/model.safetensors")
}

fn part(store: &Store) -> PathBuf {
    file(store).with_extension("safetensors.part")
}

#[test]
fn the_first_fetch_is_recorded_and_the_next_must_equal_it() {
    let store = store("lock");
    let hub = Hub::start(&weights(), &[Play::Whole]);
    let fetched = run(&request(&hub, None), &store).unwrap();
    let names: Vec<_> = fetched.files.iter().map(|f| (f.file.as_str(), f.first, f.fetched)).collect();
    assert_eq!(names, [("model.safetensors", true, true), ("config.json", true, true)]);
    assert_eq!(fetched.files[0].sha256, hex(&Sha256::digest(weights())));
    assert_eq!(std::fs::read(file(&store)).unwrap(), weights());
    assert_eq!(store.find("owner/name"), Some(fetched.folder));

    let again = run(&request(&hub, None), &store).unwrap();
    assert!(!again.files[0].fetched && !again.files[0].first);
    assert_eq!(hub.weights_requests().len(), 1, "what is there is not fetched again");

    // The hub's file changes; ours is damaged and has to be fetched anew.
    let other = Hub::start(&weights()[1..], &[Play::Whole]);
    std::fs::write(file(&store), b"damaged").unwrap();
    let refused = run(&request(&other, None), &store).unwrap_err();
    assert!(refused.to_string().contains("of the first fetch (models.lock.json)"), "{refused}");
    assert_eq!(std::fs::read(file(&store)).unwrap(), b"damaged", "a wrong file takes nobody's place");
    run(&request(&hub, None), &store).unwrap();
    assert_eq!(std::fs::read(file(&store)).unwrap(), weights());
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn a_told_digest_is_held_against_the_first_fetch() {
    let store = store("told");
    let hub = Hub::start(&weights(), &[Play::Whole]);
    let refused = run(&request(&hub, Some([7; 32])), &store).unwrap_err();
    assert!(matches!(refused, blindscope_learn::models::Error::Digest { .. }), "{refused}");
    assert!(refused.to_string().contains(&hex(&[7; 32])) && refused.to_string().contains("thrown away"));
    assert!(!file(&store).exists() && !part(&store).exists());
    let right = Sha256::digest(weights()).into();
    assert!(!run(&request(&hub, Some(right)), &store).unwrap().files[0].first);
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let store = store("cut");
    let hub = Hub::start(&weights(), &[Play::Cut(100_000), Play::Cut(50_000), Play::Whole]);
    run(&request(&hub, None), &store).unwrap();
    assert_eq!(std::fs::read(file(&store)).unwrap(), weights());
    let ranges: Vec<_> = hub
        .weights_requests()
        .iter()
        .map(|head| head.lines().find_map(|l| l.strip_prefix("range: bytes=")).map(str::to_owned))
        .collect();
    assert_eq!(ranges, [None, Some("100000-".into()), Some("150000-".into())]);
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn a_truncated_body_is_an_error_and_its_part_is_kept() {
    let store = store("truncated");
    let hub = Hub::start(&weights(), &[Play::Cut(100_000), Play::Cut(0)]);
    match run(&request(&hub, None), &store).unwrap_err() {
        blindscope_learn::models::Error::Interrupted { done: 100_000, total: Some(300_000), .. } => {}
        other => panic!("{other}"),
    }
    assert!(!file(&store).exists());
    assert_eq!(std::fs::metadata(part(&store)).unwrap().len(), 100_000);

    // The file on the hub is another one by now: its rest must not be joined to our beginning.
    let other: Vec<u8> = weights().into_iter().rev().collect();
    let changed = Hub::start(&other, &[Play::Whole]);
    run(&request(&changed, None), &store).unwrap();
    assert_eq!(std::fs::read(file(&store)).unwrap(), other);
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn hubs_without_ranges_or_with_wrong_ones_cannot_spoil_a_file() {
    let store = store("ranges");
    let hub = Hub::start(&weights(), &[Play::Cut(100_000), Play::NoRanges]);
    run(&request(&hub, None), &store).unwrap();
    assert_eq!(std::fs::read(file(&store)).unwrap(), weights());
    std::fs::remove_dir_all(store.folder()).unwrap();

    let hub = Hub::start(&weights(), &[Play::Cut(100_000), Play::WrongRange]);
    let refused = run(&request(&hub, None), &store).unwrap_err();
    assert!(
        refused.to_string().contains("asked for bytes from 100000 on, got `bytes 99999-299999/300000`"),
        "{refused}"
    );
    assert!(!file(&store).exists() && !part(&store).exists());
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn what_is_too_large_is_refused_by_its_announcement_or_on_the_way() {
    let store = store("large");
    for (plays, least) in [(Play::Whole, 300_000), (Play::Endless, 200_001)] {
        let hub = Hub::start(&weights(), &[plays]);
        let request = FetchRequest { most_bytes: 200_000, ..request(&hub, None) };
        match run(&request, &store).unwrap_err() {
            blindscope_learn::models::Error::TooLarge { bytes, most: 200_000, .. } => {
                assert!((least..500_000).contains(&bytes));
            }
            other => panic!("{other}"),
        }
        assert!(!file(&store).exists() && !part(&store).exists());
    }
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn answers_that_are_no_file_are_told_apart() {
    let store = store("status");
    for (status, expected) in [
        (404, "not found; check name and revision"),
        (401, "give a token"),
        (403, "give a token"),
        (503, "status 503"),
    ] {
        let hub = Hub::start(&weights(), &[Play::Status(status)]);
        let message = run(&request(&hub, None), &store).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("/owner/name/resolve/main/"), "{message}");
    }
    let gone = Hub { url: "http://127.0.0.1:1".into(), seen: Arc::default() };
    assert!(matches!(
        run(&request(&gone, None), &store),
        Err(blindscope_learn::models::Error::Interrupted { done: 0, .. })
    ));
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn a_token_is_sent_and_never_shown() {
    let store = store("token");
    let hub = Hub::start(&weights(), &[Play::Whole]);
    let request = FetchRequest { token: Some("hf_secret".into()), ..request(&hub, None) };
    run(&request, &store).unwrap();
    assert!(hub.weights_requests()[0].contains("authorization: bearer hf_secret"));
    assert!(!format!("{request:?}").contains("hf_secret"));
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn a_fetch_stops_on_request_and_two_do_not_share_a_store() {
    let store = store("stop");
    let hub = Hub::start(&weights(), &[Play::Whole]);
    let cancel = AtomicBool::new(false);
    let mut second = None;
    let stopped = fetch(
        &request(&hub, None),
        &store,
        &mut |_| {
            second = Some(run(&request(&hub, None), &store));
            cancel.store(true, Ordering::Relaxed);
        },
        &cancel,
    );
    match stopped {
        Err(blindscope_learn::models::Error::Stopped { done, .. }) => assert!(done > 0),
        other => panic!("{other:?}"),
    }
    assert!(matches!(second, Some(Err(blindscope_learn::models::Error::Busy { .. }))), "{second:?}");
    run(&request(&hub, None), &store).unwrap();
    assert_eq!(std::fs::read(file(&store)).unwrap(), weights());
    std::fs::remove_dir_all(store.folder()).unwrap();
}
