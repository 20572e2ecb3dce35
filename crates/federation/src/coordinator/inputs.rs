//! Which blobs a piece of work reads: what whoever does it elsewhere has to be able to read.

use std::collections::BTreeSet;

use super::work::{SumWork, Work};
use crate::{Blob, JobSpec, SignedHeader, SiteId};

/// Payloads by site.
type OfSites<'a> = &'a [(SiteId, Blob)];

impl Work {
    /// Every blob that it names, each once, in no order that means anything.
    pub fn inputs(&self) -> Vec<Blob> {
        let mut found: Vec<Blob> = of_question(self.spec());
        match self {
            Self::Commit { commitments: all, .. } | Self::Key { shares: all, .. } => {
                found.extend(of_sites(all));
            }
            Self::Relin { first, sum, shares, .. } => {
                found.extend(of_sites(first).chain([*sum]).chain(of_sites(shares)));
            }
            Self::Trial { public_key, shares, .. } => found.extend(of_sites(shares).chain([*public_key])),
            Self::Sum { uploads, evaluation, .. } => {
                found.extend(of_sites(uploads));
                if let Some(of) = evaluation {
                    let opening = &of.opening;
                    found.extend([of.start, of.keys, opening.sum]);
                    found.extend(of_headers(&opening.committed).chain(of_headers(&opening.encrypted)));
                    found.extend(of_question(&of.head));
                }
            }
            Self::Encrypted { parts, remainder, encryptions, .. } => {
                found.extend(of_headers(parts).chain([*remainder]).chain(of_sites(encryptions)));
            }
            Self::Refresh { sum, zeros, .. } => found.extend(of_sites(zeros).chain([*sum])),
            Self::Open { input, target, shares, .. } => {
                found.extend(of_sites(shares).chain([*target]).chain(*input));
            }
            _ => found.extend(self.inputs_of_sum()),
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Those that going over the uploads of these sites takes ([`crate::portion`]).
    pub fn inputs_of_portion(&self, sites: &[SiteId]) -> Vec<Blob> {
        let (uploads, pairs): (OfSites<'_>, OfSites<'_>) = match self {
            Self::Intake { uploads, pairs, .. } => (uploads, pairs),
            Self::Name { uploads, .. } => (uploads, &[]),
            _ => (&[], &[]),
        };
        let of_these = uploads.iter().chain(pairs).filter(|(site, _)| sites.contains(site));
        of_these.map(|(_, blob)| *blob).collect()
    }

    /// Those that are left where all uploads are gone over.
    pub fn inputs_beside_portions(&self) -> Vec<Blob> {
        let mut others = self.inputs();
        if let Self::Intake { uploads, .. } | Self::Name { uploads, .. } = self {
            let uploads: BTreeSet<Blob> = of_sites(uploads).collect();
            others.retain(|blob| !uploads.contains(blob));
        }
        others
    }

    /// Those of the steps of a round of sums.
    fn inputs_of_sum(&self) -> Vec<Blob> {
        let (first, second): (OfSites<'_>, OfSites<'_>) = match self {
            Self::Voids { words, .. } => (words, &[]),
            Self::Intake { uploads, pairs, .. } => (uploads, pairs),
            Self::Name { uploads, findings, .. } => (uploads, findings),
            Self::Agreements { uploads, words, .. } => (uploads, words),
            Self::Vouches { gone, vouches, .. } => (gone, vouches),
            Self::Result(work) => (&work.openings, &[]),
            _ => (&[], &[]),
        };
        let named: Vec<Option<Blob>> = match self {
            Self::Name { headers, .. } => vec![Some(*headers)],
            Self::Agreements { commitment, sum, .. } => vec![Some(*commitment), Some(*sum)],
            Self::Vouches { commitment, agreements, .. } => vec![Some(*commitment), Some(*agreements)],
            Self::Result(work) => {
                let SumWork { commitment, sum, agreements, vouches, .. } = **work;
                vec![Some(commitment), Some(sum), Some(agreements), vouches]
            }
            _ => Vec::new(),
        };
        let named = named.into_iter().flatten();
        named.chain(self.starts_from()).chain(of_sites(first)).chain(of_sites(second)).collect()
    }
}

fn of_sites(all: OfSites<'_>) -> impl Iterator<Item = Blob> + '_ {
    all.iter().map(|(_, blob)| *blob)
}

fn of_headers(all: &[SignedHeader]) -> impl Iterator<Item = Blob> + '_ {
    all.iter().filter_map(SignedHeader::payload)
}

/// What a question's file names.
fn of_question(spec: &JobSpec) -> Vec<Blob> {
    spec.question.iter().flat_map(|of| [of.asker, of.remainder, of.dealt]).collect()
}
