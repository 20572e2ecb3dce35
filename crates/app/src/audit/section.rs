//! The audit as a section of the report.

use std::path::Path;

use super::outcome::{Cell, Gallery, GalleryRow, Point, View};
use super::{AuditReport, Error};
use blindscope_report::{
    Block, Drawing, Fact, Figure, ImageCell, ImageGrid, Png, Provenance, Report, Section, Table,
};
use blindscope_vision::data::Rgb;
use blindscope_vision::synth::save_png;

impl AuditReport {
    /// Conclusions, pictures and every figure. PNG files of the pictures are written to `folder` and embedded.
    ///
    /// # Errors
    /// [`Error::Vision`] and [`Error::Io`] when a picture cannot be written.
    pub fn section(&self, folder: &Path) -> Result<Section, Error> {
        let mut section = Section::new("Audit: what the study's data could be attacked for");
        for conclusion in &self.conclusions {
            section.paragraph(conclusion);
        }
        if !self.settings.is_empty() {
            section.paragraph("What each setting buys:");
            section.push(Block::List(self.settings.clone()));
        }
        for (number, gallery) in self.galleries.iter().enumerate() {
            section.push(figure(gallery, number, folder)?);
        }
        section.push(Block::Table(table(&self.cells)?));
        if !self.notes.is_empty() {
            section.push(Block::List(self.notes.clone()));
        }
        Ok(section)
    }
}

fn figure(gallery: &Gallery, number: usize, folder: &Path) -> Result<Block, Error> {
    let columns = ["original", "reconstructed", "difference, four times enlarged"];
    let mut grid = ImageGrid { columns: columns.map(str::to_owned).to_vec(), rows: Vec::new() };
    for (at, row) in gallery.rows.iter().enumerate() {
        let mut cells = Vec::new();
        for (which, name) in ["original", "reconstructed", "difference"].into_iter().enumerate() {
            let path = folder.join(format!("{number:02}-{at}-{name}.png"));
            cells.push(picture(row, which, name, &path)?);
        }
        grid.rows.push((row.name.clone(), cells));
    }
    Ok(Block::Figure(Box::new(Figure {
        caption: gallery.title.clone(),
        drawing: Drawing::Images(grid),
        numbers: None,
    })))
}

fn picture(row: &GalleryRow, which: usize, name: &str, path: &Path) -> Result<ImageCell, Error> {
    let pixels = row.pictures.get(which).cloned().unwrap_or_default();
    save_png(&Rgb { width: row.side, height: row.side, pixels }, path)?;
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        operation: "reading",
        path: path.to_owned(),
        source,
    })?;
    let s = &row.similarity;
    let caption = match which {
        1 => format!("{:.1} dB, SSIM {:.3}, NMI {:.3}", s.psnr, s.ssim, s.nmi),
        _ => String::new(),
    };
    Ok(ImageCell { png: Png::new(bytes)?, alt: format!("{name} of {}", row.name), caption })
}

fn table(cells: &[Cell]) -> Result<Table, Error> {
    let columns =
        ["attack", "on", "seen", "figure", "reached", "control", "control is", "images or trials", "leaks"];
    let mut table = Table::new("Every figure with its control; means with 95 % intervals", &columns);
    for c in cells {
        let estimate = |e: &blindscope_audit::metrics::Estimate| {
            format!("{:.3} [{:.3}, {:.3}] {}", e.mean, e.low, e.high, c.unit)
        };
        table.push(vec![
            c.attack.clone(),
            point(c.point).into(),
            view(c.view).into(),
            c.figure.clone(),
            estimate(&c.found).trim_end().into(),
            estimate(&c.control).trim_end().into(),
            c.control_is.clone(),
            c.found.n.to_string(),
            if c.leaks { "yes" } else { "no" }.into(),
        ])?;
    }
    Ok(table)
}

fn point(point: Point) -> &'static str {
    match point {
        Point::Gradient => "gradient",
        Point::Update => "model update",
        Point::Token => "CLS token",
        Point::Aggregate => "aggregate",
        Point::Head => "head",
        Point::Answer => "answers",
    }
}

fn view(view: View) -> &'static str {
    match view {
        View::Clear => "in the clear",
        View::Ciphertext => "as ciphertext",
        View::Released => "released",
        View::Beyond => "beyond the promise",
    }
}

/// The audit as a page of its own, as HTML.
///
/// # Errors
/// As [`AuditReport::section`].
pub fn page(report: &AuditReport, folder: &Path, command: &str) -> Result<String, Error> {
    let facts = vec![Fact::new("tiles", &report.tiles), Fact::new("backbone", &report.backbone)];
    let quick = if report.quick {
        " Small models and short searches stood in: run without --quick for figures to quote."
    } else {
        ""
    };
    let document = Report {
        title: "Blindscope audit".into(),
        summary: format!("{} attacks with their controls.{quick}", report.cells.len()),
        headlines: Vec::new(),
        sections: vec![report.section(folder)?],
        provenance: Provenance {
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
            seed: Some(report.seed),
            time: String::new(),
            facts,
        },
    };
    Ok(document.to_html())
}
