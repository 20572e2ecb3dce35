//! Identities: Ed25519 keys made where they are used, and certificates of the study's own authority over them.
//!
//! The same key signs a site's uploads and opens its TLS connections. The two cannot be confused: TLS 1.3 signs 64 spaces
//! and a context first (RFC 8446, 4.4.3), uploads are signed as a 32-byte digest with a domain.

mod authority;
mod keyfile;
mod request;
mod validity;

pub use authority::{Authority, Usage};
pub use keyfile::{identity_pem, read_identity, read_sealing, write_identity, write_sealing};
pub use request::{Request, Role};
pub use validity::{Validity, validity};
