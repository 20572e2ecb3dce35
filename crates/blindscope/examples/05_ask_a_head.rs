//! A head is asked: the owner plans, the asker encrypts, the server answers.
//!
//! A *plan* is made before any key exists and says everything that both sides have to agree on: packing, parameters, keys,
//! bytes, and a bound on the error of the worst logit. It is public.
//!
//! ```text
//! packing: token, 2 tokens a question
//! token 0: class 1, error within the bound: true
//! token 1: class 0, error within the bound: true
//! a question cut short is refused: true
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope::classify::{
    Affine, Asker, AskerSecret, Error, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Plan, Policy,
    Server, class,
};

fn main() -> Result<(), Error> {
    let mut rng = ChaCha20Rng::seed_from_u64(5);

    // The owner: a head is data. Two classes, three features, each clipped to [-4, 4].
    let layer =
        Affine { weights: vec![vec![0.5, -0.25, 0.125], vec![0.25, 1.0, -0.5]], bias: vec![0.1, 0.0] };
    let normalisation = Normalisation::identity(3, 4.0);
    let head = Head::new(HeadLiteral { normalisation, map: Map::Linear { layer }, range: None })?;
    let plan = Plan::new(&head, Policy::new(2))?;
    println!("packing: {}, 2 tokens a question", plan.literal().packing);
    let published = plan.to_bytes()?;

    // The asker: reads the plan, makes keys, sends the public ones once, then asks as often as it likes.
    let plan = Plan::from_bytes(&published)?;
    let secret = AskerSecret::generate(&plan, &mut rng)?;
    let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?.to_bytes(&plan)?;
    let asker = Asker::new(&plan);
    let tokens = [[1.0, 2.0, -0.5], [2.0, -1.0, 0.0]];
    let rows: Vec<&[f64]> = tokens.iter().map(|t| &t[..]).collect();
    let question = asker.encrypt(&rows, &secret, &mut rng)?;

    // The server: evaluates on bytes it cannot read.
    let server = Server::new(&head, &plan)?;
    let keys = EvaluationKeys::from_bytes(&plan, &keys)?;
    let answer = server.answer_bytes(&keys, &question)?;

    // The asker opens, and may hold the answer against the head's twin in the clear where it has the head.
    let (logits, clear) = (asker.open(2, &answer, &secret)?, head.logits(&rows)?);
    for (token, (opened, clear)) in logits.iter().zip(&clear).enumerate() {
        let error = opened.iter().zip(clear).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let within = error < plan.literal().error_bound;
        println!("token {token}: class {}, error within the bound: {within}", class(opened));
    }
    let cut = &question[..question.len() - 1];
    println!("a question cut short is refused: {}", server.answer_bytes(&keys, cut).is_err());
    Ok(())
}
