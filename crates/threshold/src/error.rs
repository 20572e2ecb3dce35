//! What collective keys refuse.

use crate::PartyId;

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What was refused: the operation, both values, and how to repair it.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A roster with too few or too many sites, or a threshold outside it.
    #[error(
        "roster: {parties} sites with threshold {threshold}; take 1 to {max} sites and a threshold from 1 to their number"
    )]
    Roster {
        /// How many sites.
        parties: usize,
        /// Shares that decrypt.
        threshold: usize,
        /// Most sites.
        max: usize,
    },
    /// The party is not on the roster.
    #[error("{op}: {party} is not among the {parties} sites of the roster; check who sent it")]
    ForeignParty {
        /// The operation.
        op: &'static str,
        /// The stranger.
        party: PartyId,
        /// Sites of the roster.
        parties: usize,
    },
    /// The party is on the roster, but not among those that finish this round.
    #[error("{op}: {party} is not in this round's committee; only its members' shares combine")]
    NotInCommittee {
        /// The operation.
        op: &'static str,
        /// The party.
        party: PartyId,
    },
    /// A committee of another size than the protocol needs, or with a member twice.
    #[error(
        "committee: {found} distinct sites, exactly {expected} are needed; below it the round is aborted"
    )]
    Committee {
        /// Shares that decrypt.
        expected: usize,
        /// Distinct members given.
        found: usize,
    },
    /// A roster in which questions to an encrypted head cannot be dealt in shares.
    #[error(
        "deal: {parties} sites with threshold {threshold}: each share of a question needs two holders and fewer than {threshold} \
         sites may know all of them; take a threshold from 2 to one below the number of sites, at most {most} shares"
    )]
    Holders {
        /// Sites.
        parties: usize,
        /// Shares of the key that decrypt.
        threshold: usize,
        /// Most shares.
        most: usize,
    },
    /// A message of another session: other roster, parameters, purpose or round.
    #[error(
        "{op}: expected transcript {expected}, found {found}; the message is of another session or a replayed round"
    )]
    Transcript {
        /// The operation.
        op: &'static str,
        /// Fingerprint of this session.
        expected: String,
        /// Fingerprint in the message.
        found: String,
    },
    /// The same party contributed twice.
    #[error("{op}: {party} has contributed already; its first message stands")]
    Duplicate {
        /// The operation.
        op: &'static str,
        /// The party.
        party: PartyId,
    },
    /// A round was finished before everybody it needs had contributed.
    #[error(
        "{op}: {found} of {expected} shares are there, missing {}; wait for them or abort the round", names(.missing)
    )]
    Missing {
        /// The operation.
        op: &'static str,
        /// Shares needed.
        expected: usize,
        /// Shares absorbed.
        found: usize,
        /// Who is missing.
        missing: Vec<PartyId>,
    },
    /// A decryption of this job and round was begun before.
    #[error("decrypt: job and round {mark} are spent; a retry is a new round with fresh ciphertexts")]
    Spent {
        /// Fingerprint of job and round.
        mark: String,
    },
    /// The mark that a round is spent could not be made durable, so no share may leave.
    #[error("decrypt: the spent mark could not be stored ({reason}); repair the store, no share was made")]
    Ledger {
        /// What the store says.
        reason: String,
    },
    /// More ciphertexts than were declared when the decryption began.
    #[error("decrypt: all {declared} declared ciphertexts are answered; declare as many as the round has")]
    Exhausted {
        /// Ciphertexts declared.
        declared: u64,
    },
    /// The flooding outweighs the room under the message.
    #[error(
        "flooding: noise of 2^{noise:.1} under masks of {parties} sites reaches 2^{needed:.1}, the message starts at 2^{room:.1}; \
         take fewer digits a coefficient, a larger modulus or a smaller decryption budget"
    )]
    NoRoom {
        /// `log2` of the noise's standard deviation.
        noise: f64,
        /// Sites whose masks add up.
        parties: usize,
        /// `log2` of the bound on noise and masks together.
        needed: f64,
        /// `log2` of the largest error that still rounds away.
        room: f64,
    },
    /// Flooding weaker than this crate accepts.
    #[error(
        "flooding: {found} bits of statistical security for a budget of {budget} ciphertexts; take at least {min} bits and a budget of at least 1"
    )]
    WeakFlooding {
        /// Bits asked for.
        found: u32,
        /// Fewest bits accepted.
        min: u32,
        /// Ciphertexts that may be opened.
        budget: u64,
    },
    /// A residue on the wire is not below its prime.
    #[error("{op}: a residue {found} is not below its prime {prime}; the message was altered")]
    Residue {
        /// The operation.
        op: &'static str,
        /// The prime.
        prime: u64,
        /// The word found.
        found: u64,
    },
    /// Something made for another roster, or under other parameters.
    #[error(
        "{op}: {what} {found}, this session's are {expected}; take what was made for the same study and key"
    )]
    Foreign {
        /// The operation.
        op: &'static str,
        /// What differs.
        what: &'static str,
        /// Those of the session.
        expected: String,
        /// Those found.
        found: String,
    },
    /// A ciphertext or share of another form than its step has.
    #[error("{op}: {found}, expected {expected}; compare the releases and fetch it again")]
    Shape {
        /// The operation.
        op: &'static str,
        /// What fits.
        expected: String,
        /// What was given.
        found: String,
    },
    /// From the ring's or the scheme's layer.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::Error),
    /// From the bytes.
    #[error(transparent)]
    Wire(#[from] blindscope_wire::Error),
}

fn names(parties: &[PartyId]) -> String {
    parties.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_missing_is_named() {
        let missing = vec![PartyId(1), PartyId(4)];
        let text = Error::Missing { op: "decrypt", expected: 3, found: 1, missing }.to_string();
        assert!(text.contains("1 of 3 shares are there, missing site 1, site 4;"), "{text}");
    }
}
