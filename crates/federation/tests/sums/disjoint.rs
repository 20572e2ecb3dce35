//! One set a *holder* is not enough: over disjoint sets parts combine. Some holders open G1, some G2, the others both, each one set
//! and none of them dishonest; no set is opened by as many holders as it takes, and yet a combination of both opens.

use crate::world::{World, ids};
use blindscope_aggregate::one_round::{PartSum, SumKey, open_sum, opens_first_chunk, recover_key, write_sum};
use blindscope_federation::SiteId;
use blindscope_federation::sums::SumRound;
use blindscope_wire::{pack, packed_len, unpack};

/// Holders by what they open, and how many times each set is in what comes out.
struct Attack {
    threshold: u32,
    /// Sites of the two sets, those of the first set before those of the second, and of the roster.
    sizes: (usize, usize, usize),
    first: &'static [u64],
    second: &'static [u64],
    both: &'static [u64],
    times: (u64, u64),
}

/// Points of the holders, from 1. `m = 3, t = 2`: 4·S1 + S2. `m = 6, t = 4`: 5·S1 + S2.
const THREE: Attack =
    Attack { threshold: 2, sizes: (2, 24, 32), first: &[1], second: &[2], both: &[3], times: (4, 1) };
const SIX: Attack = Attack {
    threshold: 4,
    sizes: (2, 40, 50),
    first: &[1, 6],
    second: &[2, 5],
    both: &[3, 4],
    times: (5, 1),
};

/// A field of a prime.
#[derive(Clone, Copy)]
struct Field(u64);

impl Field {
    /// The field of a round's parts.
    fn of(round: &SumRound) -> Self {
        let text = round.plan().describe();
        Self(text.rsplit_once("p = ").unwrap().1.parse().unwrap())
    }

    fn bits(self) -> u32 {
        64 - self.0.leading_zeros()
    }

    fn power(self, base: u64, exponent: u64) -> u64 {
        (0..exponent).fold(1, |power, _| power * base % self.0)
    }

    /// Lagrange's weight of `x` at zero among these points.
    fn weight(self, x: u64, points: &[u64]) -> u64 {
        let others = points.iter().filter(|&&o| o != x);
        let (up, down) =
            others.fold((1, 1), |(up, down), &o| (up * o % self.0, down * (o + self.0 - x) % self.0));
        up * self.power(down, self.0 - 2) % self.0
    }
}

struct Run {
    world: World,
    round: SumRound,
    first: Vec<SiteId>,
    second: Vec<SiteId>,
    all: Vec<SiteId>,
}

impl Run {
    fn new(attack: &Attack) -> Self {
        let (one, two, sites) = attack.sizes;
        let m = attack.first.len() + attack.second.len() + attack.both.len();
        let mut world = World::with_holders(sites, attack.threshold, (0, 0), &ids(0..m as u16), 18);
        let round = world.sized_round(1, (1500, 1000));
        let all = ids(0..(one + two) as u16);
        world.upload_all(&round, &all);
        let (first, second) = (all[..one].to_vec(), all[one..].to_vec());
        Self { world, round, first, second, all }
    }

    /// What a holder gives for one set, as numbers.
    fn opened(&mut self, set: &[SiteId], point: u64) -> Vec<u64> {
        let opening = self.world.open_lawless(&self.round, set, SiteId(point as u16 - 1));
        let (field, bytes) = (Field::of(&self.round), opening.parts.to_bytes(self.round.plan()));
        let numbers = &bytes[34..];
        let mut out = vec![0; numbers.len() * 8 / field.bits() as usize];
        assert_eq!(numbers.len(), packed_len(out.len(), field.bits()));
        unpack(numbers, field.bits(), &mut out).unwrap();
        out
    }

    /// `μ1·S1 + μ2·S2` modulo `p`, of what each holder opened of its one set.
    fn combination(&mut self, attack: &Attack) -> Vec<u64> {
        let field = Field::of(&self.round);
        let (mu1, mu2) = attack.times;
        let with_both = |own: &[u64]| [own, attack.both].concat();
        let (one, two) = (with_both(attack.first), with_both(attack.second));
        let mut terms: Vec<(u64, Vec<SiteId>, u64)> = Vec::new();
        for &x in attack.first {
            terms.push((x, self.first.clone(), mu1 * field.weight(x, &one) % field.0));
        }
        for &x in attack.second {
            terms.push((x, self.second.clone(), mu2 * field.weight(x, &two) % field.0));
        }
        for &x in attack.both {
            let weight = mu1 * field.weight(x, &one) % field.0;
            assert_eq!(weight, mu2 * field.weight(x, &two) % field.0, "the points are chosen for this");
            terms.push((x, self.all.clone(), weight));
        }
        let mut key: Vec<u64> = Vec::new();
        for (x, set, weight) in terms {
            let numbers = self.opened(&set, x);
            key.resize(numbers.len(), 0);
            key.iter_mut().zip(numbers).for_each(|(k, number)| *k = (*k + weight * number) % field.0);
        }
        key
    }

    /// The same numbers as if every holder had opened them: a polynomial that is constant.
    fn as_openings(&self, attack: &Attack, key: &[u64]) -> Vec<PartSum> {
        let plan = self.round.plan();
        let opening = |holder: u16| {
            let mut bytes = PartSum::new(plan, 0).to_bytes(plan);
            bytes.truncate(32);
            bytes.extend_from_slice(&holder.to_le_bytes());
            pack(key, Field::of(&self.round).bits(), &mut bytes);
            PartSum::from_bytes(plan, &bytes).unwrap()
        };
        (0..attack.threshold as u16).map(opening).collect()
    }

    /// What the adversary reads: `μ1·ΣG1 + μ2·ΣG2`, over bodies that it has anyway.
    fn read(&self, attack: &Attack, key: &[u64]) -> Vec<u64> {
        let (plan, bodies) = (self.round.plan(), &self.world.received[&self.round.name().0]);
        let times = |set: &[SiteId], by: u64| set.repeat(by as usize);
        let many = [times(&self.first, attack.times.0), times(&self.second, attack.times.1)].concat();
        let mut readers: Vec<&[u8]> = many.iter().map(|s| &bodies[s].1[..plan.body_len() as usize]).collect();
        let mut sum = Vec::new();
        write_sum(plan, &mut readers, &mut sum).unwrap();
        let openings = self.as_openings(attack, key);
        let mut probe = |key: &SumKey| opens_first_chunk(plan, self.round.id(), key, &mut &sum[..]);
        let key = recover_key(plan, many.len() as u64, &openings, &mut probe).unwrap().key;
        let mut values = Vec::new();
        open_sum(plan, self.round.id(), &key, &mut &sum[..], &mut |run| {
            values.extend_from_slice(run);
            Ok(())
        })
        .unwrap();
        values
    }

    fn total(&self, set: &[SiteId], by: u64) -> Vec<u64> {
        let values: Vec<_> = set.iter().map(|s| self.world.values(*s, &self.round)).collect();
        crate::world::total(&values).into_iter().map(|v| by * v).collect()
    }
}

/// The broken rule, "a holder opens one set a round", and ours beside it, over the same uploads.
fn disjoint_sets(attack: &Attack) {
    let mut run = Run::new(attack);
    let key = run.combination(attack);
    let told = run.read(attack, &key);
    let expected = [run.total(&run.first, attack.times.0), run.total(&run.second, attack.times.1)];
    assert_eq!(told, crate::world::total(&expected), "what one set a holder lets happen");
    // Ours: the same holders are shown the same sets and sign, each one set. No set has a quorum, so nobody opens any.
    let holder = |x: &u64| SiteId(*x as u16 - 1);
    let shown = [
        (run.first.clone(), attack.first),
        (run.second.clone(), attack.second),
        (run.all.clone(), attack.both),
    ];
    let everybody: Vec<SiteId> = shown.iter().flat_map(|(_, to)| to.iter().map(holder)).collect();
    let (round, mut words) = (run.round.clone(), Vec::new());
    let sets: Vec<_> = shown.iter().map(|(set, _)| run.world.commit(&round, set)).collect();
    for (set, (_, to)) in sets.iter().zip(&shown) {
        words.extend(to.iter().map(|x| run.world.agree(&round, set, holder(x)).unwrap()));
    }
    for set in &sets {
        let more = run.world.agreements(&round, set, &everybody);
        let all: Vec<_> = words.iter().copied().chain(more).collect();
        let e = run.world.agreed(&round, set, &all).unwrap_err();
        let (found, needed) = (everybody.len() / 3, round.quorum());
        assert!(e.contains(&format!("{found} sites have signed this set, {needed} are needed")), "{e}");
    }
}

#[test]
fn three_holders_of_which_two_open() {
    disjoint_sets(&THREE);
}

#[test]
fn six_holders_of_which_four_open() {
    disjoint_sets(&SIX);
}
