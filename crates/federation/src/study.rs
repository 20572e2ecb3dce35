//! What all parties of a study agree on before anything else: `study.toml`, and its checked form.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sums::{Epoch, EpochLiteral, Member, SumRefusal};
use crate::words::in_words;
use crate::{Circuit, Error, JobId, Phase, PublicIdentity, PublicSealingKey, Result, SignedChange, SiteId};
use blindscope_ckks::Parameters;
use blindscope_threshold::{MAX_PARTIES, MIN_STATISTICAL_BITS, PartyId, Roster, Transcript};
use blindscope_wire::{Digest, Hasher};

/// `study.toml`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyLiteral {
    /// Its name: 1 to 64 of `a-z 0-9 - _ .`
    pub name: String,
    /// The coordinator's identity, hexadecimal.
    pub coordinator: PublicIdentity,
    /// Shares that decrypt.
    pub threshold: u32,
    /// Fewest contributions that a sum is opened over, at least `threshold`.
    pub minimum_cohort: u32,
    /// Sites that may collude with a coordinator that does anything, in sums; [`StudyLiteral::colluders`] unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colluders: Option<u32>,
    /// Names of the sites that hold parts of the keys of sums and sign sets: all of them unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<String>,
    /// Names of the classes, in order.
    pub classes: Vec<String>,
    /// Digest of the shared backbone, its preprocessing and pooling, as `blindscope model show` prints it.
    #[serde(with = "crate::text")]
    pub backbone: Digest,
    /// Whether features that do not say which backbone made them may join.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unknown_backbone: bool,
    /// Width of its CLS token.
    pub width: u32,
    /// Ciphertexts opened in the study's life, all jobs and rounds together: flooding is derived from it.
    pub decryptions: u64,
    /// Bits of statistical security of the flooding.
    pub statistical_bits: u32,
    /// Openings begun for one round before it fails.
    pub attempts: u32,
    /// How long each step waits.
    pub deadlines: Deadlines,
    /// The sites, in the order that numbers them.
    pub sites: Vec<SiteEntry>,
}

/// One site of `study.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEntry {
    /// Its name, as a study's.
    pub name: String,
    /// Its identity, hexadecimal.
    pub identity: PublicIdentity,
    /// What parts of the key are sealed to, hexadecimal.
    pub sealing: PublicSealingKey,
}

/// Seconds that a step waits for its sites, 1 to 604,800.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// Each step of the ceremony.
    pub ceremony_seconds: u64,
    /// A contribution; a job may set its own.
    pub upload_seconds: u64,
    /// Each step of an opening.
    pub opening_seconds: u64,
}

/// A study that holds together, under a version of its roster: of `study.toml`, or what signed changes made of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Study(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    literal: StudyLiteral,
    /// The sites of the version in force, by rising number.
    members: Vec<Member>,
    roster: Roster,
    digest: Digest,
    /// Every version so far; none of a study that cannot add up.
    epochs: Vec<Epoch>,
    /// Whether parameters below the security table are taken: in tests.
    insecure: bool,
}

pub(crate) const FILE: &str = "study.toml";

/// Whether `name` is 1 to 64 of `a-z 0-9 - _ .`: safe in paths, tables and terminals.
pub(crate) fn is_name(name: &str) -> bool {
    let fine = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(fine) && !name.starts_with('.')
}

pub(crate) fn require(
    fine: bool,
    field: &'static str,
    found: impl std::fmt::Display,
    expected: &'static str,
) -> Result<()> {
    let found = found.to_string();
    if fine { Ok(()) } else { Err(Error::Field { file: FILE, field, found, expected }) }
}

impl StudyLiteral {
    /// The study of this file's text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::File { file: FILE, reason: in_words(&e.to_string()) })
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::File { file: FILE, reason: e.to_string() })
    }

    /// Sites, `z`, that may collude with a coordinator that does anything, in sums. Unless the file says it: as many as leave a cohort of
    /// the study's minimum able to agree by itself, where some sites hold for all as many of these as open, and no more than is possible.
    pub fn colluders(&self) -> u32 {
        let (m, least) = match self.holders.len() as u32 {
            0 => (self.sites.len() as u32, self.minimum_cohort),
            some => (some, self.threshold),
        };
        let agreeing = (2 * least).saturating_sub(m + 1);
        self.colluders.unwrap_or_else(|| agreeing.min(self.most_colluders()))
    }

    /// `t` colluding sites would open keys, and a sum has to keep two sites that do not collude.
    fn most_colluders(&self) -> u32 {
        self.threshold.saturating_sub(1).min(self.minimum_cohort.saturating_sub(2))
    }

    fn check(&self) -> Result<()> {
        const NAME: &str = "1 to 64 of a-z, 0-9, -, _ and .";
        let sites = self.sites.len();
        require(is_name(&self.name), "name", &self.name, NAME)?;
        require((1..=MAX_PARTIES).contains(&sites), "sites", sites, "1 to 1024 sites")?;
        self.check_holders()?;
        let threshold = self.threshold as usize;
        require((1..=sites).contains(&threshold), "threshold", threshold, "1 to the number of sites")?;
        let cohort = self.minimum_cohort as usize;
        require(
            (threshold..=sites).contains(&cohort),
            "minimum_cohort",
            cohort,
            "threshold to the number of sites",
        )?;
        let colluders = self.colluders.unwrap_or(0);
        require(
            colluders <= self.most_colluders(),
            "colluders",
            colluders,
            "less than threshold, and at most minimum_cohort less two",
        )?;
        require(
            (2..=1000).contains(&self.classes.len()),
            "classes",
            self.classes.len(),
            "2 to 1000 classes",
        )?;
        let short = self.classes.iter().all(|c| (1..=64).contains(&c.len()) && !c.contains(char::is_control));
        require(short, "classes", "a bad name", "names of 1 to 64 bytes")?;
        let twice = self.classes.iter().enumerate().find(|(i, c)| self.classes[..*i].contains(c));
        require(twice.is_none(), "classes", twice.map_or("", |(_, c)| c), "each name once")?;
        require((1..=65_536).contains(&self.width), "width", self.width, "1 to 65536")?;
        require(self.decryptions > 0, "decryptions", self.decryptions, "at least 1")?;
        let bits = self.statistical_bits;
        require((MIN_STATISTICAL_BITS..=128).contains(&bits), "statistical_bits", bits, "30 to 128")?;
        require((1..=16).contains(&self.attempts), "attempts", self.attempts, "1 to 16")?;
        self.deadlines.check()?;
        require(self.coordinator.is_valid(), "coordinator", "no key", "an Ed25519 public key")?;
        self.check_sites(NAME)
    }

    fn check_sites(&self, name: &'static str) -> Result<()> {
        for site in &self.sites {
            require(is_name(&site.name), "sites.name", &site.name, name)?;
            require(site.identity.is_valid(), "sites.identity", &site.name, "an Ed25519 public key")?;
            require(
                site.sealing.is_valid(),
                "sites.sealing",
                &site.name,
                "1,216 bytes of X25519 and ML-KEM-768 public keys, as `provision` writes them",
            )?;
            let same = |other: &&SiteEntry| {
                other.name == site.name || other.identity == site.identity || other.sealing == site.sealing
            };
            let once = self.sites.iter().filter(same).count() == 1 && site.identity != self.coordinator;
            require(once, "sites", &site.name, "a name and keys that nobody else has")?;
        }
        Ok(())
    }
}

impl Deadlines {
    fn check(&self) -> Result<()> {
        let fields = [
            ("ceremony_seconds", self.ceremony_seconds),
            ("upload_seconds", self.upload_seconds),
            ("opening_seconds", self.opening_seconds),
        ];
        fields.iter().try_for_each(|(f, s)| require((1..=604_800).contains(s), f, s, "1 to 604800 seconds"))
    }
}

impl Study {
    /// The study of this file.
    ///
    /// # Errors
    /// [`Error::Field`] names what does not hold together.
    pub fn new(literal: StudyLiteral) -> Result<Self> {
        Self::build(literal, false)
    }

    /// The study, whose circuits may have parameters below the security table: for tests, where small ones are fast.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn insecure(literal: StudyLiteral) -> Result<Self> {
        Self::build(literal, true)
    }

    fn build(literal: StudyLiteral, insecure: bool) -> Result<Self> {
        literal.check()?;
        let json =
            serde_json::to_vec(&literal).map_err(|e| Error::File { file: FILE, reason: e.to_string() })?;
        let digest = Hasher::new("blindscope/federation/study/v2").absorb(&json).finish();
        let epochs = first(&literal, digest).into_iter().collect();
        let members = founders(&literal);
        let roster = holders(&members, &literal)?;
        Ok(Self(Arc::new(Inner { literal, members, roster, digest, epochs, insecure })))
    }

    /// The study after a change of its roster that a quorum of this version's sites has signed.
    ///
    /// # Errors
    /// As [`SignedChange::next`]; [`Self::epoch`] for a study that cannot add up: it has no such changes.
    pub fn succeeded(&self, signed: &SignedChange) -> Result<Self> {
        let next = signed.next(&self.epoch()?)?;
        self.check_next(&next)?;
        let mut epochs = self.0.epochs.clone();
        epochs.push(next);
        self.with(epochs)
    }

    /// Refuses a version in which a site has the coordinator's key, or of more sites than a study has.
    pub(crate) fn check_next(&self, next: &Epoch) -> Result<()> {
        let members = &next.literal().members;
        let coordinator = members.iter().any(|m| m.entry.identity == self.0.literal.coordinator);
        let refuse = |reason| Err(SumRefusal::Successor { reason }.into());
        if coordinator {
            return refuse("a site has the coordinator's key; let it make one of its own");
        }
        if members.len() > MAX_PARTIES { refuse("a study has at most 1024 sites") } else { Ok(()) }
    }

    /// The study as it was under an earlier version of its roster.
    ///
    /// # Errors
    /// [`SumRefusal::Successor`] for a version that it has not had.
    pub fn under(&self, version: u64) -> Result<Self> {
        if version == self.version() {
            return Ok(self.clone());
        }
        let count = usize::try_from(version).ok().and_then(|v| v.checked_add(1));
        let epochs = count.and_then(|count| self.0.epochs.get(..count));
        let reason = "no such version is known here; fetch the roster's history";
        self.with(epochs.ok_or(SumRefusal::Successor { reason })?.to_vec())
    }

    fn with(&self, epochs: Vec<Epoch>) -> Result<Self> {
        let Inner { literal, digest, insecure, .. } = &*self.0;
        let members = epochs.last().map_or_else(|| founders(literal), |e| e.literal().members.clone());
        let roster = holders(&members, literal)?;
        let (literal, digest, insecure) = (literal.clone(), *digest, *insecure);
        Ok(Self(Arc::new(Inner { literal, members, roster, digest, epochs, insecure })))
    }

    /// The number of the roster's version, from 0.
    pub fn version(&self) -> u64 {
        self.0.epochs.len().saturating_sub(1) as u64
    }

    /// What the file says.
    pub fn literal(&self) -> &StudyLiteral {
        &self.0.literal
    }

    /// What tells this study from any other.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The holders of the inference key.
    pub fn roster(&self) -> &Roster {
        &self.0.roster
    }

    /// The sites' numbers in order.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> + use<> {
        let sites: Vec<SiteId> = self.0.members.iter().map(|m| m.site).collect();
        sites.into_iter()
    }

    /// The sites of the version in force, by rising number.
    pub fn members(&self) -> &[Member] {
        &self.0.members
    }

    /// Its place among the sites, from 0; none of a stranger, or a site that has left.
    pub fn place(&self, site: SiteId) -> Option<usize> {
        self.0.members.binary_search_by_key(&site, |m| m.site).ok()
    }

    /// A site among the holders of an inference key: its place.
    ///
    /// # Errors
    /// [`Error::ForeignSite`] for a site that is not of this version.
    pub fn party(&self, op: &'static str, site: SiteId) -> Result<PartyId> {
        self.place(site).map(|at| PartyId(at as u16)).ok_or(Error::ForeignSite { op, site })
    }

    /// Name and keys of a site.
    pub fn site(&self, site: SiteId) -> Option<&SiteEntry> {
        self.0.members.get(self.place(site)?).map(|m| &m.entry)
    }

    /// The site of this name.
    pub fn site_named(&self, name: &str) -> Option<SiteId> {
        self.0.members.iter().find(|m| m.entry.name == name).map(|m| m.site)
    }

    /// A site's name, whether it is of this version or was of an earlier one; else its number.
    pub fn name_of(&self, site: SiteId) -> String {
        let now = self.site(site).map(|entry| &entry.name);
        let former = || self.0.epochs.last()?.literal().former.iter().find(|f| f.site == site);
        now.or_else(|| former().map(|f| &f.name)).map_or_else(|| site.to_string(), Clone::clone)
    }

    /// The roster of sums.
    ///
    /// # Errors
    /// [`Error::Sum`] or [`Error::Aggregate`] for studies that cannot add up: of one site, or with a threshold of 1.
    pub fn epoch(&self) -> Result<Epoch> {
        self.0.epochs.last().map_or_else(|| first(&self.0.literal, self.0.digest), |epoch| Ok(epoch.clone()))
    }

    /// Signatures that change the roster, and, where all sites hold, that settle the set of a sum: more than half of the sites and the
    /// colluders together.
    pub fn agreement(&self) -> u32 {
        (self.0.members.len() as u32).midpoint(self.0.literal.colluders()) + 1
    }

    /// The session of the ceremony of an inference key: no share of it opens under another circuit.
    ///
    /// # Errors
    /// As [`Self::circuit_params`].
    pub fn inference_ceremony(&self, job: JobId, circuit: &Circuit) -> Result<Transcript> {
        let purpose = Hasher::new("blindscope/federation/inference/v1")
            .absorb(&job.0.0)
            .absorb(&circuit.digest().0)
            .finish();
        Ok(Transcript::new(&self.circuit_params(circuit)?, self.roster(), &purpose.0, 0))
    }

    /// The session of its shares, once everybody has committed: what they are made under depends on all commitments.
    ///
    /// # Errors
    /// As [`Self::circuit_params`].
    pub fn inference_session(&self, job: JobId, circuit: &Circuit, string: &Digest) -> Result<Transcript> {
        let purpose = Hasher::new("blindscope/federation/inference-session/v1")
            .absorb(&job.0.0)
            .absorb(&circuit.digest().0)
            .absorb(&string.0)
            .finish();
        Ok(Transcript::new(&self.circuit_params(circuit)?, self.roster(), &purpose.0, 0))
    }

    /// A circuit's parameters.
    ///
    /// # Errors
    /// [`Error::Ckks`] for parameters that do not hold together or are below the security table.
    pub fn circuit_params(&self, circuit: &Circuit) -> Result<Parameters> {
        let literal = circuit.literal();
        Ok(if self.0.insecure { Parameters::insecure_for_tests(literal)? } else { Parameters::new(literal)? })
    }

    /// The session of one attempt at opening a round, under parameters of a circuit ([`Self::circuit_params`]).
    pub fn opening(&self, params: &Parameters, job: JobId, round: u64, attempt: u32) -> Transcript {
        let purpose = Hasher::new("blindscope/federation/opening/v1")
            .absorb(&self.digest().0)
            .absorb(&job.0.0)
            .absorb_u64(u64::from(attempt))
            .finish();
        Transcript::new(params, self.roster(), &purpose.0, round)
    }

    /// Milliseconds that a step of this phase waits, unless its job says otherwise.
    pub(crate) fn wait_ms(&self, phase: Phase) -> u64 {
        let d = &self.0.literal.deadlines;
        1000 * match phase {
            Phase::Commit | Phase::Promise | Phase::KeyShare | Phase::Relin | Phase::Parts | Phase::Trial => {
                d.ceremony_seconds
            }
            // Parts of a head are encrypted in as much time as they are made in.
            Phase::Upload | Phase::Encrypt => d.upload_seconds,
            _ => d.opening_seconds,
        }
    }
}

/// The sites that the file names, by their places.
fn founders(literal: &StudyLiteral) -> Vec<Member> {
    let member = |(k, entry): (usize, &SiteEntry)| Member { site: SiteId(k as u16), entry: entry.clone() };
    literal.sites.iter().enumerate().map(member).collect()
}

/// The first version of the roster.
fn first(literal: &StudyLiteral, study: Digest) -> Result<Epoch> {
    let (cohort, colluders) = (literal.minimum_cohort, literal.colluders());
    let members = founders(literal);
    Epoch::new(EpochLiteral {
        study,
        version: 0,
        holders: literal.holding(&members),
        members,
        threshold: literal.threshold,
        colluders,
        colluding_holders: colluders,
        minimum_cohort: cohort.max(2),
        coins: 168,
        former: Vec::new(),
    })
}

/// Who holds an inference key that is made under a version.
fn holders(members: &[Member], literal: &StudyLiteral) -> Result<Roster> {
    let identity = |m: &Member| {
        Hasher::new("blindscope/federation/identity/v1")
            .absorb(&m.entry.identity.0)
            .absorb(&m.entry.sealing.0)
            .finish()
    };
    Ok(Roster::new(members.iter().map(identity).collect(), literal.threshold as usize)?)
}
