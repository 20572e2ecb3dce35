//! The fuzzer's target functions, bounded and seeded.

#[path = "../../../fuzz/src/wire.rs"]
mod targets;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn no_input_breaks_a_reader(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        targets::all(&data);
    }
}
