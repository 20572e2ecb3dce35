//! What a file is that lies where one of another kind was expected.
//!
//! Every reader of files asks here, so that a refused download or a pointer is called the same wherever it turns up.

/// Bytes that [`Found::of`] looks at, at most.
pub const LOOKED_AT: usize = 4096;

/// A kind of file, told by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// No bytes, or blanks alone.
    Empty,
    /// What Git LFS leaves in place of a file.
    LfsPointer,
    /// HTML or XML.
    WebPage,
    /// What a hub answers where there is nothing, or nothing for this user.
    Refusal,
    /// `PyTorch`'s archive, or another ZIP.
    Zip,
    /// Python's pickle.
    Pickle,
    /// HDF5.
    Hdf5,
    /// NumPy's array.
    Npy,
    /// gzip.
    Gzip,
    /// JPEG, PNG or TIFF.
    Picture,
    /// PDF.
    Pdf,
    /// Text of two bytes a character.
    Utf16,
    /// JSON.
    Json,
    /// Text in columns.
    Table,
    /// Other text.
    Text,
}

/// What to do with weights that only PyTorch reads.
pub const CONVERT: &str = "PyTorch's own format can run programs when it is read, so it is not; where you trust it, convert it: \
     python -c 'import torch, safetensors.torch as s; w = torch.load(\"in.bin\", map_location=\"cpu\", weights_only=True); \
     s.save_file({k: v.contiguous().clone() for k, v in w.items()}, \"model.safetensors\")'";

impl Found {
    /// The kind of a file that begins with `start`; none where nothing is recognised.
    pub fn of(start: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], Found); 14] = [
            (b"PK\x03\x04", Found::Zip),
            (b"\x80\x02", Found::Pickle),
            (b"\x80\x03", Found::Pickle),
            (b"\x80\x04", Found::Pickle),
            (b"\x80\x05", Found::Pickle),
            (b"\x89HDF\r\n\x1a\n", Found::Hdf5),
            (b"\x93NUMPY", Found::Npy),
            (b"\x1f\x8b", Found::Gzip),
            (b"\xff\xd8\xff", Found::Picture),
            (b"\x89PNG", Found::Picture),
            (b"II*\0", Found::Picture),
            (b"MM\0*", Found::Picture),
            (b"\xff\xfe", Found::Utf16),
            (b"\xfe\xff", Found::Utf16),
        ];
        let start = &start[..start.len().min(LOOKED_AT)];
        // The length of a safetensors header may begin like anything; it is followed by the header.
        let header = start.get(4..9).is_some_and(|b| b == b"\0\0\0\0{");
        match MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
            Some((_, found)) if !header => Some(*found),
            _ => text(start),
        }
    }

    /// What the file is, and what to do, in a sentence without its beginning and end.
    pub fn described(self) -> String {
        let fixed = match self {
            Self::Empty => "it is empty; copy it again from where it came from",
            Self::LfsPointer => {
                "it is a Git LFS pointer, not the file itself; run `git lfs pull` where it was cloned"
            }
            Self::WebPage => "it is a web page: the download was refused or needs a login; fetch it anew",
            Self::Refusal => {
                "it is a server's answer that there is no such file, or none without a login; correct the address or log in, and \
                 fetch it anew"
            }
            Self::Zip | Self::Pickle => return format!("it is a PyTorch, zip or pickle file; {CONVERT}"),
            Self::Hdf5 => "it is an HDF5 file; name it .h5",
            Self::Npy => "it is a NumPy array; name it .npy",
            Self::Gzip => "it is packed by gzip; unpack it with gunzip",
            Self::Picture => "it is a picture; tiles become features by `features extract`",
            Self::Pdf => "it is a PDF document",
            Self::Utf16 => {
                "it is text of two bytes a character (UTF-16, as spreadsheets save it); save it as CSV UTF-8"
            }
            Self::Json => {
                "it is JSON; the index of a model's shards has to be named model.safetensors.index.json"
            }
            Self::Table => {
                "it is a table in text (CSV): a list of tiles becomes features by `features extract`, a table of features by \
                 `features import`"
            }
            Self::Text => "it is text",
        };
        fixed.to_owned()
    }
}

/// The kind of a text; none for bytes that are no text.
fn text(start: &[u8]) -> Option<Found> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A character may be cut where the look ends.
        Err(e) if e.error_len().is_none() && start.len() == LOOKED_AT => {
            std::str::from_utf8(&start[..e.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return None;
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    let small = trimmed.to_ascii_lowercase();
    let begins = |tags: &[&str]| tags.iter().any(|tag| small.starts_with(tag));
    let first = trimmed.lines().next().unwrap_or("");
    Some(if trimmed.is_empty() {
        Found::Empty
    } else if begins(&["version https://git-lfs"]) {
        Found::LfsPointer
    } else if begins(&["<!doctype", "<html", "<?xml", "<head", "<body"]) {
        Found::WebPage
    } else if begins(&["%pdf-"]) {
        Found::Pdf
    } else if begins(&["{", "["]) {
        Found::Json
    } else if trimmed.lines().nth(1).is_none() && is_refusal(&small) {
        Found::Refusal
    } else if first.contains([',', ';', '\t']) {
        Found::Table
    } else {
        Found::Text
    })
}

/// Whether one line is what hubs and servers answer in place of a file.
fn is_refusal(line: &str) -> bool {
    const ANSWERS: [&str; 10] = [
        "not found",
        "unauthorized",
        "forbidden",
        "access to model",
        "invalid username",
        "invalid credentials",
        "repository not found",
        "access denied",
        "bad request",
        "too many requests",
    ];
    line.len() < 400 && ANSWERS.iter().any(|answer| line.contains(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_what_they_are_and_others_are_left_to_their_readers() {
        for (bytes, found) in [
            (&b""[..], Some(Found::Empty)),
            (b" \r\n", Some(Found::Empty)),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", Some(Found::LfsPointer)),
            (b"\n<!DOCTYPE html>", Some(Found::WebPage)),
            (b"Entry not found", Some(Found::Refusal)),
            (b"Access to model x/y is restricted.", Some(Found::Refusal)),
            (b"PK\x03\x04\x14", Some(Found::Zip)),
            (b"\x80\x02}q\x00", Some(Found::Pickle)),
            (b"\x89HDF\r\n\x1a\n\0", Some(Found::Hdf5)),
            (b"\x93NUMPY\x01\0", Some(Found::Npy)),
            (b"\xff\xfep\0a\0", Some(Found::Utf16)),
            (b"{\"a\": 1}", Some(Found::Json)),
            (b"path,label\na.png,x\n", Some(Found::Table)),
            (b"\xef\xbb\xbfpath;label\r\n", Some(Found::Table)),
            (b"hello", Some(Found::Text)),
            (b"\x10\0\0\0\0\0\0\0{\"a\"", None),
            (b"\x80\x02\0\0\0\0\0\0{\"a\"", None),
            (b"\0\x01\x02\x03", None),
            (b"caf\xe9", None),
        ] {
            assert_eq!(Found::of(bytes), found, "{}", bytes.escape_ascii());
        }
        let mut cut = vec![b'a'; LOOKED_AT - 1];
        cut.extend("é".as_bytes());
        assert_eq!(Found::of(&cut), Some(Found::Text), "a character cut in two");
    }
}
