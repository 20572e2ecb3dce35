//! Heads as `safetensors`.
//!
//! | tensor | shape | of |
//! | --- | --- | --- |
//! | `normalisation.mean`, `normalisation.gain` | `[width]` | every head |
//! | `normalisation.bound` | `[1]` | every head |
//! | `normalisation.radius` | `[1]` | heads whose tokens are shortened to a ball |
//! | `range` | `[1]` | heads whose range is stated |
//! | `layer.weights`, `layer.bias` | `[classes, width]`, `[classes]` | linear heads |
//! | `forms.weights`, `forms.bias` | `[rank, width]`, `[rank]` | quadratic heads |
//! | `squares` | `[classes, rank]` | quadratic heads |
//! | `linear.weights`, `linear.bias` | `[classes, width]`, `[classes]` | quadratic heads |
//! | `inner.weights`, `inner.bias` | `[hidden, width]`, `[hidden]` | polynomial heads |
//! | `polynomial` | `[3]` or `[5]`, lowest coefficient first | polynomial heads |
//! | `outer.weights`, `outer.bias` | `[classes, hidden]`, `[classes]` | polynomial heads |
//!
//! Names of the classes are a list in JSON under `classes` of the file's notes (`__metadata__`), the digest of the backbone stands under
//! `backbone`.
//!
//! `F64` or `F32`, little-endian, rows one after the other; `F64` is written. Names tell the kind of head; other names are
//! refused. The result is checked as JSON is.

use std::collections::{BTreeSet, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::literal::{Affine, HeadLiteral, Map, Matrix, Normalisation};
use super::{Head, MOST_BYTES};
use crate::{Error, Result};
use blindscope_wire::hex;

/// Whether these bytes are `safetensors`: eight bytes of length, then the header's JSON. Text has no zero among its bytes.
pub(super) fn is_tensors(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, _, _, _, _, 0, b'{', ..])
}

impl Head {
    /// Reads a head from `safetensors`; the table of this module's documentation, and of `docs/inference.md`, names the
    /// tensors.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a file that is not read whole, [`Error::SafeTensors`] for bytes of another format, [`Error::Tensor`]
    /// for a tensor that is missing, strange or of another type,
    /// [`Error::Backbone`] for one that is no digest, or as [`Self::new`].
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MOST_BYTES {
            return Err(Error::TooLarge { what: "head", found: bytes.len(), most: MOST_BYTES });
        }
        let mut tensors = Tensors { file: SafeTensors::deserialize(bytes)?, read: BTreeSet::new() };
        let literal = tensors.literal()?;
        tensors.nothing_else()?;
        let notes = notes(bytes)?;
        let names =
            notes.get(CLASSES).map(|json| serde_json::from_str(json)).transpose()?.unwrap_or_default();
        let head = Self::new(literal)?.of_known_classes(names)?;
        head.of_known_backbone(notes.get(BACKBONE).map(String::as_str))
    }

    /// The head as `safetensors`.
    ///
    /// # Errors
    /// [`Error::SafeTensors`] where the writer fails.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let parts = parts(self.literal());
        let views = parts
            .iter()
            .map(|p| Ok((p.name, TensorView::new(Dtype::F64, p.shape.clone(), &p.bytes)?)))
            .collect::<Result<Vec<_>>>()?;
        let names = self.class_names();
        let mut notes = HashMap::new();
        if !names.is_empty() {
            notes.insert(CLASSES.to_owned(), serde_json::to_string(names)?);
        }
        if let Some(backbone) = self.backbone() {
            notes.insert(BACKBONE.to_owned(), hex(&backbone));
        }
        Ok(safetensors::serialize(views, (!notes.is_empty()).then_some(notes))?)
    }
}

/// The note that names the classes.
const CLASSES: &str = "classes";
/// The note that names the backbone.
const BACKBONE: &str = "backbone";

/// A file's notes.
fn notes(bytes: &[u8]) -> Result<HashMap<String, String>> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    Ok(header.metadata().clone().unwrap_or_default())
}

/// One tensor to write.
struct Part {
    name: &'static str,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn part<'a>(name: &'static str, shape: Vec<usize>, values: impl Iterator<Item = &'a f64>) -> Part {
    Part { name, shape, bytes: values.flat_map(|v| v.to_le_bytes()).collect() }
}

fn vector(name: &'static str, values: &[f64]) -> Part {
    part(name, vec![values.len()], values.iter())
}

fn matrix(name: &'static str, rows: &Matrix) -> Part {
    part(name, vec![rows.len(), rows.first().map_or(0, Vec::len)], rows.iter().flatten())
}

fn parts(head: &HeadLiteral) -> Vec<Part> {
    let n = &head.normalisation;
    let mut parts = vec![
        vector("normalisation.mean", &n.mean),
        vector("normalisation.gain", &n.gain),
        vector("normalisation.bound", &[n.bound]),
    ];
    parts.extend(n.radius.map(|radius| vector("normalisation.radius", &[radius])));
    parts.extend(head.range.map(|range| vector("range", &[range])));
    parts.extend(match &head.map {
        Map::Linear { layer } => {
            vec![matrix("layer.weights", &layer.weights), vector("layer.bias", &layer.bias)]
        }
        Map::Quadratic { forms, squares, linear } => vec![
            matrix("forms.weights", &forms.weights),
            vector("forms.bias", &forms.bias),
            matrix("squares", squares),
            matrix("linear.weights", &linear.weights),
            vector("linear.bias", &linear.bias),
        ],
        Map::Polynomial { inner, polynomial, outer } => vec![
            matrix("inner.weights", &inner.weights),
            vector("inner.bias", &inner.bias),
            vector("polynomial", polynomial),
            matrix("outer.weights", &outer.weights),
            vector("outer.bias", &outer.bias),
        ],
    });
    parts
}

/// A file and the names that were read from it.
struct Tensors<'b> {
    file: SafeTensors<'b>,
    read: BTreeSet<&'static str>,
}

impl Tensors<'_> {
    fn literal(&mut self) -> Result<HeadLiteral> {
        let normalisation = Normalisation {
            mean: self.vector("normalisation.mean")?,
            gain: self.vector("normalisation.gain")?,
            bound: self.number("normalisation.bound")?,
            radius: self.optional("normalisation.radius")?,
        };
        let range = self.optional("range")?;
        let map = if self.has("layer.weights") {
            Map::Linear { layer: self.affine("layer.weights", "layer.bias")? }
        } else if self.has("forms.weights") {
            Map::Quadratic {
                forms: self.affine("forms.weights", "forms.bias")?,
                squares: self.matrix("squares")?,
                linear: self.affine("linear.weights", "linear.bias")?,
            }
        } else {
            Map::Polynomial {
                inner: self.affine("inner.weights", "inner.bias")?,
                polynomial: self.vector("polynomial")?,
                outer: self.affine("outer.weights", "outer.bias")?,
            }
        };
        Ok(HeadLiteral { normalisation, map, range })
    }

    fn optional(&mut self, name: &'static str) -> Result<Option<f64>> {
        if self.has(name) { self.number(name).map(Some) } else { Ok(None) }
    }

    fn has(&self, name: &str) -> bool {
        self.file.tensor(name).is_ok()
    }

    fn affine(&mut self, weights: &'static str, bias: &'static str) -> Result<Affine> {
        Ok(Affine { weights: self.matrix(weights)?, bias: self.vector(bias)? })
    }

    fn matrix(&mut self, name: &'static str) -> Result<Matrix> {
        let (shape, values) = self.values(name)?;
        match *shape {
            // No row is taken for none: an empty matrix is refused by the head's own check.
            [_, columns] => Ok(values.chunks(columns.max(1)).map(<[f64]>::to_vec).collect()),
            _ => Err(refused(name, format!("{shape:?}"), "two dimensions")),
        }
    }

    fn vector(&mut self, name: &'static str) -> Result<Vec<f64>> {
        let (shape, values) = self.values(name)?;
        if shape.len() == 1 { Ok(values) } else { Err(refused(name, format!("{shape:?}"), "one dimension")) }
    }

    fn number(&mut self, name: &'static str) -> Result<f64> {
        let (shape, values) = self.values(name)?;
        match *values {
            [value] => Ok(value),
            _ => Err(refused(name, format!("{shape:?}"), "one number")),
        }
    }

    fn values(&mut self, name: &'static str) -> Result<(Vec<usize>, Vec<f64>)> {
        let tensor = self.file.tensor(name)?;
        self.read.insert(name);
        let data = tensor.data();
        let values = match tensor.dtype() {
            Dtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            Dtype::F32 => data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
            other => return Err(refused(name, other.to_string(), "F64 or F32")),
        };
        Ok((tensor.shape().to_vec(), values))
    }

    fn nothing_else(&self) -> Result<()> {
        match self.file.names().into_iter().find(|name| !self.read.contains(name)) {
            Some(name) => {
                // A name from outside, shown no longer than names are.
                let name: String = name.chars().take(64).collect();
                Err(refused("another tensor", name, "the tensors of one kind of head"))
            }
            None => Ok(()),
        }
    }
}

fn refused(name: &'static str, found: String, expected: &'static str) -> Error {
    Error::Tensor { name, found, expected }
}
