//! Figures of the attacks. Bars are the attacker's: a closed form that misses its bar is a defect of the audit, and an
//! attack on ciphertexts that rises above its control is a defect of the system.

use std::path::PathBuf;

use super::{Better, Error, Figure, Report};
use crate::audit::{Attack, AuditPlan, AuditReport, Cell, OnProgress, Source, View, audit};

const AREA: &str = "audit";

/// PSNR (dB), SSIM and NMI of arXiv 2511.20983.
const PAPER: [(&str, f64); 3] = [("psnr", 52.26), ("ssim", 0.999), ("nmi", 0.741)];

/// The update after several steps on a batch.
const STEPS: &str = "batch_4_steps_5_psnr";

/// What the audit's bench works on.
#[derive(Debug, Clone)]
pub struct AuditBench {
    /// Folder of real tiles; synthetic ones without it.
    pub data: Option<PathBuf>,
    /// The backbone of the token attacks; a drawn one without it.
    pub model: Option<PathBuf>,
    /// Tiles of the closed forms.
    pub images: usize,
    /// Seed of tiles and weights.
    pub seed: u64,
    /// What to attack.
    pub attacks: Vec<Attack>,
    /// Folder in which finished stages are kept, to go on from.
    pub out: Option<PathBuf>,
}

pub(super) fn run(bench: &AuditBench, progress: OnProgress<'_>) -> Result<Report, Error> {
    let plan = AuditPlan {
        source: bench.data.clone().map_or(Source::Synthetic, Source::Folder),
        model: bench.model.clone(),
        attacks: bench.attacks.clone(),
        images: bench.images,
        seed: bench.seed,
        quick: false,
        out: bench.out.clone(),
    };
    let found = audit(&plan, progress)?;
    let backend = format!("gradients in f32, solves in f64; {}; backbone {}", found.tiles, found.backbone);
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    for (missing, what) in [(bench.data.is_none(), "real tiles"), (bench.model.is_none(), "a real backbone")]
    {
        if missing {
            report.missing.push(format!("figures on {what}: set BLINDSCOPE_DATA"));
        }
    }
    over_the_paper(&found, &mut report);
    report.figures.extend(found.cells.iter().flat_map(figures));
    beyond_the_control(&found, &mut report);
    for (key, seconds) in &found.seconds {
        // A search over a batch is given ten minutes, a solve three seconds.
        let batch = key.starts_with("batch");
        let (name, bar, aim) = if batch { ("attack_wall", 600.0, 300.0) } else { ("solve_wall", 3.0, 0.5) };
        let figure = Figure::of(AREA, format!("{key}_{name}"), "s", Better::Lower, seconds);
        report.figures.push(figure.must(bar, aim));
    }
    Ok(report)
}

/// The closed form on the paper's transformer less the paper's own figures, means over the tiles.
fn over_the_paper(found: &AuditReport, report: &mut Report) {
    for (figure, paper) in PAPER {
        let key = format!("gradient_paper_vit_{figure}");
        if let Some(cell) = found.cells.iter().find(|c| c.key == key) {
            let name = format!("{key}_mean_over_paper");
            let value = [cell.found.mean - paper];
            let unit = if figure == "psnr" { "dB" } else { "x" };
            report.figures.push(Figure::of(AREA, name, unit, Better::Higher, &value).must(0.0, 0.0));
        }
    }
}

/// How far the interval of the update after several steps lies above its control's.
fn beyond_the_control(found: &AuditReport, report: &mut Report) {
    if let Some(cell) = found.cells.iter().find(|c| c.key == STEPS) {
        let value = [cell.found.low - cell.control.high];
        let name = format!("{STEPS}_low_over_control_high");
        report.figures.push(Figure::of(AREA, name, "dB", Better::Higher, &value).must(0.0, 0.0));
    }
}

/// A cell's mean with its 95 % interval as spread; under encryption it must stay below the control's interval, after several steps above.
fn figures(cell: &Cell) -> [Figure; 2] {
    let unit = if cell.unit == "dB" { "dB" } else { "x" };
    let estimate = |name: String, better, e: &blindscope_audit::metrics::Estimate| {
        let figure = Figure::of(AREA, name, unit, better, &[e.mean]);
        Figure { runs: e.n, spread: [e.low, e.high], ..figure }
    };
    let found = match (cell.view, bar(&cell.key)) {
        (View::Ciphertext, _) => {
            let within = cell.control.high;
            estimate(cell.key.clone(), Better::Lower, &cell.found).must(within, within)
        }
        (_, Some((bar, aim))) => estimate(cell.key.clone(), Better::Higher, &cell.found).must(bar, aim),
        (_, None) if cell.key == STEPS => {
            estimate(cell.key.clone(), Better::Higher, &cell.found).must(cell.control.high, 40.0)
        }
        (_, None) => estimate(cell.key.clone(), Better::Higher, &cell.found),
    };
    [found, estimate(format!("{}_control", cell.key), Better::Lower, &cell.control)]
}

/// What the closed form must reach.
fn bar(key: &str) -> Option<(f64, f64)> {
    match key {
        "gradient_paper_vit_psnr" => Some((95.0, 108.0)),
        "gradient_vit_b16_psnr" => Some((97.0, 108.0)),
        "gradient_paper_vit_ssim" | "gradient_vit_b16_ssim" => Some((0.9999, 0.9999)),
        "batch_4_psnr" | "batch_4_paper_psnr" => Some((60.0, 100.0)),
        // Controls of the attacks on a round of sums: where more collude than a study withstands, everything is read.
        "sum_parts_enough" | "sum_of_keys_one_honest" => Some((0.9, 0.99)),
        _ => None,
    }
}
