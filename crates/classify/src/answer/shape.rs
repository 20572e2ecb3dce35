//! What an answer's polynomials hold, as both sides derive it from the plan and the number of tokens.

use crate::Plan;
use crate::layout::{Layout, Outer};
use blindscope_wire::packed_len;

/// One polynomial pair of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PieceShape {
    /// Places of the half without the secret that travel, in the answer's ring.
    pub(crate) places: Vec<usize>,
    /// What the lanes of the piece are: classes, or ciphertexts.
    pub(crate) lanes: usize,
}

impl PieceShape {
    /// Bytes on the wire.
    pub(crate) fn len(&self, plan: &Plan) -> usize {
        let bits = plan.literal().answer_bits;
        packed_len(self.places.len(), bits) + packed_len(plan.answer_degree(), bits)
    }
}

/// The pieces of an answer to this many tokens.
pub(crate) fn pieces(plan: &Plan, tokens: usize) -> Vec<PieceShape> {
    let degree = plan.answer_degree();
    if let Some(l) = plan.token_layout() {
        let of = |lanes: usize| PieceShape { places: places(l, degree, lanes), lanes };
        let all = match l.outer {
            Outer::Extracted => l.classes,
            Outer::Folded => tokens.div_ceil(l.tokens),
        };
        let most = l.lanes(degree);
        return (0..all.div_ceil(most)).map(|i| of(most.min(all - i * most))).collect();
    }
    let Some(l) = plan.feature_layout() else { return Vec::new() };
    let whole = PieceShape { places: (0..degree).collect(), lanes: 1 };
    vec![whole; l.pairs() * tokens.div_ceil(l.slots)]
}

/// Lane `i` is shifted by `i`; its message lies at equal distances.
fn places(l: &Layout, degree: usize, lanes: usize) -> Vec<usize> {
    let count = l.lane_coefficients();
    (0..lanes).flat_map(|lane| (0..count).map(move |j| j * (degree / count) + lane)).collect()
}
