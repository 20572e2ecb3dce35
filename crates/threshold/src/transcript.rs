//! Who does what with which parameters, in which round: the digest that every message of a session carries, and the
//! common reference strings that follow from it.

use crate::{Error, Result};
use blindscope_ckks::{Parameters, Seed};
use blindscope_wire::{Digest, Hasher};

/// Most sites of a roster. Shamir's points `1 … n` are then distinct and non-zero modulo every prime.
pub const MAX_PARTIES: usize = 1024;

/// A site by its place on the roster, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId(pub u16);

impl PartyId {
    /// The public point at which this site's Shamir shares are evaluated.
    pub(crate) fn point(self) -> u64 {
        u64::from(self.0) + 1
    }
}

impl std::fmt::Display for PartyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "site {}", self.0)
    }
}

/// The sites of a study, by the digests of their identities, and how many of them decrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    identities: Vec<Digest>,
    threshold: usize,
}

impl Roster {
    /// The sites with these identities; any `threshold` of them can finish a decryption.
    ///
    /// # Errors
    /// [`Error::Roster`] for no site, too many, or a threshold outside their number; also where an identity stands twice.
    pub fn new(identities: Vec<Digest>, threshold: usize) -> Result<Self> {
        let parties = identities.len();
        let mut sorted = identities.clone();
        sorted.sort_unstable();
        let repeated = sorted.windows(2).any(|w| w[0] == w[1]);
        if repeated || !(1..=MAX_PARTIES).contains(&parties) || !(1..=parties).contains(&threshold) {
            return Err(Error::Roster { parties, threshold, max: MAX_PARTIES });
        }
        Ok(Self { identities, threshold })
    }

    /// How many sites.
    pub fn parties(&self) -> usize {
        self.identities.len()
    }

    /// Shares that decrypt.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The sites in order.
    pub fn iter(&self) -> impl Iterator<Item = PartyId> + use<> {
        (0..self.identities.len() as u16).map(PartyId)
    }

    pub(crate) fn check(&self, op: &'static str, party: PartyId) -> Result<()> {
        let parties = self.parties();
        if usize::from(party.0) < parties { Ok(()) } else { Err(Error::ForeignParty { op, party, parties }) }
    }
}

impl std::fmt::Display for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut h = Hasher::new("blindscope/threshold/roster/v1");
        for id in &self.identities {
            h.absorb(&id.0);
        }
        write!(f, "{} of {} sites, {}", self.threshold, self.parties(), h.finish().fingerprint())
    }
}

/// Refuses what was made under other parameters than the session's.
pub(crate) fn require_params(op: &'static str, session: &Transcript, found: &Parameters) -> Result<()> {
    if found == session.params() {
        return Ok(());
    }
    let (expected, found) = (session.params().fingerprint().to_string(), found.fingerprint().to_string());
    Err(Error::Foreign { op, what: "parameters", expected, found })
}

/// One session: roster, parameters, purpose, round. Cheap enough to clone into each protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    params: Parameters,
    roster: Roster,
    digest: Digest,
}

impl Transcript {
    /// The session of this roster for `purpose` (a job's name or digest) in `round`; a key ceremony is round 0.
    pub fn new(params: &Parameters, roster: &Roster, purpose: &[u8], round: u64) -> Self {
        let mut h = Hasher::new("blindscope/threshold/transcript/v2");
        h.absorb(&params.digest().0).absorb_u64(roster.threshold as u64).absorb_u64(roster.parties() as u64);
        for id in &roster.identities {
            h.absorb(&id.0);
        }
        // One secret a site: ceremonies of several, of earlier releases, were told apart here.
        h.absorb(purpose).absorb_u64(round).absorb_u64(1);
        Self { params: params.clone(), roster: roster.clone(), digest: h.finish() }
    }

    /// The parameters.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The digest of all of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The common reference string of one protocol: what all sites expand to the same uniform polynomials.
    pub fn reference_string(&self, protocol: &str, index: u64) -> Seed {
        let mut h = Hasher::new("blindscope/threshold/reference-string/v1");
        h.absorb(&self.digest.0).absorb(protocol.as_bytes()).absorb_u64(index);
        Seed(h.finish().0)
    }
}
