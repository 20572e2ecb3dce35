//! The attack that read the key, step by step as it was found: four questions tell how logits follow the real and the imaginary part of one
//! slot, two of `(0, d)` and `(0, −d)`, with `d` in that slot alone, tell the key's slot. A slot of each token is read at once.
//!
//! Questions are dealt now, so `(0, d)` cannot be asked; the asker deals `d` where it was. Slots are complex numbers that each
//! coefficient of the key goes into; all of them are the key.

use super::door::{Door, Logits, refused};
use super::insider::Insider;
use crate::bench::trust::{got, got_before};
use crate::bench::{Error, Figure};
use blindscope_ckks::{Ciphertext, Complex64, Encoder, Plaintext, Scale};
use blindscope_federation::JobId;
use blindscope_node::Result;

const NAME: &str = "key_slots_read_through_services";
/// What the slots of a probing question hold, in units of a feature.
const PROBE: f64 = 8.0;
/// What `d` holds in them: a slot of the key is some hundred times as large as a coefficient.
const READ: f64 = PROBE / 128.0;
/// Slots of the key below this are not told from nothing.
const LEAST: f64 = 16.0;
/// By which part of itself a slot may be misread.
const OFF: f64 = 0.05;

/// What the asker saw.
pub(super) struct Told {
    /// How logits follow the real and the imaginary part.
    slopes: [Logits; 2],
    /// Half the difference of the answers to `d` and `−d`, as it can be dealt.
    dealt: Logits,
    /// One of the questions.
    pub(super) question: JobId,
}

/// A value in the first slot of each token.
fn message(door: &Door, value: Complex64) -> Result<Plaintext> {
    let params = door.plan.params();
    let slots = vec![value; door.tokens()];
    Encoder::new(params).encode_slots(&slots, params.top_level(), door.plan.fresh()).map_err(refused)
}

fn real(re: f64) -> Complex64 {
    Complex64 { re, im: 0.0 }
}

/// Asks all six questions, dealt.
pub(super) async fn ask(door: &Door) -> Result<Told> {
    let (_, right) = odd(door, real(PROBE)).await?;
    let (_, up) = odd(door, Complex64 { re: 0.0, im: PROBE }).await?;
    let (question, dealt) = odd(door, real(READ)).await?;
    Ok(Told { slopes: [right, up], dealt, question })
}

/// Half the difference of the answers to a value and its opposite: logits are of degree two, so this part follows the value.
async fn odd(door: &Door, value: Complex64) -> Result<(JobId, Logits)> {
    let (question, plus) = door.ask(message(door, value)?).await?;
    let (_, minus) = door.ask(message(door, value * -1.0)?).await?;
    Ok((question, halved(&plus, &minus)))
}

fn halved(plus: &Logits, minus: &Logits) -> Logits {
    let row = |(p, m): (&Vec<f64>, &Vec<f64>)| p.iter().zip(m).map(|(p, m)| (p - m) / 2.0).collect();
    plus.iter().zip(minus).map(row).collect()
}

impl Told {
    /// What stood in each token's slot, over `READ`: the least squares of all logits.
    fn read(&self, answers: &Logits) -> Vec<Complex64> {
        let [right, up] = &self.slopes;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / (PROBE * PROBE);
        let one = |((x, y), l): ((&Vec<f64>, &Vec<f64>), &Vec<f64>)| {
            let (xx, xy, yy) = (dot(x, x), dot(x, y), dot(y, y));
            let (xl, yl) = (dot(x, l) * PROBE, dot(y, l) * PROBE);
            let over = READ * (xx * yy - xy * xy);
            Complex64 { re: (xl * yy - yl * xy) / over, im: (yl * xx - xl * xy) / over }
        };
        right.iter().zip(up).zip(answers).map(one).collect()
    }
}

/// How many slots of the key the asker read: as questions are asked now, and as they were.
pub(super) fn figures(
    door: &Door,
    told: &Told,
    insider: &Insider,
) -> std::result::Result<[Figure; 2], Error> {
    let slots = insider.slots(door.tokens())?;
    let large = slots.iter().filter(|s| s.norm() >= LEAST).count();
    let read = |found: &[Complex64]| {
        let pairs = slots.iter().zip(found).filter(|(s, _)| s.norm() >= LEAST);
        pairs.filter(|(s, f)| (**f - **s).norm() <= OFF * s.norm()).count()
    };
    let asked = |value: f64| -> std::result::Result<Logits, Error> {
        let d = message(door, real(value)).map_err(|e| super::failed(super::WHAT, e))?;
        let params = door.plan.params();
        let chosen =
            Ciphertext::from_components(params, vec![params.q().zero(), d.poly().clone()], Scale::ONE);
        let answers = insider.answers(chosen, &door.public)?;
        door.opened(&answers).map_err(|e| super::failed(super::WHAT, e))
    };
    let before = told.read(&halved(&asked(READ)?, &asked(-READ)?));
    // What was dealt comes back, and nothing but that.
    let now: Vec<Complex64> = told.read(&told.dealt).iter().map(|found| *found - real(1.0)).collect();
    Ok([got_before(NAME, read(&before), large), got(NAME, read(&now))])
}
