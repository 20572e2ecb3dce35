//! An audit is kept stage by stage, goes on where it stopped, and stops when asked to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::ops::ControlFlow;

use blindscope_app::audit::{Attack, AuditPlan, AuditProgress, Point, Source, View, audit};

fn plan(out: Option<std::path::PathBuf>) -> AuditPlan {
    let attacks = vec![Attack::Gradient];
    AuditPlan { source: Source::Synthetic, model: None, attacks, images: 8, seed: 3, quick: true, out }
}

#[test]
fn a_kept_stage_is_not_run_again() {
    let folder = std::env::temp_dir().join(format!("blindscope-audit-{}", std::process::id()));
    let mut ticks = 0;
    let mut go = |_: &AuditProgress<'_>| {
        ticks += 1;
        ControlFlow::Continue(())
    };
    let first = audit(&plan(Some(folder.clone())), &mut go).unwrap();
    let second = audit(&plan(Some(folder.clone())), &mut |_| ControlFlow::Break(())).unwrap();
    assert!(ticks > 8);
    assert_eq!(first.conclusions, second.conclusions);
    let cell = |key: &str| first.cells.iter().find(|c| c.key == key).unwrap();
    let clear = cell("gradient_small_vit_psnr");
    assert!(clear.leaks && clear.found.mean > 95.0 && clear.point == Point::Gradient);
    let sealed = cell("gradient_ciphertext_psnr");
    assert!(sealed.view == View::Ciphertext && sealed.found.mean < 15.0);
    assert!(first.conclusions.iter().any(|c| c.contains("gives the image away")));
    let pictures = first.section(&folder).unwrap();
    assert!(!pictures.blocks.is_empty() && folder.join("00-0-reconstructed.png").is_file());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_break_stops_it() {
    let stopped = audit(&plan(None), &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(stopped, blindscope_app::audit::Error::Stopped { done: 1, .. }), "{stopped}");
}

/// What too few hold of a round of sums tells nothing; the same attack with one more does. Answers tell more than nothing.
#[test]
fn rounds_of_sums_and_answers_are_attacked_beside_what_has_to_succeed() {
    let attacks = vec![Attack::Sum, Attack::Answer];
    let report = audit(&AuditPlan { attacks, ..plan(None) }, &mut |_| ControlFlow::Continue(())).unwrap();
    let cell = |key: &str| report.cells.iter().find(|c| c.key == key).unwrap_or_else(|| panic!("{key}"));
    for key in ["sum_body", "sum_parts_too_few", "sum_of_keys", "sum_of_keys_two_honest"] {
        let cell = cell(key);
        assert!(cell.view == View::Ciphertext && !cell.leaks, "{cell:?}");
        assert!((cell.found.mean - 0.5).abs() < 0.15, "{cell:?}");
    }
    for key in ["sum_parts_enough", "sum_of_keys_one_honest"] {
        let cell = cell(key);
        assert!(cell.view == View::Beyond && cell.found.mean > 0.8, "{cell:?}");
    }
    assert!(cell("sum_of_two_honest").found.mean < cell("sum_parts_enough").found.mean);
    let (exact, opened) = (cell("answer_head"), cell("answer_head_opened"));
    assert!(exact.found.mean > 0.99 && opened.found.mean > 0.9, "{exact:?} {opened:?}");
    assert!(report.settings.iter().any(|s| s.starts_with("Threshold t")), "{:?}", report.settings);
    assert!(report.conclusions.iter().any(|c| c.contains("told nothing of a site's tiles")));
    assert_eq!(
        report.galleries.len(),
        4,
        "tokens by too few and enough holders, by exact and opened answers"
    );
}
