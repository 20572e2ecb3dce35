//! The attack of an asker that studies its answers: it knows two heads that agree on its token, evaluates both on its own question,
//! and looks which of the two its answer came from. Against answers as they were, and as they are.

use crate::answer::{Lanes, Piece, logits, shape};
use crate::head::Circuit;
use crate::{
    Affine, Asker, AskerSecret, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Plan, Policy, Server,
};
use blindscope_ckks::Encoder;
use blindscope_ckks::ring_switch::SmallCiphertext;
use blindscope_ckks::zeros::flood_std;
use blindscope_testkit::{real_values, rng};

const WIDTH: usize = 16;
const QUESTIONS: u64 = 12;
const ANSWERS: usize = 40;
/// Bits at which the attacker looks: no answer is cut so finely.
const FINE: u32 = 46;

/// Two heads, the same but for a direction of each unit's weights that the token does not have.
fn heads(token: &[f64], r: &mut chacha20::ChaCha20Rng) -> [Head; 2] {
    let layer = |r: &mut _, rows: usize, width: usize| Affine {
        weights: (0..rows).map(|_| real_values(r, width, 0.4)).collect(),
        bias: real_values(r, rows, 0.3),
    };
    let (inner, outer) = (layer(r, 4, WIDTH), layer(r, 2, 4));
    let square: f64 = token.iter().map(|x| x * x).sum();
    let mut other = inner.clone();
    for row in &mut other.weights {
        let drawn = real_values(r, WIDTH, 0.4);
        let along = drawn.iter().zip(token).map(|(d, x)| d * x).sum::<f64>() / square;
        row.iter_mut().zip(drawn.iter().zip(token)).for_each(|(w, (d, x))| *w += d - along * x);
    }
    [inner, other].map(|inner| {
        let map = Map::Polynomial { inner, polynomial: vec![0.1, 0.5, 0.2], outer: outer.clone() };
        Head::new(HeadLiteral { normalisation: Normalisation::identity(WIDTH, 2.0), map, range: Some(6.0) })
            .unwrap()
    })
}

/// What an asker makes of halves in the ring of answers: the coefficients that travel, in units of a logit.
fn coefficients(plan: &Plan, c: &SmallCiphertext, q: u64, secret: &AskerSecret) -> Vec<f64> {
    let shape = &shape::pieces(plan, 1)[0];
    Piece::of(&c.c0, &c.c1, q, FINE, shape).open(plan, &secret.small, shape).unwrap()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// Mean square of differences modulo `q`, over that of uniform ones.
fn apart(a: &[u64], b: &[u64], q: u64) -> f64 {
    let centre = |x: u64| if x > q / 2 { x as f64 - q as f64 } else { x as f64 };
    let squares = a.iter().zip(b).map(|(a, b)| centre((a + q - b) % q).powi(2));
    squares.sum::<f64>() / a.len() as f64 / (q as f64 * q as f64 / 12.0)
}

struct Attack {
    plan: Plan,
    fine: Plan,
    secret: AskerSecret,
    keys: EvaluationKeys,
    servers: [Server; 2],
}

impl Attack {
    fn new(heads: &[Head; 2], r: &mut chacha20::ChaCha20Rng) -> Self {
        let plan = Plan::new(&heads[0], Policy::new(1).precise(8)).unwrap();
        let secret = AskerSecret::generate(&plan, r).unwrap();
        let keys = EvaluationKeys::generate(&plan, &secret, r).unwrap();
        let server = |head: &Head| {
            // The same plan but for the name of the head.
            let literal =
                crate::PlanLiteral { head: head.digest().unwrap().to_string(), ..plan.literal().clone() };
            Server::new(head, &Plan::open(literal).unwrap()).unwrap()
        };
        let servers = [server(&heads[0]), server(&heads[1])];
        let fine = Plan::open(crate::PlanLiteral { answer_bits: FINE, ..plan.literal().clone() }).unwrap();
        Self { plan, fine, secret, keys, servers }
    }

    /// The halves that each head makes of one question, before anything is added.
    fn evaluated(&self, token: &[f64], seed: u64) -> [(SmallCiphertext, u64); 2] {
        let of = |server: &Server| {
            let question = Asker::new(server.plan()).encrypt(&[token], &self.secret, &mut rng(seed)).unwrap();
            let (_, mut lanes) = server.evaluate(&self.keys, &question[..]).unwrap();
            Lanes::switched(lanes.remove(0), &self.plan, &self.keys).unwrap()
        };
        [of(&self.servers[0]), of(&self.servers[1])]
    }
}

#[test]
fn noise_and_uniform_half_do_not_tell_two_heads_apart() {
    let mut r = rng(71);
    let token = real_values(&mut r, WIDTH, 1.5);
    let heads = heads(&token, &mut r);
    assert!(matches!(heads[0].circuit(), Circuit::Powers(_)));
    let clear = |h: &Head| h.logits(std::slice::from_ref(&token)).unwrap().remove(0);
    assert!(distance(&clear(&heads[0]), &clear(&heads[1])) < 1e-9, "equal logits");
    let attack = Attack::new(&heads, &mut r);
    let width = attack.plan.flood_width();
    let unit = attack.plan.params().q().prime(0).value() as f64
        / attack.plan.params().scale_value(&attack.plan.answer());
    let (mut right, mut bound, mut trials) = (0u32, 0f64, 0u32);
    for seed in 0..QUESTIONS {
        let made = attack.evaluated(&token, seed);
        let q = made[0].1;
        let known = [0, 1].map(|h: usize| coefficients(&attack.fine, &made[h].0, q, &attack.secret));
        // As it was: the asker's own evaluation is the answer, so the wrong head is ruled out by one coefficient.
        assert!(made[0].0.c1 != made[1].0.c1 && distance(&known[0], &known[1]) > 0.0);
        let deviation = flood_std(width) * unit / q as f64;
        bound += distance(&known[0], &known[1]) / deviation / 3f64.sqrt() * 0.79f64.sqrt();
        for k in 0..ANSWERS {
            let of = k % 2;
            let mut c = made[of].0.clone();
            attack.keys.zeros.as_ref().unwrap().add_to((&mut c.c0, &mut c.c1), width, &mut r).unwrap();
            let seen = coefficients(&attack.fine, &c, q, &attack.secret);
            let nearer = usize::from(distance(&seen, &known[1]) < distance(&seen, &known[0]));
            right += u32::from(nearer == of);
            trials += 1;
            for (h, (evaluated, _)) in made.iter().enumerate() {
                let over = apart(&c.c1, &evaluated.c1, q);
                assert!((over - 1.0).abs() < 0.12, "the uniform half of head {h}: {over} of uniform");
            }
        }
    }
    // Total variation bounds what any attack on one answer gains over guessing.
    let (share, bound) = (f64::from(right) / f64::from(trials), bound / QUESTIONS as f64);
    println!(
        "as it was: all of {trials} right; ours: {share:.3} right, at most {:.3} for any attack",
        f64::midpoint(1.0, bound)
    );
    let sampling = 3.0 * 0.5 / f64::from(trials).sqrt();
    assert!(share <= f64::midpoint(1.0, bound) + sampling, "{share} beyond the bound {bound}");
    assert!(bound < 0.3, "one answer tells two heads apart with an advantage of {bound}");
}

/// The flooding is within what the plan promises, and what is opened is still the logits.
#[test]
fn flooding_is_what_the_promise_leaves() {
    const TIMES: usize = 400;
    let mut r = rng(72);
    let token = real_values(&mut r, WIDTH, 1.5);
    let attack = Attack::new(&heads(&token, &mut r), &mut r);
    let [made, _] = attack.evaluated(&token, 1);
    let (plan, encoder) = (&attack.fine, Encoder::new(attack.plan.params()));
    let open = |c: &SmallCiphertext| {
        logits(plan, &encoder, 1, &[coefficients(plan, c, made.1, &attack.secret)]).unwrap().remove(0)
    };
    let bare = open(&made.0);
    let mut squares = 0.0;
    for _ in 0..TIMES {
        let mut c = made.0.clone();
        let zeros = attack.keys.zeros.as_ref().unwrap();
        zeros.add_to((&mut c.c0, &mut c.c1), attack.plan.flood_width(), &mut r).unwrap();
        squares += distance(&open(&c), &bare).powi(2) / bare.len() as f64;
    }
    // A logit of a lone token is the real part of one slot of a polynomial with two coefficients.
    let unit = attack.plan.params().q().prime(0).value() as f64
        / attack.plan.params().scale_value(&attack.plan.answer())
        / made.1 as f64;
    let (flood, stated) = ((squares / TIMES as f64).sqrt(), flood_std(attack.plan.flood_width()) * unit);
    let promised = attack.plan.literal().error_bound / 7.0;
    println!("flooding 2^{:.2} in a logit, everything promised 2^{:.2}", flood.log2(), promised.log2());
    assert!((0.9..1.1).contains(&(flood / stated)), "{flood} for {stated}");
    // All errors at their largest, as much again, and what is cut off: the promise is seven deviations of the three.
    let left = promised / 2f64.sqrt();
    assert!((0.75..1.001).contains(&(stated / left)), "{stated} where the promise leaves {left}");
}
