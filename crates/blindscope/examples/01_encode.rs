//! Numbers become a polynomial with integer coefficients, and come back.
//!
//! CKKS computes on polynomials modulo `X^N + 1`. A vector of `N/2` numbers, one a *slot*, is the polynomial that takes
//! these values at `N/2` roots of unity. Its coefficients are multiplied by a *scale* and rounded, which is the first of
//! several small errors, and the reason why the scheme is called approximate.
//!
//! ```text
//! N = 8192, 4096 slots, levels 0 to 2
//! scale 2^40
//! slots come back as 0.500000, -1.250000, 3.000000, 0.000000
//! the largest error is below 2^-30: true
//! integers in coefficients come back exactly: [7, -7, 0]
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use blindscope::ckks::{Encoder, Error, Parameters, presets};

fn main() -> Result<(), Error> {
    // A named set of parameters: two multiplications, 128 bits of security.
    let params = Parameters::new(presets::depth_two())?;
    println!("N = {}, {} slots, levels 0 to {}", params.n(), params.slots(), params.top_level().0);

    // The scale travels with the plaintext, exactly: it is a product of primes and a power of two, never a rounded number.
    let scale = params.default_scale();
    println!("scale 2^{:.0}", params.scale_log2(&scale));

    let encoder = Encoder::new(&params);
    let numbers = [0.5, -1.25, 3.0];
    let plaintext = encoder.encode_real(&numbers, params.top_level(), scale)?;
    let back = encoder.decode_real(&plaintext)?;
    // Adding zero: a rounded negative zero prints as zero.
    let shown: Vec<String> =
        back[..4].iter().map(|x| format!("{:.6}", (x * 1e6).round() / 1e6 + 0.0)).collect();
    println!("slots come back as {}", shown.join(", "));

    let error = numbers.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("the largest error is below 2^-30: {}", error < 2f64.powi(-30));

    // Sums of many sites' values are not approximate: they are integers in coefficients, and no transform touches them.
    let exact = encoder.encode_integers(&[7, -7, 0], params.top_level())?;
    println!("integers in coefficients come back exactly: {:?}", &encoder.decode_integers(&exact)?[..3]);
    Ok(())
}
