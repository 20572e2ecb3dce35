//! Who takes part in sums, under which rules.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{OrRaise as _, SumError};
use blindscope_federation::sums::{Epoch, EpochLiteral, Member};
use blindscope_federation::{Blob, SiteId};

/// The sites of a sum with their public keys and the rules of opening: one document, the same for everybody.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct Roster {
    pub(crate) epoch: Epoch,
}

#[pymethods]
impl Roster {
    /// A roster of what `SumSite.enrol` returned at each site.
    ///
    /// `colluders` sites may work together with a server that does anything, and learn no more than the sum; `threshold` of the
    /// sites, more than `colluders`, open a sum. A sum has at least `colluders + 2` uploads, or `minimum`.
    #[staticmethod]
    #[pyo3(signature = (entries, *, study, threshold, colluders, minimum=None))]
    fn of(
        entries: Vec<Vec<u8>>,
        study: &str,
        threshold: u32,
        colluders: u32,
        minimum: Option<u32>,
    ) -> PyResult<Self> {
        let mut members = Vec::with_capacity(entries.len());
        for entry in &entries {
            let member: Member = serde_json::from_slice(entry).map_err(|e| {
                SumError::new_err(format!("an entry of the roster is not what SumSite.enrol returned: {e}"))
            })?;
            members.push(member);
        }
        members.sort_by_key(|m| m.site);
        let literal = EpochLiteral {
            study: Blob::of(study.as_bytes()).digest,
            version: 0,
            holders: members.iter().map(|m| m.site).collect(),
            members,
            threshold,
            colluders,
            colluding_holders: colluders.min(threshold.saturating_sub(1)),
            minimum_cohort: minimum.unwrap_or(colluders + 2),
            coins: COINS,
            former: Vec::new(),
        };
        Ok(Self { epoch: Epoch::new(literal).or_raise()? })
    }

    /// The roster of the document that `to_bytes` gives.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        Ok(Self { epoch: Epoch::from_bytes(bytes).or_raise()? })
    }

    /// The document.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.epoch.to_bytes())
    }

    /// What tells this document from any other, hexadecimal: compare it by telephone.
    #[getter]
    fn digest(&self) -> String {
        self.epoch.digest().to_string()
    }

    /// Number and name of each site.
    #[getter]
    fn sites(&self) -> Vec<(u16, String)> {
        self.epoch.literal().members.iter().map(|m| (m.site.0, m.entry.name.clone())).collect()
    }

    /// Openings that give a sum.
    #[getter]
    fn threshold(&self) -> u32 {
        self.epoch.literal().threshold
    }

    /// Bytes of one upload of `values` integers of at most `max`: every byte that leaves a site before agreement.
    #[pyo3(signature = (values, max, *, site=0))]
    fn upload_bytes(&self, values: u64, max: u64, site: u16) -> PyResult<u64> {
        let spec = super::RoundSpec { job: String::new(), number: 0, values, max };
        Ok(spec.of(&self.epoch)?.upload_len(SiteId(site), false))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let make = slf.get_type().getattr("from_bytes")?;
        Ok((make, (slf.get().to_bytes(slf.py()),)))
    }

    fn __repr__(&self) -> String {
        let l = self.epoch.literal();
        format!("Roster({} sites, {} open, {} may collude)", l.members.len(), l.threshold, l.colluders)
    }
}

/// Coins of a coefficient of keys and errors: the number that rests on standard RLWE.
const COINS: u32 = 168;
