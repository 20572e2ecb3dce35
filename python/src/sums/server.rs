//! The server of a round: no secrets, no trust needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::Arc;

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::site::agreed;
use super::{Roster, RoundSpec};
use crate::errors::{OrRaise as _, SumError};
use blindscope_aggregate::one_round::write_sum;
use blindscope_federation::sums::{
    Agreement, Commitment, Findings, Received, SumOpening, SumRefusal, SumRound, Vouch, bundle, read_result,
    read_upload, sort_findings,
};
use blindscope_federation::{Blob, Error, SiteId};

/// The server of one round: takes uploads, names their set and sum, gathers agreement and openings. It reads nothing but the sum.
#[pyclass(module = "blindscope")]
pub(crate) struct SumServer {
    round: SumRound,
    /// With the upload's own bytes, as Python holds them.
    received: BTreeMap<u16, (Received, PyBackedBytes)>,
    findings: Vec<Findings>,
    set: Option<(Commitment, Arc<[u8]>)>,
    agreements: BTreeMap<u16, Vec<u8>>,
    vouches: BTreeMap<u16, Vec<u8>>,
    openings: BTreeMap<u16, SumOpening>,
}

#[pymethods]
impl SumServer {
    /// A server of a round under a roster.
    #[new]
    fn new(roster: &Roster, round: RoundSpec) -> PyResult<Self> {
        Ok(Self {
            round: round.of(&roster.epoch)?,
            received: BTreeMap::new(),
            findings: Vec::new(),
            set: None,
            agreements: BTreeMap::new(),
            vouches: BTreeMap::new(),
            openings: BTreeMap::new(),
        })
    }

    /// Take a site's upload; whatever it claims is checked.
    fn take(&mut self, py: Python<'_>, site: u16, upload: PyBackedBytes) -> PyResult<()> {
        let round = &self.round;
        let read = || read_upload(round, SiteId(site), upload.len() as u64, &mut &upload[..]);
        let received = py.detach(read).or_raise()?;
        self.received.insert(site, (received, upload));
        Ok(())
    }

    /// Sites whose uploads are in.
    #[getter]
    fn sites(&self) -> Vec<u16> {
        self.received.keys().copied().collect()
    }

    /// The signed headers, as `findings` and `open` want them.
    fn headers<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.received.values().map(|(r, _)| PyBytes::new(py, &r.upload.to_bytes())).collect()
    }

    /// The sealed parts for one site.
    fn bundle<'py>(&self, py: Python<'py>, site: u16) -> PyResult<Bound<'py, PyBytes>> {
        let all: Option<Vec<_>> =
            self.received.values().map(|(r, _)| Some((r, r.pairing.as_deref()?))).collect();
        let all =
            all.ok_or_else(|| SumError::new_err("an upload came without its pair keys; ask for it again"))?;
        Ok(PyBytes::new(py, &bundle(&self.round, SiteId(site), &all).or_raise()?))
    }

    /// Take what a site found of its parts.
    fn found(&mut self, findings: &[u8]) -> PyResult<()> {
        let headers: Vec<_> = self.received.values().map(|(r, _)| r.upload.clone()).collect();
        let found = Findings::from_bytes(&self.round, &headers, findings).or_raise()?;
        self.findings.retain(|f| f.holder != found.holder);
        self.findings.push(found);
        Ok(())
    }

    /// Name the set and its sum: every upload that enough holders can open, as far as findings are in. Returns the commitment, and the
    /// sites left out.
    fn commit<'py>(&mut self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Vec<u16>)> {
        let sorted = sort_findings(&self.round, &self.findings);
        let out: Vec<u16> = sorted.convicted.iter().chain(&sorted.left_out).map(|s| s.0).collect();
        let kept: Vec<_> =
            self.received.iter().filter(|(site, _)| !out.contains(site)).map(|(_, r)| r).collect();
        let (found, least) = (kept.len() as u64, u64::from(self.round.least_cohort()));
        if found < least {
            return Err(Error::from(SumRefusal::Cohort { found, least })).or_raise();
        }
        let mut bodies: Vec<&[u8]> = kept.iter().map(|(_, upload)| self.body_of(upload)).collect();
        let mut sum = Vec::with_capacity(self.round.plan().sum_len() as usize);
        py.detach(|| write_sum(self.round.plan(), &mut bodies, &mut sum)).map_err(Error::from).or_raise()?;
        let uploads = kept.iter().map(|(r, _)| r.upload.clone()).collect();
        let commitment = Commitment { uploads, sum: Blob::of(&sum) };
        let bytes = PyBytes::new(py, &commitment.to_bytes());
        self.set = Some((commitment, sum.into()));
        Ok((bytes, out))
    }

    /// The bodies of the set, which every signer of a small round adds up; none for a large round.
    fn bodies<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyBytes>>>> {
        if !self.round.is_small() {
            return Ok(None);
        }
        let sites = self.commitment()?.sites();
        let of =
            |s: &SiteId| self.received.get(&s.0).map(|(_, upload)| PyBytes::new(py, self.body_of(upload)));
        Ok(sites.iter().map(of).collect())
    }

    /// Take a site's agreement.
    fn agree(&mut self, agreement: &[u8]) -> PyResult<()> {
        let word = Agreement::from_bytes(&self.round, agreement).or_raise()?;
        self.agreements.insert(word.site.0, agreement.to_vec());
        Ok(())
    }

    /// Sites of a large round's set that have not signed: another site has to evaluate their bodies.
    fn silent(&self) -> PyResult<Vec<u16>> {
        if self.round.is_small() {
            return Ok(Vec::new());
        }
        let sites = self.commitment()?.sites();
        Ok(sites
            .iter()
            .map(|s| s.0)
            .filter(|s| !self.agreements.contains_key(s) && !self.vouches.contains_key(s))
            .collect())
    }

    /// A site's body, for whoever evaluates it.
    fn body<'py>(&self, py: Python<'py>, site: u16) -> PyResult<Bound<'py, PyBytes>> {
        let found = self.received.get(&site).map(|(_, upload)| PyBytes::new(py, self.body_of(upload)));
        found.ok_or_else(|| SumError::new_err(format!("site {site} has not uploaded in this round")))
    }

    /// Take a site's evaluation of another's body.
    fn vouched(&mut self, vouch: &[u8]) -> PyResult<()> {
        let word = Vouch::from_bytes(&self.round, vouch).or_raise()?;
        self.vouches.insert(word.site.0, vouch.to_vec());
        Ok(())
    }

    /// Agreements and vouches, as `open` wants them; refused until a quorum has signed.
    #[allow(clippy::type_complexity)]
    fn agreed<'py>(&self, py: Python<'py>) -> PyResult<(Vec<Bound<'py, PyBytes>>, Vec<Bound<'py, PyBytes>>)> {
        let (words, vouches) = self.words();
        agreed(&self.round, self.commitment()?, &words, &vouches).or_raise()?;
        let bytes = |all: Vec<Vec<u8>>| all.iter().map(|b| PyBytes::new(py, b)).collect();
        Ok((bytes(words), bytes(vouches)))
    }

    /// Sites that can open what was committed: those that have found nothing wrong with their parts of it.
    #[getter]
    fn openers(&self) -> PyResult<Vec<u16>> {
        let set = self.commitment()?;
        let can = |found: &&Findings| !found.bad.iter().any(|dealer| set.upload(*dealer).is_some());
        Ok(self.findings.iter().filter(can).map(|found| found.holder.0).collect())
    }

    /// Sites of whose parts another has complained.
    #[getter]
    fn accused(&self) -> Vec<u16> {
        let all: BTreeSet<u16> =
            self.findings.iter().flat_map(|found| &found.bad).map(|dealer| dealer.0).collect();
        all.into_iter().collect()
    }

    /// Take a site's opening. Returns whether there are enough.
    fn opened(&mut self, opening: &[u8]) -> PyResult<bool> {
        let opening = SumOpening::from_bytes(&self.round, opening).or_raise()?;
        self.openings.insert(opening.holder.0, opening);
        Ok(self.openings.len() >= self.round.plan().literal().threshold as usize)
    }

    /// The integers of the sum, and the sites that are in it. Refused unless it is the sum of the agreed uploads.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyArray1<u64>>, Vec<u16>)> {
        let (commitment, sum) = self.set()?;
        let (words, vouches) = self.words();
        let values = py.detach(|| {
            let agreed = agreed(&self.round, commitment, &words, &vouches)?;
            let openings: Vec<_> = self.openings.values().cloned().collect();
            let mut values = Vec::with_capacity(self.round.plan().literal().values as usize);
            let mut from = || Ok(Box::new(Cursor::new(Arc::clone(sum))) as Box<dyn std::io::Read + Send>);
            let mut sink = |run: &[u64]| {
                values.extend_from_slice(run);
                Ok(())
            };
            read_result(&self.round, commitment, &agreed, &openings, &mut from, &mut sink)?;
            Ok::<_, Error>(values)
        });
        let sites = commitment.sites().iter().map(|s| s.0).collect();
        Ok((PyArray1::from_vec(py, values.or_raise()?), sites))
    }
}

impl SumServer {
    fn body_of<'u>(&self, upload: &'u [u8]) -> &'u [u8] {
        upload.get(..self.round.plan().body_len() as usize).unwrap_or_default()
    }

    fn set(&self) -> PyResult<&(Commitment, Arc<[u8]>)> {
        self.set.as_ref().ok_or_else(|| SumError::new_err("no set is named yet; call commit first"))
    }

    fn commitment(&self) -> PyResult<&Commitment> {
        Ok(&self.set()?.0)
    }

    fn words(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        (self.agreements.values().cloned().collect(), self.vouches.values().cloned().collect())
    }
}
