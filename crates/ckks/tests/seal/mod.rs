//! Reading and decrypting what Microsoft SEAL and TenSEAL wrote, without any of their code.

pub(crate) mod definition;
pub(crate) mod format;
pub(crate) mod import;
pub(crate) mod protobuf;
pub(crate) mod sets;
