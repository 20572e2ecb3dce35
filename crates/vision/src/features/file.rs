//! The features file: one `safetensors` with rows, ids, labels, groups and the backbone they came from.
//!
//! | tensor | type and shape | content |
//! | --- | --- | --- |
//! | `features` | F32 `[n, d]` | CLS tokens in rows |
//! | `labels` | U64 `[n]` | class index, or 2⁶⁴−1 for none |
//! | `groups` | U64 `[n]` | tiles that must stay together share a number |
//! | `ids` | U8 `[bytes]` | row names, each ended by a newline |
//! | `patients`, `sites` | U8 `[bytes]` | likewise, an empty line for an unknown one; absent when none is known |
//! | `coords` | I64 `[n, 2]` | corner of each patch at level 0 of its slide; absent when unknown |
//! | `image_digests` | U8 `[n, 32]` | SHA-256 of each image file; absent in imported files without them |
//!
//! Notes: `format`, `classes` (a JSON list), `backbone` (hexadecimal digest, empty when unknown), and under `of.NAME` what an
//! imported file said of itself. The same features make the same bytes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype;

use super::Features;
use crate::error::{Error, Result};
use crate::tensorfile::{self, Content, Take, Tensor, TensorFile};
use crate::values::{ROOM, Values};
use blindscope_wire::{hex, unhex};

const FORMAT: &str = "blindscope features 1";
/// Before the names of attributes among the notes.
const OF: &str = "of.";

/// Numbers that are encoded at a time.
const PIECE: usize = 1 << 18;

impl Features {
    /// Writes the file; a reader sees the old one or the new one, nothing between.
    ///
    /// # Errors
    /// As [`Features::check`]; [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check_columns()?;
        let labels = whole(self.labels.iter().map(|l| l.map_or(u64::MAX, |l| l as u64)));
        let groups = whole(self.groups.iter().map(|g| *g as u64));
        let ids = lines(self.ids.iter().map(String::as_str));
        let named =
            |column: &[Option<String>]| lines(column.iter().map(|name| name.as_deref().unwrap_or("")));
        let (patients, sites) = (named(&self.patients), named(&self.sites));
        let corners: Vec<u8> = self.coords.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        let numbers = |take: Take<'_>| self.numbers(take);

        let n = self.len();
        let tensor = |name: &str, shape: &[usize], dtype, content| -> Tensor<'_> {
            Tensor { name: name.to_owned(), shape: shape.to_vec(), dtype, content }
        };
        let mut tensors = vec![
            tensor("features", &[n, self.width], Dtype::F32, Content::Pieces(&numbers)),
            tensor("labels", &[n], Dtype::U64, Content::Bytes(&labels)),
            tensor("groups", &[n], Dtype::U64, Content::Bytes(&groups)),
            tensor("ids", &[ids.len()], Dtype::U8, Content::Bytes(&ids)),
        ];
        for (name, column) in [("patients", &patients), ("sites", &sites)] {
            if column.iter().any(|byte| *byte != b'\n') {
                tensors.push(tensor(name, &[column.len()], Dtype::U8, Content::Bytes(column)));
            }
        }
        if !self.image_digests.is_empty() {
            let digests = self.image_digests.as_flattened();
            tensors.push(tensor("image_digests", &[n, 32], Dtype::U8, Content::Bytes(digests)));
        }
        if !corners.is_empty() {
            tensors.push(tensor("coords", &[n, 2], Dtype::I64, Content::Bytes(&corners)));
        }
        tensorfile::write(path, tensors, &self.notes())
    }

    /// Hands on the bytes of all numbers, each of which is finite.
    fn numbers(&self, take: Take<'_>) -> Result<()> {
        let mut before = 0;
        for block in self.values.blocks() {
            for piece in block?.chunks(PIECE) {
                // A loop that may end at each number is no loop of vectors.
                if !piece.iter().fold(true, |all, v| all & v.is_finite()) {
                    let at = piece.iter().position(|v| !v.is_finite()).unwrap_or_default();
                    return Err(self.not_finite(before + at));
                }
                if cfg!(target_endian = "little") {
                    take(bytemuck::cast_slice(piece))?;
                } else {
                    take(&piece.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
                }
                before += piece.len();
            }
        }
        Ok(())
    }

    fn notes(&self) -> BTreeMap<String, String> {
        let classes = serde_json::Value::from(self.classes.clone()).to_string();
        let mut notes = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("classes".to_owned(), classes),
            ("backbone".to_owned(), self.backbone.map_or_else(String::new, |d| hex(&d))),
        ]);
        notes.extend(self.attributes.iter().map(|(name, value)| (format!("{OF}{name}"), value.clone())));
        notes
    }

    /// Whether a file says that [`Features::save`] wrote it.
    pub fn is_ours(path: &Path) -> bool {
        TensorFile::open(path).is_ok_and(|file| file.note("format") == Some(FORMAT))
    }

    /// Reads a file that [`Features::save`] wrote. Numbers that are many ([`ROOM`]) stay in it: they are read when they are asked
    /// for, so the file has to stay as it is meanwhile.
    ///
    /// # Errors
    /// [`Error::Format`] for any other file, and as [`Features::check`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_within(path, ROOM)
    }

    /// As [`Features::load`], with room for this many bytes of numbers in memory.
    ///
    /// # Errors
    /// As [`Features::load`].
    pub fn load_within(path: &Path, room: usize) -> Result<Self> {
        let mut file = TensorFile::open(path)?;
        let mut features = Self::columns(&mut file, path)?;
        let numbers = file.entry("features").map_or(0, |e| e.shape.iter().product::<usize>());
        features.values = if 4 * numbers <= room {
            file.floats("features")?.into()
        } else {
            let numbers = Arc::new(file.numbers("features")?);
            let rows = numbers.rows;
            Values::stored(numbers, 0, rows)
        };
        features.check()?;
        Ok(features)
    }

    /// Everything but the numbers.
    fn columns(file: &mut TensorFile, path: &Path) -> Result<Self> {
        let bad = |reason: &str| Error::format("features", path, reason);
        if file.note("format") != Some(FORMAT) {
            return Err(bad(
                "its notes name no known features format; use `features import` for other files",
            ));
        }
        let shape = file.entry("features").map(|e| e.shape.clone()).unwrap_or_default();
        let &[_, width] = shape.as_slice() else { return Err(bad("no tensor `features` of rank 2")) };
        let classes = file.note("classes").and_then(|c| serde_json::from_str(c).ok());
        let classes = classes.ok_or_else(|| bad("its notes hold no list of classes"))?;
        let backbone = file.note("backbone").and_then(unhex);
        if file.entry("ids").is_none() {
            return Err(bad("no tensor `ids`"));
        }
        let ids = names(file, "ids")?.into_iter().map(Option::unwrap_or_default).collect();
        let (patients, sites) = (names(file, "patients")?, names(file, "sites")?);
        let label = |l: u64| (l != u64::MAX).then_some(l as usize);
        let image_digests = match file.entry("image_digests") {
            Some(_) => file.octets("image_digests")?.as_chunks::<32>().0.to_vec(),
            None => Vec::new(),
        };
        let coords = match file.entry("coords") {
            Some(_) => file.signed("coords")?.as_chunks::<2>().0.to_vec(),
            None => Vec::new(),
        };
        Ok(Self {
            width,
            ids,
            labels: file.integers("labels")?.into_iter().map(label).collect(),
            groups: file.integers("groups")?.into_iter().map(|g| g as usize).collect(),
            patients,
            sites,
            classes,
            backbone,
            image_digests,
            coords,
            attributes: file.notes_under(OF),
            values: Values::default(),
        })
    }
}

/// Little-endian integers.
fn whole(values: impl Iterator<Item = u64>) -> Vec<u8> {
    values.flat_map(u64::to_le_bytes).collect()
}

/// Names, each ended by a newline.
fn lines<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    names.flat_map(|name| name.bytes().chain([b'\n'])).collect()
}

/// The names in a tensor of lines, none for an empty line; no names without the tensor.
fn names(file: &mut TensorFile, tensor: &str) -> Result<Vec<Option<String>>> {
    if file.entry(tensor).is_none() {
        return Ok(Vec::new());
    }
    let text = String::from_utf8(file.octets(tensor)?);
    let text = text.map_err(|_| Error::format("features", file.path(), format!("{tensor} are not UTF-8")))?;
    Ok(text.lines().map(|line| (!line.is_empty()).then(|| line.to_owned())).collect())
}
