//! Sums under keys that live for one round, and of which only the *sum* is ever opened.
//!
//! Site `i` draws a key `s_i` and errors `e_(i,k)`, and uploads a **body**
//! `⌊(a_k·s_i + e_(i,k) + 2^b·Σ_j v_j·2^(w·j)) / 2^d⌋`: CKKS in coefficient form with scale `2^b`, whose uniform half
//! `a_k = Expand(ρ, k)` everybody computes from the round's name `ρ`. The key goes to the **holders** in Shamir form, a
//! **part** each. The server adds bodies as integers; holders add their parts and open the sum of keys `S = Σ s_i`, which
//! decrypts the sum of bodies and nothing else.
//!
//! [`Plan`] fixes ring, digits, dropped bits and the numbers of the agreement; [`RoundId`] is `ρ`; [`SiteRound`] is a site's side,
//! [`write_sum`] the server's, [`PartSum`] a holder's; [`recover_key`] and [`open_sum`] read the result, and
//! [`evaluate_body`] with [`evaluate_sum`] show that it was the sum of these bodies.
//!
//! Literature: `docs/notes/one-round-sums.md`.

#[cfg(test)]
mod adversaries;
mod body;
mod dealing;
mod evaluate;
mod guess;
mod layout;
mod open;
mod own;
mod plan;
mod recover;
mod ring;
mod secret;
mod shamir;
mod sum;
mod values;

pub use body::{BODY, SUM, check_body};
pub use dealing::{Checks, Dealing, Part, PartSeed, PartSum};
pub use evaluate::{Challenge, Evaluation, evaluate_body, evaluate_sum};
pub use guess::read_anyway;
pub use open::{open_sum, opens_first_chunk};
pub use plan::{MAX_HOLDERS, Plan, PlanLiteral, RoundId, SEAL_OVERHEAD};
pub use recover::{Recovered, SumKey, recover_key};
pub use ring::{RINGS, Ring};
pub use secret::SiteRound;
pub use sum::{write_sum, write_sum_of_sums};
pub use values::ValuesDigest;
