//! Hospitals train a classifier together and use it, and nobody sees another's data. Begin here.
//!
//! # Eight programs, in order
//!
//! Each is under eighty lines, tells what it does, and prints what its first lines say; a test runs them all. They are
//! in `crates/blindscope/examples`; `cargo run --release --example 01_encode` runs the first.
//!
//! | program | what it shows |
//! | --- | --- |
//! | `01_encode` | numbers become a polynomial and come back: slots, scale, precision |
//! | `02_encrypt` | keys, encryption, noise; the same message twice looks different |
//! | `03_rotate_and_multiply` | arithmetic on what nobody can read: levels fall, scales stay exact |
//! | `04_encrypted_logit` | a linear head by hand: a product, a sum over slots, a bias |
//! | `05_ask_a_head` | the same through a plan: asker, server, and the bound on the answer's error |
//! | `06_key_of_three` | a key that nobody holds: three sites make it, two open a result |
//! | `07_only_the_sum` | a key for one round: a single upload cannot be opened, the sum can |
//! | `08_federated_round` | one round of federated averaging over three sites, one of which lies |
//!
//! # The crates
//!
//! From bytes to parties; each stands on those above it. `docs/architecture.md` has the rest of the house, `docs/tour.md`
//! follows one tile, one question and one upload through the files, `docs/glossary.md` has the words.
//!
//! - [`wire`]: bytes, lengths, digests.
//! - [`ckks`]: the scheme, for one party.
//! - [`threshold`]: keys that no party holds.
//! - [`aggregate`]: exact encrypted sums.
//! - [`classify`]: encrypted inference.

pub use blindscope_aggregate as aggregate;
pub use blindscope_ckks as ckks;
pub use blindscope_classify as classify;
pub use blindscope_threshold as threshold;
pub use blindscope_wire as wire;
