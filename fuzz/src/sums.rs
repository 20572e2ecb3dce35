//! Everything that sums read: bodies, parts, openings, and the signed messages around them.

use rand_core::SeedableRng as _;

use blindscope_aggregate::one_round::{Checks, Evaluation, Part, PartSum, check_body};
use blindscope_federation::sums::{
    Agreement, Commitment, Epoch, EpochLiteral, Findings, Member, SignedUpload, SumOpening, SumRound,
    Uploader, Void, Vouch, read_upload, write_upload,
};
use blindscope_federation::{Blob, Error, IdentityKey, JobId, SealingKey, SiteEntry, SiteId};
use blindscope_wire::Digest;

/// A round among three sites, and a valid message of each kind: its number, then its bytes.
pub(crate) struct Toy {
    round: SumRound,
    headers: Vec<SignedUpload>,
    pub(crate) seeds: Vec<Vec<u8>>,
}

const VALUES: u64 = 40;

impl Toy {
    pub(crate) fn new() -> Result<Self, Error> {
        let identity = |k: u16| IdentityKey::from_bytes(&[k as u8 + 1; 32]);
        let sealing = |k: u16| SealingKey::from_bytes(&[k as u8 + 101; 32]);
        let member = |k: u16| Member {
            site: SiteId(k),
            entry: SiteEntry {
                name: format!("site-{k}"),
                identity: identity(k).public(),
                sealing: sealing(k).public(),
            },
        };
        let epoch = Epoch::new(EpochLiteral {
            study: Digest([1; 32]),
            version: 0,
            members: (0..3).map(member).collect(),
            holders: (0..3).map(SiteId).collect(),
            threshold: 2,
            colluders: 0,
            colluding_holders: 0,
            minimum_cohort: 2,
            coins: 168,
        })?;
        let round = SumRound::new(&epoch, JobId(Digest([2; 32])), 0, (VALUES, 100))?;
        let (me, key) = (SiteId(0), identity(0));
        let written = |k: u16| {
            let (sealing, signer, mut out) = (sealing(k), identity(k), Vec::new());
            let by = Uploader { round: &round, me: SiteId(k), sealing: &sealing, signer: &signer };
            let random = [7 + k as u8; 64];
            Ok::<_, Error>((write_upload(&by, true, &|| Box::new(0..VALUES), &random, &mut out)?, out))
        };
        let ((first, upload), (second, _)) = (written(0)?, written(1)?);
        let headers = vec![first, second];
        let commitment = Commitment {
            uploads: headers.clone(),
            sum: Blob { len: round.plan().sum_len(), ..Blob::of(b"sum") },
        };
        let named = commitment.digest(&round);
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(3);
        let mut evaluation = [0; 32];
        rand_core::Rng::fill_bytes(&mut rng, &mut evaluation[..16]);
        let findings = [round.name().0.as_slice(), &[0; 2 + 32 + 1 + 64]].concat();
        let messages = [
            upload,
            headers[0].to_bytes(),
            commitment.to_bytes(),
            Agreement::sign(&round, me, named, evaluation, &key).to_bytes(&round),
            Vouch::sign(&round, (me, SiteId(1)), named, evaluation, &key).to_bytes(&round),
            Void::sign(&round, me, &key).to_bytes(&round),
            findings,
            headers[0].header.checks.clone(),
            PartSum::new(round.plan(), 1).to_bytes(round.plan()),
            vec![0; round.plan().part_len()],
            evaluation.to_vec(),
            epoch.to_bytes(),
            vec![0; SumOpening::len(&round)],
        ];
        let seed = |(k, bytes): (usize, Vec<u8>)| [vec![k as u8], bytes].concat();
        let seeds = messages.into_iter().enumerate().map(seed).collect();
        Ok(Self { round, headers, seeds })
    }

    /// Decodes the message that the input's first byte names; whether it was accepted. What is accepted is written again as the same
    /// bytes, and what is signed is one of the messages that were signed.
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        let [kind, bytes @ ..] = data else { return false };
        let round = &self.round;
        let signed = |accepted: bool| {
            assert!(
                !accepted || self.seeds.iter().any(|seed| seed == data),
                "a signed message that nobody signed"
            );
            accepted
        };
        let again = |written: Option<Vec<u8>>| {
            assert!(written.as_deref().is_none_or(|w| w == bytes), "other bytes are written again");
            written.is_some()
        };
        match kind % 14 {
            // The pair keys at its end are opened by their holders alone.
            0 => read_upload(round, SiteId(0), bytes.len() as u64, &mut &bytes[..]).is_ok_and(|read| {
                assert!(read.upload == self.headers[0], "an upload that nobody signed");
                true
            }),
            1 => signed(SignedUpload::from_bytes(round, bytes).is_ok()),
            2 => again(Commitment::from_bytes(round, bytes).ok().map(|c| c.to_bytes())),
            3 => signed(Agreement::from_bytes(round, bytes).is_ok()),
            4 => signed(Vouch::from_bytes(round, bytes).is_ok()),
            5 => signed(Void::from_bytes(round, bytes).is_ok()),
            6 => signed(Findings::from_bytes(round, &self.headers, bytes).is_ok()),
            7 => Checks::from_bytes(round.plan(), bytes).is_ok(),
            8 => again(PartSum::from_bytes(round.plan(), bytes).ok().map(|s| s.to_bytes(round.plan()))),
            9 => Part::from_bytes(round.plan(), bytes).is_ok(),
            10 => {
                let read = bytes.try_into().ok().and_then(|b: [u8; 32]| Evaluation::from_bytes(b).ok());
                again(read.map(|e| e.to_bytes().to_vec()))
            }
            11 => again(Epoch::from_bytes(bytes).ok().map(|e| e.to_bytes())),
            12 => signed(SumOpening::from_bytes(round, bytes).is_ok()),
            _ => check_body(round.plan(), &mut &bytes[..]).is_ok(),
        }
    }
}
