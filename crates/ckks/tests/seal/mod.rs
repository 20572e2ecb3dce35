//! Reading and decrypting what Microsoft SEAL and TenSEAL wrote, without any of their code.

pub mod definition;
pub mod format;
pub mod protobuf;
