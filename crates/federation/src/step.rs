//! Names of things: sites, jobs, steps.

use serde::{Deserialize, Serialize};

use crate::text;
use blindscope_wire::Digest;

/// A site by its number in the study, from 0 as `study.toml` lists them; whoever joins later gets the next. A number is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(pub u16);

impl std::fmt::Display for SiteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "site {}", self.0)
    }
}

/// A job: the digest of its study and its file, so that a name cannot come to mean something else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(#[serde(with = "crate::text")] pub Digest);

impl JobId {
    /// The job that its 64 hexadecimal digits name.
    pub fn parse(text: &str) -> Option<Self> {
        text::from_hex(text).map(Self)
    }

    /// The first 12 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JobId({})", self.short())
    }
}

/// What sites do in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Inference ceremony: a part of the site's secret sealed to each site, whose signed digest commits to it.
    Commit,
    /// Inference ceremony: the digest of the shares that will be revealed.
    Promise,
    /// Inference ceremony: the site's shares of the public key, the Galois keys and the relinearisation key's first round.
    KeyShare,
    /// Inference ceremony: the second round of the relinearisation key.
    Relin,
    /// Ceremony: the site says which key it holds a share of.
    Parts,
    /// Inference ceremony: shares of known values, opened before the key is first used.
    Trial,
    /// Sum: the encrypted contribution. Head: the part, dealt to its holders.
    Upload,
    /// Question: fresh encryptions of zero, and with them the word that the site is there.
    Ready,
    /// Question: the site's share of the re-encryption.
    Share,
    /// Sum, after another one of the same input failed: the site declares that one void.
    Void,
    /// Sum: whether the parts that the site holds are on their dealers' polynomials.
    Findings,
    /// Sum: the site signs the set that is summed.
    Agree,
    /// Sum too large to be added up by everybody: the site evaluates uploads of sites that are gone.
    Vouch,
    /// Sum: the site opens the sum of its parts over the agreed set.
    Open,
    /// Head: the site encrypts the sums of what everybody has dealt to it, as their other holders do.
    Encrypt,
}

impl Phase {
    /// All of them. A place never changes: headers travel with it.
    pub const ALL: [Self; 15] = [
        Self::Commit,
        Self::Promise,
        Self::KeyShare,
        Self::Relin,
        Self::Parts,
        Self::Trial,
        Self::Upload,
        Self::Ready,
        Self::Share,
        Self::Void,
        Self::Findings,
        Self::Agree,
        Self::Vouch,
        Self::Open,
        Self::Encrypt,
    ];

    /// Its place in [`Self::ALL`].
    pub(crate) fn place(self) -> u8 {
        // In the order in which they are declared.
        self as u8
    }

    /// The phase at a place.
    pub(crate) fn at(place: u8) -> Option<Self> {
        Self::ALL.get(usize::from(place)).copied()
    }

    /// Whether a step of it closes as soon as enough sites have answered: whoever answers later is not missing.
    pub fn closes_early(self) -> bool {
        matches!(self, Self::Ready | Self::Void | Self::Findings | Self::Agree | Self::Vouch | Self::Open)
    }

    /// The phase's name, as in files and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Promise => "promise",
            Self::KeyShare => "key-share",
            Self::Relin => "relin",
            Self::Parts => "parts",
            Self::Trial => "trial",
            Self::Upload => "upload",
            Self::Ready => "ready",
            Self::Share => "share",
            Self::Void => "void",
            Self::Findings => "findings",
            Self::Agree => "agree",
            Self::Vouch => "vouch",
            Self::Open => "open",
            Self::Encrypt => "encrypt",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The line that an asker's questions stand in: a name that tells one asker from another, and no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Line(#[serde(with = "crate::text")] pub Digest);

/// One question to the sites. Each expected site answers it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The job.
    pub job: JobId,
    /// Its round, from 0.
    pub round: u64,
    /// Openings of this round begun before this one.
    pub attempt: u32,
    /// What is asked.
    pub phase: Phase,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "job {} round {} attempt {} {}", self.job.short(), self.round, self.attempt, self.phase)
    }
}
