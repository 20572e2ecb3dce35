//! Keys that switch a ciphertext back to `s` after an automorphism.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SwitchingKey;
use crate::{Error, Parameters, Result};
use blindscope_ring::galois::{self, Automorphism};

/// The key for one automorphism `σ: X -> X^g`: it switches `s` to `σ^-1(s)`, and the evaluator applies `σ`
/// afterwards, so that the digits of a hoisted ciphertext serve every rotation unpermuted.
#[derive(Clone, PartialEq, Eq)]
pub struct GaloisKey {
    pub(crate) key: SwitchingKey,
    pub(crate) automorphism: Arc<Automorphism>,
}

impl GaloisKey {
    /// The key for `X -> X^element` from a switching key of `s` under `σ^-1(s)`. Range: odd element.
    pub fn new(key: SwitchingKey, element: usize) -> Self {
        let automorphism = Arc::new(Automorphism::new(element, key.params.log_n()));
        Self { key, automorphism }
    }

    /// The Galois element `g`.
    pub fn element(&self) -> usize {
        self.automorphism.element()
    }

    /// The switching key.
    pub fn key(&self) -> &SwitchingKey {
        &self.key
    }
}

impl std::fmt::Debug for GaloisKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GaloisKey({}, {:?})", self.element(), self.key)
    }
}

/// Galois keys by element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GaloisKeys(BTreeMap<usize, GaloisKey>);

impl GaloisKeys {
    /// These keys; of two for one element the later stays.
    pub fn new(keys: impl IntoIterator<Item = GaloisKey>) -> Self {
        Self(keys.into_iter().map(|k| (k.element(), k)).collect())
    }

    /// The keys in order of their elements.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &GaloisKey> {
        self.0.values()
    }

    /// The key that rotates by `steps`.
    ///
    /// # Errors
    /// [`Error::MissingGaloisKey`] where the key of this automorphism is not among the keys.
    pub fn rotation(&self, params: &Parameters, op: &'static str, steps: i64) -> Result<&GaloisKey> {
        let element = galois::rotation_element(steps, params.log_n());
        self.0.get(&element).ok_or_else(|| {
            let what = format!("rotation by {steps}");
            Error::MissingGaloisKey { op, element, what }
        })
    }

    /// The key that conjugates.
    ///
    /// # Errors
    /// [`Error::MissingGaloisKey`] where the key of this automorphism is not among the keys.
    pub fn conjugation(&self, params: &Parameters, op: &'static str) -> Result<&GaloisKey> {
        let element = galois::conjugation_element(params.log_n());
        self.0.get(&element).ok_or_else(|| Error::MissingGaloisKey {
            op,
            element,
            what: "conjugation".into(),
        })
    }
}
