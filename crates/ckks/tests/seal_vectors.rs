//! Known answers from an independent implementation: keys and ciphertexts that Microsoft SEAL and TenSEAL wrote (see
//! `vectors/make_seal_vectors.py`), opened twice: by CKKS's definitions, written as loops over big integers, and by
//! this crate. Both must agree to the last integer, and with the clear messages to the stated bits.

mod seal;

use num_complex::Complex64;

use blindscope_ckks::{Arithmetic, Decryptor, Encoder, Evaluator, Scale};
use blindscope_testkit::{Precision, assert_bits};
use seal::definition::{coefficients, decode, decrypt, inner_product, mul};
use seal::import;
use seal::sets::Set;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A vector, the exact scale of its message, its clear slots in SEAL's order, and the bits they must agree to.
type Case<'a> = (&'a str, Scale, &'a [Complex64], f64);

fn multiply(a: &[Complex64], b: &[Complex64]) -> Vec<Complex64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

fn sum(a: &[Complex64], b: &[Complex64]) -> Vec<Complex64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Opens each ciphertext both ways, ours on every path of this processor.
fn open_all(set: &Set, log2_scale: u32, cases: &[Case<'_>]) -> Outcome {
    Arithmetic::available().try_for_each(|path| open_all_on(path, set, log2_scale, cases))
}

fn open_all_on(path: Arithmetic, set: &Set, log2_scale: u32, cases: &[Case<'_>]) -> Outcome {
    let params = import::parameters(path, set, log2_scale)?;
    let secret = import::secret_key(&params, &set.secret);
    let encoder = Encoder::new(&params);
    for &(name, scale, clear, bits) in cases {
        let c = set.ciphertext(name)?;
        let message = decrypt(&c, &set.secret, &set.parameters);
        let slots = decode(&message, c.scale);
        assert_bits(&format!("{name}, definition"), Precision::of(&slots[..clear.len()], clear), bits);

        let plaintext = Decryptor::new(&secret).decrypt(&import::ciphertext(&params, &c, scale))?;
        assert_eq!(
            encoder.decode_integers(&plaintext)?,
            message,
            "{name}, {path}: another integer polynomial"
        );
        let ours = import::seal_slots(&encoder.decode_slots(&plaintext)?);
        assert_bits(&format!("{name}, {path}, the two decoders"), Precision::of(&ours, &slots), 38.0);
    }
    Ok(())
}

/// N = 1024, primes of 46, 40, 40 and 46 bits, scale 2^40.
#[test]
fn each_operation_of_seal_opens_to_its_clear_result() -> Outcome {
    let set = Set::seal("seal-small")?;
    let bits: Vec<u32> = set.parameters.primes.iter().map(|p| p.ilog2() + 1).collect();
    assert_eq!((set.parameters.n, bits), (1024, vec![46, 40, 40, 46]));
    let (x, y) = set.values();
    let product = multiply(&x, &y);
    let rotated: Vec<_> = x[1..].iter().chain(&x[..1]).copied().collect();
    let conjugated: Vec<_> = x.iter().map(Complex64::conj).collect();
    let (one, two) = (Scale::pow2(40), Scale::pow2(80));
    let cases: [Case<'_>; 7] = [
        ("fresh_x", one, &x, 26.0),
        ("fresh_y", one, &y, 26.0),
        ("sum", one, &sum(&x, &y), 26.0),
        ("product_three_components", two, &product, 25.0),
        ("product", two.over(Scale::prime(2)), &product, 25.0),
        // SEAL's key switching does not centre its digits: their common mean weighs on the slots nearest to ±1.
        ("rotated", one, &rotated, 23.0),
        ("conjugated", one, &conjugated, 23.0),
    ];
    open_all(&set, 40, &cases)
}

/// The parameters that SEAL's users start from, 60-bit primes included, at the last level after two products.
#[test]
fn depth_two_at_production_size() -> Outcome {
    let set = Set::seal("seal-production")?;
    assert_eq!((set.parameters.n, set.parameters.primes.len()), (8192, 4));
    let (x, y) = set.values();
    let scale = Scale::pow2(120).over(Scale::prime(2)).over(Scale::prime(1));
    open_all(&set, 40, &[("square_times_y", scale, &multiply(&multiply(&x, &x), &y), 20.0)])
}

/// N = 4096, primes of 37, 35 and 37 bits, scale 2^35.
#[test]
fn tenseal_messages_open_to_their_clear_results() -> Outcome {
    let set = Set::tenseal()?;
    assert_eq!(set.parameters.n, 4096);
    let real = |v: &[Complex64]| v.iter().map(|z| z.re.into()).collect::<Vec<Complex64>>();
    let (x, y) = set.values();
    let (x, y) = (real(&x), real(&y));
    let mean = [x.iter().sum::<Complex64>() / 2048.0];
    // TenSEAL declares the nominal scale again after it has rescaled.
    let scale = Scale::pow2(35);
    let cases: [Case<'_>; 4] = [
        ("fresh", scale, &x, 19.0),
        ("sum", scale, &sum(&x, &y), 19.0),
        ("square", scale, &multiply(&x, &x), 17.0),
        // Eleven rotations, summed up in slot 0.
        ("dot", scale, &mean, 14.0),
    ];
    open_all(&set, 35, &cases)
}

/// On SEAL's ciphertexts and with SEAL's relinearisation key our evaluator does what SEAL's does: sum and product are
/// equal to the last residue; relinearised and rescaled, where rounding may differ, the message is the same.
#[test]
fn our_evaluator_takes_over_where_seal_stopped() -> Outcome {
    Arithmetic::available().try_for_each(our_evaluator_takes_over_on)
}

fn our_evaluator_takes_over_on(path: Arithmetic) -> Outcome {
    let set = Set::seal("seal-small")?;
    let params = import::parameters(path, &set, 40)?;
    let import = |name: &str, scale: Scale| -> Result<_, Box<dyn std::error::Error>> {
        Ok(import::ciphertext(&params, &set.ciphertext(name)?, scale))
    };
    let evaluator = Evaluator::new(&params);
    let (x, y) = (import("fresh_x", Scale::pow2(40))?, import("fresh_y", Scale::pow2(40))?);
    let product = evaluator.mul(&x, &y)?;
    assert!(evaluator.add(&x, &y)? == import("sum", Scale::pow2(40))?, "sum, {path}");
    assert!(product == import("product_three_components", Scale::pow2(80))?, "product, {path}");

    let key = import::relin_key(&params, &set.relin_key()?)?;
    let ours = evaluator.rescale(&evaluator.relinearise(&product, &key)?)?;
    let seals = import("product", Scale::pow2(80).over(Scale::prime(2)))?;
    assert_eq!((ours.level(), ours.scale()), (seals.level(), seals.scale()));
    let secret = import::secret_key(&params, &set.secret);
    let open = |c| -> Result<_, blindscope_ckks::Error> {
        Encoder::new(&params).decode_slots(&Decryptor::new(&secret).decrypt(c)?)
    };
    let (clear_x, clear_y) = set.values();
    let clear = multiply(&clear_x, &clear_y);
    assert_bits(
        &format!("our relinearisation, {path}"),
        Precision::of(&import::seal_slots(&open(&ours)?), &clear),
        25.0,
    );
    assert_bits(&format!("ours and SEAL's, {path}"), Precision::of(&open(&ours)?, &open(&seals)?), 25.0);
    Ok(())
}

#[test]
fn the_secret_is_ternary_and_the_same_modulo_every_prime() -> Outcome {
    let set = Set::seal("seal-small")?;
    let primes = &set.parameters.primes;
    let mut signed = set.secret.iter().zip(primes).map(|(values, &p)| -> Vec<i64> {
        coefficients(values, p).into_iter().map(|c| centre(c, p)).collect()
    });
    let first = signed.next().expect("no primes");
    assert!(first.iter().all(|c| c.abs() <= 1));
    assert!(signed.all(|other| other == first));
    Ok(())
}

/// SEAL keeps the exact scale too: the product of the factors' scales over the prime that was dropped.
#[test]
fn the_scale_of_a_product_is_exact() -> Outcome {
    let set = Set::seal("seal-small")?;
    let expected = 2_f64.powi(80) / set.parameters.primes[2] as f64;
    assert_eq!(set.ciphertext("product")?.scale.to_bits(), expected.to_bits());
    Ok(())
}

/// Hybrid key switching, one digit a prime: row i is (−a·s + e + P·s²·[prime i], a), with e of at most 21 in size.
#[test]
fn a_relinearisation_key_is_what_the_definition_says() -> Outcome {
    let set = Set::seal("seal-small")?;
    let primes = &set.parameters.primes;
    let key = set.relin_key()?;
    assert_eq!(key.len(), primes.len() - 1, "one digit for each ciphertext prime");
    for (digit, row) in key.iter().enumerate() {
        let mut errors = Vec::new();
        for (k, (&p, s)) in primes.iter().zip(&set.secret).enumerate() {
            let mut noisy = inner_product(&row.components, s, k, p);
            if k == digit {
                for (value, &s) in noisy.iter_mut().zip(s) {
                    *value = (*value + p - mul(primes[3] % p, mul(s, s, p), p)) % p;
                }
            }
            errors.push(coefficients(&noisy, p).into_iter().map(|e| centre(e, p)).collect::<Vec<_>>());
        }
        assert!(errors[0].iter().all(|e| e.abs() <= 21), "digit {digit}: an error is too large");
        assert!(errors[0].iter().any(|e| *e != 0), "digit {digit}: no error at all");
        assert!(errors.iter().all(|e| *e == errors[0]), "digit {digit}: not one error for all primes");
    }
    Ok(())
}

fn centre(residue: u64, p: u64) -> i64 {
    if residue > p / 2 { residue as i64 - p as i64 } else { residue as i64 }
}
