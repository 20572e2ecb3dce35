//! The coordinator's part: a committee's shares make the answer under the asker's key.

use std::io::{Read, Write};

use super::QuestionOf;
use crate::payload::encrypted::{LAST, next, read_key};
use crate::payload::open;
use crate::payload::round::committee;
use crate::{Blob, Blobs, Error, Result, SiteId, Step, Study};
use blindscope_ckks::codec;
use blindscope_threshold::{Collector, Decryption, Message, PartyId, Transcript};
use blindscope_wire::Header;

const OPEN: &str = "re-encrypt answer";

/// Writes the answer under the asker's key, from its committee's shares.
///
/// # Errors
/// [`Error::Payload`] names the member whose share does not fit; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn open_answers(
    study: &Study,
    QuestionOf { circuit, question }: QuestionOf<'_>,
    step: Step,
    target: &Blob,
    shares: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let asker = read_key(&params, OPEN, &question.asker, blobs)?;
    let round = study.opening(&params, step.job, step.round, step.attempt);
    let sites: Vec<SiteId> = shares.iter().map(|(site, _)| *site).collect();
    let members = committee(study, &sites)?;
    let mut reader = open(OPEN, blobs, target)?;
    let opened = shares.iter().map(|(site, blob)| Ok((*site, open(OPEN, blobs, blob)?)));
    let mut inputs = opened.collect::<Result<Vec<_>>>()?;
    for index in 0..u64::from(question.ciphertexts) {
        let c = next(&params, OPEN, LAST, &mut reader)?;
        let answer = Decryption::to_asker(&round, &c, index, &asker)?;
        let mut collector = answer.collector(&members);
        for (site, input) in &mut inputs {
            let party = study.party(OPEN, *site)?;
            let absorbed = absorb(&round, &mut collector, party, input);
            absorbed.map_err(|e| match e {
                Error::Io { .. } => e,
                e => Error::Payload { op: OPEN, site: *site, source: Box::new(e) },
            })?;
        }
        let c = answer.finish_for(collector)?;
        out.write_all(&codec::encode_ciphertext(&c)).map_err(Error::io(OPEN))?;
    }
    Ok(())
}

fn absorb(round: &Transcript, collector: &mut Collector, party: PartyId, input: &mut dyn Read) -> Result<()> {
    let mut bytes = vec![0; Header::LEN + collector.shape().payload_len()];
    input.read_exact(&mut bytes).map_err(Error::io(OPEN))?;
    let message = Message::from_bytes(&bytes, round, collector.shape())?;
    if message.party() != party {
        let op = OPEN;
        return Err(blindscope_threshold::Error::NotInCommittee { op, party }.into());
    }
    Ok(collector.absorb(&message)?)
}
