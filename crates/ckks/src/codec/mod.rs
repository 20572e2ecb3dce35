//! The wire form of ciphertexts and public keys: versioned, bit-packed, of a length known before it is read.
//!
//! Every object is a [`blindscope_wire::Header`] (kind, parameter fingerprint, payload length) and a payload laid out
//! in `docs/wire-format.md`. A polynomial is its limbs in order, each `N` residues at the width of their prime. Uniform
//! halves that come from a seed travel as the seed. Decoders check the fingerprint, then the length that the parameters
//! and the few shape bytes imply, before they allocate or touch a polynomial; and every residue against its prime.
//! Secret keys have no wire form.

mod ciphertext;
pub(crate) mod fields;
mod keys;
mod last;
mod sparse;

pub use ciphertext::{
    ciphertext_len, decode_ciphertext, decode_seeded, encode_ciphertext, encode_seeded, seeded_len,
};
pub use keys::{
    decode_galois_key, decode_public_key, decode_relin_key, encode_galois_key, encode_public_key,
    encode_relin_key, galois_key_len, public_key_len, relin_key_len,
};
pub use last::{DropBits, decode_final, encode_final, final_len};
pub use sparse::{Sparse, decode_sparse, encode_sparse, sparse_len};

use blindscope_wire::Kind;

/// Fresh secret-key ciphertext.
pub const SEEDED_CIPHERTEXT: Kind = Kind(0x0101);
/// Ciphertext with all its components.
pub const CIPHERTEXT: Kind = Kind(0x0102);
/// Final ciphertext at level 0, low bits dropped.
pub const FINAL_CIPHERTEXT: Kind = Kind(0x0103);
/// Fresh secret-key ciphertext, some of its coefficients alone.
pub const SPARSE_CIPHERTEXT: Kind = Kind(0x0104);
/// Public key.
pub const PUBLIC_KEY: Kind = Kind(0x0111);
/// Relinearisation key.
pub const RELIN_KEY: Kind = Kind(0x0112);
/// Galois key.
pub const GALOIS_KEY: Kind = Kind(0x0113);
/// Key that switches to a smaller ring; see [`crate::ring_switch`].
pub const RING_SWITCH_KEY: Kind = Kind(0x0114);
/// Public key in the ring of answers; see [`crate::zeros`].
pub const ZERO_KEY: Kind = Kind(0x0115);
