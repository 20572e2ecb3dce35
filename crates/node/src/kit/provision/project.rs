//! The project file: what a study is to be, before its keys exist.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kit::InferenceSettings;
use crate::kit::certificates::{Request, Role};
use blindscope_federation::{Deadlines, PublicIdentity, PublicSealingKey, SiteEntry, StudyLiteral};
use blindscope_learn::documented;
use blindscope_wire::{Digest, unhex};

documented! {
    /// A project file.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Project {
        /// The study's name: 1 to 64 of `a-z 0-9 - _ .`
        pub name: String,
        /// Where sites find the coordinator, `HOST:PORT`. The host goes into the coordinator's certificate.
        pub address: String,
        /// Where the coordinator listens, `ADDRESS:PORT`; the port of `address` on every interface unless given.
        /// Default: the port of `address` on every interface.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub listen: Option<String>,
        /// More host names and addresses for the coordinator's certificate.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub hosts: Vec<String>,
        /// Names of the classes, in order.
        pub classes: Vec<String>,
        /// Digest of the shared backbone, its preprocessing and pooling, hexadecimal: `blindscope model show` prints it.
        pub backbone: String,
        /// Whether features that do not say which backbone made them may join.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub allow_unknown_backbone: bool,
        /// Width of its CLS token.
        /// Unit: values.
        pub width: u32,
        /// The sites' names.
        pub sites: Vec<String>,
        /// The administrators' names.
        pub admins: Vec<String>,
        /// Names of those who may ask for predictions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub askers: Vec<String>,
        /// Shares that decrypt.
        /// Unit: sites.
        pub threshold: u32,
        /// Fewest contributions in a sum that is opened.
        /// Unit: sites.
        pub minimum_cohort: u32,
        /// Sites that may collude with a coordinator that does anything and still learn no other site's values from a sum; each set of sites that
        /// is summed is signed by more than half of all sites and these together.
        /// Unit: sites.
        /// Default: as many as leave a cohort of `minimum_cohort` able to sign by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub colluders: Option<u32>,
        /// Names of the sites that hold parts of the keys of sums and sign which sites are summed, a committee: with many sites, 32 of them cost
        /// every site less to upload and fetch. `threshold` and `colluders` are then of these.
        /// Default: all sites hold.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub holders: Vec<String>,
        /// Ciphertexts opened in the study's life.
        /// Unit: ciphertexts.
        #[serde(default = "decryptions")]
        pub decryptions: u64,
        /// Bits of statistical security of the flooding.
        /// Unit: bits.
        #[serde(default = "statistical_bits")]
        pub statistical_bits: u32,
        /// Openings begun for one round before it fails.
        /// Unit: openings.
        #[serde(default = "attempts")]
        pub attempts: u32,
        /// Days that certificates last.
        /// Unit: days.
        #[serde(default = "days")]
        pub certificate_days: u32,
        /// How long each step waits, in seconds.
        #[serde(default = "deadlines")]
        pub deadlines: Deadlines,
        /// What askers may do.
        /// Default: no head is released.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub inference: Option<InferenceSettings>,
    }
}

const fn decryptions() -> u64 {
    1 << 20
}

const fn statistical_bits() -> u32 {
    40
}

const fn attempts() -> u32 {
    4
}

const fn days() -> u32 {
    365
}

const fn deadlines() -> Deadlines {
    Deadlines { ceremony_seconds: 86_400, upload_seconds: 86_400, opening_seconds: 3_600 }
}

/// The requests of a project's parties.
#[derive(Debug, Clone)]
pub struct Parties {
    /// With their sealing keys, in the project's order.
    pub sites: Vec<(Request, PublicSealingKey)>,
    /// Administrators and askers.
    pub others: Vec<Request>,
}

impl Parties {
    /// Everybody.
    pub fn all(&self) -> impl Iterator<Item = &Request> {
        self.sites.iter().map(|(request, _)| request).chain(&self.others)
    }
}

impl Project {
    /// Everybody's name and role, sites first.
    pub fn names(&self) -> impl Iterator<Item = (&str, Role)> {
        let of = |names, role| {
            std::iter::repeat_n(role, usize::MAX)
                .zip(names)
                .map(|(role, name): (_, &String)| (name.as_str(), role))
        };
        of(self.sites.iter(), Role::Site)
            .chain(of(self.admins.iter(), Role::Admin))
            .chain(of(self.askers.iter(), Role::Asker))
    }

    /// The host of `address`.
    pub fn host(&self) -> &str {
        self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host).trim_matches(['[', ']'])
    }

    /// Where the coordinator listens.
    pub fn listen(&self) -> String {
        let port = self.address.rsplit_once(':').map_or("8443", |(_, port)| port);
        self.listen.clone().unwrap_or_else(|| format!("0.0.0.0:{port}"))
    }

    /// One request for each name, of the right role.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the first name without a request of its role.
    pub fn parties(&self, requests: &[Request]) -> Result<Parties> {
        let (mut sites, mut others) = (Vec::new(), Vec::new());
        for (name, role) in self.names() {
            let found = requests.iter().find(|request| request.name == name && request.role == role);
            let missing = || Error::Unknown {
                what: "request",
                name: name.to_owned(),
                repair: "run `blindscope cert request` there and put its request.toml beside the others",
            };
            let request = found.ok_or_else(missing)?.clone();
            match request.sealing.clone() {
                Some(sealing) => sites.push((request, sealing)),
                None => others.push(request),
            }
        }
        Ok(Parties { sites, others })
    }

    /// The study over these parties. `Study::new` checks it.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a backbone that is no digest.
    pub fn study(&self, coordinator: PublicIdentity, parties: &Parties) -> Result<StudyLiteral> {
        let backbone = unhex(&self.backbone.to_lowercase()).map(Digest).ok_or_else(|| Error::Unknown {
            what: "backbone",
            name: self.backbone.clone(),
            repair: "give the 64 hexadecimal digits that `blindscope model show --model MODEL` prints",
        })?;
        let entry = |(request, sealing): &(Request, PublicSealingKey)| SiteEntry {
            name: request.name.clone(),
            identity: request.identity,
            sealing: sealing.clone(),
        };
        Ok(StudyLiteral {
            name: self.name.clone(),
            coordinator,
            threshold: self.threshold,
            minimum_cohort: self.minimum_cohort,
            colluders: self.colluders,
            holders: self.holders.clone(),
            classes: self.classes.clone(),
            backbone,
            allow_unknown_backbone: self.allow_unknown_backbone,
            width: self.width,
            decryptions: self.decryptions,
            statistical_bits: self.statistical_bits,
            attempts: self.attempts,
            deadlines: self.deadlines,
            sites: parties.sites.iter().map(entry).collect(),
        })
    }
}
