//! Who may come in: one browser, which showed the token of the terminal once, from this machine, by this machine's names.
//!
//! | attack | what stands against it |
//! | --- | --- |
//! | another machine calls | only loopback is listened on |
//! | a page of elsewhere has its own name lead to 127.0.0.1 (DNS rebinding) | the `Host` of a request is one of ours |
//! | a page of elsewhere sends a form | `Origin` is ours, the cookie is `SameSite=Strict`, each form carries the session's own word |
//! | another user of this machine tries tokens | 256 random bits, digests compared, used once |
//! | a name in the study is markup | templates escape; the policy of pages allows no script but ours, and none inside the page |

mod guard;
mod session;

pub(crate) use guard::{COOKIE, Gate, Word, guarded};
pub(crate) use session::{Doors, Entered, same};
