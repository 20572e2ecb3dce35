//! Every decoder of sums under one-round keys, at a small plan: refused, or decoded to something that is written again as the same
//! bytes and can be computed with.

use zeroize::Zeroizing;

use blindscope_aggregate::Result;
use blindscope_aggregate::one_round::{
    Challenge, Checks, Evaluation, Part, PartSum, Plan, PlanLiteral, RoundId, SiteRound, SumKey,
    ValuesDigest, check_body, evaluate_body, evaluate_sum, open_sum, opens_first_chunk, recover_key,
    write_sum,
};
use blindscope_testkit::patched;
use blindscope_wire::Digest;

const SITES: u32 = 3;
const VALUES: [[u64; 4]; SITES as usize] = [[0, 7, 255, 3], [255, 255, 255, 255], [1, 2, 3, 4]];
/// Body, part, check polynomials, opening, evaluation, sum.
const DECODERS: usize = 6;

/// One round of three sites of which two open, and a valid object of each kind.
pub(crate) struct Toy {
    plan: Plan,
    round: RoundId,
    sent: Digest,
    sum: Vec<u8>,
    key: SumKey,
    opening: PartSum,
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

impl Toy {
    /// Four values of eight bits, in the smallest ring that there is for them.
    pub(crate) fn new() -> Result<Self> {
        let plan = Plan::new(PlanLiteral {
            values: VALUES[0].len() as u64,
            max: 255,
            sites: SITES,
            holders: SITES,
            threshold: 2,
            colluders: 0,
            colluding_holders: 0,
            coins: 168,
        })?;
        let (round, sent) = (plan.round(&Digest([1; 32])), Digest([2; 32]));
        let mut openings: Vec<_> = (0..SITES).map(|holder| PartSum::new(&plan, holder)).collect();
        let (mut bodies, mut part, mut checks) = (Vec::new(), Zeroizing::new(Vec::new()), Vec::new());
        for (i, values) in VALUES.iter().enumerate() {
            let mut digest = ValuesDigest::new(&plan);
            for &v in values {
                digest.push(v);
            }
            let digest = digest.finish();
            let site = SiteRound::new(&plan, round, &[3 + i as u8; 32], &[9 + i as u8; 32], &digest);
            let mut body = Vec::new();
            site.write_body(values.iter().copied(), &digest, &mut body, &mut |_| {})?;
            bodies.push(body);
            let dealing = site.dealing(&[])?;
            for (holder, opening) in (0..).zip(&mut openings) {
                part = dealing.part(holder);
                opening.add(&plan, &Part::from_bytes(&plan, &part)?);
            }
            checks = dealing.checks(&sent);
        }
        let mut sum = Vec::new();
        write_sum(&plan, &mut bodies.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut sum)?;
        let mut probe = |key: &SumKey| opens_first_chunk(&plan, round, key, &mut &sum[..]);
        let key = recover_key(&plan, SITES.into(), &openings[..2], &mut probe)?.key;
        let value = evaluate_body(&plan, &Challenge::new(&round, &sent, &sent), &mut &bodies[0][..])?;
        let opening = openings.swap_remove(0);
        let objects = [
            bodies.swap_remove(0),
            part.to_vec(),
            checks,
            opening.to_bytes(&plan),
            value.to_bytes().to_vec(),
            sum.clone(),
        ];
        let seeds =
            (0..).zip(&objects).map(|(which, object): (u8, _)| [&[which], object.as_slice()].concat());
        let seeds = seeds.collect();
        Ok(Self { plan, round, sent, sum, key, opening, seeds })
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        self.decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the decoder. Returns whether it accepted.
    pub(crate) fn decode(&self, data: &[u8]) -> bool {
        let [which, bytes @ ..] = data else { return false };
        let decoded = match usize::from(*which) % DECODERS {
            0 => self.body(bytes),
            1 => self.part(bytes),
            2 => self.checks(bytes),
            3 => self.opening(bytes),
            4 => evaluation(bytes),
            _ => self.sum(bytes),
        };
        decoded.is_ok()
    }

    /// A body that is accepted can be evaluated and added to any other.
    fn body(&self, mut bytes: &[u8]) -> Result<()> {
        let plan = &self.plan;
        check_body(plan, &mut &bytes[..])?;
        evaluate_body(plan, &Challenge::new(&self.round, &self.sent, &self.sent), &mut &bytes[..])?;
        let mut sum = Vec::new();
        write_sum(plan, &mut [bytes, &self.seeds[0][1..]], &mut sum)?;
        assert!(sum.len() as u64 == plan.sum_len(), "a sum of another length");
        bytes = &[];
        assert!(check_body(plan, &mut bytes).is_err(), "nothing was taken for a body");
        Ok(())
    }

    fn part(&self, bytes: &[u8]) -> Result<()> {
        let part = Part::from_bytes(&self.plan, bytes)?;
        let checks = Checks::from_bytes(&self.plan, &self.seeds[2][1..])?;
        let fine = part.satisfies(&self.plan, SITES - 1, &self.sent, &checks);
        assert!(!fine || bytes == &self.seeds[1][1..], "another part lies on the dealer's polynomials");
        let mut sum = PartSum::new(&self.plan, 0);
        sum.add(&self.plan, &part);
        PartSum::from_bytes(&self.plan, &sum.to_bytes(&self.plan)).map(drop)
    }

    fn checks(&self, bytes: &[u8]) -> Result<()> {
        let checks = Checks::from_bytes(&self.plan, bytes)?;
        let part = Part::from_bytes(&self.plan, &self.seeds[1][1..])?;
        part.satisfies(&self.plan, SITES - 1, &self.sent, &checks);
        Ok(())
    }

    /// An opening is written as it came, and either opens the sum with an honest one or is refused.
    fn opening(&self, bytes: &[u8]) -> Result<()> {
        let opening = PartSum::from_bytes(&self.plan, bytes)?;
        assert!(opening.to_bytes(&self.plan) == bytes, "opening: decoded, but written differently");
        let mut probe = |key: &SumKey| opens_first_chunk(&self.plan, self.round, key, &mut &self.sum[..]);
        drop(recover_key(&self.plan, SITES.into(), &[self.opening.clone(), opening], &mut probe));
        Ok(())
    }

    fn sum(&self, bytes: &[u8]) -> Result<()> {
        let plan = &self.plan;
        evaluate_sum(plan, &Challenge::new(&self.round, &self.sent, &self.sent), &mut &bytes[..])?;
        drop(opens_first_chunk(plan, self.round, &self.key, &mut &bytes[..]));
        let mut values = Vec::new();
        let opened = open_sum(plan, self.round, &self.key, &mut &bytes[..], &mut |run| {
            values.extend_from_slice(run);
            Ok(())
        });
        if opened.is_ok() {
            assert!(values.iter().all(|&v| v <= 255 * u64::from(SITES)), "a sum that no values have");
        }
        Ok(())
    }
}

fn evaluation(bytes: &[u8]) -> Result<()> {
    let Ok(array) = <[u8; 32]>::try_from(bytes) else { return Err(blindscope_aggregate::Error::Evaluation) };
    let value = Evaluation::from_bytes(array)?;
    assert!(value.add(&Evaluation::ZERO).to_bytes() == array, "evaluation: decoded, but written differently");
    Ok(())
}
