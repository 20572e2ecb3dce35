use super::{EvaluationKeys, Layout};
use crate::{Answer, Circuit, ClassifyError, Head, Plan, Result};
use blindscope_ckks::{
    Ciphertext, Complex64, Encoder, Encryptor, Evaluator, Level, Plaintext, Scale, SecretKey,
};
use rand_core::CryptoRng;

/// A head's weights, encoded.
enum Weights {
    Clear(Vec<Plaintext>),
    Encrypted(Vec<Ciphertext>),
}

/// Evaluates one head on encrypted tokens.
pub struct TokenServer {
    plan: Plan,
    evaluator: Evaluator,
    /// One a step of the first layer.
    first: Weights,
    first_bias: Plaintext,
    /// `(power, one a step of the outer layer)`
    terms: Vec<(u32, Vec<Plaintext>)>,
    bias: Option<Plaintext>,
}

impl TokenServer {
    /// Encodes a head for its plan.
    ///
    /// # Errors
    /// [`ClassifyError::Ckks`].
    pub fn new(head: &Head, plan: &Plan) -> Result<Self> {
        let encoder = Encoder::new(&plan.params);
        let (params, l) = (&plan.params, &plan.layout);
        let top = params.top_level();
        let first = (0..l.steps)
            .map(|g| encoder.encode_slots(&first_step(head, l, g), top, Scale::prime(top.0)))
            .collect::<std::result::Result<_, _>>()?;
        let b = &head.circuit().first().bias;
        let bias = l.spread(|p| real(b.get(p % l.period).copied().unwrap_or(0.0)));
        let first_bias = encoder.encode_slots(&bias, plan.first_level(), plan.fresh)?;
        let mut server = Self {
            plan: plan.clone(),
            evaluator: Evaluator::new(params),
            first: Weights::Clear(first),
            first_bias,
            terms: Vec::new(),
            bias: None,
        };
        server.encode_outer(head, &encoder)?;
        Ok(server)
    }

    /// As [`Self::new`], with the first layer's weights encrypted: whoever holds this server without the secret learns
    /// nothing of them. The biases and the outer layer stay in the clear.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn encrypted(head: &Head, plan: &Plan, secret: &SecretKey, rng: &mut impl CryptoRng) -> Result<Self> {
        let mut server = Self::new(head, plan)?;
        if let Weights::Clear(weights) = &server.first {
            let encryptor = Encryptor::new(secret);
            let one = |w: &Plaintext| {
                encryptor.encrypt(w, rng).map(blindscope_ckks::SeededCiphertext::into_ciphertext)
            };
            server.first =
                Weights::Encrypted(weights.iter().map(one).collect::<std::result::Result<_, _>>()?);
        }
        Ok(server)
    }

    fn encode_outer(&mut self, head: &Head, encoder: &Encoder) -> Result<()> {
        let Circuit::Powers(powers) = head.circuit() else { return Ok(()) };
        let l = &self.plan.layout;
        let target = self.plan.answer.times(Scale::prime(1));
        for (d, a) in &powers.terms {
            let scale = target.over(self.power_scale(*d));
            let step = |g: usize| {
                let at =
                    |h: usize| a.get((h + g) % l.classes).and_then(|row| row.get(h)).copied().unwrap_or(0.0);
                encoder.encode_slots(&l.spread(|p| real(at(p % l.period))), Level(1), scale)
            };
            let steps = (0..l.classes).map(step).collect::<std::result::Result<_, _>>()?;
            self.terms.push((*d, steps));
        }
        let bias = l.spread(|p| real(powers.bias.get(p % l.classes).copied().unwrap_or(0.0)));
        self.bias = Some(encoder.encode_slots(&bias, Level(0), self.plan.answer)?);
        Ok(())
    }

    /// Scale of `v^d` at level 1.
    fn power_scale(&self, d: u32) -> Scale {
        let fresh = self.plan.fresh;
        let square = fresh.times(fresh);
        // With another level left, the square is rescaled once.
        let square = if self.plan.degree == 4 { square.over(Scale::prime(2)) } else { square };
        match d {
            1 => fresh,
            2 => square,
            _ => square.times(square),
        }
    }

    /// The answer to one ciphertext of tokens.
    ///
    /// # Errors
    /// [`ClassifyError::OtherPlan`], [`ClassifyError::MissingRelinKey`], [`ClassifyError::Ckks`] for missing keys.
    pub fn answer(&self, tokens: &Ciphertext, keys: &EvaluationKeys) -> Result<Answer> {
        let logits = self.logits(tokens, keys)?;
        Answer::compact(&self.plan, &logits)
    }

    /// The logits as a ciphertext at level 0, for threshold decryption or re-encryption.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn logits(&self, tokens: &Ciphertext, keys: &EvaluationKeys) -> Result<Ciphertext> {
        self.check(tokens)?;
        let l = &self.plan.layout;
        let ev = &self.evaluator;
        let mut v = self.horner(&self.products(tokens, keys)?, keys)?;
        for stride in l.folds(l.period, l.positions()) {
            let rotated = ev.rotate(&v, stride, &keys.galois)?;
            ev.add_assign(&mut v, &rotated)?;
        }
        let conjugate = ev.conjugate(&v, &keys.galois)?;
        ev.add_assign(&mut v, &conjugate)?;
        ev.add_plain_assign(&mut v, &self.first_bias)?;
        if self.terms.is_empty() { Ok(v) } else { self.outer(&v, keys) }
    }

    fn check(&self, tokens: &Ciphertext) -> Result<()> {
        let (found, expected) = (tokens.params().fingerprint(), self.plan.params.fingerprint());
        let same = tokens.params() == &self.plan.params
            && tokens.level() == self.plan.params.top_level()
            && tokens.scale() == self.plan.fresh;
        if same {
            return Ok(());
        }
        let (found, expected) = (found.to_string(), expected.to_string());
        Err(ClassifyError::OtherPlan { op: "answer", found, expected })
    }

    /// One product a step, rescaled.
    fn products(&self, x: &Ciphertext, keys: &EvaluationKeys) -> Result<Vec<Ciphertext>> {
        let ev = &self.evaluator;
        match &self.first {
            Weights::Clear(w) => w.iter().map(|w| Ok(ev.rescale(&ev.mul_plain(x, w)?)?)).collect(),
            Weights::Encrypted(w) => {
                let relin =
                    keys.relin.as_ref().ok_or(ClassifyError::MissingRelinKey { op: "encrypted head" })?;
                w.iter().map(|w| Ok(ev.rescale(&ev.mul_relin(x, w, relin)?)?)).collect()
            }
        }
    }

    /// `Σ_g p_g` rotated right by `g`, with one key.
    fn horner(&self, products: &[Ciphertext], keys: &EvaluationKeys) -> Result<Ciphertext> {
        let step = -(self.plan.layout.tokens as i64);
        let mut products = products.iter().rev();
        let mut sum = products.next().map_or_else(|| Ciphertext::empty(&self.plan.params), Clone::clone);
        for p in products {
            sum = self.evaluator.rotate(&sum, step, &keys.galois)?;
            self.evaluator.add_assign(&mut sum, p)?;
        }
        Ok(sum)
    }

    /// `Σ_d A_d·v^d + bias`
    fn outer(&self, v: &Ciphertext, keys: &EvaluationKeys) -> Result<Ciphertext> {
        let (ev, l) = (&self.evaluator, &self.plan.layout);
        let powers = self.powers(v, keys)?;
        let step = |g: usize| {
            let pairs: Vec<_> = self.terms.iter().zip(&powers).map(|((_, w), p)| (p, &w[g])).collect();
            Ok(ev.rescale(&ev.mul_plain_sum(&pairs)?)?)
        };
        let products: Result<Vec<_>> = (0..l.classes).map(step).collect();
        let mut y = self.horner(&products?, keys)?;
        for stride in l.folds(l.classes, l.period) {
            let rotated = ev.rotate(&y, stride, &keys.galois)?;
            ev.add_assign(&mut y, &rotated)?;
        }
        if let Some(bias) = &self.bias {
            ev.add_plain_assign(&mut y, bias)?;
        }
        Ok(y)
    }

    /// The powers of `v` that the terms name, at level 1.
    fn powers(&self, v: &Ciphertext, keys: &EvaluationKeys) -> Result<Vec<Ciphertext>> {
        let ev = &self.evaluator;
        let relin = keys.relin.as_ref().ok_or(ClassifyError::MissingRelinKey { op: "square" })?;
        let square = |a: &Ciphertext| ev.relinearise(&ev.square(a)?, relin);
        let mut second = square(v)?;
        if self.plan.degree == 4 {
            ev.rescale_assign(&mut second)?;
        }
        let fourth = if self.plan.degree == 4 { Some(square(&second)?) } else { None };
        let first = ev.drop_to_level(v, Level(1))?;
        let mut all = [Some(first), Some(second), fourth];
        let place = |d: u32| if d == 4 { 2 } else { d as usize - 1 };
        Ok(self.terms.iter().filter_map(|(d, _)| all[place(*d)].take()).collect())
    }
}

/// The weights of step `g`: half of `w_j - i·w_(j+h)`, since the real part is taken as `z + conj z`.
fn first_step(head: &Head, l: &Layout, g: usize) -> Vec<Complex64> {
    let rows: Vec<Vec<Complex64>> =
        head.circuit().first().weights.iter().map(|w| blindscope_ckks::join_pairs(w)).collect();
    let mut positions = vec![Complex64::default(); l.positions()];
    for r in 0..l.replicas {
        for c in 0..l.columns {
            let (p, unit) = l.place(r, c, g);
            if let Some(row) = rows.get(unit) {
                positions[p] = row[c].conj() * 0.5;
            }
        }
    }
    l.spread(|p| positions[p])
}

fn real(re: f64) -> Complex64 {
    Complex64 { re, im: 0.0 }
}
