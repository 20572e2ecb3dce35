//! Polygons with holes in pixels of level 0.

/// A piece of tissue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// Its outer border.
    pub outer: Vec<[f64; 2]>,
    /// Holes within.
    pub holes: Vec<Vec<[f64; 2]>>,
}

/// Area of a polygon by the shoelace formula.
pub(in crate::slides) fn area(points: &[[f64; 2]]) -> f64 {
    let next = points.iter().cycle().skip(1);
    let twice: f64 = points.iter().zip(next).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum();
    (twice / 2.0).abs()
}

/// Where a point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::slides) enum Side {
    Inside,
    Border,
    Outside,
}

/// Where `point` lies to a polygon, by crossings of the ray to the left; exact for whole coordinates below 2²⁵.
pub(in crate::slides) fn side(points: &[[f64; 2]], [x, y]: [f64; 2]) -> Side {
    let mut inside = false;
    let Some(mut a) = points.last() else { return Side::Outside };
    for b in points {
        let cross = (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]);
        let between = |p: f64, q: f64, v: f64| p.min(q) <= v && v <= p.max(q);
        if cross == 0.0 && between(a[0], b[0], x) && between(a[1], b[1], y) {
            return Side::Border;
        }
        if (a[1] > y) != (b[1] > y) && (cross > 0.0) == (b[1] > a[1]) {
            inside = !inside;
        }
        a = b;
    }
    if inside { Side::Inside } else { Side::Outside }
}

/// Lower and upper corner of the points; none without any.
pub(in crate::slides) fn bounds(points: &[[f64; 2]]) -> Option<[[f64; 2]; 2]> {
    let first = *points.first()?;
    let grow = |[low, high]: [[f64; 2]; 2], p: &[f64; 2]| {
        [[low[0].min(p[0]), low[1].min(p[1])], [high[0].max(p[0]), high[1].max(p[1])]]
    };
    Some(points.iter().fold([first; 2], grow))
}

/// Whether a polygon's border and an axis-parallel box (touching included) have a point in common.
fn crosses(points: &[[f64; 2]], low: [f64; 2], high: [f64; 2]) -> bool {
    let Some(mut a) = points.last() else { return false };
    for b in points {
        if segment_meets(*a, *b, low, high) {
            return true;
        }
        a = b;
    }
    false
}

/// Whether a segment meets a box, by clipping (Liang and Barsky 1984).
fn segment_meets(a: [f64; 2], b: [f64; 2], low: [f64; 2], high: [f64; 2]) -> bool {
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for axis in 0..2 {
        let step = b[axis] - a[axis];
        if step == 0.0 {
            if a[axis] < low[axis] || a[axis] > high[axis] {
                return false;
            }
            continue;
        }
        let (p, q) = ((low[axis] - a[axis]) / step, (high[axis] - a[axis]) / step);
        (from, to) = (from.max(p.min(q)), to.min(p.max(q)));
    }
    from <= to
}

impl Outline {
    /// Whether the tissue and a box have a point in common.
    pub(in crate::slides) fn meets(&self, low: [f64; 2], high: [f64; 2]) -> bool {
        if crosses(&self.outer, low, high) || self.holes.iter().any(|hole| crosses(hole, low, high)) {
            return true;
        }
        // No border within the box: it lies in the tissue, in a hole or outside, or has all of the tissue in it.
        side(&self.outer, low) == Side::Inside
            && self.holes.iter().all(|hole| side(hole, low) == Side::Outside)
    }

    /// With fewer points, none farther than `tolerance` from what was left out (Douglas and Peucker 1973).
    pub(in crate::slides) fn simplified(&self, tolerance: f64) -> Self {
        let ring = |points: &Vec<[f64; 2]>| simplify(points, tolerance);
        // A hole that shrinks to a line is none.
        let holes = self.holes.iter().map(ring).filter(|hole| hole.len() >= 3).collect();
        let outer = ring(&self.outer);
        Self { outer: if outer.len() >= 3 { outer } else { self.outer.clone() }, holes }
    }
}

/// Douglas–Peucker on a ring that is cut at its first point.
fn simplify(points: &[[f64; 2]], tolerance: f64) -> Vec<[f64; 2]> {
    let Some(first) = points.first() else { return Vec::new() };
    let mut ring = points.to_vec();
    if ring.last() != Some(first) || ring.len() == 1 {
        ring.push(*first);
    }
    let mut keep = vec![false; ring.len()];
    (keep[0], keep[ring.len() - 1]) = (true, true);
    let mut open = vec![(0, ring.len() - 1)];
    while let Some((from, to)) = open.pop() {
        let far = (from + 1..to).map(|i| (distance(ring[i], ring[from], ring[to]), i));
        let Some((most, at)) = far.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) else { continue };
        if most > tolerance {
            keep[at] = true;
            open.extend([(from, at), (at, to)]);
        }
    }
    ring.pop();
    ring.iter().zip(keep).filter_map(|(point, keep)| keep.then_some(*point)).collect()
}

/// Distance of a point from a segment.
fn distance(p: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let step = [b[0] - a[0], b[1] - a[1]];
    let length = step[0] * step[0] + step[1] * step[1];
    let along =
        if length == 0.0 { 0.0 } else { ((p[0] - a[0]) * step[0] + (p[1] - a[1]) * step[1]) / length };
    let along = along.clamp(0.0, 1.0);
    (p[0] - a[0] - along * step[0]).hypot(p[1] - a[1] - along * step[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [[f64; 2]; 4] = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]];

    #[test]
    fn points_know_their_side() {
        assert_eq!(side(&SQUARE, [5.0, 5.0]), Side::Inside);
        assert_eq!(side(&SQUARE, [10.0, 5.0]), Side::Border);
        assert_eq!(side(&SQUARE, [0.0, 0.0]), Side::Border);
        assert_eq!(side(&SQUARE, [11.0, 5.0]), Side::Outside);
        assert!((area(&SQUARE) - 100.0).abs() < 1e-12);
    }

    #[test]
    fn a_box_in_a_hole_meets_no_tissue() {
        let hole = vec![[2.0, 2.0], [8.0, 2.0], [8.0, 8.0], [2.0, 8.0]];
        let ring = Outline { outer: SQUARE.to_vec(), holes: vec![hole] };
        assert!(!ring.meets([4.0, 4.0], [6.0, 6.0]));
        assert!(ring.meets([1.0, 4.0], [3.0, 6.0]));
        assert!(ring.meets([-5.0, -5.0], [20.0, 20.0]));
        assert!(ring.meets([0.5, 0.5], [1.0, 1.0]));
        assert!(!ring.meets([11.0, 0.0], [12.0, 9.0]));
    }

    #[test]
    fn a_staircase_becomes_a_line() {
        let mut points: Vec<[f64; 2]> =
            (0..100).flat_map(|i| [[f64::from(i), f64::from(i)], [f64::from(i + 1), f64::from(i)]]).collect();
        points.push([100.0, -50.0]);
        let outline = Outline { outer: points, holes: Vec::new() }.simplified(2.0);
        assert_eq!(outline.outer.len(), 3, "{:?}", outline.outer);
    }
}
