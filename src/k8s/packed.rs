//! Bytes as a Secret holds them: compressed.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read as _, Result, Write as _};

/// Most compressed bytes in one Secret: the server's limit is 1 MiB (kubernetes `pkg/apis/core/types.go`, `MaxSecretSize`).
pub(super) const LARGEST: usize = 960 << 10;
/// Most bytes that a stored Secret may decompress to: far above what is ever written, far below what hurts.
const LARGEST_UNPACKED: u64 = 256 << 20;
/// How gzip begins (RFC 1952, 2.3.1).
const MARK: [u8; 2] = [0x1f, 0x8b];

pub(super) fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).take(LARGEST_UNPACKED).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether bytes are what [`pack`] makes, and not what was stored before it was compressed.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MARK)
}
