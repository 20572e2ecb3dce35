//! A site in sums: what leaves it, after what is on its disk.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Mutex;

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rand_core::Rng as _;

use super::disk::{self, Disk};
use super::{Roster, RoundSpec};
use crate::errors::{OrRaise as _, SumError};
use blindscope_aggregate::one_round::{evaluate_body, write_sum};
use blindscope_federation::sums::{
    self, Agreed, Agreement, Commitment, Findings, Member, SignedUpload, SumMark, SumOpening, SumRefusal,
    SumRound, Uploader, Vouch, open_parts, vouch_for, write_upload,
};
use blindscope_federation::{Blob, Error, IdentityKey, SealingKey, SiteEntry, SiteId};
use blindscope_wire::Digest;

/// A site: encrypts its integers, agrees to one set of uploads a round, opens its share of that set's key. Everything it may never do
/// twice is in its folder before it is done. One process at a time; cannot be pickled.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct SumSite {
    roster: Py<Roster>,
    state: Mutex<(Disk, sums::SumSite)>,
}

#[pymethods]
impl SumSite {
    /// Make a new site's folder with its keys, readable by their owner alone, and return its entry of the roster, which is public.
    #[staticmethod]
    fn enrol(py: Python<'_>, folder: PathBuf, number: u16, name: String) -> PyResult<Bound<'_, PyBytes>> {
        let mut rng = blindscope_node::system::rng().or_raise()?;
        let (identity, sealing) = (IdentityKey::generate(&mut rng), SealingKey::generate(&mut rng));
        let entry = SiteEntry { name, identity: identity.public(), sealing: sealing.public() };
        let member = Member { site: SiteId(number), entry };
        let text = serde_json::to_vec(&member).map_err(io::Error::from).map_err(|e| on_disk(&folder, &e))?;
        py.detach(|| disk::create(&folder, number, &identity, &sealing)).map_err(|e| on_disk(&folder, &e))?;
        Ok(PyBytes::new(py, &text))
    }

    /// The site of a folder, under a roster that has its keys.
    #[new]
    fn new(py: Python<'_>, folder: PathBuf, roster: Py<Roster>) -> PyResult<Self> {
        let (disk, site) = Disk::open(&folder).map_err(|e| on_disk(&folder, &e))?;
        let known = roster.get().epoch.member(disk.me);
        let ours = known.is_some_and(|m| {
            m.entry.identity == disk.identity.public() && m.entry.sealing == disk.sealing.public()
        });
        if !ours {
            let text = "the roster does not have this folder's keys; make it of what SumSite.enrol returned";
            return Err(SumError::new_err(text));
        }
        Ok(Self { roster: roster.clone_ref(py), state: Mutex::new((disk, site)) })
    }

    /// This site's number.
    #[getter]
    fn number(&self) -> PyResult<u16> {
        self.with(|disk, _| Ok(disk.me.0))
    }

    /// Encrypt integers for a round. `input` names what was put in (job, settings, version of the data): it enters another round only
    /// over the same sites, or after the first was void. Asked again for a round, the same bytes come, or a refusal.
    fn upload<'py>(
        &self,
        py: Python<'py>,
        round: RoundSpec,
        values: PyReadonlyArray1<'py, u64>,
        input: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let round = self.round(&round)?;
        let values = values
            .as_slice()
            .map_err(|e| SumError::new_err(format!("values: {e}; pass a contiguous array")))?;
        let input = Blob::of(input.as_bytes()).digest;
        let bytes = py.detach(|| self.with(|disk, site| encrypt(disk, site, &round, values, input)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// What this site finds of the parts that it was given: `headers` and `bundle` are the server's.
    fn findings<'py>(
        &self,
        py: Python<'py>,
        round: RoundSpec,
        headers: Vec<Vec<u8>>,
        bundle: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let round = self.round(&round)?;
        let bytes = py.detach(|| {
            self.with(|disk, _| {
                let headers = parse(&round, &headers)?;
                let parts = open_parts(&round, (disk.me, &disk.sealing), &headers, bundle)?;
                let found = Findings::sign(&round, disk.me, &headers, &parts, &disk.identity);
                Ok(found.to_bytes(&round, &headers))
            })
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Sign the one set of this round, if it holds this site's own upload as it was sent and at least `minimum` uploads. In a small
    /// round `bodies` are all of the set's, which are added up here; in a large one they are not needed.
    #[pyo3(signature = (round, commitment, *, bodies=None, minimum=2))]
    fn agree<'py>(
        &self,
        py: Python<'py>,
        round: RoundSpec,
        commitment: &[u8],
        bodies: Option<Vec<Vec<u8>>>,
        minimum: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let round = self.round(&round)?;
        let bytes = py.detach(|| {
            self.with(|disk, site| {
                let commitment = Commitment::from_bytes(&round, commitment)?;
                let at = disk.me;
                let evaluation = if round.is_small() {
                    adds_up(&round, &commitment, bodies.as_deref().unwrap_or_default())?;
                    [0; 32]
                } else if commitment.upload(at).is_some() {
                    let upload = disk.upload(&round.name()).map_err(Error::io("read own upload"))?;
                    let mut body = upload.take(round.plan().body_len());
                    evaluate_body(round.plan(), &commitment.challenge(&round), &mut body)?.to_bytes()
                } else {
                    [0; 32]
                };
                // What kind of sum it is, who calls this knows; sets of one kind are not held apart here.
                let own = (minimum, Digest([0; 32]));
                let mark = match site.judge_commitment(at, &round, &commitment, evaluation, own) {
                    Err(Error::Sum(SumRefusal::Copied)) => {
                        store(disk, site, &sums::SumSite::copied(at, &round))?;
                        return Err(SumRefusal::Copied.into());
                    }
                    judged => judged?,
                };
                store(disk, site, &mark)?;
                let evaluation =
                    if let SumMark::Agreed { evaluation, .. } = mark { evaluation } else { evaluation };
                let word = Agreement::sign(&round, at, commitment.digest(&round), evaluation, &disk.identity);
                Ok(word.to_bytes(&round))
            })
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Evaluate another site's body of a large round, for a site that is gone.
    fn vouch<'py>(
        &self,
        py: Python<'py>,
        round: RoundSpec,
        commitment: &[u8],
        of: u16,
        body: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let round = self.round(&round)?;
        let bytes = py.detach(|| {
            self.with(|disk, _| {
                let commitment = Commitment::from_bytes(&round, commitment)?;
                let evaluation = vouch_for(&round, &commitment, SiteId(of), &mut &body[..])?;
                let word = Vouch::sign(
                    &round,
                    (disk.me, SiteId(of)),
                    commitment.digest(&round),
                    evaluation,
                    &disk.identity,
                );
                Ok(word.to_bytes(&round))
            })
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Open this site's parts of the set that a quorum has signed: the sum of its parts, nothing else.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (round, headers, bundle, commitment, agreements, *, vouches=Vec::new()))]
    fn open<'py>(
        &self,
        py: Python<'py>,
        round: RoundSpec,
        headers: Vec<Vec<u8>>,
        bundle: &[u8],
        commitment: &[u8],
        agreements: Vec<Vec<u8>>,
        vouches: Vec<Vec<u8>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let round = self.round(&round)?;
        let bytes = py.detach(|| {
            self.with(|disk, site| {
                let headers = parse(&round, &headers)?;
                let commitment = Commitment::from_bytes(&round, commitment)?;
                let agreed = agreed(&round, &commitment, &agreements, &vouches)?;
                let parts = open_parts(&round, (disk.me, &disk.sealing), &headers, bundle)?;
                for mark in site.judge_opening(disk.me, &round, &commitment, &agreed)? {
                    store(disk, site, &mark)?;
                }
                let opening =
                    SumOpening::sign(&round, disk.me, (&commitment, &agreed), &parts, &disk.identity)?;
                disk.forget(&round.name());
                Ok(opening.to_bytes(&round))
            })
        })?;
        Ok(PyBytes::new(py, &bytes))
    }
}

impl SumSite {
    fn round(&self, spec: &RoundSpec) -> PyResult<SumRound> {
        spec.of(&self.roster.get().epoch)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Disk, &mut sums::SumSite) -> Result<T, Error>) -> PyResult<T> {
        let mut state =
            self.state.lock().map_err(|_| SumError::new_err("an earlier call of this site panicked"))?;
        let (disk, site) = &mut *state;
        work(disk, site).or_raise()
    }
}

/// Stores a mark, then lets it take effect.
fn store(disk: &mut Disk, site: &mut sums::SumSite, mark: &SumMark) -> Result<(), Error> {
    disk.mark(mark).map_err(Error::io("store a mark"))?;
    site.apply(mark)
        .map_err(|what| Error::io("fold a mark")(io::Error::new(io::ErrorKind::InvalidData, what)))
}

fn encrypt(
    disk: &mut Disk,
    site: &mut sums::SumSite,
    round: &SumRound,
    values: &[u64],
    input: Digest,
) -> Result<Vec<u8>, Error> {
    match site.may_upload(round, &input) {
        // The upload of this round is on the disk as it was sent, until the round is opened.
        Err(SumRefusal::Uploaded) => {
            let Ok(mut upload) = disk.upload(&round.name()) else { return Err(SumRefusal::Uploaded.into()) };
            let mut bytes = Vec::new();
            upload.read_to_end(&mut bytes).map_err(Error::io("read own upload"))?;
            return Ok(bytes);
        }
        judged => judged?,
    }
    let mut random = zeroize::Zeroizing::new([0; 32]);
    let mut rng = blindscope_node::system::rng()
        .map_err(|e| Error::io("draw randomness")(io::Error::other(e.to_string())))?;
    rng.fill_bytes(&mut *random);
    let again = || Box::new(values.iter().copied()) as Box<dyn Iterator<Item = u64> + Send + '_>;
    let only = site.bound_to(disk.me, round, &input);
    let by = Uploader { round, me: disk.me, sealing: &disk.sealing, signer: &disk.identity, only };
    let mut bytes = Vec::with_capacity(round.upload_len(disk.me, true) as usize);
    let upload = write_upload(&by, true, &again, &random, &mut bytes)?;
    disk.keep_upload(&round.name(), &bytes).map_err(Error::io("store an upload"))?;
    store(disk, site, &sums::SumSite::uploaded(round, &upload, input))?;
    Ok(bytes)
}

/// Adds up the bodies of a small round and compares.
fn adds_up(round: &SumRound, commitment: &Commitment, bodies: &[Vec<u8>]) -> Result<(), Error> {
    let named = |(upload, body): (&SignedUpload, &Vec<u8>)| upload.header.body == Blob::of(body).digest;
    if bodies.len() != commitment.uploads.len() || !commitment.uploads.iter().zip(bodies).all(named) {
        return Err(SumRefusal::NotTheSum.into());
    }
    let mut readers: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let mut sum = Vec::new();
    write_sum(round.plan(), &mut readers, &mut sum)?;
    if Blob::of(&sum) == commitment.sum { Ok(()) } else { Err(SumRefusal::NotTheSum.into()) }
}

pub(super) fn parse(round: &SumRound, headers: &[Vec<u8>]) -> Result<Vec<SignedUpload>, Error> {
    headers.iter().map(|bytes| SignedUpload::from_bytes(round, bytes)).collect()
}

pub(super) fn agreed(
    round: &SumRound,
    commitment: &Commitment,
    agreements: &[Vec<u8>],
    vouches: &[Vec<u8>],
) -> Result<Agreed, Error> {
    let words: Result<Vec<_>, _> =
        agreements.iter().map(|bytes| Agreement::from_bytes(round, bytes)).collect();
    let vouches: Result<Vec<_>, _> = vouches.iter().map(|bytes| Vouch::from_bytes(round, bytes)).collect();
    Agreed::new(round, commitment, &words?, &vouches?)
}

fn on_disk(folder: &std::path::Path, e: &io::Error) -> PyErr {
    SumError::new_err(format!("site folder {}: {e}", folder.display()))
}
