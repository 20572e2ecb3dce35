//! What a site makes in each step of a sum.

use std::io::Read as _;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::messages::{read_agreed, read_bundle, read_commitment, read_headers, read_inclusion};
use super::spool::Spool;
use crate::job::Making;
use crate::payload::{self, keep};
use crate::sums::{
    Agreement, Commitment, CommittedSet, Findings, SignedUpload, SumMark, SumOpening, SumRefusal, SumRound,
    SumSite, Uploader, Void, Vouch, evaluate_own, noise_key, open_parts, vouch_for, write_upload,
};
use crate::{Blob, Blobs, Error, Mark, Result, SiteId};
use blindscope_aggregate::one_round::write_sum;
use blindscope_wire::Digest;

const SUM: &str = "add contributions";

fn remember(making: &mut Making<'_>, mark: SumMark) {
    let opens = matches!(mark, SumMark::Opened { .. } | SumMark::Uploaded { .. });
    let openings = if opens { making.sizes.openings } else { 0 };
    making.marks.push(Mark::Sum { mark, openings });
}

/// Whoever has found a second copy of itself remembers it, whatever it was asked.
pub(super) fn stop_if_copied<T>(round: &SumRound, making: &mut Making<'_>, judged: Result<T>) -> Result<T> {
    if matches!(judged, Err(Error::Sum(SumRefusal::Copied))) {
        let mark = SumSite::copied(making.tools.me, round);
        remember(making, mark);
    }
    judged
}

/// A site's upload.
pub(super) fn upload(
    round: &SumRound,
    mut making: Making<'_>,
    (remembered, (input, start), pairs): (&SumSite, (Option<&Blob>, &[u8]), bool),
    rng: &mut dyn CryptoRng,
) -> Result<Blob> {
    let (tools, task) = (making.tools, making.task);
    let spent = task.spec.input(input);
    remembered.may_upload(round, &spent)?;
    let values = if task.spec.privacy.is_some() {
        let noise = noise_key(tools.sealing, round, &spent);
        tools.learning.noised(&task.spec, task.step.round, start, &noise)
    } else {
        tools.learning.values(&task.spec, task.step.round, start)
    };
    let values = values.map_err(|source| Error::Learning { op: "contribute", source })?;
    let integers = Spool::new(values, &task.spec, tools.blobs, rng)?;
    let mut random = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *random);
    let (named, naming) = remembered.name_values(&|| integers.iter(), tools.sealing);
    let only = remembered.only_set(tools.me, round, (&spent, &named))?;
    let by = Uploader { round, me: tools.me, sealing: tools.sealing, signer: tools.signer, only };
    let mut header = None;
    let blob = tools.blobs.create(round.upload_len(tools.me, pairs), &mut |out| {
        header = Some(write_upload(&by, pairs, &|| integers.iter(), &random, out)?);
        Ok(())
    })?;
    if let Some(header) = header {
        if let Some(naming) = naming {
            remember(&mut making, naming);
        }
        remember(&mut making, SumSite::uploaded_values(round, &header, (spent, named)));
        if let Some(privacy) = &task.spec.privacy {
            let (job, epsilon, delta) = (task.step.job, privacy.epsilon, privacy.delta);
            making.marks.push(Mark::Privacy { job, epsilon, delta });
        }
    }
    Ok(blob)
}

/// Declares rounds void that were not opened here; zeros stand for one that was.
pub(super) fn void(rounds: &[SumRound], mut making: Making<'_>) -> Result<Blob> {
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

/// What a holder finds in its parts.
pub(super) fn findings(
    round: &SumRound,
    mut making: Making<'_>,
    (headers, given): (&Blob, &Blob),
) -> Result<Blob> {
    let tools = making.tools;
    let uploads = read_headers(round, tools.blobs, headers)?;
    let known = tools.sums.judge_known(tools.me, round, &uploads).map_err(Error::from);
    stop_if_copied(round, &mut making, known)?;
    let given = read_bundle(round, tools.blobs, given)?;
    let parts = open_parts(round, (tools.me, tools.sealing), &uploads, &given)?;
    let findings = Findings::sign(round, tools.me, &uploads, &parts, tools.signer);
    keep("say what was found", tools.blobs, &findings.to_bytes(round, &uploads))
}

/// A site's signature on the set: it has added the bodies up, or evaluated its own. Which form of the set it is to be shown follows from the
/// round and from whether it holds, not from what it is sent.
pub(super) fn agree(
    round: &SumRound,
    making: Making<'_>,
    commitment: &Blob,
    uploads: &[(SiteId, Blob)],
) -> Result<Blob> {
    let (tools, blobs) = (making.tools, making.tools.blobs);
    if round.has_roots() && round.epoch().holder(tools.me).is_none() {
        let shown = read_inclusion(round, blobs, commitment)?;
        let value = own_value(round, &making, (&shown.set, Some(&shown.upload)), uploads)?;
        return signed(round, making, &shown.set, |site, about| {
            site.judge_inclusion(tools.me, round, &shown, value, (tools.minimum_cohort, about))
        });
    }
    let commitment = read_commitment(round, blobs, commitment)?;
    let value = if round.is_small() {
        check_sum(round, blobs, &commitment, uploads)?;
        [0; 32]
    } else {
        own_value(round, &making, (&commitment, commitment.upload(tools.me)), uploads)?
    };
    signed(round, making, &commitment, |site, about| {
        site.judge_commitment(tools.me, round, &commitment, value, (tools.minimum_cohort, about))
    })
}

/// The value of this site's body; zeros where the set has none of it.
fn own_value(
    round: &SumRound,
    making: &Making<'_>,
    (set, upload): (&dyn CommittedSet, Option<&SignedUpload>),
    uploads: &[(SiteId, Blob)],
) -> Result<[u8; 32]> {
    let (me, blobs) = (making.tools.me, making.tools.blobs);
    let Some(upload) = upload.filter(|upload| upload.header.site == me) else { return Ok([0; 32]) };
    let own = uploads.iter().find(|(site, _)| *site == me);
    let (_, own) = own.ok_or(SumRefusal::Evaluation { site: me })?;
    evaluate_own(round, set, upload, &mut payload::open("evaluate upload", blobs, own)?)
}

/// Judges a set by this site's marks and policy, remembers it, and signs it.
fn signed(
    round: &SumRound,
    mut making: Making<'_>,
    set: &dyn CommittedSet,
    judge: impl Fn(&SumSite, Digest) -> Result<SumMark>,
) -> Result<Blob> {
    let (tools, mut evaluation) = (making.tools, [0; 32]);
    let about = making.task.spec.about(making.task.starts_from().as_ref());
    tools.sums.judge_difference(round, &about, set, tools.minimum_difference)?;
    let mark = stop_if_copied(round, &mut making, judge(tools.sums, about))?;
    if let SumMark::Agreed { evaluation: kept, .. } = &mark {
        evaluation = *kept;
    }
    remember(&mut making, mark);
    let word = Agreement::sign(round, tools.me, set.digest(round), evaluation, tools.signer);
    keep("agree", tools.blobs, &word.to_bytes(round))
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
        let from = payload::open(SUM, blobs, blob)?.take(round.plan().body_len());
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
    // What a next round starts from is made of it.
    if blobs.pass(&sum)? == commitment.sum { Ok(()) } else { Err(SumRefusal::OtherSum.into()) }
}

/// Evaluations, in this site's name, of uploads whose sites are gone.
pub(super) fn vouch(
    round: &SumRound,
    mut making: Making<'_>,
    commitment: &Blob,
    uploads: &[(SiteId, Blob)],
) -> Result<Blob> {
    const OP: &str = "evaluate upload";
    let (tools, blobs) = (making.tools, making.tools.blobs);
    let commitment = read_commitment(round, blobs, commitment)?;
    let known = tools.sums.judge_known(tools.me, round, &commitment.uploads).map_err(Error::from);
    stop_if_copied(round, &mut making, known)?;
    let (named, mut bytes) = (commitment.digest(round), Vec::new());
    for (site, blob) in uploads {
        let y = vouch_for(round, &commitment, *site, &mut payload::open(OP, blobs, blob)?)?;
        let vouch = Vouch::sign(round, (tools.me, *site), named, y, tools.signer);
        bytes.extend_from_slice(&vouch.to_bytes(round));
    }
    keep(OP, blobs, &bytes)
}

/// A holder's opening of the agreed set.
pub(super) fn open(
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
    let judged = tools.sums.judge_opening(tools.me, round, &commitment, &agreed);
    let marks = stop_if_copied(round, &mut making, judged)?;
    let opening = SumOpening::sign(round, tools.me, (&commitment, &agreed), &parts, tools.signer)?;
    for mark in marks {
        remember(&mut making, mark);
    }
    keep("open", blobs, &opening.to_bytes(round))
}
