//! Sites and coordinator stop at every write, messages are lost and come twice: nothing is uploaded twice under one key, no second
//! set is signed, the same opening is given again, and what is read is exactly the committed set's sum.

use std::collections::BTreeMap;

use rand_core::Rng;

use crate::world::{MAX, VALUES, World, ids, total};
use blindscope_federation::sums::{Agreement, Commitment, SumOpening, SumRound};
use blindscope_federation::{JobId, SiteId};
use blindscope_wire::Digest;

/// Seeds, and rounds of one world before another is made.
const SEEDS: u64 = 1000;
const A_WORLD: u64 = 25;

/// What happened over all seeds.
#[derive(Default)]
struct Count {
    done: u64,
    crashes: BTreeMap<&'static str, u64>,
    resent: u64,
}

struct Run<'a> {
    world: &'a mut World,
    round: SumRound,
    rng: chacha20::ChaCha20Rng,
    count: &'a mut Count,
    /// Whatever left a site, by site and kind.
    left: BTreeMap<(SiteId, &'static str), Vec<u8>>,
}

impl Run<'_> {
    fn one_in(&mut self, n: u32) -> bool {
        self.rng.next_u32().is_multiple_of(n)
    }

    /// Whether the site stops here. If so it begins anew from its disk.
    fn stops(&mut self, site: SiteId, at: &'static str) -> bool {
        let stops = self.one_in(8);
        if stops {
            *self.count.crashes.entry(at).or_default() += 1;
            self.world.actor(site).restart();
        }
        stops
    }

    /// A message leaves: the same as before, if there was one before. Whether it arrives.
    fn leaves(&mut self, site: SiteId, kind: &'static str, bytes: &[u8]) -> bool {
        if let Some(before) = self.left.get(&(site, kind)) {
            self.count.resent += 1;
            assert!(before == bytes, "{site} sent another {kind} than before");
        }
        self.left.insert((site, kind), bytes.to_vec());
        !self.one_in(4)
    }

    fn upload(&mut self, site: SiteId) -> bool {
        let (round, name) = (self.round.clone(), self.round.name().0);
        let values = self.world.values(site, &round);
        if self.stops(site, "before upload") {
            return false;
        }
        let input = Digest(name);
        let bytes = if self.world.actor(site).site.may_upload(&round, &input).is_ok() {
            let (bytes, upload) = self.world.actor(site).encrypt(&round, &values);
            self.world.actor(site).disk.insert(name, bytes.clone());
            // On the disk without a mark: nothing of it has left, another is made.
            if self.stops(site, "bytes without mark") {
                return false;
            }
            self.world
                .actor(site)
                .store(blindscope_federation::sums::SumSite::uploaded(&round, &upload, input));
            if self.stops(site, "mark before sending") {
                return false;
            }
            bytes
        } else {
            self.world.actor(site).disk[&name].clone()
        };
        let arrives = self.leaves(site, "upload", &bytes);
        if arrives {
            self.world.receive(&round, site, &bytes).unwrap();
        }
        arrives
    }

    fn agree(&mut self, site: SiteId, commitment: &Commitment) -> Option<Agreement> {
        if self.stops(site, "before agreement") {
            return None;
        }
        let round = self.round.clone();
        let word = self.world.agree(&round, commitment, site).unwrap();
        if self.stops(site, "agreement stored, not sent") {
            return None;
        }
        self.leaves(site, "agreement", &word.to_bytes(&round)).then_some(word)
    }

    fn open(&mut self, site: SiteId, commitment: &Commitment, words: &[Agreement]) -> Option<SumOpening> {
        if self.stops(site, "before opening") {
            return None;
        }
        let round = self.round.clone();
        // Which signatures of the quorum it is shown does not matter.
        let agreed = self.world.agreed(&round, commitment, words).unwrap();
        let opening = self.world.open(&round, commitment, &agreed, site).unwrap();
        if self.stops(site, "opening stored, not sent") {
            return None;
        }
        self.leaves(site, "opening", &opening.to_bytes(&round)).then_some(opening)
    }

    fn run(&mut self) {
        let n = self.world.actors.len();
        let all = ids(0..n as u16);
        let mut here: Vec<SiteId> = Vec::new();
        for _ in 0..3 {
            for &site in &all {
                if !here.contains(&site) && self.upload(site) {
                    here.push(site);
                }
            }
        }
        here.sort_unstable();
        if (here.len() as u32) < self.round.least_cohort() {
            return;
        }
        let round = self.round.clone();
        // Named only once it is stored; a coordinator that stops before may name another.
        if here.len() > 3 && self.one_in(3) {
            here.remove(0);
        }
        let commitment = self.world.commit(&round, &here);
        let (mut words, mut openings) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..4 {
            for &site in &all {
                if let Some(word) = self.agree(site, &commitment) {
                    words.insert(site, word);
                }
            }
        }
        let words: Vec<_> = words.into_values().collect();
        if (words.len() as u32) < round.quorum() {
            return;
        }
        let t = round.plan().literal().threshold as usize;
        for _ in 0..6 {
            for &site in &all {
                if openings.len() < t && !openings.contains_key(&site) {
                    openings.extend(self.open(site, &commitment, &words).map(|o| (site, o)));
                }
            }
        }
        if openings.len() < t {
            return;
        }
        let openings: Vec<_> = openings.into_values().collect();
        let agreed = self.world.agreed(&round, &commitment, &words).unwrap();
        let (sums, wrong) = self.world.read(&round, &commitment, &agreed, &openings).unwrap();
        let values: Vec<_> = here.iter().map(|s| self.world.values(*s, &round)).collect();
        assert_eq!(sums, total(&values));
        assert!(wrong.is_empty());
        self.count.done += 1;
    }
}

#[test]
fn a_thousand_rounds_with_crashes_at_every_write() {
    let mut count = Count::default();
    for from in (0..SEEDS).step_by(A_WORLD as usize) {
        let shapes = [(3, 2, 0), (4, 2, 1), (5, 3, 1)];
        let (n, t, z) = shapes[(from / A_WORLD) as usize % shapes.len()];
        let mut world = World::new(n, t, z, 7000 + from);
        for seed in from..from + A_WORLD {
            let mut job = [0; 32];
            job[..8].copy_from_slice(&seed.to_le_bytes());
            let round = SumRound::new(&world.epoch, JobId(Digest(job)), 0, (VALUES as u64, MAX)).unwrap();
            let rng = blindscope_testkit::rng(seed);
            let mut run = Run { world: &mut world, round, rng, count: &mut count, left: BTreeMap::new() };
            run.run();
        }
    }
    println!(
        "{} of {SEEDS} rounds done, {} messages sent again; stopped {:?}",
        count.done, count.resent, count.crashes
    );
    assert!(count.done > SEEDS / 2, "the test has to reach the end: {}", count.done);
    assert_eq!(count.crashes.len(), 7, "every write is stopped at: {:?}", count.crashes);
}
