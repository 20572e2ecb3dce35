//! A tree of digests over the headers of a set: its top names all of them, and a path of a few digests shows that one is among them.
//!
//! Leaves are the headers by rising site, each hashed with its place; two digests beside each other are hashed to the one above them, and one
//! that has none beside it goes up as it is. Leaves and inner digests are hashed under domains of their own, so neither passes for the
//! other; the shape follows from the number of leaves, which whoever names the top names with it.

use blindscope_wire::{Digest, Hasher};

/// A header at its place, from 0.
fn leaf(place: u64, header: &Digest) -> Digest {
    Hasher::new("blindscope/sums/set-leaf/v1").absorb_u64(place).absorb(&header.0).finish()
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    Hasher::new("blindscope/sums/set-node/v1").absorb(&left.0).absorb(&right.0).finish()
}

/// All digests of a tree, the leaves first, the top last.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Over headers' digests, by rising site.
    pub(super) fn new(headers: impl Iterator<Item = Digest>) -> Self {
        let mut levels: Vec<Vec<Digest>> =
            vec![(0..).zip(headers).map(|(place, header)| leaf(place, &header)).collect()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = |two: &[Digest]| match two {
                [left, right] => inner(left, right),
                alone => alone.first().copied().unwrap_or(Digest([0; 32])),
            };
            let level = below.chunks(2).map(above).collect();
            levels.push(level);
        }
        Self { levels }
    }

    /// The digest over all; zeros of no header.
    pub(super) fn top(&self) -> Digest {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(Digest([0; 32]))
    }

    /// What shows that the header at this place is under the top: the digests beside its own, from below.
    pub(super) fn path(&self, place: usize) -> Vec<Digest> {
        let beside = |(height, level): (usize, &Vec<Digest>)| level.get((place >> height) ^ 1).copied();
        self.levels.iter().enumerate().filter_map(beside).collect()
    }
}

/// Whether somebody stands beside a place at each height, from below, in a tree of so many leaves.
fn beside(place: u64, count: u64) -> impl Iterator<Item = bool> {
    let widths = std::iter::successors(Some(count), |width| (*width > 1).then(|| width.div_ceil(2)));
    widths
        .take_while(|width| *width > 1)
        .enumerate()
        .map(move |(height, width)| (place >> height) ^ 1 < width)
}

/// Digests of the path of a place among so many.
pub(super) fn path_len(place: u64, count: u64) -> usize {
    beside(place, count).filter(|there| *there).count()
}

/// The top that a header at a place among `count` leads to along a path; nothing for a path of another length.
pub(super) fn top_of((place, count): (u64, u64), header: &Digest, path: &[Digest]) -> Option<Digest> {
    if place >= count || path.len() != path_len(place, count) {
        return None;
    }
    let (mut at, mut path) = (leaf(place, header), path.iter());
    for (height, there) in beside(place, count).enumerate() {
        if there {
            let other = path.next()?;
            at = if (place >> height) & 1 == 0 { inner(&at, other) } else { inner(other, &at) };
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(count: u64) -> Vec<Digest> {
        (0..count).map(|k| Hasher::new("test/header").absorb_u64(k).finish()).collect()
    }

    /// Each header of sets of any size leads to the top along its path, and along no other.
    #[test]
    fn every_header_is_under_the_top_at_its_place_alone() {
        for count in (1..=33).chain([63, 64, 65, 1000, 1024]) {
            let all = headers(count);
            let tree = Tree::new(all.iter().copied());
            for place in 0..count {
                let header = &all[place as usize];
                let path = tree.path(place as usize);
                assert_eq!(path.len(), path_len(place, count));
                assert_eq!(top_of((place, count), header, &path), Some(tree.top()), "{place} of {count}");
                for other in [place + 1, place ^ 1, 0, count - 1, count] {
                    if other != place {
                        let found = top_of((other, count), header, &path);
                        assert_ne!(found, Some(tree.top()), "{place} as {other} of {count}");
                    }
                }
                let longer = [&path[..], &[tree.top()]].concat();
                assert_eq!(top_of((place, count), header, &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(top_of((place, count), header, shorter), None);
                }
            }
        }
    }

    /// A path whose digests were changed, swapped or taken from another tree leads elsewhere.
    #[test]
    fn another_path_leads_elsewhere() {
        let (count, place) = (21, 13);
        let tree = Tree::new(headers(count).into_iter());
        let header = headers(count)[place as usize];
        let path = tree.path(place as usize);
        for at in 0..path.len() {
            let mut other = path.clone();
            other[at].0[7] ^= 1;
            assert_ne!(top_of((place, count), &header, &other), Some(tree.top()), "{at}");
            let mut other = path.clone();
            other.swap(at, (at + 1) % path.len());
            assert_ne!(top_of((place, count), &header, &other), Some(tree.top()), "{at}");
        }
        let mut others = headers(count);
        others[20].0[0] ^= 1;
        let other = Tree::new(others.into_iter());
        assert_ne!(top_of((place, count), &header, &other.path(place as usize)), Some(tree.top()));
    }

    /// What stands inside the tree is no header of a smaller one: neither an inner digest as a header, nor a leaf as an inner digest.
    #[test]
    fn inner_digests_are_no_leaves() {
        let all = headers(4);
        let tree = Tree::new(all.iter().copied());
        let inside = tree.levels[1].clone();
        assert_ne!(Tree::new(inside.iter().copied()).top(), tree.top(), "two headers that are inner digests");
        assert_ne!(Tree::new(tree.levels[0].iter().copied()).top(), tree.top(), "leaves as headers");
        assert_ne!(inner(&all[0], &all[1]), inside[0], "headers as leaves");
        // One alone goes up as it is, and is still one of three, not of two.
        let three = Tree::new(all[..3].iter().copied());
        assert_eq!(three.levels[1][1], three.levels[0][2]);
        assert_ne!(top_of((1, 2), &all[2], &three.path(2)), Some(three.top()), "at the place among two");
    }

    #[test]
    fn no_two_sets_have_one_top() {
        let all = headers(9);
        let mut tops: Vec<_> = (0..=9).map(|n| Tree::new(all[..n].iter().copied()).top()).collect();
        let mut swapped = all.clone();
        swapped.swap(3, 4);
        tops.push(Tree::new(swapped.iter().copied()).top());
        swapped.push(all[8]);
        tops.push(Tree::new(swapped.into_iter()).top());
        let count = tops.len();
        tops.sort_unstable_by_key(|top| top.0);
        tops.dedup();
        assert_eq!(tops.len(), count);
    }
}
