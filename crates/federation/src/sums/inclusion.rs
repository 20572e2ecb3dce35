//! What a site that does not hold is shown of the set of a large sum: its root, its own header, and the inclusion path that shows the one under
//! the other.

use super::header::set_name;
use super::set::CommittedSet as _;
use super::tree::{Tree, path_len, top_of};
use super::{Commitment, SetRoot, SignedUpload, SumRefusal, SumRound};
use crate::{Error, Result, SiteId};
use blindscope_wire::Digest;

const WHAT: &str = "inclusion";

/// A set, and one of its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The set.
    pub set: SetRoot,
    /// The header of one of its sites.
    pub upload: SignedUpload,
    /// Digests from the header up to the top.
    path: Vec<Digest>,
}

impl Inclusion {
    /// Of each of these sites that is in a set.
    pub fn of(round: &SumRound, commitment: &Commitment, sites: &[SiteId]) -> Vec<Self> {
        let (set, tree) = commitment.root_and_tree();
        debug_assert!(round.has_roots(), "asked in rounds that a committee signs");
        let one = |(place, upload): (usize, &SignedUpload)| Self {
            set: set.clone(),
            upload: upload.clone(),
            path: tree.path(place),
        };
        let shown = |(_, upload): &(usize, &SignedUpload)| sites.contains(&upload.header.site);
        commitment.uploads.iter().enumerate().filter(shown).map(one).collect()
    }

    /// Most bytes of one in a round.
    pub fn max_len(round: &SumRound) -> usize {
        let members = round.epoch().literal().members.len() as u64;
        SetRoot::len(round) + SignedUpload::len(round) + 32 * path_len(0, members)
    }

    /// Set, header, path.
    pub fn to_bytes(&self, round: &SumRound) -> Vec<u8> {
        let mut out = self.set.to_bytes(round);
        out.append(&mut self.upload.to_bytes());
        self.path.iter().for_each(|digest| out.extend_from_slice(&digest.0));
        out
    }

    /// The inclusion of these bytes, checked.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that end early or late, a path of another length among them; [`SumRefusal::Inclusion`] for a header that is
    /// not of the set, or not where its path leads; [`SumRefusal::OtherSetOfInput`] for one that is bound to another set; as
    /// [`SetRoot::from_bytes`] and [`SignedUpload::from_bytes`].
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let (set, header) = (SetRoot::len(round), SignedUpload::len(round));
        let short = || Error::Length { op: WHAT, expected: (set + header) as u64, found: bytes.len() as u64 };
        let (root, rest) = bytes.split_at_checked(set).ok_or_else(short)?;
        let (upload, path) = rest.split_at_checked(header).ok_or_else(short)?;
        let root = SetRoot::from_bytes(round, root)?;
        let upload = SignedUpload::from_bytes(round, upload)?;
        let site = upload.header.site;
        let place = root.sites.binary_search(&site).map_err(|_| SumRefusal::Inclusion { site })?;
        let (place, count) = (place as u64, root.sites.len() as u64);
        let expected = set + header + 32 * path_len(place, count);
        if bytes.len() != expected {
            return Err(Error::Length { op: WHAT, expected: expected as u64, found: bytes.len() as u64 });
        }
        let (path, _) = path.as_chunks::<32>();
        let path: Vec<Digest> = path.iter().map(|digest| Digest(*digest)).collect();
        if top_of((place, count), &upload.header.digest(), &path) != Some(root.top) {
            return Err(SumRefusal::Inclusion { site }.into());
        }
        let only = upload.header.only;
        if only != Digest([0; 32]) && only != set_name(&root.sites()) {
            return Err(SumRefusal::OtherSetOfInput.into());
        }
        Ok(Self { set: root, upload, path })
    }
}

impl Commitment {
    fn root_and_tree(&self) -> (SetRoot, Tree) {
        let tree = Tree::new(self.uploads.iter().map(|upload| upload.header.digest()));
        (SetRoot { sites: self.sites(), top: tree.top(), sum: self.sum }, tree)
    }

    /// The same set without its headers.
    pub fn root(&self) -> SetRoot {
        self.root_and_tree().0
    }
}
