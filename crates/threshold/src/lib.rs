//! Keys that no party holds.
//!
//! Local steps only: no sockets, no clock, no disk. Every protocol is *begin* (a [`Transcript`] binds roster,
//! parameters, purpose and round), *share* (one [`Message`] a site), *absorb* (a [`Collector`] adds them up), *finish*.
//!
//! Parties are honest but curious. Of the site that opens a result, at least one co-decryptor is assumed honest:
//! its mask alone hides the noise.
//!
//! References: Mouchet, Troncoso-Pastoriza, Bossuat, Hubaux, ia.cr/2020/304 (protocols); Mouchet, Bertrand, Hubaux,
//! ia.cr/2022/780 (t-of-n); Li, Micciancio, Schultz, Sorrell, ia.cr/2022/816 (flooding). Independent flooding by each
//! party gives no simulation-based security in general (ia.cr/2025/395).

mod collect;
mod dealt;
mod decrypt;
mod error;
mod flooding;
mod holding;
mod keys;
mod masks;
mod message;
mod pads;
mod remainder;
mod secret_bytes;
mod shamir;
mod transcript;
mod trial;

pub use collect::Collector;
pub use dealt::Dealt;
pub use decrypt::{Decryption, DecryptionSession, Ledger, MemoryLedger, Opening};
pub use error::{Error, Result};
pub use flooding::{Flooding, MIN_STATISTICAL_BITS, fresh_sum_noise_log2};
pub use holding::{Holding, MAX_SHARES};
pub use keys::{GaloisKeyProtocol, PublicKeyProtocol, RelinKeyProtocol, RelinKeyRoundTwo, SiteSecret};
pub use message::{Message, Shape};
pub use remainder::Remainder;
pub use shamir::{Committee, KeyShare, PartCollector, ShamirPart};
pub use transcript::{MAX_PARTIES, PartyId, Roster, Transcript};
pub use trial::{Trial, trial_committees};
