//! Chroma rows at full width: libjpeg's "fancy" upsampling, a triangle filter of ¾ and ¼, and plain repetition for the rest.

use pulp::{Arch, Simd, WithSimd};

use super::frame::Component;

/// How a component's samples become the picture's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upsampling {
    /// As many as there are pixels.
    None,
    /// Half the columns, a triangle between neighbours.
    H2,
    /// Half the rows, likewise.
    V2,
    /// Half of both, likewise.
    H2V2,
    /// Each sample repeated this often across and down.
    Repeat(usize, usize),
}

impl Upsampling {
    /// libjpeg's choice for a component that is `across` and `down` times smaller; its triangle needs more than two columns.
    pub(super) fn choose(across: usize, down: usize, columns: usize) -> Self {
        match (across, down) {
            (1, 1) => Self::None,
            (2, 1) if columns > 2 => Self::H2,
            (1, 2) => Self::V2,
            (2, 2) if columns > 2 => Self::H2V2,
            (across, down) => Self::Repeat(across, down),
        }
    }

    /// Row `y` of the picture from `component`; `room` is kept from row to row.
    pub(super) fn row<'a>(self, component: &'a Component, y: usize, room: &'a mut Room) -> &'a [u8] {
        let last = component.rows - 1;
        // The row itself and the nearer neighbour; rows beyond the picture repeat its edge.
        let pair = || {
            let at = y / 2;
            let other = if y.is_multiple_of(2) { at.saturating_sub(1) } else { (at + 1).min(last) };
            (component.row(at), component.row(other))
        };
        match self {
            Self::None => return component.row(y),
            Self::H2 => {
                let row = component.row(y);
                room.widen(row.len(), [1, 2], 2, |sums| {
                    sums.iter_mut().zip(row).for_each(|(sum, v)| *sum = (*v).into());
                });
            }
            Self::H2V2 => {
                let (near, far) = pair();
                room.widen(near.len(), [8, 7], 4, |sums| {
                    for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
                        *sum = 3 * u16::from(*near) + u16::from(*far);
                    }
                });
            }
            Self::V2 => {
                let (near, far) = pair();
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                let blend = |(a, b): (&u8, &u8)| ((u16::from(*a) * 3 + u16::from(*b) + bias) >> 2) as u8;
                room.line.clear();
                room.line.extend(near.iter().zip(far).map(blend));
            }
            Self::Repeat(across, down) => {
                let row = component.row(y / down);
                room.line.clear();
                room.line.extend(row.iter().flat_map(|v| std::iter::repeat_n(*v, across)));
            }
        }
        &room.line
    }
}

/// Room for one row.
#[derive(Debug, Default)]
pub(super) struct Room {
    line: Vec<u8>,
    /// Samples, or sums of two rows, with the first and the last repeated beyond the ends.
    sums: Vec<u16>,
}

impl Room {
    /// Twice `n` columns of what `fill` makes: ¾ of each and ¼ of the neighbour, rounded by the two biases in turn.
    fn widen(&mut self, n: usize, biases: [u16; 2], shift: u32, fill: impl FnOnce(&mut [u16])) {
        self.line.resize(2 * n, 0);
        self.sums.resize(n + 2, 0);
        fill(&mut self.sums[1..=n]);
        (self.sums[0], self.sums[n + 1]) = (self.sums[1], self.sums[n]);
        Arch::new().dispatch(Widen { sums: &self.sums, biases, shift, out: &mut self.line });
    }
}

struct Widen<'a> {
    sums: &'a [u16],
    biases: [u16; 2],
    shift: u32,
    out: &'a mut [u8],
}

impl WithSimd for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.sums.len() - 2;
        let (left, here, right) = (&self.sums[..n], &self.sums[1..=n], &self.sums[2..]);
        let pairs = self.out.as_chunks_mut::<2>().0;
        for (((pair, left), here), right) in pairs.iter_mut().zip(left).zip(here).zip(right) {
            let most = 3 * here;
            *pair = [
                ((most + left + self.biases[0]) >> self.shift) as u8,
                ((most + right + self.biases[1]) >> self.shift) as u8,
            ];
        }
    }
}
