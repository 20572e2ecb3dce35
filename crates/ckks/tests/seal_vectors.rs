//! Known answers from an independent implementation: keys and ciphertexts that Microsoft SEAL and TenSEAL wrote (see
//! `vectors/make_seal_vectors.py`), decrypted here by CKKS's definitions.
//!
//! What the definitions say about these bytes (the order of values, the slot generator, the meaning of scale and of
//! switching keys) is then what our own fast code is held to.

mod seal;

use num_complex::Complex64;
use seal::definition::{coefficients, decode, decrypt, inner_product, mul};
use seal::format::{Ciphertext, Parameters, Result, ciphertext, parameters, secret_key, switching_keys};
use seal::protobuf::field;

/// The two messages of `make_seal_vectors.py`: dyadic rationals, exact in f64.
fn values(slots: usize) -> (Vec<Complex64>, Vec<Complex64>) {
    let part = |i: usize, step: usize, start: usize| ((i * step + start) % 257) as f64 / 128.0 - 1.0;
    let x = (0..slots).map(|i| Complex64::new(part(i, 73, 5), part(i, 31, 90))).collect();
    let y = (0..slots).map(|i| Complex64::new(part(i, 101, 17), part(i, 19, 201))).collect();
    (x, y)
}

/// Worst slot, in bits after the binary point.
fn precision(name: &str, found: &[Complex64], expected: &[Complex64], at_least: f64) {
    let worst = found.iter().zip(expected).map(|(f, e)| (f - e).norm()).fold(0.0, f64::max);
    println!("{name}: {:.1} bits, expected at least {at_least}", -worst.log2());
    assert!(-worst.log2() >= at_least, "{name}: {:.1} bits, expected at least {at_least}", -worst.log2());
}

fn multiply(a: &[Complex64], b: &[Complex64]) -> Vec<Complex64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

/// N = 1024, primes of 46, 40, 40 and 46 bits, scale 2^40.
struct Small {
    parameters: Parameters,
    secret: Vec<Vec<u64>>,
    x: Vec<Complex64>,
    y: Vec<Complex64>,
}

macro_rules! small {
    ($name:literal) => {
        include_bytes!(concat!("vectors/seal-small/", $name, ".seal"))
    };
}

impl Small {
    fn read() -> Result<Self> {
        let parameters = parameters(small!("parameters"))?;
        assert_eq!(parameters.n, 1024);
        let bits: Vec<u32> = parameters.primes.iter().map(|p| p.ilog2() + 1).collect();
        assert_eq!(bits, [46, 40, 40, 46]);
        let secret = secret_key(small!("secret_key"), &parameters)?;
        let (x, y) = values(512);
        Ok(Self { parameters, secret, x, y })
    }

    fn open(&self, c: &Ciphertext) -> Vec<Complex64> {
        decode(&decrypt(c, &self.secret, &self.parameters), c.scale)
    }
}

#[test]
fn the_secret_is_ternary_and_the_same_modulo_every_prime() -> Result<()> {
    let small = Small::read()?;
    let first = coefficients(&small.secret[0], small.parameters.primes[0]);
    for (limb, &p) in small.secret.iter().zip(&small.parameters.primes) {
        for (c, f) in coefficients(limb, p).into_iter().zip(&first) {
            assert!(c <= 1 || c == p - 1, "coefficient {c} modulo {p}");
            assert_eq!(c <= 1, *f <= 1);
        }
    }
    Ok(())
}

#[test]
fn each_operation_of_seal_opens_to_its_clear_result() -> Result<()> {
    let small = Small::read()?;
    let (x, y) = (&small.x, &small.y);
    let sum: Vec<_> = x.iter().zip(y).map(|(a, b)| a + b).collect();
    let rotated: Vec<_> = x[1..].iter().chain(&x[..1]).copied().collect();
    let conjugated: Vec<_> = x.iter().map(Complex64::conj).collect();
    let product = multiply(x, y);
    let cases: [(&str, &[u8], &[Complex64], usize, f64); 7] = [
        ("fresh x", small!("fresh_x"), x, 3, 26.0),
        ("fresh y", small!("fresh_y"), y, 3, 26.0),
        ("sum", small!("sum"), &sum, 3, 26.0),
        ("three components", small!("product_three_components"), &product, 3, 25.0),
        ("product", small!("product"), &product, 2, 25.0),
        // SEAL's key switching does not centre its digits: their common mean weighs on the slots nearest to ±1.
        ("rotated by one", small!("rotated"), &rotated, 3, 23.0),
        ("conjugated", small!("conjugated"), &conjugated, 3, 23.0),
    ];
    for (name, bytes, expected, primes, bits) in cases {
        let c = ciphertext(bytes)?;
        assert_eq!(c.components[0].len(), primes, "{name}: primes");
        precision(name, &small.open(&c), expected, bits);
    }
    Ok(())
}

/// SEAL keeps the exact scale: the product of the factors' scales over the prime that was dropped.
#[test]
fn the_scale_of_a_product_is_exact() -> Result<()> {
    let small = Small::read()?;
    let dropped = small.parameters.primes[2] as f64;
    assert_eq!(ciphertext(small!("product"))?.scale.to_bits(), (2_f64.powi(80) / dropped).to_bits());
    Ok(())
}

/// Hybrid key switching, one digit a prime: row i is (−a·s + e + P·s²·[prime i], a), with e of at most 21 in size.
#[test]
fn a_relinearisation_key_is_what_the_definition_says() -> Result<()> {
    let small = Small::read()?;
    let keys = switching_keys(small!("relin_key"))?;
    let [key] = keys.as_slice() else { panic!("expected one key, found {}", keys.len()) };
    let (special, primes) = small.parameters.primes.split_last().expect("no primes");
    assert_eq!(key.len(), primes.len(), "one digit for each ciphertext prime");
    for (digit, row) in key.iter().enumerate() {
        let mut errors = Vec::new();
        for (k, (&p, s)) in small.parameters.primes.iter().zip(&small.secret).enumerate() {
            let mut noisy = inner_product(&row.components, s, k, p);
            if k == digit {
                for (value, &s) in noisy.iter_mut().zip(s) {
                    *value = (*value + p - mul(special % p, mul(s, s, p), p)) % p;
                }
            }
            errors.push(coefficients(&noisy, p).into_iter().map(|e| centre(e, p)).collect::<Vec<_>>());
        }
        assert!(errors[0].iter().all(|e| e.abs() <= 21), "digit {digit}: {:?}", errors[0].iter().max());
        assert!(errors.iter().all(|e| *e == errors[0]), "digit {digit}: not one error for all primes");
        assert!(errors[0].iter().any(|e| *e != 0), "digit {digit}: no error at all");
    }
    Ok(())
}

fn centre(residue: u64, p: u64) -> i64 {
    if residue > p / 2 { residue as i64 - p as i64 } else { residue as i64 }
}

/// The parameters that SEAL's users start from, at the last level after two products.
#[test]
fn depth_two_at_production_size() -> Result<()> {
    let parameters = parameters(include_bytes!("vectors/seal-production/parameters.seal"))?;
    assert_eq!((parameters.n, parameters.primes.len()), (8192, 4));
    let secret = secret_key(include_bytes!("vectors/seal-production/secret_key.seal"), &parameters)?;
    let c = ciphertext(include_bytes!("vectors/seal-production/square_times_y.seal"))?;
    assert_eq!(c.components[0].len(), 1, "one prime left");
    let (x, y) = values(4096);
    let found = decode(&decrypt(&c, &secret, &parameters), c.scale);
    precision("x²·y", &found, &multiply(&multiply(&x, &x), &y), 20.0);
    Ok(())
}

/// TenSEAL's own messages: field 1 of a context holds the parameters, field 3 the private part with the secret key in
/// its field 1; field 2 of a vector holds the ciphertext.
#[test]
fn tenseal_messages_open_to_their_clear_results() -> Result<()> {
    let context = include_bytes!("vectors/tenseal/context.tenseal");
    let parameters = parameters(field(context, 1)?)?;
    assert_eq!(parameters.n, 4096);
    let secret = secret_key(field(field(context, 3)?, 1)?, &parameters)?;
    let real = |v: &[Complex64]| v.iter().map(|z| z.re.into()).collect::<Vec<Complex64>>();
    let (x, y) = values(2048);
    let (x, y) = (real(&x), real(&y));
    let sum: Vec<_> = x.iter().zip(&y).map(|(a, b)| a + b).collect();
    let mean = vec![x.iter().sum::<Complex64>() / 2048.0; 1];
    let cases: [(&str, &[u8], &[Complex64], f64); 4] = [
        ("tenseal fresh", include_bytes!("vectors/tenseal/fresh.tenseal"), &x, 19.0),
        ("tenseal sum", include_bytes!("vectors/tenseal/sum.tenseal"), &sum, 19.0),
        ("tenseal square", include_bytes!("vectors/tenseal/square.tenseal"), &multiply(&x, &x), 17.0),
        ("tenseal dot", include_bytes!("vectors/tenseal/dot.tenseal"), &mean, 14.0),
    ];
    for (name, message, expected, bits) in cases {
        let c = ciphertext(field(message, 2)?)?;
        precision(name, &decode(&decrypt(&c, &secret, &parameters), c.scale), expected, bits);
    }
    Ok(())
}
