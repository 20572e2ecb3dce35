//! SEAL 4.x serialisation: each object is a 16-byte header and a body, zstd-compressed or plain.
//!
//! Header: magic `A15E` (two bytes, little endian), header size 16, major and minor version, compression (0 none, 1 zlib,
//! 2 zstd), two reserved bytes, total size as u64. Nested objects carry headers of their own.

use std::io::Read;
use std::path::PathBuf;

use blindscope_wire::Reader;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("read {0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("seal: {0}")]
    Bytes(#[from] blindscope_wire::Error),
    #[error("seal header: expected magic 0xa15e and size 16, found {0:#06x} and {1}")]
    Header(u16, u8),
    #[error("seal header: expected version 4, found {0}")]
    Version(u8),
    #[error("seal header: expected no compression or zstd (0 or 2), found {0}")]
    Compression(u8),
    #[error("seal body: zstd: {0}")]
    Zstd(String),
    #[error("seal body: expected at most {max} bytes, found more")]
    TooLarge { max: u64 },
    #[error("seal array: expected {expected} words, found {found}; a seeded half is not expanded here")]
    Array { expected: usize, found: usize },
    #[error("protobuf: wire type {0} is not supported")]
    WireType(u64),
    #[error("protobuf: no field {0}")]
    NoField(u64),
    #[error("protobuf: a varint of more than ten bytes")]
    Varint,
}

pub(crate) type Result<T> = std::result::Result<T, SealError>;

/// No body in the vectors is larger; a decompressor must have a bound.
const MAX_BODY: u64 = 1 << 20;

/// Encryption parameters: ring degree and all primes, the special one last.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) n: usize,
    pub(crate) primes: Vec<u64>,
}

/// Residues in SEAL's evaluation order: `components[i][k][j]` is `c_i(ψ^(2·brv(j)+1))` modulo prime `k`.
#[derive(Debug)]
pub(crate) struct Ciphertext {
    pub(crate) components: Vec<Vec<Vec<u64>>>,
    pub(crate) scale: f64,
}

/// Encryption parameters.
pub(crate) fn parameters(bytes: &[u8]) -> Result<Parameters> {
    let body = object(&mut Reader::new(bytes))?;
    let mut r = Reader::new(&body);
    r.u8("scheme")?;
    let n = r.u64("degree")? as usize;
    let count = r.u64("prime count")?;
    let prime = |r: &mut Reader<'_>| Ok(Reader::new(&object(r)?).u64("prime")?);
    let primes = (0..count).map(|_| prime(&mut r)).collect::<Result<_>>()?;
    Ok(Parameters { n, primes })
}

/// A secret key: the values of s modulo each prime, in SEAL's order. It is stored as a plaintext.
pub(crate) fn secret_key(bytes: &[u8], parameters: &Parameters) -> Result<Vec<Vec<u64>>> {
    let body = object(&mut Reader::new(bytes))?;
    let mut r = Reader::new(&body);
    r.bytes("parms_id", 32)?;
    r.u64("coefficient count")?;
    r.f64("scale")?;
    let words = array(&mut r, parameters.n * parameters.primes.len())?;
    r.finish()?;
    Ok(words.chunks_exact(parameters.n).map(<[u64]>::to_vec).collect())
}

/// A ciphertext of any number of components and primes.
pub(crate) fn ciphertext(bytes: &[u8]) -> Result<Ciphertext> {
    let mut r = Reader::new(bytes);
    let found = nested_ciphertext(&mut r)?;
    r.finish()?;
    Ok(found)
}

/// Key-switching keys by index: relinearisation has one, of s²; a Galois key of element g is at (g−1)/2. Each is a row
/// of two-component ciphertexts over all primes, one for each ciphertext prime.
pub(crate) fn switching_keys(bytes: &[u8]) -> Result<Vec<Vec<Ciphertext>>> {
    let body = object(&mut Reader::new(bytes))?;
    let mut r = Reader::new(&body);
    r.bytes("parms_id", 32)?;
    let mut keys = Vec::new();
    for _ in 0..r.u64("key count")? {
        let digits = r.u64("digit count")?;
        keys.push((0..digits).map(|_| nested_ciphertext(&mut r)).collect::<Result<_>>()?);
    }
    r.finish()?;
    Ok(keys)
}

fn nested_ciphertext(outer: &mut Reader<'_>) -> Result<Ciphertext> {
    let body = object(outer)?;
    let mut r = Reader::new(&body);
    r.bytes("parms_id", 32)?;
    r.u8("is NTT form")?;
    let size = r.u64("components")? as usize;
    let n = r.u64("degree")? as usize;
    let primes = r.u64("primes")? as usize;
    let scale = r.f64("scale")?;
    r.u64("correction factor")?;
    let words = array(&mut r, size.saturating_mul(n).saturating_mul(primes))?;
    r.finish()?;
    let limbs: Vec<Vec<u64>> = words.chunks_exact(n).map(<[u64]>::to_vec).collect();
    Ok(Ciphertext { components: limbs.chunks_exact(primes).map(<[_]>::to_vec).collect(), scale })
}

/// `DynArray<uint64_t>` of a known length.
fn array(outer: &mut Reader<'_>, expected: usize) -> Result<Vec<u64>> {
    let body = object(outer)?;
    let mut r = Reader::new(&body);
    let found = r.u64("array length")? as usize;
    if found != expected || r.remaining() != 8 * expected {
        return Err(SealError::Array { expected, found });
    }
    (0..expected).map(|_| Ok(r.u64("array word")?)).collect()
}

/// The body of the next object, decompressed.
fn object(outer: &mut Reader<'_>) -> Result<Vec<u8>> {
    let (magic, size) = (outer.u16("seal magic")?, outer.u8("header size")?);
    if (magic, size) != (0xa15e, 16) {
        return Err(SealError::Header(magic, size));
    }
    let (major, _minor) = (outer.u8("major version")?, outer.u8("minor version")?);
    if major != 4 {
        return Err(SealError::Version(major));
    }
    let compression = outer.u8("compression")?;
    outer.u16("reserved")?;
    let total = usize::try_from(outer.u64("total size")?).unwrap_or(usize::MAX);
    let body = outer.bytes("seal body", total.saturating_sub(16))?;
    match compression {
        0 => Ok(body.to_vec()),
        2 => decompress(body),
        other => Err(SealError::Compression(other)),
    }
}

fn decompress(body: &[u8]) -> Result<Vec<u8>> {
    let decoder =
        ruzstd::decoding::StreamingDecoder::new(body).map_err(|e| SealError::Zstd(e.to_string()))?;
    let mut out = Vec::new();
    decoder.take(MAX_BODY + 1).read_to_end(&mut out).map_err(|e| SealError::Zstd(e.to_string()))?;
    if out.len() as u64 > MAX_BODY {
        return Err(SealError::TooLarge { max: MAX_BODY });
    }
    Ok(out)
}
