//! The measuring code runs and names its figures; what it measures is judged nowhere here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

use blindscope_aggregate::bench;
use blindscope_testkit as testkit;

#[test]
fn figures_are_finite_and_in_stable_order() {
    let figures = bench::sums(11, &mut testkit::rng(5)).unwrap();
    for f in &figures {
        println!("{f:?}");
        assert!(f.value.is_finite() && f.value > 0.0 && f.area == "sum");
    }
    let names: Vec<_> = figures.iter().map(|f| f.figure).collect();
    assert_eq!(names, ["bytes_per_16_bit_value_64_sites", "encode_encrypt_86_6m_extrapolated"]);
}
