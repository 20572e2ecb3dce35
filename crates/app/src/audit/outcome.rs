//! What an audit found: cells of the grid and pictures, plain data.

use serde::{Deserialize, Serialize};

use blindscope_audit::Picture;
use blindscope_audit::metrics::{Estimate, Similarity, mean_interval};

/// What is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// The gradient of a batch.
    Gradient,
    /// A model update after local steps.
    Update,
    /// A CLS token.
    Token,
    /// An aggregate over sites.
    Aggregate,
    /// The head that the study releases.
    Head,
    /// The answers of a head.
    Answer,
}

/// How the attacker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Unencrypted, as in plain federated learning.
    Clear,
    /// As the coordinator holds it under encryption.
    Ciphertext,
    /// After the sites have decrypted it together.
    Released,
    /// By more colluding parties than the study withstands: what shows that the attack works where it can.
    Beyond,
}

/// One measured cell of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Stable key of the figure, unique in an audit.
    pub key: String,
    /// What was attacked.
    pub point: Point,
    /// As seen by whom.
    pub view: View,
    /// The attack and its setting, for people.
    pub attack: String,
    /// What was measured: `PSNR`, `SSIM`, `NMI`, `AUC`, a share.
    pub figure: String,
    /// Its unit; empty for shares.
    pub unit: String,
    /// What the attack reached.
    pub found: Estimate,
    /// What the control reached.
    pub control: Estimate,
    /// What the control is.
    pub control_is: String,
    /// Whether the attack's interval lies above the control's: something got out. One observation decides nothing. All
    /// figures here grow with success.
    pub leaks: bool,
}

impl Cell {
    /// Compares what an attack reached with its control; nothing without observations.
    pub(super) fn new(
        key: impl Into<String>,
        (point, view): (Point, View),
        attack: impl Into<String>,
        (figure, unit): (&str, &str),
        found: &[f64],
        (control_is, control): (&str, &[f64]),
    ) -> Option<Self> {
        let (found, control) = (mean_interval(found)?, mean_interval(control)?);
        Some(Self {
            key: key.into(),
            point,
            view,
            attack: attack.into(),
            figure: figure.into(),
            unit: unit.into(),
            leaks: found.n > 1 && found.low > control.high,
            found,
            control,
            control_is: control_is.into(),
        })
    }
}

/// Pictures of one attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gallery {
    /// The attack, for people.
    pub title: String,
    /// Rows: original, reconstruction, their difference.
    pub rows: Vec<GalleryRow>,
}

/// Name, unit and value of an image figure.
type ImageFigure = (&'static str, &'static str, fn(&Similarity) -> f64);

/// One image of a gallery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GalleryRow {
    /// Which image it is.
    pub name: String,
    /// How alike original and reconstruction are.
    pub similarity: Similarity,
    /// Side of the pictures in pixels.
    pub side: usize,
    /// RGB of original, reconstruction and difference (four times enlarged): rows top to bottom. Left out of the
    /// report's JSON, kept in the stage files.
    pub pictures: [Vec<u8>; 3],
}

impl GalleryRow {
    pub(super) fn new(name: impl Into<String>, original: &Picture, found: &Picture, s: Similarity) -> Self {
        let difference = found.difference(original, 4.0);
        let pictures = [original, found, &difference].map(|p| p.to_rgb().pixels);
        Self { name: name.into(), similarity: s, side: original.side, pictures }
    }
}

/// What one stage of an audit found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Cells of the grid.
    pub cells: Vec<Cell>,
    /// Pictures.
    pub galleries: Vec<Gallery>,
    /// Remarks that belong beside the figures.
    pub notes: Vec<String>,
    /// Wall seconds of each attack by the key of its cells, without the gradient it works on.
    pub seconds: Vec<(String, Vec<f64>)>,
}

impl Evidence {
    pub(super) fn put(&mut self, cell: Option<Cell>) {
        self.cells.extend(cell);
    }

    /// The three image figures of reconstructions against a control's.
    pub(super) fn images(
        &mut self,
        key: &str,
        at: (Point, View),
        attack: &str,
        found: &[Similarity],
        (control_is, control): (&str, &[Similarity]),
    ) {
        let figures: [ImageFigure; 4] = [
            ("PSNR", "dB", |s| s.psnr),
            ("SSIM", "", |s| s.ssim),
            ("NMI", "", |s| s.nmi),
            ("exact bytes", "", |s| s.exact_bytes),
        ];
        for (figure, unit, of) in figures {
            let each = |s: &[Similarity]| -> Vec<f64> { s.iter().map(of).collect() };
            let name = format!("{key}_{}", figure.to_lowercase().replace(' ', "_"));
            let (found, control) = (each(found), each(control));
            self.put(Cell::new(name, at, attack, (figure, unit), &found, (control_is, &control)));
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.cells.extend(other.cells);
        self.galleries.extend(other.galleries);
        self.notes.extend(other.notes);
        self.seconds.extend(other.seconds);
    }
}
