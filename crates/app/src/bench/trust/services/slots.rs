//! The attack that read the key, step by step as it was found: four questions tell how logits follow the real and the imaginary part of one
//! slot, four of `(0, ±d)` and `(0, ±i·d)`, with `d` in that slot alone, tell the key's slot. A slot of each token is read at once.
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
    /// Half the differences of the answers to `±d` and to `±i·d`, as they can be dealt.
    dealt: [Logits; 2],
    /// One of the questions.
    pub(super) question: JobId,
}

/// A value in the first slot of each token.
fn message(door: &Door, value: Complex64) -> Result<Plaintext> {
    let params = door.plan.params();
    let slots = vec![value; door.tokens()];
    Encoder::new(params).encode_slots(&slots, params.top_level(), door.plan.fresh()).map_err(refused)
}

/// A value, and the same turned by a right angle.
fn turned(size: f64) -> [Complex64; 2] {
    [Complex64 { re: size, im: 0.0 }, Complex64 { re: 0.0, im: size }]
}

/// Asks all eight questions, dealt.
pub(super) async fn ask(door: &Door) -> Result<Told> {
    let ([right, up], [d, turned_d]) = (turned(PROBE), turned(READ));
    let slopes = [odd(door, right).await?.1, odd(door, up).await?.1];
    let ((question, first), (_, second)) = (odd(door, d).await?, odd(door, turned_d).await?);
    Ok(Told { slopes, dealt: [first, second], question })
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
    /// What stood in each token's slot beside `d`: the least squares of all logits. A slot `s` moves logits by `x·Re s + y·Im s` times `d`,
    /// and by `y·Re s − x·Im s` where `d` is turned.
    fn read(&self, [straight, turned]: &[Logits; 2]) -> Vec<Complex64> {
        let [right, up] = &self.slopes;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let one = |token: usize| {
            let (x, y, l, m) = (&right[token], &up[token], &straight[token], &turned[token]);
            let size = (dot(x, x) + dot(y, y)) * READ / PROBE;
            Complex64 { re: (dot(x, l) + dot(y, m)) / size, im: (dot(y, l) - dot(x, m)) / size }
        };
        (0..right.len()).map(one).collect()
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
    let asked = |value: Complex64| -> std::result::Result<Logits, Error> {
        let d = message(door, value).map_err(|e| super::failed(super::WHAT, e))?;
        let params = door.plan.params();
        let chosen =
            Ciphertext::from_components(params, vec![params.q().zero(), d.poly().clone()], Scale::ONE);
        let answers = insider.answers(chosen, &door.public)?;
        door.opened(&answers).map_err(|e| super::failed(super::WHAT, e))
    };
    let [d, turned_d] = turned(READ);
    let both = |d: Complex64| Ok::<_, Error>(halved(&asked(d)?, &asked(d * -1.0)?));
    let before = told.read(&[both(d)?, both(turned_d)?]);
    // What was dealt comes back, and nothing but that.
    let one = Complex64 { re: 1.0, im: 0.0 };
    let now: Vec<Complex64> = told.read(&told.dealt).iter().map(|found| *found - one).collect();
    Ok([got_before(NAME, read(&before), large), got(NAME, read(&now))])
}
