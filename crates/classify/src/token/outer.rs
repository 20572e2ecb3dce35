//! The outer layer `Σ_d A_d·v^d + bias` of the token packing.
//!
//! *Extracted*: the constant coefficient of a product of two polynomials with real slots is the mean over all slots of
//! the product of slots, so the sum over units needs no rotation; classes are told apart by powers of `X`: one product
//! with `Σ_k X^(k·stride)·A_k` holds the logits of all classes. The coefficients of one token repeat its slots.
//! *Folded*: the diagonal method and rotations, as in the first layer.
//!
//! Reference for the extraction: Chen, Dai, Kim, Song, "Efficient homomorphic conversion between (ring) LWE
//! ciphertexts", 2020, §2 (the trace and the coefficients it keeps).

use super::server::{horner, lower, real};
use crate::layout::{Layout, Outer};
use crate::{Circuit, Error, EvaluationKeys, Head, Plan, Powers, Rescale, Result};
use blindscope_ckks::{Ciphertext, Encoder, Evaluator, Level, Plaintext, Scale};

/// One ciphertext of logits: its products and their bias.
struct Part {
    /// `[step][term]`; one step where coefficients are extracted.
    steps: Vec<Vec<Plaintext>>,
    bias: Plaintext,
}

/// An outer layer, encoded.
pub(super) struct OuterLayer {
    layout: Layout,
    rescale: Rescale,
    degree: u32,
    level: Level,
    /// The powers of the units that are multiplied, in order.
    powers: Vec<u32>,
    parts: Vec<Part>,
}

impl OuterLayer {
    /// Encodes the outer layer of a head, if it has one.
    pub(super) fn new(head: &Head, plan: &Plan, layout: &Layout) -> Result<Option<Self>> {
        let Circuit::Powers(powers) = head.circuit() else { return Ok(None) };
        let maker = Maker { plan, layout, encoder: Encoder::new(plan.params()), powers };
        let parts = match layout.outer {
            Outer::Folded => vec![maker.folded()?],
            Outer::Extracted => maker.extracted()?,
        };
        let (degree, rescale) = (plan.literal().degree, plan.literal().chain.rescale);
        let powers = powers.terms.iter().map(|t| t.0).collect();
        let level = plan.outer_level();
        Ok(Some(Self { layout: *layout, rescale, degree, level, powers, parts }))
    }

    /// Logits at level 0 from units at the first level.
    pub(super) fn apply(
        &self,
        ev: &Evaluator,
        units: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>> {
        let powers = powers(ev, units, (self.degree, self.level), &self.powers, keys)?;
        self.parts.iter().map(|part| self.part(ev, part, &powers, keys)).collect()
    }

    fn part(
        &self,
        ev: &Evaluator,
        part: &Part,
        powers: &[Ciphertext],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext> {
        let product = |terms: &Vec<Plaintext>| {
            let pairs: Vec<_> = powers.iter().zip(terms).collect();
            let mut product = ev.mul_plain_sum(&pairs)?;
            if self.rescale == Rescale::Early {
                lower(ev, &mut product, Level(0))?;
            }
            Ok(product)
        };
        let products: Result<Vec<_>> = part.steps.iter().map(product).collect();
        let l = &self.layout;
        let mut y = match (l.outer, &products?[..]) {
            (Outer::Extracted, [product]) => product.clone(),
            (_, products) => {
                let mut sum = horner(ev, products, -(l.tokens as i64), keys)?;
                for stride in l.folds(l.folded(), l.period) {
                    ev.add_rotated(&mut sum, stride, &keys.galois)?;
                }
                ev.settle(sum)?
            }
        };
        lower(ev, &mut y, Level(0))?;
        ev.add_plain_assign(&mut y, &part.bias)?;
        Ok(y)
    }
}

/// The powers of `v` that are named, at the level of the outer layer.
pub(crate) fn powers(
    ev: &Evaluator,
    v: &Ciphertext,
    (degree, level): (u32, Level),
    named: &[u32],
    keys: &EvaluationKeys,
) -> Result<Vec<Ciphertext>> {
    let relin = keys.relin.as_ref().ok_or(Error::MissingRelinKey { op: "square" })?;
    let square = |a: &Ciphertext| ev.relinearise(&ev.square(a)?, relin);
    let mut second = square(v)?;
    if second.level() > level {
        ev.rescale_assign(&mut second)?;
    }
    let fourth = if degree == 4 { Some(square(&second)?) } else { None };
    let first = ev.drop_to_level(v, level)?;
    let mut all = [Some(first), Some(second), fourth];
    let place = |d: u32| if d == 4 { 2 } else { d as usize - 1 };
    Ok(named.iter().filter_map(|d| all[place(*d)].take()).collect())
}

impl Plan {
    /// Scale of `v^d` at the level of the outer layer.
    pub(crate) fn power_scale(&self, d: u32) -> Scale {
        let unit = self.unit();
        let square = unit.times(unit);
        // With another level left, the square is rescaled once.
        let square = if self.literal().rescales_square() {
            square.over(Scale::prime(self.outer_level().0 + 1))
        } else {
            square
        };
        match d {
            1 => unit,
            2 => square,
            _ => square.times(square),
        }
    }

    /// Scale of the weights that multiply `v^d`: products have the answer's scale once they are rescaled.
    pub(crate) fn outer_scale(&self, d: u32) -> Scale {
        let lost = (1..=self.outer_level().0).fold(Scale::ONE, |scale, i| scale.times(Scale::prime(i)));
        self.answer().times(lost).over(self.power_scale(d))
    }
}

/// Encodes an outer layer.
struct Maker<'a> {
    plan: &'a Plan,
    layout: &'a Layout,
    encoder: Encoder,
    powers: &'a Powers,
}

impl Maker<'_> {
    fn folded(&self) -> Result<Part> {
        let l = self.layout;
        let step = |g: usize| {
            let term = |(d, a): &(u32, Vec<Vec<f64>>)| {
                let at = |h: usize| a.get((h + g) % l.folded()).and_then(|row| row.get(h)).copied();
                let slots = l.spread(|p| real(at(p % l.period).unwrap_or(0.0)));
                Ok(self.encoder.encode_slots(&slots, self.plan.outer_level(), self.plan.outer_scale(*d))?)
            };
            self.powers.terms.iter().map(term).collect::<Result<Vec<_>>>()
        };
        let steps = (0..l.folded()).map(step).collect::<Result<_>>()?;
        let bias = l.spread(|p| real(self.powers.bias.get(p % l.folded()).copied().unwrap_or(0.0)));
        Ok(Part { steps, bias: self.encoder.encode_slots(&bias, Level(0), self.plan.answer())? })
    }

    /// A part for as many classes as fit beside each other.
    fn extracted(&self) -> Result<Vec<Part>> {
        let l = self.layout;
        let most = l.lanes(self.plan.answer_degree());
        (0..l.classes).step_by(most).map(|k| self.lanes(k..(k + most).min(l.classes))).collect()
    }

    fn lanes(&self, classes: std::ops::Range<usize>) -> Result<Part> {
        let l = self.layout;
        let term = |(d, a): &(u32, Vec<Vec<f64>>)| {
            // The mean over positions divides the sum over units by their number.
            let at = |k: usize, p: usize| a[k].get(p % l.period).copied().unwrap_or(0.0) * l.period as f64;
            let slots = |k: usize| l.spread(|p| real(at(k, p)));
            self.side_by_side(classes.clone().map(slots), self.plan.outer_level(), self.plan.outer_scale(*d))
        };
        let terms = self.powers.terms.iter().map(term).collect::<Result<_>>()?;
        let bias = classes.clone().map(|k| l.spread(|_| real(self.powers.bias[k])));
        Ok(Part { steps: vec![terms], bias: self.side_by_side(bias, Level(0), self.plan.answer())? })
    }

    /// `Σ_k X^(k·stride)·m_k`
    fn side_by_side(
        &self,
        lanes: impl Iterator<Item = Vec<blindscope_ckks::Complex64>>,
        level: Level,
        scale: Scale,
    ) -> Result<Plaintext> {
        let params = self.plan.params();
        let q = params.q().prefix(level.limbs());
        let stride = params.n() / self.plan.answer_degree();
        let mut sum = q.zero();
        for (k, slots) in lanes.enumerate() {
            let m = self.encoder.encode_slots(&slots, level, scale)?;
            let mut shift = vec![0; k * stride + 1];
            shift[k * stride] = 1;
            let shift = self.encoder.encode_integers(&shift, level)?;
            q.mul_add_assign(&mut sum, m.poly(), shift.poly());
        }
        Ok(Plaintext::from_polynomial(params, sum, scale))
    }
}
