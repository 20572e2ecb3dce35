//! The metrics against scikit-image on synthetic pictures. `tests/vectors/metrics.py` made the values.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;

use blindscope_audit::Picture;
use blindscope_audit::metrics::{Similarity, best_order, mean_interval, nmi};
use blindscope_vision::data::{Limits, decode};

fn vectors() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn picture(name: &str) -> Picture {
    let bytes = std::fs::read(vectors().join(format!("{name}.png"))).unwrap();
    Picture::from_rgb(&decode(&bytes, Limits::default()).unwrap())
}

#[test]
fn figures_are_those_of_scikit_image() {
    let text = std::fs::read_to_string(vectors().join("metrics.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let original = picture("original");
    for (name, expected) in vectors["pairs"].as_object().unwrap() {
        let found = Similarity::of(&original, &picture(name)).unwrap();
        let want = |key: &str| expected[key].as_f64().unwrap();
        assert!((found.mse - want("mse")).abs() < 1e-8, "{name}: {found:?}");
        assert!((found.psnr - want("psnr")).abs() < 1e-4, "{name}: {found:?}");
        assert!((found.ssim - want("ssim")).abs() < 1e-6, "{name}: {found:?}");
        assert!((found.nmi - (2.0 - 2.0 / want("studholme"))).abs() < 1e-9, "{name}: {found:?}");
        // scikit-image needs both ends of the range present, which adds two samples to 12,288.
        assert!((found.nmi - (2.0 - 2.0 / want("studholme_skimage"))).abs() < 2e-3, "{name}: {found:?}");
    }
}

#[test]
fn a_copy_is_perfect_and_noise_is_not() {
    let original = picture("original");
    let same = Similarity::of(&original, &original).unwrap();
    assert!(same.mse == 0.0 && same.psnr >= 160.0 && (same.ssim - 1.0).abs() < 1e-12);
    assert!((same.nmi - 1.0).abs() < 1e-12 && (same.exact_bytes - 1.0).abs() < 1e-12);
    assert!(nmi(&[1, 1, 2, 2], &[5, 6, 5, 6]).abs() < 1e-12);
    let small = Picture { side: 8, values: vec![0.0; 192] };
    let message = Similarity::of(&small, &small).unwrap_err().to_string();
    assert_eq!(message, "SSIM: expected two pictures of one side, at least 11, got 8 and 8");
}

#[test]
fn order_does_not_matter() {
    let originals = [picture("original"), picture("other"), picture("noisy")];
    let found = [picture("noisy"), picture("original"), picture("other")];
    assert_eq!(best_order(&originals, &found), [1, 2, 0]);
}

#[test]
fn an_interval_is_students() {
    // scipy.stats.t.interval(0.95, 3, loc=2.5, scale=scipy.stats.sem([1, 2, 3, 4])): 0.446, 4.554
    let four = mean_interval(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert!((four.low - 0.446).abs() < 1e-3 && (four.high - 4.554).abs() < 1e-3, "{four:?}");
    let one = mean_interval(&[7.0]).unwrap();
    assert_eq!((one.low, one.high, one.n), (7.0, 7.0, 1));
    assert!(mean_interval(&[]).is_none());
}
