//! A round in one process.

use rand_core::Rng;
use zeroize::Zeroizing;

use blindscope_aggregate::Result;
use blindscope_aggregate::one_round::{
    Checks, Part, PartSeed, PartSum, Plan, PlanLiteral, RoundId, SiteRound, SumKey, ValuesDigest, open_sum,
    opens_first_chunk, recover_key, write_sum, write_sum_of_sums,
};
use blindscope_wire::{Digest, Hasher};

pub(crate) fn literal(values: u64, max: u64, sites: u32, threshold: u32) -> PlanLiteral {
    PlanLiteral {
        values,
        max,
        sites,
        holders: sites,
        threshold,
        colluders: 0,
        colluding_holders: 0,
        coins: 168,
    }
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) round: RoundId,
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Each site's parts, by holder.
    pub(crate) parts: Vec<Vec<Vec<u8>>>,
    pub(crate) checks: Vec<Vec<u8>>,
    pub(crate) sent: Vec<Digest>,
}

pub(crate) fn body_of(
    plan: &Plan,
    round: RoundId,
    secret: &[u8; 32],
    fresh: &[u8; 32],
    values: &[u64],
) -> (Vec<u8>, Vec<u8>) {
    let mut digest = ValuesDigest::new(plan);
    for &v in values {
        digest.push(v);
    }
    let digest = digest.finish();
    let site = SiteRound::new(plan, round, secret, fresh, &digest);
    let mut body = Vec::new();
    site.write_body(values.iter().copied(), &digest, &mut body, &mut |_| {}).unwrap();
    assert_eq!(body.len() as u64, plan.body_len());
    assert!(site.decrypts_to(&mut &body[..plan.first_chunk_len()], values).unwrap());
    (body, site.dealing(&[]).unwrap().part(0).to_vec())
}

/// What stands for the digest of a body and its sealed parts.
pub(crate) fn sent(body: &[u8], parts: &[Vec<u8>]) -> Digest {
    let mut h = Hasher::new("test/sent");
    h.absorb(body);
    for p in parts {
        h.absorb(p);
    }
    h.finish()
}

impl World {
    pub(crate) fn upload(plan: &Plan, updates: &[Vec<u64>], rng: &mut impl Rng) -> Self {
        let round = plan.round(&Digest([rng.next_u64() as u8; 32]));
        let mut world = Self {
            plan: plan.clone(),
            round,
            bodies: Vec::new(),
            parts: Vec::new(),
            checks: Vec::new(),
            sent: Vec::new(),
        };
        for values in updates {
            let (mut secret, mut fresh) = ([0; 32], [0; 32]);
            rng.fill_bytes(&mut secret);
            rng.fill_bytes(&mut fresh);
            world.add(values, &secret, &fresh);
        }
        world
    }

    pub(crate) fn add(&mut self, values: &[u64], secret: &[u8; 32], fresh: &[u8; 32]) {
        let plan = &self.plan;
        let mut digest = ValuesDigest::new(plan);
        for &v in values {
            digest.push(v);
        }
        let digest = digest.finish();
        let site = SiteRound::new(plan, self.round, secret, fresh, &digest);
        let mut body = Vec::new();
        site.write_body(values.iter().copied(), &digest, &mut body, &mut |_| {}).unwrap();
        assert_eq!(body.len() as u64, plan.body_len());
        // Some holders make their parts themselves.
        let count = plan.literal().threshold - 1 - u32::from(secret[0]) % 2;
        let seed = |h: u32| PartSeed(Zeroizing::new([h as u8; 32]));
        let derived: Vec<_> = (0..count).map(|h| (h, seed(h))).collect();
        let dealing = site.dealing(&derived).unwrap();
        for (h, seed) in &derived {
            let (made, dealt) = (Part::derived(plan, seed), dealing.part(*h));
            assert!(made == Part::from_bytes(plan, &dealt).unwrap(), "holder {h}");
        }
        let parts: Vec<_> = (0..plan.literal().holders).map(|h| dealing.part(h).to_vec()).collect();
        assert!(parts.iter().all(|p| p.len() == plan.part_len()));
        let sent = sent(&body, &parts);
        let checks = dealing.checks(&sent);
        assert_eq!(checks.len(), plan.checks_len());
        self.bodies.push(body);
        self.parts.push(parts);
        self.checks.push(checks);
        self.sent.push(sent);
    }

    pub(crate) fn sum(&self) -> Result<Vec<u8>> {
        self.sum_of(&(0..self.bodies.len()).collect::<Vec<_>>())
    }

    pub(crate) fn sum_of(&self, sites: &[usize]) -> Result<Vec<u8>> {
        let mut readers: Vec<_> = sites.iter().map(|&i| &self.bodies[i][..]).collect();
        let mut out = Vec::new();
        write_sum(&self.plan, &mut readers, &mut out)?;
        assert_eq!(out.len() as u64, self.plan.sum_len());
        Ok(out)
    }

    /// The sum of all bodies, added up in parts of so many first.
    pub(crate) fn sum_in_parts(&self, of: usize) -> Result<Vec<u8>> {
        let all: Vec<usize> = (0..self.bodies.len()).collect();
        let parts = all.chunks(of).map(|part| self.sum_of(part)).collect::<Result<Vec<_>>>()?;
        let bodies = all.chunks(of).map(|part| part.len() as u64);
        let mut readers: Vec<_> = bodies.zip(parts.iter().map(|part| &part[..])).collect();
        let mut out = Vec::new();
        write_sum_of_sums(&self.plan, &mut readers, &mut out)?;
        Ok(out)
    }

    /// What an honest holder sends for the parts of these sites, after it has checked each.
    pub(crate) fn opening(&self, holder: u32, sites: &[usize]) -> PartSum {
        let mut sum = PartSum::new(&self.plan, holder);
        for &i in sites {
            let part = Part::from_bytes(&self.plan, &self.parts[i][holder as usize]).unwrap();
            let checks = Checks::from_bytes(&self.plan, &self.checks[i]).unwrap();
            assert!(part.satisfies(&self.plan, holder, &self.sent[i], &checks), "site {i}, holder {holder}");
            sum.add(&self.plan, &part);
        }
        let bytes = sum.to_bytes(&self.plan);
        assert_eq!(bytes.len(), self.plan.opening_len());
        PartSum::from_bytes(&self.plan, &bytes).unwrap()
    }

    pub(crate) fn recover(
        &self,
        sum: &[u8],
        terms: usize,
        openings: &[PartSum],
    ) -> Result<(SumKey, Vec<u32>)> {
        let mut probe = |key: &SumKey| opens_first_chunk(&self.plan, self.round, key, &mut &sum[..]);
        let got = recover_key(&self.plan, terms as u64, openings, &mut probe)?;
        Ok((got.key, got.wrong))
    }

    pub(crate) fn read(&self, sum: &[u8], key: &SumKey) -> Result<Vec<u64>> {
        let mut values = Vec::new();
        open_sum(&self.plan, self.round, key, &mut &sum[..], &mut |run| {
            values.extend_from_slice(run);
            Ok(())
        })?;
        Ok(values)
    }

    pub(crate) fn open(&self, holders: &[u32]) -> Result<Vec<u64>> {
        let all: Vec<usize> = (0..self.bodies.len()).collect();
        let openings: Vec<_> = holders.iter().map(|&h| self.opening(h, &all)).collect();
        let sum = self.sum()?;
        let (key, wrong) = self.recover(&sum, all.len(), &openings)?;
        assert!(wrong.is_empty());
        self.read(&sum, &key)
    }
}

/// Random values with extremes at both ends of what travels.
pub(crate) fn update(len: usize, max: u64, rng: &mut impl Rng) -> Vec<u64> {
    let mut values: Vec<u64> = (0..len).map(|_| rng.next_u64() % (max + 1)).collect();
    for (at, v) in [(0, max), (1, 0), (len / 2, max), (len - 1, max)] {
        values[at.min(len - 1)] = v;
    }
    values
}

pub(crate) fn total(updates: &[Vec<u64>]) -> Vec<u64> {
    let mut sums = vec![0; updates[0].len()];
    for update in updates {
        sums.iter_mut().zip(update).for_each(|(s, v)| *s += v);
    }
    sums
}
