//! Which evaluation point stands at which index of a transformed polynomial.

/// The order of the values of a transformed polynomial of degree `N`.
///
/// Let `b(j)` be `j` with, for `N >= 64`, the six lowest bits `hhhlll` swapped to `lllhhh`. Index `j` holds
/// `f(ψ^(2·brv(b(j)) + 1))`, `brv` reversing `log2 N` bits. So it is bit-reversed order, each run of 64
/// values transposed as an 8×8 square: the order in which vectors of eight words finish the last three stages
/// without shuffling back. It is part of the wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationOrder {
    log_n: u32,
}

pub(crate) fn bit_reverse(i: usize, bits: u32) -> usize {
    i.reverse_bits() >> (usize::BITS - bits)
}

impl EvaluationOrder {
    /// The order at degree `2^log_n`.
    pub fn new(log_n: u32) -> Self {
        Self { log_n }
    }

    /// The odd exponent `e` such that index `j` holds `f(ψ^e)`.
    pub fn exponent(self, j: usize) -> usize {
        2 * bit_reverse(self.transpose(j), self.log_n) + 1
    }

    /// The index that holds `f(ψ^e)`, for odd `e`, taken modulo `2N`.
    pub fn index(self, e: usize) -> usize {
        let odd = (e % (2 << self.log_n)) / 2;
        self.transpose(bit_reverse(odd, self.log_n))
    }

    /// Swaps the two 3-bit halves of the six lowest bits; its own inverse.
    fn transpose(self, j: usize) -> usize {
        if self.log_n < 6 { j } else { (j & !63) | ((j & 7) << 3) | ((j >> 3) & 7) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_inverts_exponent() {
        for log_n in [4, 5, 6, 10, 13] {
            let order = EvaluationOrder::new(log_n);
            for j in 0..1 << log_n {
                assert_eq!(order.index(order.exponent(j)), j);
            }
        }
    }
}
