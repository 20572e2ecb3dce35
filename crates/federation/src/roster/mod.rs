//! Sites come and go: a change of the roster, said by people, signed by a quorum of the sites that it changes.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `change` | who joins, leaves, gets new keys: what is proposed, and the version that it makes |
//! | `word` | what a site says of it: that people there approve or refuse, and the signature that binds |
//! | `proposal` | a change on its way, with the words on it |
//! | `words` | a change as people read it |
//!
//! Words come before signatures: a site signs one successor of a version, ever, so a change that too few want would else bind those
//! who wanted it. Once a quorum approves, and while no job or question runs or waits, sites are asked to sign; with a quorum of signatures the
//! next version stands.

mod change;
mod proposal;
mod word;
mod words;

pub use change::{Change, SignedChange};
pub use proposal::{Proposal, RosterView};
pub use word::{Says, Word};
