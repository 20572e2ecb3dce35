//! What a site that does not hold is shown of a large sum's set: its root, and the inclusion of its own header. Refused, or decoded to something
//! that is written again as the same bytes; what is taken for the set that holders sign is that set, with the site's own header in it.

use rand_core::SeedableRng;

use blindscope_federation::sums::{
    Commitment, CommittedSet, Epoch, EpochLiteral, Inclusion, Member, SetRoot, SignedUpload, SumRound,
    UploadHeader,
};
use blindscope_federation::{Blob, IdentityKey, JobId, Result, SealingKey, SiteEntry, SiteId};
use blindscope_testkit::patched;
use blindscope_wire::Digest;

const SITES: u16 = 9;
const HOLDERS: [u16; 4] = [1, 3, 4, 8];
/// In the set. A header that has no neighbour in its tree is among those that do not hold.
const SET: [u16; 7] = [0, 1, 2, 3, 5, 6, 7];
/// Values that are many enough for a set root.
const VALUES: (u64, u64) = (60_000, 65_535);
/// Set root, inclusion.
const DECODERS: u8 = 2;

/// A round with roots, a set of it, and what each site that does not hold is shown.
pub(crate) struct Toy {
    round: SumRound,
    set: SetRoot,
    headers: Vec<SignedUpload>,
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

fn epoch(keys: &[(IdentityKey, SealingKey)]) -> Result<Epoch> {
    let member = |(k, (identity, sealing)): (u16, &(IdentityKey, SealingKey))| Member {
        site: SiteId(k),
        entry: SiteEntry {
            name: format!("site-{k}"),
            identity: identity.public(),
            sealing: sealing.public(),
        },
    };
    Epoch::new(EpochLiteral {
        study: Digest([3; 32]),
        version: 0,
        members: (0..).zip(keys).map(member).collect(),
        holders: HOLDERS.map(SiteId).into(),
        threshold: 2,
        colluders: 1,
        colluding_holders: 1,
        minimum_cohort: 3,
        coins: 168,
        former: Vec::new(),
    })
}

/// A header as a site signs it. Nobody looks at its body here.
fn header(round: &SumRound, site: u16, identity: &IdentityKey) -> SignedUpload {
    UploadHeader {
        round: round.name(),
        site: SiteId(site),
        nonce: [site as u8; 32],
        only: Digest([0; 32]),
        body: Digest([1; 32]),
        parts: vec![Digest([2; 32]); round.plan().sealed_parts() as usize],
        checks: vec![0; round.plan().checks_len()],
    }
    .sign(identity)
}

impl Toy {
    /// Nine sites of which four hold; seven are in the set.
    pub(crate) fn new() -> Result<Self> {
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(1);
        let keys = |_| (IdentityKey::generate(&mut rng), SealingKey::generate(&mut rng));
        let keys: Vec<_> = (0..SITES).map(keys).collect();
        let round = SumRound::new(&epoch(&keys)?, JobId(Digest([1; 32])), 0, VALUES)?;
        let headers: Vec<_> =
            (0..).zip(&keys).map(|(site, (identity, _))| header(&round, site, identity)).collect();
        let mut uploads = headers.clone();
        uploads.retain(|upload| SET.contains(&upload.header.site.0));
        let sum = Blob { digest: Digest([4; 32]), len: round.plan().sum_len() };
        let commitment = Commitment { uploads, sum };
        commitment.check(&round)?;
        let others: Vec<_> = (0..SITES).filter(|site| !HOLDERS.contains(site)).map(SiteId).collect();
        let shown = Inclusion::of(&round, &commitment, &others);
        let mut seeds = vec![[&[0], &commitment.root().to_bytes(&round)[..]].concat()];
        seeds.extend(shown.iter().map(|one| [&[1], &one.to_bytes(&round)[..]].concat()));
        Ok(Self { set: commitment.root(), round, headers, seeds })
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        self.decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the decoder. Returns whether it accepted.
    pub(crate) fn decode(&self, data: &[u8]) -> bool {
        let [which, bytes @ ..] = data else { return false };
        if which % DECODERS == 0 { self.root(bytes) } else { self.inclusion(bytes) }
    }

    fn root(&self, bytes: &[u8]) -> bool {
        let Ok(root) = SetRoot::from_bytes(&self.round, bytes) else { return false };
        assert!(root.to_bytes(&self.round) == bytes, "set root: decoded, but written differently");
        assert!(root.sites.len() >= self.round.least_cohort() as usize, "fewer sites than the least cohort");
        assert!(root.sites.is_sorted_by(|a, b| a < b) && root.sites.iter().all(|site| site.0 < SITES));
        assert!(
            (root == self.set) == (root.digest(&self.round) == self.set.digest(&self.round)),
            "two roots of one name"
        );
        true
    }

    fn inclusion(&self, bytes: &[u8]) -> bool {
        let Ok(shown) = Inclusion::from_bytes(&self.round, bytes) else { return false };
        assert!(shown.to_bytes(&self.round) == bytes, "inclusion: decoded, but written differently");
        assert!(bytes.len() <= Inclusion::max_len(&self.round), "longer than the longest");
        assert!(self.headers.contains(&shown.upload), "a header that no site signed");
        assert!(shown.set.sites.contains(&shown.upload.header.site), "of a site that is not in its set");
        if shown.set == self.set {
            let own = self.seeds.iter().any(|seed| seed[1..] == *bytes);
            // Holders see all headers, and are shown no path; one to their header is no lie.
            assert!(own || HOLDERS.contains(&shown.upload.header.site.0), "two inclusions of one header");
        }
        true
    }
}
