//! A whole round of three sites' ten million values in one process: what the same from Python is measured against.

use std::fs::File;
use std::io::{Cursor, Read, Write as _};
use std::time::Instant;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::{AREA, Arithmetic, Better, Error, Figure, Report, Scratch};
use blindscope_aggregate::FixedPoint;
use blindscope_aggregate::one_round::{evaluate_body, write_sum};
use blindscope_federation::sums::{
    Agreed, Agreement, Commitment, Epoch, EpochLiteral, Findings, Member, Parts, Received, SignedUpload,
    SumOpening, SumRound, SumSite, Uploader, bundle, open_parts, read_result, read_upload, sort_findings,
    write_upload,
};
use blindscope_federation::{Blob, IdentityKey, JobId, SealingKey, SiteEntry, SiteId};
use blindscope_wire::Digest;

const SITES: u16 = 3;
const VALUES: usize = 10_000_000;
const BITS: u32 = 16;
const RUNS: usize = 3;
const WHAT: &str = "3 × 10,000,000 values";

struct Party {
    me: SiteId,
    identity: IdentityKey,
    sealing: SealingKey,
    update: Vec<f32>,
}

struct Cast {
    round: SumRound,
    fixed: FixedPoint,
    parties: Vec<Party>,
}

type Result<T> = std::result::Result<T, Error>;

impl Cast {
    fn new(path: Arithmetic) -> Result<Self> {
        let mut rng = ChaCha20Rng::from_seed([4; 32]);
        let mut party = |k: u16| Party {
            me: SiteId(k),
            identity: IdentityKey::generate(&mut rng),
            sealing: SealingKey::generate(&mut rng),
            update: (0..VALUES).map(|_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect(),
        };
        let parties: Vec<Party> = (0..SITES).map(&mut party).collect();
        let member = |p: &Party| Member {
            site: p.me,
            entry: SiteEntry {
                name: p.me.to_string(),
                identity: p.identity.public(),
                sealing: p.sealing.public(),
            },
        };
        let epoch = Epoch::new(EpochLiteral {
            study: Digest([1; 32]),
            version: 0,
            members: parties.iter().map(member).collect(),
            holders: (0..SITES).map(SiteId).collect(),
            threshold: 2,
            colluders: 1,
            colluding_holders: 1,
            minimum_cohort: 3,
            coins: 168,
            former: Vec::new(),
        })?;
        let fixed = FixedPoint::new(1.0, BITS)?;
        let round =
            SumRound::new(&epoch, JobId(Digest([9; 32])), 0, (VALUES as u64, fixed.max()))?.on(path)?;
        Ok(Self { round, fixed, parties })
    }

    /// A site's update as integers.
    fn integers(&self, party: &Party) -> Result<Vec<u64>> {
        let one = |(at, v): (usize, &f32)| self.fixed.encode_one(at, f64::from(*v));
        Ok(party.update.iter().enumerate().map(one).collect::<std::result::Result<_, _>>()?)
    }

    /// Encrypts the integers, and has them on the disk before they leave.
    fn upload(&self, party: &Party, disk: &mut File) -> Result<Vec<u8>> {
        let values = self.integers(party)?;
        let only = SumSite::default().bound_to(party.me, &self.round, &Digest([7; 32]));
        let by = Uploader {
            round: &self.round,
            me: party.me,
            sealing: &party.sealing,
            signer: &party.identity,
            only,
        };
        let again = || Box::new(values.iter().copied()) as Box<dyn Iterator<Item = u64> + Send + '_>;
        let mut bytes = Vec::with_capacity(self.round.upload_len(party.me, true) as usize);
        write_upload(&by, true, &again, &[party.me.0 as u8; 32], &mut bytes)?;
        disk.write_all(&bytes)?;
        disk.sync_all()?;
        Ok(bytes)
    }

    /// Every site's upload, as the server reads it, with its body.
    fn uploads(&self) -> Result<Vec<(Received, Vec<u8>)>> {
        let body_len = self.round.plan().body_len() as usize;
        let mut all = Vec::new();
        for party in &self.parties {
            let mut bytes = self.upload(party, &mut Scratch::new("round")?.nameless()?)?;
            let read = read_upload(&self.round, party.me, bytes.len() as u64, &mut &bytes[..])?;
            bytes.truncate(body_len);
            all.push((read, bytes));
        }
        Ok(all)
    }

    /// What each holder opens of its bundle, once all have said what they found of it.
    fn parts(&self, received: &[(Received, Vec<u8>)], headers: &[SignedUpload]) -> Result<Vec<Parts>> {
        let round = &self.round;
        let given: Vec<(&Received, &[u8])> =
            received.iter().map(|(r, _)| (r, r.pairing.as_deref().unwrap_or_default())).collect();
        let (mut parts, mut found) = (Vec::new(), Vec::new());
        for p in &self.parties {
            let own = open_parts(round, (p.me, &p.sealing), headers, &bundle(round, p.me, &given)?)?;
            found.push(Findings::sign(round, p.me, headers, &own, &p.identity));
            parts.push(own);
        }
        let holders = sort_findings(round, &found).holders.len();
        if holders == parts.len() { Ok(parts) } else { Err(Error::WrongSum { what: WHAT }) }
    }

    /// From numbers to the sum of their integers.
    fn sum(&self) -> Result<Vec<u64>> {
        let (round, plan) = (&self.round, self.round.plan());
        let received = self.uploads()?;
        let headers: Vec<SignedUpload> = received.iter().map(|(r, _)| r.upload.clone()).collect();
        let parts = self.parts(&received, &headers)?;
        let mut sum = Vec::new();
        let mut bodies: Vec<&[u8]> = received.iter().map(|(_, body)| body.as_slice()).collect();
        write_sum(plan, &mut bodies, &mut sum)?;
        let commitment = Commitment { uploads: headers, sum: Blob::of(&sum) };
        let mut words = Vec::new();
        for (p, (_, own)) in self.parties.iter().zip(&received) {
            let value = evaluate_body(plan, &commitment.challenge(round), &mut &own[..])?.to_bytes();
            words.push(Agreement::sign(round, p.me, commitment.digest(round), value, &p.identity));
        }
        let agreed = Agreed::new(round, &commitment, &words, &[])?;
        let mut openings = Vec::new();
        for (p, own) in self.parties.iter().zip(&parts) {
            openings.push(SumOpening::sign(round, p.me, (&commitment, &agreed), own, &p.identity)?);
        }
        let mut values = Vec::with_capacity(VALUES);
        let mut from = || Ok(Box::new(Cursor::new(sum.clone())) as Box<dyn Read + Send>);
        read_result(round, &commitment, &agreed, &openings, &mut from, &mut |run| {
            values.extend_from_slice(run);
            Ok(())
        })?;
        Ok(values)
    }
}

pub(super) fn figure(path: Arithmetic, report: &mut Report) -> Result<()> {
    let cast = Cast::new(path)?;
    let mut clear = vec![0u64; VALUES];
    for party in &cast.parties {
        cast.integers(party)?.iter().zip(&mut clear).for_each(|(v, sum)| *sum += v);
    }
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        if cast.sum()? != clear {
            return Err(Error::WrongSum { what: WHAT });
        }
        seconds.push(begun.elapsed().as_secs_f64());
    }
    report.figures.push(Figure::of(AREA, "round_3x10m", "s wall", Better::Lower, &seconds));
    Ok(())
}
