//! Sums under keys that live for one round, as pure state machines: what is stored, said and checked, in which order.
//!
//! ```text
//! site          upload: body, sealed parts, signed header            SumSite::may_upload, write_upload
//! coordinator   intake: signatures, lengths, digests, numbers        read_upload
//! holders       findings: does each part lie on its polynomial?      open_parts, Findings
//! coordinator   names the set C and its sum                          sort_findings, Commitment
//! signers       agreement: one set a round, ever                     SumSite::judge_commitment, Agreement
//! others        of a large sum: their own upload's value             SumSite::judge_inclusion, Agreement
//! holders       opening: the sum of their parts over C               SumSite::judge_opening, SumOpening
//! whoever       result: t openings, noise, the sum itself            read_result
//! ```
//!
//! An [`Epoch`] is a version of the roster with its sealing keys and rules; a [`SumRound`] is a round of it, whose name `ρ` nobody
//! chooses. A site is a fold over [`SumMark`]s ([`SumSite`]), each on its disk before what it speaks of leaves. The coordinator may
//! do anything: what keeps it from opening a set that was not agreed is here, at the sites.
//!
//! Claims and their proofs: `docs/notes/one-round-sums.md`.

mod agreement;
mod cohort;
mod commitment;
mod consent;
mod epoch;
mod findings;
mod header;
mod inclusion;
mod intake;
mod mark;
mod naming;
mod opening;
mod pair;
mod refusal;
mod result;
mod round;
mod set;
mod signed;
mod site;
mod tree;
mod upload;
mod value;
mod void;

pub use agreement::{Agreed, Agreement, Vouch};
pub use cohort::summable;
pub use commitment::Commitment;
pub use epoch::{Epoch, EpochLiteral, Former, Member, Succession, sign_successor};
pub(crate) use epoch::{follows, successor_digest};
pub use findings::{Findings, Parts, Sorted, open_parts, sort_findings};
pub use header::{SignedUpload, UploadHeader, set_name};
pub use inclusion::Inclusion;
pub(crate) use intake::give;
pub use intake::{Received, bundle, read_upload};
pub use mark::SumMark;
pub use naming::{NamingSecret, ValuesName};
pub use opening::SumOpening;
pub use pair::{PAIRING_LEN, pairing, pairing_len};
pub use refusal::SumRefusal;
pub use result::{SumResult, read_result};
pub use round::SumRound;
pub use set::{CommittedSet, SetRoot};
pub use site::SumSite;
pub use upload::{Uploader, Values, noise_key, write_upload};
pub use value::{evaluate_own, vouch_for};
pub use void::Void;
