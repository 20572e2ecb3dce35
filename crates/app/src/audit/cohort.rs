//! One round of sums as it runs in a study, and what each party of it holds: bodies, parts of keys, the opened sum of keys.

use super::Error;
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::one_round::{
    Part, PartSum, Plan, PlanLiteral, RoundId, SiteRound, SumKey, ValuesDigest, read_anyway, write_sum,
};
use blindscope_wire::{Digest, Hasher};

/// Sites of a cohort, all of them holders.
pub(super) const SITES: u32 = 4;
/// Holders whose parts open a sum.
pub(super) const THRESHOLD: u32 = 3;
/// Bits of a value.
const BITS: u32 = 14;

/// How sums of tokens are summed: fixed point and plan.
pub(super) struct Sums {
    fixed: FixedPoint,
    plan: Plan,
    rows: u64,
}

/// A round over some sites.
pub(super) struct Cohort<'s> {
    sums: &'s Sums,
    round: RoundId,
    bodies: Vec<Vec<u8>>,
    /// By site, then by holder.
    parts: Vec<Vec<Part>>,
}

impl Sums {
    /// Of tokens within `±bound`, `rows` a site.
    pub(super) fn new(width: usize, bound: f64, rows: usize) -> Result<Self, Error> {
        let fixed = FixedPoint::new(bound, BITS)?;
        let rows = rows as u64;
        let literal = PlanLiteral {
            values: width as u64,
            max: fixed.max() * rows,
            sites: SITES,
            holders: SITES,
            threshold: THRESHOLD,
            colluders: SITES - 2,
            colluding_holders: THRESHOLD - 1,
            coins: 168,
        };
        Ok(Self { fixed, plan: Plan::new(literal)?, rows })
    }

    /// A round in which each site sums the tokens of its rows; `secret` is what all of its secrets follow from.
    pub(super) fn cohort(&self, sites: &[&[f32]], secret: [u8; 32]) -> Result<Cohort<'_>, Error> {
        let round = self.plan.round(&Digest(secret));
        let mut cohort = Cohort { sums: self, round, bodies: Vec::new(), parts: Vec::new() };
        for (number, tokens) in sites.iter().enumerate() {
            let mut own = Hasher::new("blindscope/audit/site/v1");
            own.absorb(&secret).absorb_u64(number as u64);
            cohort.upload(tokens, &own.finish().0)?;
        }
        Ok(cohort)
    }

    /// Means over `sites` sites' rows of integers that were read, right or wrong.
    fn means(&self, integers: &[u64], sites: u64) -> Vec<f32> {
        let rows = self.rows * sites;
        integers.iter().map(|v| (self.fixed.decode_sum(*v, rows) / rows as f64) as f32).collect()
    }
}

impl Cohort<'_> {
    fn upload(&mut self, tokens: &[f32], secret: &[u8; 32]) -> Result<(), Error> {
        let (plan, width) = (&self.sums.plan, self.sums.plan.literal().values as usize);
        let mut values = vec![0u64; width];
        for token in tokens.chunks_exact(width) {
            let token: Vec<f64> = token.iter().map(|v| f64::from(*v)).collect();
            values.iter_mut().zip(self.sums.fixed.encode(&token)?).for_each(|(sum, v)| *sum += v);
        }
        let mut named = ValuesDigest::new(plan);
        for value in &values {
            named.push(*value);
        }
        let named = named.finish();
        let site = SiteRound::new(plan, self.round, secret, &[1; 32], &named);
        let mut body = Vec::new();
        site.write_body(values.into_iter(), &named, &mut body, &mut |_| {})?;
        let dealing = site.dealing(&[])?;
        let parts = (0..SITES).map(|holder| Part::from_bytes(plan, &dealing.part(holder)));
        self.parts.push(parts.collect::<Result<_, _>>()?);
        self.bodies.push(body);
        Ok(())
    }

    /// What the coordinator holds of a site before anything is opened.
    pub(super) fn body(&self, site: usize) -> &[u8] {
        &self.bodies[site]
    }

    /// The key of some sites' sum as so many holders make it up who put all their parts of it together.
    pub(super) fn key(&self, sites: &[usize], holders: u32) -> SumKey {
        let plan = &self.sums.plan;
        let opening = |holder: u32| {
            let mut sum = PartSum::new(plan, holder);
            for site in sites {
                sum.add(plan, &self.parts[*site][holder as usize]);
            }
            sum
        };
        let openings: Vec<PartSum> = (0..holders).map(opening).collect();
        SumKey::guessed(plan, sites.len() as u64, &openings)
    }

    /// The mean token of some sites as their bodies read under a key.
    pub(super) fn read(&self, sites: &[usize], key: &SumKey) -> Result<Vec<f32>, Error> {
        let plan = &self.sums.plan;
        let mut bodies: Vec<&[u8]> = sites.iter().map(|site| self.bodies[*site].as_slice()).collect();
        let mut sum = Vec::new();
        write_sum(plan, &mut bodies, &mut sum)?;
        let integers = read_anyway(plan, self.round, key, &mut &sum[..])?;
        Ok(self.sums.means(&integers, sites.len() as u64))
    }
}
