//! Figures of the attacks. Bars are the attacker's: a closed form that misses its bar is a defect of the audit.

use std::path::PathBuf;

use super::{BenchError, Better, Figure, Report};
use crate::audit::{ClosedForm, ClosedTarget, Source, Tiles, closed_form};
use blindscope_vision::vit::Config;

const AREA: &str = "audit";

/// What the audit's bench works on.
#[derive(Debug, Clone)]
pub struct AuditBench {
    /// Folder of real tiles; synthetic ones without it.
    pub data: Option<PathBuf>,
    /// Tiles of the closed forms.
    pub images: usize,
    /// Seed of tiles and weights.
    pub seed: u64,
}

pub(super) fn run(plan: &AuditBench) -> Result<Report, BenchError> {
    let source = plan.data.clone().map_or(Source::Synthetic, Source::Folder);
    let tiles = Tiles::list(&source, plan.seed)?;
    let backend = format!("gradients in f32, solves in f64; {}", tiles.source);
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    if plan.data.is_none() {
        report.missing.push("figures on real tiles: name a folder with --data or BLINDSCOPE_DATA".into());
    }
    closed(plan, &tiles, &mut report)?;
    Ok(report)
}

fn closed(plan: &AuditBench, tiles: &Tiles, report: &mut Report) -> Result<(), BenchError> {
    let tiles = tiles.of_different_groups(0, plan.images)?;
    let classes = 1 + tiles.iter().map(|t| t.label).max().unwrap_or(0);
    for (name, config) in [("paper_vit", Config::paper()), ("vit_b16", Config::vit_base())] {
        let target = ClosedTarget::at_random_start(config, classes, plan.seed)?;
        let found: Vec<ClosedForm> =
            tiles.iter().map(|t| closed_form(&target, t, true)).collect::<Result<_, _>>()?;
        let each = |f: fn(&ClosedForm) -> f64| -> Vec<f64> { found.iter().map(f).collect() };
        let mut put = |figure: &str, unit, better, samples: Vec<f64>, must: Option<(f64, f64)>| {
            let figure = Figure::of(AREA, format!("closed_form_{name}_{figure}"), unit, better, &samples);
            report.figures.push(must.map_or(figure.clone(), |(bar, aim)| figure.must(bar, aim)));
        };
        let (psnr, ssim) = (each(|c| c.similarity.psnr), each(|c| c.similarity.ssim));
        let nmi = each(|c| c.similarity.nmi);
        put("psnr", "dB", Better::Higher, psnr.clone(), Some((95.0, 108.0)));
        put("psnr_mean", "dB", Better::Higher, vec![mean(&psnr)], Some((95.0, 108.0)));
        put("psnr_mean_over_paper", "dB", Better::Higher, vec![mean(&psnr) - PAPER[0]], Some((0.0, 0.0)));
        put("ssim", "x", Better::Higher, ssim.clone(), Some((0.9999, 0.9999)));
        put("ssim_mean_over_paper", "x", Better::Higher, vec![mean(&ssim) - PAPER[1]], Some((0.0, 0.0)));
        put("nmi_mean_over_paper", "x", Better::Higher, vec![mean(&nmi) - PAPER[2]], Some((0.0, 0.0)));
        put("exact_bytes", "x", Better::Higher, each(|c| c.similarity.exact_bytes), None);
        put("labels_recovered", "x", Better::Higher, vec![mean(&each(|c| f64::from(c.label_found)))], None);
        put("solve_wall", "s", Better::Lower, each(|c| c.seconds), Some((3.0, 0.5)));
    }
    Ok(())
}

/// PSNR (dB), SSIM and NMI of arXiv 2511.20983.
const PAPER: [f64; 3] = [52.26, 0.999, 0.741];

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
