//! One file over HTTP, into a `.part` file that a later call continues.
//!
//! A part is continued only when the hub's `ETag` of that time is known, and `If-Range` makes the hub send the whole file anew
//! when it has changed since.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::http::{HeaderMap, StatusCode, header};
use ureq::{Agent, Body};

use super::{Error, FetchProgress};

/// What one call of the network may do.
pub(super) struct Download<'a> {
    pub(super) agent: &'a Agent,
    pub(super) token: Option<&'a str>,
    pub(super) url: String,
    /// The name in progress reports.
    pub(super) file: &'a str,
    pub(super) part: PathBuf,
    pub(super) most: u64,
    pub(super) cancel: &'a AtomicBool,
}

/// Attempts at a connection that makes headway.
const ATTEMPTS: usize = 4;

impl Download<'_> {
    /// Fetches the file into its part, taking up after an interruption as long as each attempt adds something.
    pub(super) fn run(&self, progress: &mut dyn FnMut(&FetchProgress<'_>)) -> Result<(), Error> {
        let mut left = ATTEMPTS;
        loop {
            let before = self.have();
            let outcome = self.attempt(progress);
            left -= 1;
            match outcome {
                Err(Error::Interrupted { .. }) if left > 0 && self.have() > before => {}
                outcome => return outcome,
            }
        }
    }

    fn have(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |m| m.len())
    }

    fn tag_file(&self) -> PathBuf {
        let mut name = self.part.clone().into_os_string();
        name.push(".etag");
        name.into()
    }

    /// Forgets what was fetched of this file.
    pub(super) fn discard(&self) {
        for path in [self.part.clone(), self.tag_file()] {
            // Whatever cannot be removed is overwritten by the next fetch.
            let _ = std::fs::remove_file(path);
        }
    }

    fn attempt(&self, progress: &mut dyn FnMut(&FetchProgress<'_>)) -> Result<(), Error> {
        let have = self.have();
        let tag = std::fs::read_to_string(self.tag_file()).ok().filter(|_| have > 0);
        let mut request = self.agent.get(&self.url);
        if let Some(token) = self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(tag) = &tag {
            request = request.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, tag);
        }
        let response = request.call().map_err(|e| self.failed(have, &e))?;
        let (head, body) = response.into_parts();
        match head.status {
            StatusCode::OK => self.begin(&head.headers, body, progress),
            StatusCode::PARTIAL_CONTENT if tag.is_some() => {
                self.continue_at(have, &head.headers, body, progress)
            }
            StatusCode::RANGE_NOT_SATISFIABLE if tag.is_some() => {
                self.discard();
                self.attempt(progress)
            }
            StatusCode::NOT_FOUND => Err(Error::NotFound { url: self.url.clone() }),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(Error::Refused { url: self.url.clone(), status: status.as_u16() })
            }
            status => Err(Error::Status { url: self.url.clone(), status: status.as_u16() }),
        }
    }

    fn begin(
        &self,
        headers: &HeaderMap,
        body: Body,
        progress: &mut dyn FnMut(&FetchProgress<'_>),
    ) -> Result<(), Error> {
        let total = body.content_length();
        self.check_size(total.unwrap_or(0))?;
        let file = File::create(&self.part).map_err(Error::io("creating", &self.part))?;
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
        match text(header::ETAG).filter(|tag| tag.starts_with('"')) {
            Some(tag) => {
                let path = self.tag_file();
                std::fs::write(&path, tag).map_err(Error::io("writing", &path))?;
            }
            // A weak tag or none cannot tell whether the rest belongs to this beginning.
            None => drop(std::fs::remove_file(self.tag_file())),
        }
        self.stream(file, 0, total, body, progress)
    }

    fn continue_at(
        &self,
        have: u64,
        headers: &HeaderMap,
        body: Body,
        progress: &mut dyn FnMut(&FetchProgress<'_>),
    ) -> Result<(), Error> {
        let range = headers.get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let Some(total) = range_total(range, have) else {
            self.discard();
            return Err(Error::WrongRange { url: self.url.clone(), wanted: have, got: range.into() });
        };
        self.check_size(total)?;
        let opened = OpenOptions::new().append(true).open(&self.part);
        let file = opened.map_err(Error::io("opening", &self.part))?;
        self.stream(file, have, Some(total), body, progress)
    }

    fn stream(
        &self,
        mut file: File,
        have: u64,
        total: Option<u64>,
        body: Body,
        progress: &mut dyn FnMut(&FetchProgress<'_>),
    ) -> Result<(), Error> {
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 256 << 10];
        let mut done = have;
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Stopped { url: self.url.clone(), done });
            }
            let read = reader.read(&mut buffer).map_err(|e| self.interrupted(done, total, e.to_string()))?;
            if read == 0 {
                break;
            }
            done += read as u64;
            if let Err(e) = self.check_size(done) {
                self.discard();
                return Err(e);
            }
            file.write_all(&buffer[..read]).map_err(Error::io("writing", &self.part))?;
            progress(&FetchProgress { file: self.file, done, total });
        }
        if total.is_some_and(|total| done < total) {
            return Err(self.interrupted(done, total, "the hub ended the answer early".into()));
        }
        file.sync_all().map_err(Error::io("writing", &self.part))
    }

    fn check_size(&self, bytes: u64) -> Result<(), Error> {
        if bytes <= self.most {
            return Ok(());
        }
        Err(Error::TooLarge { url: self.url.clone(), bytes, most: self.most })
    }

    /// A certificate that nobody vouches for is not an accident that fetching again repairs.
    fn failed(&self, done: u64, e: &ureq::Error) -> Error {
        let inner = match e {
            ureq::Error::Rustls(inner) => Some(inner),
            ureq::Error::Io(io) => io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
            _ => None,
        };
        match inner {
            Some(rustls::Error::InvalidCertificate(reason)) => {
                Error::Certificate { url: self.url.clone(), reason: reason.to_string() }
            }
            _ => self.interrupted(done, None, e.to_string()),
        }
    }

    fn interrupted(&self, done: u64, total: Option<u64>, reason: String) -> Error {
        Error::Interrupted { url: self.url.clone(), done, total, reason }
    }

    /// Moves the finished part to its place.
    pub(super) fn keep(&self, target: &Path) -> Result<(), Error> {
        std::fs::rename(&self.part, target).map_err(Error::io("writing", target))?;
        let _ = std::fs::remove_file(self.tag_file());
        Ok(())
    }
}

/// The whole length in `bytes FIRST-LAST/TOTAL`, when it begins at `first` and leads to the end.
fn range_total(range: &str, first: u64) -> Option<u64> {
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (from, last) = span.split_once('-')?;
    let total: u64 = total.parse().ok()?;
    (from.parse() == Ok(first) && last.parse::<u64>().ok()?.checked_add(1) == Some(total)).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_begin_where_the_part_ends_and_lead_to_the_end() {
        assert_eq!(range_total("bytes 5-9/10", 5), Some(10));
        for wrong in [
            "bytes 4-9/10",
            "bytes 5-8/10",
            "bytes 5-9/*",
            "items 5-9/10",
            "bytes 5-18446744073709551615/9",
            "",
        ] {
            assert_eq!(range_total(wrong, 5), None, "{wrong}");
        }
    }
}
