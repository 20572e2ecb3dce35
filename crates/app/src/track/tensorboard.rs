//! Event files as `TensorBoard` reads them: records of `TFRecord`, each a protocol buffer `Event`. Few fields are needed, so they are
//! written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISCSI, Crc};

use super::{Error, Result, Run};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// What `TFRecord` adds to a rotated CRC-32C.
const MASK: u32 = 0xa282_ead8;
/// The first event's version.
const VERSION: &[u8] = b"brain.Event:2";

/// Writes a run below `folder`, in a folder of its own name; the same run again replaces it. Returns the file.
///
/// # Errors
/// [`Error::File`] where the folder cannot be written.
pub fn write(run: &Run, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join(&run.name);
    fs::create_dir_all(&folder).map_err(Error::file("create the folder", &folder))?;
    let seconds = run.span_ms.0 / 1000;
    let path =
        folder.join(format!("events.out.tfevents.{seconds}.blindscope.{}", &run.id[..8.min(run.id.len())]));
    fs::write(&path, events(run)).map_err(Error::file("write", &path))?;
    Ok(path)
}

/// The file's bytes.
pub fn events(run: &Run) -> Vec<u8> {
    let mut out = Vec::new();
    let first = event(run.span_ms.0, 0, |to| bytes(to, 3, VERSION));
    record(&mut out, &first);
    let mut points: Vec<_> = run
        .series
        .iter()
        .flat_map(|series| {
            series.points.iter().map(|point| (point.at_ms, point.step, &series.name, point.value))
        })
        .collect();
    // Readers take a step that goes back for a restart; times do not go back.
    points.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    for (at_ms, step, name, value) in points {
        let mut scalar = Vec::new();
        bytes(&mut scalar, 1, name.as_bytes());
        key(&mut scalar, 2, 5);
        scalar.extend((value as f32).to_le_bytes());
        let mut summary = Vec::new();
        bytes(&mut summary, 1, &scalar);
        record(&mut out, &event(at_ms, step, |to| bytes(to, 5, &summary)));
    }
    out
}

/// `Event { wall_time = 1, step = 2, .. }`
fn event(at_ms: u64, step: u64, what: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    key(&mut out, 1, 1);
    out.extend((at_ms as f64 / 1000.0).to_le_bytes());
    // What is 0 is left out.
    if step > 0 {
        key(&mut out, 2, 0);
        varint(&mut out, step);
    }
    what(&mut out);
    out
}

/// Length, its CRC, data, its CRC.
fn record(out: &mut Vec<u8>, data: &[u8]) {
    let len = (data.len() as u64).to_le_bytes();
    out.extend(len);
    out.extend(masked(&len).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
}

fn masked(data: &[u8]) -> u32 {
    let mut crc = CRC.digest();
    crc.update(data);
    crc.finalize().rotate_right(15).wrapping_add(MASK)
}

/// A field's number and wire type.
fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn bytes(out: &mut Vec<u8>, field: u64, contents: &[u8]) {
    key(out, field, 2);
    varint(out, contents.len() as u64);
    out.extend(contents);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::{Point, Series};
    use std::collections::BTreeMap;

    /// Written by `TensorBoard`'s own writer (`tensorboard.summary.writer.record_writer`, with events of its `event_pb2`): the version, then
    /// `loss` 0.5 at step 7, both at 1,700,000,000.25 s.
    const KNOWN: &str = include_str!("known_events.hex");

    #[test]
    fn bytes_are_those_of_tensorboard() {
        let point = Point { step: 7, at_ms: 1_700_000_000_250, value: 0.5 };
        let run = Run {
            study: String::new(),
            study_digest: String::new(),
            id: "ab".repeat(32),
            name: "x".to_owned(),
            span_ms: (1_700_000_000_250, 1_700_000_001_000),
            done: true,
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            series: vec![Series { name: "loss".to_owned(), points: vec![point] }],
            files: Vec::new(),
        };
        let digits = KNOWN.trim();
        let known =
            (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap());
        assert_eq!(events(&run), known.collect::<Vec<u8>>());
    }

    #[test]
    fn long_numbers_take_several_bytes() {
        let mut out = Vec::new();
        varint(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
    }
}
