//! Adding up the contributions of one protocol step, whoever does it: the server or a site.

use std::collections::BTreeSet;

use crate::message::{Message, Shape};
use crate::{Error, PartyId, Result, Transcript};
use blindscope_ring::{Ntt, Poly};

/// The running sum over the sites that a step needs.
#[derive(Debug)]
pub struct Collector {
    op: &'static str,
    transcript: Transcript,
    shape: Shape,
    expected: BTreeSet<PartyId>,
    absorbed: BTreeSet<PartyId>,
    sum: Vec<Poly<Ntt>>,
}

impl Collector {
    pub(crate) fn new(
        op: &'static str,
        transcript: &Transcript,
        shape: Shape,
        expected: impl IntoIterator<Item = PartyId>,
    ) -> Self {
        let sum = (0..shape.polys).map(|_| shape.basis.zero()).collect();
        let (transcript, expected) = (transcript.clone(), expected.into_iter().collect());
        Self { op, transcript, shape, expected, absorbed: BTreeSet::new(), sum }
    }

    /// What this step's messages look like.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Adds one site's message. A refused one changes nothing.
    ///
    /// # Errors
    /// [`Error::Transcript`] for what belongs to another session; [`Error::ForeignParty`] for a party that is not on
    /// the roster; [`Error::NotInCommittee`] for one that is not in the committee; [`Error::Duplicate`] for a party
    /// that contributed before; [`Error::Shape`] for a message of another shape.
    pub fn absorb(&mut self, message: &Message) -> Result<()> {
        let (op, party) = (self.op, message.party);
        message.check(op, &self.transcript, self.shape.tag)?;
        if !self.expected.contains(&party) {
            return Err(Error::NotInCommittee { op, party });
        }
        if self.absorbed.contains(&party) {
            return Err(Error::Duplicate { op, party });
        }
        let limbs = self.shape.basis.len();
        if message.polys.len() != self.shape.polys || message.polys.iter().any(|p| p.limb_count() != limbs) {
            let shape = |polys, limbs| format!("{polys} polynomials over {limbs} primes");
            // The first that differs, where there is one: a message may hold polynomials of several lengths.
            let other = message.polys.iter().map(Poly::limb_count).find(|found| *found != limbs);
            let (expected, found) =
                (shape(self.shape.polys, limbs), shape(message.polys.len(), other.unwrap_or(limbs)));
            return Err(Error::Shape { op, expected, found });
        }
        for (s, p) in self.sum.iter_mut().zip(&message.polys) {
            self.shape.basis.add_assign(s, p);
        }
        self.absorbed.insert(party);
        Ok(())
    }

    /// The sum, once everybody has contributed.
    pub(crate) fn finish(self) -> Result<Vec<Poly<Ntt>>> {
        let missing: Vec<PartyId> = self.expected.difference(&self.absorbed).copied().collect();
        if missing.is_empty() {
            return Ok(self.sum);
        }
        let (expected, found) = (self.expected.len(), self.absorbed.len());
        Err(Error::Missing { op: self.op, expected, found, missing })
    }
}
