//! Median time of one encrypted answer, 768 → 32 → 3 with a square, on one thread.

#![allow(clippy::print_stdout)]

use blindscope_ckks::{KeyGenerator, Security};
use blindscope_classify::{
    Affine, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Plan, Policy, TokenAsker, TokenServer,
};
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use std::time::Instant;

fn layer(rows: usize, width: usize) -> Affine {
    let at = |i: usize| ((i * 2_654_435_761) % 1000) as f64 / 1000.0 - 0.5;
    let size = (width as f64).sqrt().recip() * 2.0;
    let row = |r: usize| (0..width).map(|c| at(r * width + c + 7) * size).collect();
    Affine { weights: (0..rows).map(row).collect(), bias: (0..rows).map(at).collect() }
}

fn main() -> Result<(), blindscope_classify::ClassifyError> {
    for batch in [1, 8] {
        let map =
            Map::Polynomial { inner: layer(32, 768), polynomial: vec![0.1, 0.5, 0.2], outer: layer(3, 32) };
        let head = Head::new(HeadLiteral { normalisation: Normalisation::identity(768, 2.0), map })?;
        let plan = Plan::new(&head, Policy { batch, security: Security::Quantum128 })?;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = KeyGenerator::new(&plan.params).secret_key(&mut rng);
        let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?;
        let server = TokenServer::new(&head, &plan)?;
        let tokens = vec![vec![0.25; 768]; batch];
        let up = TokenAsker::new(&head, &plan).encrypt(&tokens, &secret, &mut rng)?.swap_remove(0);
        let mut times = Vec::new();
        for _ in 0..101 {
            let start = Instant::now();
            server.answer(&up.expand(), &keys)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("batch {batch}: median {:.2} ms, least {:.2} ms", times[50], times[0]);
        println!("{:?}", plan.report());
    }
    Ok(())
}
