//! A sum round's payloads: the protocol of [`crate::sums`] over blobs.

use std::cell::Cell;
use std::io::{Read, Write};

use blindscope_aggregate::AggregateError;
use blindscope_aggregate::one_round::write_sum;
use blindscope_wire::Hasher;
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Side, blame, keep, open as open_blob, read_input};
use crate::job::{Combining, Making};
use crate::sums::{
    Agreed, Agreement, Commitment, Findings, Received, SignedUpload, SumMark, SumOpening, SumRefusal,
    SumRound, SumSite, Uploader, Void, Vouch, bundle, open_parts, read_result, read_upload, sort_findings,
    vouch_for, write_upload,
};
use crate::{
    Advanced, Blob, Blobs, Error, Input, JobSpec, Mark, NamedSet, Outcome, Output, Result, SettledProof, SiteId, SumWork,
};

const SUM: &str = "add contributions";

/// The bytes of a blob that is small by the round's own numbers.
fn read(blobs: &dyn Blobs, blob: &Blob, max: u64) -> Result<Vec<u8>> {
    const OP: &str = "read a sum's message";
    if blob.len > max {
        return Err(Error::Length { op: OP, expected: max, found: blob.len });
    }
    let mut bytes = Vec::with_capacity(blob.len as usize);
    open_blob(OP, blobs, blob)?.take(max).read_to_end(&mut bytes).map_err(Error::io(OP))?;
    Ok(bytes)
}

fn max_headers(round: &SumRound) -> u64 {
    (round.epoch().literal().members.len() * SignedUpload::len(round)) as u64
}

fn read_headers(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Vec<SignedUpload>> {
    let bytes = read(blobs, blob, max_headers(round))?;
    let uploads: Vec<_> = bytes
        .chunks(SignedUpload::len(round))
        .map(|h| SignedUpload::from_bytes(round, h))
        .collect::<Result<_>>()?;
    for pair in uploads.windows(2) {
        if let [a, b] = pair
            && a.header.site >= b.header.site
        {
            return Err(SumRefusal::Order { site: b.header.site }.into());
        }
    }
    Ok(uploads)
}

fn read_commitment(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Commitment> {
    Commitment::from_bytes(round, &read(blobs, blob, Commitment::max_len(round) as u64)?)
}

fn read_bundle(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Vec<u8>> {
    let one = crate::sums::PAIRING_LEN + round.sealed_len();
    read(blobs, blob, (round.epoch().literal().members.len() * one) as u64)
}

fn remember(making: &mut Making<'_>, mark: SumMark) {
    let openings = if matches!(mark, SumMark::Opened { .. }) { making.sizes.openings } else { 0 };
    making.marks.push(Mark::Sum { mark, openings });
}

/// A site's integers, packed, so that they can be gone through twice. Zeroed on drop.
struct Packed {
    bytes: Zeroizing<Vec<u8>>,
    width: usize,
}

impl Packed {
    fn new(values: impl Iterator<Item = u64>, spec: &JobSpec) -> Result<Self> {
        let width = (64 - spec.max.leading_zeros()).div_ceil(8).max(1) as usize;
        let mut bytes = Zeroizing::new(Vec::with_capacity((spec.values as usize).saturating_mul(width)));
        // One more than there should be is refused where they are counted; without end it does not go on.
        for value in values.take(spec.values as usize + 1) {
            if value > spec.max {
                let (what, found, max) = ("integer", value, spec.max);
                return Err(AggregateError::Range { what, found, max }.into());
            }
            let mut all = value.to_le_bytes();
            bytes.extend_from_slice(&all[..width]);
            all.zeroize();
        }
        Ok(Self { bytes, width })
    }

    fn iter(&self) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        Box::new(self.bytes.chunks_exact(self.width).map(|chunk| {
            let mut all = [0; 8];
            all[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(all)
        }))
    }
}

/// A site's upload.
pub(crate) fn upload(
    round: &SumRound,
    mut making: Making<'_>,
    (input, pairs): (Option<&Blob>, bool),
    rng: &mut dyn CryptoRng,
) -> Result<Blob> {
    let (tools, task) = (making.tools, making.task);
    let start = read_input(input, tools.blobs)?;
    // What is put in: what the job asks of which data, and what this round starts from. Its digits are no matter.
    let mut h = Hasher::new("blindscope/federation/sum-input/v1");
    h.absorb(task.spec.runs().name().as_bytes()).absorb(task.spec.settings.to_string().as_bytes());
    h.absorb(&tools.learning.data().0).absorb(&Blob::of(&start).digest.0);
    let spent = h.finish();
    let mut remembered = tools.sums.clone();
    for mark in making.marks.iter() {
        if let Mark::Sum { mark, .. } = mark {
            let reason = |reason| Error::Corrupt { seq: 0, reason };
            remembered.apply(mark).map_err(reason)?;
        }
    }
    remembered.may_upload(round, &spent)?;
    let values = tools.learning.values(&task.spec, task.step.round, &start);
    let values = values.map_err(|source| Error::Learning { op: "contribute", source })?;
    let packed = Packed::new(values, &task.spec)?;
    let mut random = Zeroizing::new([0; 64]);
    rng.fill_bytes(&mut *random);
    let by = Uploader { round, me: tools.me, sealing: tools.sealing, signer: tools.signer };
    let mut header = None;
    let blob = tools.blobs.create(round.upload_len(tools.me, pairs), &mut |out| {
        header = Some(write_upload(&by, pairs, &|| packed.iter(), &random, out)?);
        Ok(())
    })?;
    if let Some(header) = header {
        remember(&mut making, SumSite::uploaded(round, &header, spent));
    }
    Ok(blob)
}

/// The mark of a round whose set a quorum has signed.
pub(crate) fn settled(round: &SumRound, blobs: &dyn Blobs, proof: &SettledProof) -> Result<Mark> {
    let commitment = read_commitment(round, blobs, &proof.commitment)?;
    let agreed = read_agreed(round, blobs, &commitment, (&proof.agreements, proof.vouches.as_ref()))?;
    Ok(Mark::Sum { mark: SumSite::settled(round, &commitment, &agreed)?, openings: 0 })
}

/// The mark of a round that these declarations make void.
pub(crate) fn voided(round: &SumRound, blobs: &dyn Blobs, declared: &Blob) -> Result<Mark> {
    let members = round.epoch().literal().members.len();
    let bytes = read(blobs, declared, (members * Void::LEN) as u64)?;
    let voids = bytes.chunks(Void::LEN).map(|v| Void::from_bytes(round, v)).collect::<Result<Vec<_>>>()?;
    Ok(Mark::Sum { mark: SumSite::voided(round, &voids)?, openings: 0 })
}

/// Declares rounds void that were not opened here; zeros stand for one that was.
pub(crate) fn void(rounds: &[SumRound], mut making: Making<'_>) -> Result<Blob> {
    let (tools, mut bytes) = (making.tools, Vec::new());
    for round in rounds {
        match tools.sums.judge_void(round) {
            Ok(mark) => {
                remember(&mut making, mark);
                bytes.extend_from_slice(&Void::sign(round, tools.me, tools.signer).to_bytes(round));
            }
            Err(SumRefusal::Opened) => bytes.extend_from_slice(&[0; Void::LEN]),
            Err(other) => return Err(other.into()),
        }
    }
    keep("declare void", tools.blobs, &bytes)
}

/// Lays the declarations together: a blob a round, empty where they are too few.
pub(crate) fn voids(
    rounds: &[SumRound],
    combining: &Combining<'_>,
    words: &[(SiteId, Blob)],
) -> Result<Input> {
    const OP: &str = "read declarations";
    let (blobs, step) = (combining.blobs, combining.work.step());
    let mut of_round = vec![Vec::new(); rounds.len()];
    for (site, blob) in words {
        let last = Cell::new(Some(*site));
        let bytes = read(blobs, blob, (rounds.len() * Void::LEN) as u64)?;
        for ((round, all), word) in rounds.iter().zip(&mut of_round).zip(bytes.chunks(Void::LEN)) {
            if word.iter().all(|b| *b == 0) {
                continue;
            }
            let void = Void::from_bytes(round, word).and_then(|v| {
                let stranger = SumRefusal::Stranger { what: "void", site: v.holder, role: "sender" };
                if v.holder == *site { Ok(v) } else { Err(stranger.into()) }
            });
            all.push(void.map_err(|e| blame(OP, &last, e))?);
        }
    }
    let one = |(round, all): (&SumRound, &Vec<Void>)| {
        let enough = Void::quorum(round, all).is_ok();
        let bytes: Vec<u8> = all.iter().filter(|_| enough).flat_map(|v| v.to_bytes(round)).collect();
        keep(OP, blobs, &bytes)
    };
    let each = rounds.iter().zip(&of_round).map(one).collect::<Result<Vec<_>>>()?;
    let shared = each.first().copied().unwrap_or_else(|| Blob::of(&[]));
    Ok(Input::Combined { step, output: Output { each, ..Output::shared(shared) } })
}

/// What a holder finds in its parts.
pub(crate) fn findings(
    round: &SumRound,
    making: &Making<'_>,
    (headers, given): (&Blob, &Blob),
) -> Result<Blob> {
    let tools = making.tools;
    let uploads = read_headers(round, tools.blobs, headers)?;
    let given = read_bundle(round, tools.blobs, given)?;
    let parts = open_parts(round, (tools.me, tools.sealing), &uploads, &given)?;
    let findings = Findings::sign(round, tools.me, &uploads, &parts, tools.signer);
    keep("say what was found", tools.blobs, &findings.to_bytes(round, &uploads))
}

/// A site's signature on the set: it has added the bodies up, or evaluated its own.
pub(crate) fn agree(
    round: &SumRound,
    mut making: Making<'_>,
    commitment: &Blob,
    uploads: &[(SiteId, Blob)],
) -> Result<Blob> {
    let (tools, blobs) = (making.tools, making.tools.blobs);
    let commitment = read_commitment(round, blobs, commitment)?;
    let mut evaluation = [0; 32];
    if round.is_small() {
        check_sum(round, blobs, &commitment, uploads)?;
    } else if commitment.upload(tools.me).is_some() {
        let own = uploads.iter().find(|(site, _)| *site == tools.me);
        let (_, own) = own.ok_or(SumRefusal::Evaluation { site: tools.me })?;
        evaluation = vouch_for(round, &commitment, tools.me, &mut open_blob("evaluate upload", blobs, own)?)?;
    }
    let judged = tools.sums.judge_commitment(tools.me, round, &commitment, evaluation, tools.minimum_cohort);
    if matches!(judged, Err(Error::Sum(SumRefusal::Copied))) {
        remember(&mut making, SumMark::Copied { round: round.name() });
    }
    let mark = judged?;
    if let SumMark::Agreed { evaluation: signed, .. } = &mark {
        evaluation = *signed;
    }
    remember(&mut making, mark);
    let word = Agreement::sign(round, tools.me, commitment.digest(round), evaluation, tools.signer);
    keep("agree", blobs, &word.to_bytes(round))
}

/// Adds up the bodies of a set: its named sum is theirs.
fn check_sum(
    round: &SumRound,
    blobs: &dyn Blobs,
    commitment: &Commitment,
    uploads: &[(SiteId, Blob)],
) -> Result<()> {
    if !uploads.iter().map(|(site, _)| *site).eq(commitment.sites()) {
        return Err(SumRefusal::OtherSum.into());
    }
    let mut bodies = Vec::with_capacity(uploads.len());
    for ((site, blob), upload) in uploads.iter().zip(&commitment.uploads) {
        let mut body = Vec::new();
        let from = open_blob(SUM, blobs, blob)?.take(round.plan().body_len());
        let mut from = from;
        from.read_to_end(&mut body).map_err(Error::io(SUM))?;
        if Blob::of(&body).digest != upload.header.body {
            return Err(SumRefusal::OtherBytes { site: *site, what: "the body" }.into());
        }
        bodies.push(body);
    }
    let mut readers: Vec<&[u8]> = bodies.iter().map(|b| &b[..]).collect();
    let mut sum = Vec::new();
    write_sum(round.plan(), &mut readers, &mut sum)?;
    if Blob::of(&sum) == commitment.sum { Ok(()) } else { Err(SumRefusal::OtherSum.into()) }
}

fn read_agreed(
    round: &SumRound,
    blobs: &dyn Blobs,
    commitment: &Commitment,
    (agreements, vouches): (&Blob, Option<&Blob>),
) -> Result<Agreed> {
    let members = round.epoch().literal().members.len();
    let bytes = read(blobs, agreements, (members * Agreement::LEN) as u64)?;
    let words = bytes.chunks(Agreement::LEN).map(|w| Agreement::from_bytes(round, w));
    let words = words.collect::<Result<Vec<_>>>()?;
    let bytes = vouches.map_or(Ok(Vec::new()), |v| read(blobs, v, (members * Vouch::LEN) as u64))?;
    let vouches = bytes.chunks(Vouch::LEN).map(|v| Vouch::from_bytes(round, v));
    Agreed::new(round, commitment, &words, &vouches.collect::<Result<Vec<_>>>()?)
}

/// Evaluations, in this site's name, of uploads whose sites are gone.
pub(crate) fn vouch(
    round: &SumRound,
    making: &Making<'_>,
    commitment: &Blob,
    uploads: &[(SiteId, Blob)],
) -> Result<Blob> {
    const OP: &str = "evaluate upload";
    let (tools, blobs) = (making.tools, making.tools.blobs);
    let commitment = read_commitment(round, blobs, commitment)?;
    let (named, mut bytes) = (commitment.digest(round), Vec::new());
    for (site, blob) in uploads {
        let y = vouch_for(round, &commitment, *site, &mut open_blob(OP, blobs, blob)?)?;
        let vouch = Vouch::sign(round, (tools.me, *site), named, y, tools.signer);
        bytes.extend_from_slice(&vouch.to_bytes(round));
    }
    keep(OP, blobs, &bytes)
}

/// Takes the first site's evaluations that complete the agreement.
pub(crate) fn vouches(
    round: &SumRound,
    combining: &Combining<'_>,
    (commitment, agreements): (&Blob, &Blob),
    vouches: &[(SiteId, Blob)],
) -> Result<Input> {
    const OP: &str = "read evaluations";
    let (blobs, step) = (combining.blobs, combining.work.step());
    let commitment = read_commitment(round, blobs, commitment)?;
    let Some((site, first)) = vouches.first() else { return Ok(Input::Spoiled { step }) };
    let last = Cell::new(Some(*site));
    read_agreed(round, blobs, &commitment, (agreements, Some(first))).map_err(|e| blame(OP, &last, e))?;
    Ok(Input::Combined { step, output: Output::shared(*first) })
}

/// A holder's opening of the agreed set.
pub(crate) fn open(
    round: &SumRound,
    mut making: Making<'_>,
    (headers, given): (&Blob, &Blob),
    (commitment, agreements, vouches): (&Blob, &Blob, Option<&Blob>),
) -> Result<Blob> {
    let (tools, blobs) = (making.tools, making.tools.blobs);
    let commitment = read_commitment(round, blobs, commitment)?;
    let agreed = read_agreed(round, blobs, &commitment, (agreements, vouches))?;
    let uploads = read_headers(round, blobs, headers)?;
    // Parts of the very uploads that are agreed, not of others in their sites' names.
    let same = |u: &SignedUpload| uploads.contains(u);
    if !commitment.uploads.iter().all(same) {
        return Err(SumRefusal::OtherSet { what: "open" }.into());
    }
    let given = read_bundle(round, blobs, given)?;
    let parts = open_parts(round, (tools.me, tools.sealing), &uploads, &given)?;
    let marks = tools.sums.judge_opening(tools.me, round, &commitment, &agreed)?;
    let opening = SumOpening::sign(round, tools.me, (&commitment, &agreed), &parts, tools.signer)?;
    for mark in marks {
        remember(&mut making, mark);
    }
    keep("open", blobs, &opening.to_bytes(round))
}

/// Reads uploads to their end; lays headers and each holder's parts together.
pub(crate) fn intake(
    round: &SumRound,
    combining: &Combining<'_>,
    uploads: &[(SiteId, Blob)],
    known: &[(SiteId, Blob)],
) -> Result<Input> {
    const OP: &str = "read upload";
    let (blobs, mut received) = (combining.blobs, Vec::with_capacity(uploads.len()));
    let mut pairs = Vec::new();
    for (site, blob) in uploads {
        let last = Cell::new(Some(*site));
        let mut from = open_blob(OP, blobs, blob)?;
        let one = read_upload(round, *site, blob.len, &mut from).map_err(|e| blame(OP, &last, e))?;
        let paired = match (&one.pairing, known.iter().find(|(s, _)| s == site)) {
            (Some(bytes), _) => {
                pairs.push((*site, keep(OP, blobs, bytes)?));
                bytes.clone()
            }
            (None, Some((_, blob))) => read(blobs, blob, blob.len)?,
            (None, None) => {
                let source = Box::new(Error::Seal { op: "find pair keys" });
                return Err(Error::Payload { op: OP, site: *site, source });
            }
        };
        received.push((one, paired));
    }
    let given: Vec<(&Received, &[u8])> = received.iter().map(|(r, p)| (r, &p[..])).collect();
    let headers: Vec<u8> = received.iter().flat_map(|(r, _)| r.upload.to_bytes()).collect();
    let shared = keep(OP, blobs, &headers)?;
    let each = combining
        .study
        .sites()
        .map(|holder| keep(OP, blobs, &bundle(round, holder, &given)?))
        .collect::<Result<_>>()?;
    let output = Output { each, pairs, ..Output::shared(shared) };
    Ok(Input::Combined { step: combining.work.step(), output })
}

/// Names the set that goes on after the findings, and its sum.
pub(crate) fn commit(
    round: &SumRound,
    combining: &Combining<'_>,
    uploads: &[(SiteId, Blob)],
    (headers, findings): (&Blob, &[(SiteId, Blob)]),
) -> Result<Input> {
    let (blobs, step) = (combining.blobs, combining.work.step());
    let all = read_headers(round, blobs, headers)?;
    let mut found = Vec::with_capacity(findings.len());
    for (site, blob) in findings {
        let last = Cell::new(Some(*site));
        let bytes = read(blobs, blob, Findings::len(all.len()) as u64)?;
        let one = Findings::from_bytes(round, &all, &bytes).and_then(|f| {
            let stranger = SumRefusal::Stranger { what: "findings", site: f.holder, role: "sender" };
            if f.holder == *site { Ok(f) } else { Err(stranger.into()) }
        });
        found.push(one.map_err(|e| blame(SUM, &last, e))?);
    }
    let sorted = sort_findings(round, &found);
    let left = |site: &SiteId| sorted.convicted.contains(site) || sorted.left_out.contains(site);
    let kept: Vec<_> = uploads.iter().filter(|(site, _)| !left(site)).copied().collect();
    if (kept.len() as u32) < round.least_cohort()
        || (sorted.holders.len() as u32) < round.plan().literal().threshold
    {
        return Ok(Input::Spoiled { step });
    }
    let sum = blobs.create(round.plan().sum_len(), &mut |out| add(round, &kept, blobs, out))?;
    let sites: Vec<SiteId> = kept.iter().map(|(site, _)| *site).collect();
    let uploads = all.into_iter().filter(|u| sites.contains(&u.header.site)).collect();
    let commitment = keep(SUM, blobs, &Commitment { uploads, sum }.to_bytes())?;
    let named = Some(NamedSet { sum, sites, openers: sorted.holders });
    Ok(Input::Combined { step, output: Output { named, ..Output::shared(commitment) } })
}

/// The sum of the bodies of these uploads: one chunk of each is in memory.
fn add(round: &SumRound, uploads: &[(SiteId, Blob)], blobs: &dyn Blobs, out: &mut dyn Write) -> Result<()> {
    let last = Cell::new(None);
    let side = |(site, blob): &(SiteId, Blob)| {
        let reader = Box::new(open_blob(SUM, blobs, blob)?.take(round.plan().body_len()));
        Ok(Side { last: &last, site: Some(*site), reader })
    };
    let mut inputs = uploads.iter().map(side).collect::<Result<Vec<_>>>()?;
    write_sum(round.plan(), &mut inputs, &mut { out }).map_err(|e| blame(SUM, &last, e.into()))
}

/// Lays the signatures on the set together, once they are enough.
pub(crate) fn agreements(
    round: &SumRound,
    combining: &Combining<'_>,
    commitment: &Blob,
    words: &[(SiteId, Blob)],
) -> Result<Input> {
    const OP: &str = "read agreement";
    let blobs = combining.blobs;
    let commitment = read_commitment(round, blobs, commitment)?;
    let named = commitment.digest(round);
    let (mut all, mut bytes) = (Vec::new(), Vec::new());
    for (site, blob) in words {
        let last = Cell::new(Some(*site));
        let word = read(blobs, blob, Agreement::LEN as u64)?;
        let one = Agreement::from_bytes(round, &word).and_then(|a| {
            let other = SumRefusal::OtherSet { what: "agree" };
            if a.site == *site && a.commitment == named { Ok(a) } else { Err(other.into()) }
        });
        all.push(one.map_err(|e| blame(OP, &last, e))?);
        bytes.extend_from_slice(&word);
    }
    match Agreed::new(round, &commitment, &all, &[]) {
        // Where a site is gone before it has evaluated its body, another one is asked for it.
        Ok(_) | Err(Error::Sum(SumRefusal::Evaluation { .. })) => {
            let output = Output::shared(keep(OP, blobs, &bytes)?);
            Ok(Input::Combined { step: combining.work.step(), output })
        }
        Err(error) => Err(error),
    }
}

/// Opens the agreed sum and takes the next step from it.
pub(crate) fn result(round: &SumRound, combining: &Combining<'_>, work: &SumWork) -> Result<Input> {
    const OP: &str = "open sum";
    let (blobs, step) = (combining.blobs, work.step);
    let commitment = read_commitment(round, blobs, &work.commitment)?;
    let agreed = read_agreed(round, blobs, &commitment, (&work.agreements, work.vouches.as_ref()))?;
    let mut openings = Vec::with_capacity(work.openings.len());
    for (site, blob) in &work.openings {
        let last = Cell::new(Some(*site));
        let bytes = read(blobs, blob, SumOpening::len(round) as u64)?;
        let one = SumOpening::from_bytes(round, &bytes).and_then(|o| {
            let other = SumRefusal::OtherSet { what: "open" };
            let fits = o.holder == *site && o.commitment == agreed.commitment() && o.list == agreed.list();
            if fits { Ok(o) } else { Err(other.into()) }
        });
        openings.push(one.map_err(|e| blame(OP, &last, e))?);
    }
    let mut values = Vec::with_capacity(round.plan().literal().values as usize);
    let mut sum = || open_blob(OP, blobs, &commitment.sum);
    let read = read_result(round, &commitment, &agreed, &openings, &mut sum, &mut |run| {
        values.extend_from_slice(run);
        Ok(())
    });
    match read {
        Ok(_) => {}
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(_) => return Ok(Input::Spoiled { step }),
    }
    let input = read_input(work.input.as_ref(), blobs)?;
    let advanced =
        combining.learning.advance(&work.spec, step.round, &input, &values, commitment.uploads.len());
    let advanced = advanced.map_err(|source| Error::Learning { op: "advance", source })?;
    let outcome = match advanced {
        Advanced::Next(bytes) => Outcome::Next(keep("advance", blobs, &bytes)?),
        Advanced::Final(bytes) => Outcome::Final(keep("advance", blobs, &bytes)?),
    };
    Ok(Input::Opened { step, outcome })
}
