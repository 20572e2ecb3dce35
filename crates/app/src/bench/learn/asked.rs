//! What was learned, asked: in the clear, or as an asker asks it, under encryption.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::rows::Answers;
use super::{Error, Result};
use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Head, Packing, Plan, Policy, Server, class};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::Model;

/// Bits right of the point to which the worst logit is to be right.
const BITS: u32 = 10;

/// Asks the recommended head about rows, in the clear.
pub(super) fn ask(model: &Model, rows: &Features, answers: &mut Answers) -> Result<()> {
    let logits = model.head()?.logits(&tokens(rows)?)?;
    count(&logits, rows, answers)
}

/// The same through encryption; the share of rows, in percent, whose class is the one that is answered in the clear.
pub(super) fn ask_encrypted(model: &Model, rows: &Features, seed: u8, answers: &mut Answers) -> Result<f64> {
    let (head, tokens) = (model.head()?, tokens(rows)?);
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let plan = plan(&head, tokens.len())?;
    let secret = AskerSecret::generate(&plan, &mut rng)?;
    let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?.to_bytes(&plan)?;
    let keys = EvaluationKeys::from_bytes(&plan, &keys)?;
    let (asker, server) = (Asker::new(&plan), Server::new(&head, &plan)?);
    let question = asker.encrypt(&tokens, &secret, &mut rng)?;
    let answer = server.answer_bytes(&keys, &question, &mut rng)?;
    let logits = asker.open(tokens.len(), &answer, &secret)?;
    count(&logits, rows, answers)?;
    let clear = head.logits(&tokens)?;
    let alike = logits.iter().zip(&clear).filter(|(a, b)| class(a) == class(b)).count();
    Ok(100.0 * alike as f64 / tokens.len().max(1) as f64)
}

fn plan(head: &Head, tokens: usize) -> Result<Plan> {
    let policy = Policy { packing: Some(Packing::Feature), ..Policy::new(tokens) };
    match Plan::new(head, policy.precise(BITS)) {
        Err(blindscope_classify::Error::TooCoarse { .. }) => Ok(Plan::new(head, policy)?),
        other => Ok(other?),
    }
}

fn tokens(rows: &Features) -> Result<Vec<Vec<f64>>> {
    let row = |at| -> Result<Vec<f64>> {
        Ok(rows.row(at).map_err(Error::Vision)?.iter().map(|v| f64::from(*v)).collect())
    };
    (0..rows.len()).map(row).collect()
}

fn count(logits: &[Vec<f64>], rows: &Features, answers: &mut Answers) -> Result<()> {
    for ((logits, label), group) in logits.iter().zip(rows.known_labels()?).zip(&rows.groups) {
        answers.add(*group, logits, class(logits) == label);
    }
    Ok(())
}
