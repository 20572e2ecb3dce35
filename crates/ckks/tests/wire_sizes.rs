//! The sizes that `docs/wire-format.md` states, digit for digit: the page is read, not repeated.

use blindscope_ckks::{Level, Parameters, Seed, UniformHalf, codec, presets};

const PAGE: &str = include_str!("../../../docs/wire-format.md");

#[test]
fn the_page_states_the_sizes_that_are_written() {
    // The last number of the row that begins with this object's name.
    let stated = |object: &str| -> usize {
        let row = PAGE.lines().rev().find(|row| row.starts_with(&format!("| {object} |"))).unwrap();
        let number = row.rsplit(['=', '|']).nth(1).unwrap();
        number.replace(',', "").trim().parse().unwrap()
    };
    let p = Parameters::new(presets::depth_two()).unwrap();
    let seeded = UniformHalf::Seeded(Seed([0; 32]));
    assert_eq!(stated("seeded ciphertext, top level"), codec::seeded_len(&p, p.top_level()));
    assert_eq!(stated("ciphertext, top level"), codec::ciphertext_len(&p, 2, p.top_level()));
    assert_eq!(stated("final ciphertext, nothing dropped"), codec::final_len(&p, codec::DropBits::NONE));
    assert_eq!(stated("public key"), codec::public_key_len(&p));
    assert_eq!(stated("relinearisation key, seeded"), codec::relin_key_len(&p, p.top_level(), seeded));
    assert_eq!(stated("Galois key, seeded"), codec::galois_key_len(&p, p.top_level(), seeded));
    assert_eq!(p.top_level(), Level(2));
}
