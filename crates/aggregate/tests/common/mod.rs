//! A study in one process: its keys, and rounds of sums over streams in memory.
#![allow(dead_code, reason = "each test takes what it needs")]

use rand_core::{CryptoRng, Rng};

use blindscope_aggregate::{
    Result, SumPlan, SumPlanLiteral, open_sum, write_shares, write_sum, write_upload,
};
use blindscope_ckks::{ModulusLiteral, Parameters, ParametersLiteral, Security};
use blindscope_threshold::{
    Committee, KeyShare, MemoryLedger, PartCollector, PartyId, PublicKeyProtocol, Roster, SiteSecret,
    Transcript, WideKey,
};
use blindscope_wire::Digest;

/// A ring far too small to be safe, with the moduli of the real one.
pub(crate) fn toy() -> Parameters {
    Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 5,
        ciphertext: ModulusLiteral::bits(&[43, 43, 43, 43, 42]),
        special: ModulusLiteral::bits(&[]),
        log2_scale: 20,
        security: Security::Classical128,
    })
    .unwrap()
}

pub(crate) struct Study {
    pub(crate) params: Parameters,
    pub(crate) ceremony: Transcript,
    pub(crate) shares: Vec<KeyShare>,
    pub(crate) key: WideKey,
}

impl Study {
    pub(crate) fn new(
        params: &Parameters,
        n: usize,
        t: usize,
        width: usize,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let roster = Roster::new((0..n).map(|i| Digest([i as u8; 32])).collect(), t).unwrap();
        let ceremony = Transcript::ceremony(params, &roster, b"ceremony", width).unwrap();
        let secrets: Vec<_> =
            roster.iter().map(|p| SiteSecret::generate(&ceremony, p, rng).unwrap()).collect();
        let mut collector = PublicKeyProtocol::collector(&ceremony);
        for s in &secrets {
            collector.absorb(&PublicKeyProtocol::begin(&ceremony).share(s, rng)).unwrap();
        }
        let key = PublicKeyProtocol::finish_wide(&ceremony, collector).unwrap();
        let mut parts: Vec<_> = roster.iter().map(|p| PartCollector::new(&ceremony, p)).collect();
        for part in secrets.iter().flat_map(|s| s.split(&ceremony, rng)) {
            parts[usize::from(part.to().0)].absorb(part).unwrap();
        }
        let shares = parts.into_iter().map(|p| p.finish().unwrap()).collect();
        Self { params: params.clone(), ceremony, shares, key }
    }

    pub(crate) fn literal(&self, values: u64, max: u64) -> SumPlanLiteral {
        let roster = self.ceremony.roster();
        SumPlanLiteral {
            values,
            max,
            sites: roster.parties() as u32,
            threshold: roster.threshold() as u32,
            width: self.key.width() as u32,
            budget: 1 << 12,
            statistical_bits: 30,
            attempts: 3,
        }
    }

    pub(crate) fn plan(&self, values: u64, max: u64) -> SumPlan {
        SumPlan::new(&self.params, self.literal(values, max)).unwrap()
    }

    pub(crate) fn round(&self, purpose: &[u8], round: u64) -> Transcript {
        Transcript::new(&self.params, self.ceremony.roster(), purpose, round)
    }

    pub(crate) fn committee(&self, members: &[PartyId]) -> Committee {
        Committee::new(self.ceremony.roster(), members).unwrap()
    }

    pub(crate) fn upload(&self, plan: &SumPlan, values: &[u64], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut out = Vec::new();
        write_upload(plan, &self.key, values.iter().copied(), rng, &mut out, &mut |_| {}).unwrap();
        assert_eq!(out.len() as u64, plan.upload_len());
        out
    }

    pub(crate) fn share(
        &self,
        plan: &SumPlan,
        round: &Transcript,
        committee: &Committee,
        party: PartyId,
        sum: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>> {
        let key = &self.shares[usize::from(party.0)];
        let session = plan.begin(&self.ceremony, round, key, committee, &mut MemoryLedger::default())?;
        let mut out = Vec::new();
        write_shares(plan, session, &mut &*sum, rng, &mut out)?;
        assert_eq!(out.len() as u64, plan.share_len());
        Ok(out)
    }

    #[allow(clippy::unused_self, reason = "beside share")]
    pub(crate) fn open(
        &self,
        plan: &SumPlan,
        round: &Transcript,
        committee: &Committee,
        sum: &[u8],
        shares: &[(PartyId, Vec<u8>)],
    ) -> Result<Vec<u64>> {
        let mut readers: Vec<_> = shares.iter().map(|(p, b)| (*p, &b[..])).collect();
        let mut opened = Vec::new();
        open_sum(plan, round, committee, &mut &*sum, &mut readers, &mut |run| {
            opened.extend_from_slice(run);
            Ok(())
        })?;
        Ok(opened)
    }

    /// A whole round: these uploads, opened by these sites.
    pub(crate) fn sum(
        &self,
        plan: &SumPlan,
        updates: &[Vec<u64>],
        members: &[PartyId],
        round: &Transcript,
        rng: &mut impl CryptoRng,
    ) -> Vec<u64> {
        let uploads: Vec<_> = updates.iter().map(|u| self.upload(plan, u, rng)).collect();
        let sum = add(plan, &uploads).unwrap();
        let committee = self.committee(members);
        let shares: Vec<_> = members
            .iter()
            .map(|&p| (p, self.share(plan, round, &committee, p, &sum, rng).unwrap()))
            .collect();
        self.open(plan, round, &committee, &sum, &shares).unwrap()
    }
}

pub(crate) fn add(plan: &SumPlan, inputs: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut readers: Vec<_> = inputs.iter().map(|b| &b[..]).collect();
    let mut out = Vec::new();
    write_sum(plan, &mut readers, &mut out)?;
    assert_eq!(out.len() as u64, plan.sum_len());
    Ok(out)
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
