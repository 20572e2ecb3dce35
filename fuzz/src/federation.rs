//! Every message of a sum, and every text that a study's parties exchange: refused, or decoded to something that is written again as
//! the same bytes. What is signed is accepted in one form only.

use rand_core::SeedableRng;

use blindscope_aggregate::one_round::write_sum;
use blindscope_federation::sums::{
    Agreed, Agreement, Commitment, Epoch, EpochLiteral, Findings, Member, Parts, Received, SignedUpload,
    SumOpening, SumRound, Uploader, Void, Vouch, bundle, open_parts, read_upload, sign_successor,
    write_upload,
};
use blindscope_federation::{
    Blob, Change, IdentityKey, JobId, JobKind, JobSpec, Mark, Policy, Record, Result, SealingKey,
    SignedChange, SignedHeader, SiteEntry, SiteId, StudyLiteral, Task,
};
use blindscope_testkit::patched;
use blindscope_wire::Digest;

const SITES: u16 = 3;
const VALUES: [u64; 4] = [0, 7, 255, 3];
/// Upload, its header, parts, findings, commitment, agreement, evaluation, opening, void, roster, texts.
const DECODERS: usize = 11;

struct Site {
    identity: IdentityKey,
    sealing: SealingKey,
}

/// A round of three sites, as far as its opening, and a valid object of each kind.
pub(crate) struct Toy {
    round: SumRound,
    sites: Vec<Site>,
    headers: Vec<SignedUpload>,
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

fn epoch(sites: &[Site]) -> Result<Epoch> {
    let member = |(k, site): (u16, &Site)| Member {
        site: SiteId(k),
        entry: SiteEntry {
            name: format!("site-{k}"),
            identity: site.identity.public(),
            sealing: site.sealing.public(),
        },
    };
    Epoch::new(EpochLiteral {
        study: Digest([3; 32]),
        version: 0,
        members: (0..).zip(sites).map(member).collect(),
        holders: (0..SITES).map(SiteId).collect(),
        threshold: 2,
        colluders: 1,
        colluding_holders: 1,
        minimum_cohort: 2,
        coins: 168,
        former: Vec::new(),
    })
}

/// What a site sends, as it came.
fn uploaded(round: &SumRound, me: SiteId, site: &Site) -> Result<(Vec<u8>, Received)> {
    let by = Uploader { round, me, sealing: &site.sealing, signer: &site.identity, only: Digest([0; 32]) };
    let values = || Box::new(VALUES.into_iter()) as Box<dyn Iterator<Item = u64> + Send>;
    let mut bytes = Vec::new();
    write_upload(&by, true, &values, &[1 + me.0 as u8; 32], &mut bytes)?;
    let received = read_upload(round, me, bytes.len() as u64, &mut &bytes[..])?;
    Ok((bytes, received))
}

impl Toy {
    /// Four values of eight bits.
    pub(crate) fn new() -> Result<Self> {
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(1);
        let site =
            |_| Site { identity: IdentityKey::generate(&mut rng), sealing: SealingKey::generate(&mut rng) };
        let sites: Vec<_> = (0..SITES).map(site).collect();
        let epoch = epoch(&sites)?;
        let round = SumRound::new(&epoch, JobId(Digest([1; 32])), 0, (VALUES.len() as u64, 255))?;
        let uploads = (0..).zip(&sites).map(|(k, site)| uploaded(&round, SiteId(k), site));
        let uploads = uploads.collect::<Result<Vec<_>>>()?;
        let headers: Vec<_> = uploads.iter().map(|(_, r)| r.upload.clone()).collect();
        let mut toy = Self { round, sites, headers, seeds: Vec::new() };
        let objects = toy.objects(&epoch, &uploads)?;
        let mut texts = Toy::texts()?;
        texts.push(toy.signed_change(&epoch)?.to_line());
        let numbered = (0..).zip(&objects).map(|(which, object): (u8, _)| [&[which], &object[..]].concat());
        let texts = texts.iter().map(|text| [&[DECODERS as u8 - 1], text.as_bytes()].concat());
        toy.seeds = numbered.chain(texts).collect();
        Ok(toy)
    }

    fn objects(&self, epoch: &Epoch, uploads: &[(Vec<u8>, Received)]) -> Result<Vec<Vec<u8>>> {
        let (round, signer) = (&self.round, &self.sites[0].identity);
        let body = round.plan().body_len() as usize;
        let mut sum = Vec::new();
        write_sum(round.plan(), &mut uploads.iter().map(|(b, _)| &b[..body]).collect::<Vec<_>>(), &mut sum)?;
        let commitment = Commitment { uploads: self.headers.clone(), sum: Blob::of(&sum) };
        let named = commitment.digest(round);
        let sign =
            |(k, site): (u16, &Site)| Agreement::sign(round, SiteId(k), named, [0; 32], &site.identity);
        let words: Vec<_> = (0..).zip(&self.sites).map(sign).collect();
        let agreed = Agreed::new(round, &commitment, &words, &[])?;
        let given: Vec<_> = uploads.iter().map(|(_, r)| (r, r.pairing.as_deref().unwrap_or(&[]))).collect();
        let sealed = bundle(round, SiteId(0), &given)?;
        let parts = self.parts(&sealed)?;
        let findings = Findings::sign(round, SiteId(0), &self.headers, &parts, signer);
        let opening = SumOpening::sign(round, SiteId(0), (&commitment, &agreed), &parts, signer)?;
        let vouch = Vouch::sign(round, (SiteId(0), SiteId(1)), named, [0; 32], signer);
        Ok(vec![
            uploads[0].0.clone(),
            self.headers[0].to_bytes(),
            sealed,
            findings.to_bytes(round, &self.headers),
            commitment.to_bytes(),
            words[0].to_bytes(round),
            vouch.to_bytes(round),
            opening.to_bytes(round),
            Void::sign(round, SiteId(0), signer).to_bytes(round),
            epoch.to_bytes(),
        ])
    }

    fn texts() -> Result<Vec<String>> {
        let opened = Digest([1; 32]);
        let mark = Mark::Opening { job: JobId(opened), round: 1, opening: opened, sum: Blob::of(b"sum") };
        let policy = Policy {
            minimum_cohort: 2,
            minimum_difference: None,
            backbone: opened,
            jobs: vec![JobKind::Sum],
            maximum_decryptions: 5,
            maximum_rounds: 6,
            max_epsilon: None,
            max_delta: None,
            lifetime_epsilon: None,
            privacy_unit: None,
        };
        let job = "{\"name\":\"head\",\"kind\":\"fedavg\",\"rounds\":3,\"values\":10,\"max\":7,\"settings\":{\"b\":1}}";
        Ok(vec![mark.to_text(), job.to_owned(), policy.to_toml()?])
    }

    /// A site joins; all have signed it.
    fn signed_change(&self, epoch: &Epoch) -> Result<SignedChange> {
        let (study, from) = (epoch.literal().study, epoch.digest());
        let (identity, sealing) = (IdentityKey::from_bytes(&[9; 32]), SealingKey::from_bytes(&[9; 32]));
        let late =
            SiteEntry { name: "late".to_owned(), identity: identity.public(), sealing: sealing.public() };
        let change = Change { study, from, joins: vec![late], leaves: Vec::new(), replaces: Vec::new() };
        let next = change.next(epoch)?;
        let sign = |(k, site): (u16, &Site)| (SiteId(k), sign_successor(epoch, &next, &site.identity));
        Ok(SignedChange { change, signatures: (0..).zip(&self.sites).map(sign).collect() })
    }

    /// A change that follows is one that all sites of the version before can have signed: none other is taken.
    fn change(&self, bytes: &[u8]) -> bool {
        let Ok(signed) = SignedChange::from_line(bytes) else { return false };
        assert!(signed.to_line().as_bytes() == bytes, "signed change: decoded, but written differently");
        let epoch = self.round.epoch();
        if let Ok(next) = signed.next(epoch) {
            assert!(
                signed.signatures.len() >= epoch.succession_quorum() as usize && next.literal().version == 1
            );
        }
        true
    }

    fn parts(&self, sealed: &[u8]) -> Result<Parts> {
        open_parts(&self.round, (SiteId(0), &self.sites[0].sealing), &self.headers, sealed)
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        self.decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the decoder. Returns whether it accepted.
    pub(crate) fn decode(&self, data: &[u8]) -> bool {
        let [which, bytes @ ..] = data else { return false };
        let round = &self.round;
        let again = match usize::from(*which) % DECODERS {
            0 => return self.upload(bytes),
            1 => SignedUpload::from_bytes(round, bytes).map(|m| m.to_bytes()),
            2 => return self.parts(bytes).is_ok_and(|parts| parts.bad().len() < usize::from(SITES)),
            3 => Findings::from_bytes(round, &self.headers, bytes).map(|m| m.to_bytes(round, &self.headers)),
            4 => Commitment::from_bytes(round, bytes).map(|m| m.to_bytes()),
            5 => Agreement::from_bytes(round, bytes).map(|m| m.to_bytes(round)),
            6 => Vouch::from_bytes(round, bytes).map(|m| m.to_bytes(round)),
            7 => SumOpening::from_bytes(round, bytes).map(|m| m.to_bytes(round)),
            8 => Void::from_bytes(round, bytes).map(|m| m.to_bytes(round)),
            9 => {
                return Epoch::from_bytes(bytes)
                    .is_ok_and(|epoch| Epoch::from_bytes(&epoch.to_bytes()).is_ok());
            }
            _ => return text(bytes) | self.change(bytes),
        };
        if let Ok(again) = &again {
            assert!(again == bytes, "decoder {which}: decoded, but written differently");
        }
        again.is_ok()
    }

    /// Of an upload that is accepted all that is signed is the site's. Its pair keys are sealed and judged by their holders.
    fn upload(&self, mut bytes: &[u8]) -> bool {
        let (whole, signed) = (bytes, self.round.upload_len(SiteId(0), false) as usize);
        let accepted = read_upload(&self.round, SiteId(0), bytes.len() as u64, &mut bytes).is_ok();
        let own = self.seeds.first().map_or(whole, |seed| &seed[1..]);
        assert!(!accepted || whole[..signed] == own[..signed], "another upload of the site");
        assert!(!accepted || bytes.is_empty(), "accepted before its end");
        accepted
    }
}

/// Texts have one form where they are signed or chained.
fn text(bytes: &[u8]) -> bool {
    let same = |what: &str, again: &[u8]| assert!(again == bytes, "{what}: decoded, but written differently");
    let mut accepted = false;
    if let Ok(task) = Task::from_bytes(bytes) {
        same("task", &task.to_bytes());
        drop(task.inputs());
        accepted = true;
    }
    if let Ok(answer) = SignedHeader::from_bytes(bytes) {
        same("answer", &answer.to_bytes());
        accepted = true;
    }
    if let Ok(record) = Record::from_line(bytes) {
        same("record", record.to_line().as_bytes());
        accepted = true;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return accepted };
    if let Ok(mark) = Mark::from_text(text) {
        same("mark", mark.to_text().as_bytes());
        accepted = true;
    }
    accepted
        | StudyLiteral::from_toml(text).is_ok()
        | Policy::from_toml(text).is_ok()
        | JobSpec::from_json(text).is_ok()
}
