//! Bytes as a Secret holds them: compressed. The one home of gzip, for who stores (`k8s`, `engine`) and who foretells what
//! there is room for (`migrate`).

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};

/// Most compressed bytes in one Secret: the server's limit is 1 MiB (kubernetes `pkg/apis/core/types.go`, `MaxSecretSize`).
pub const LARGEST: usize = 960 << 10;
/// Most bytes that compressed ones may become: far above what is ever written, far below what hurts.
const LARGEST_UNPACKED: u64 = 256 << 20;
/// How gzip begins (RFC 1952, 2.3.1).
const MARK: [u8; 2] = [0x1f, 0x8b];

/// Bytes, compressed.
#[must_use]
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.expect("a vector takes whatever is written")
}

/// What [`pack`] took.
///
/// # Errors
/// The bytes are not gzip, are damaged, or would become more than 256 MiB.
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = GzDecoder::new(packed).take(LARGEST_UNPACKED + 1).read_to_end(&mut bytes)?;
    if read as u64 > LARGEST_UNPACKED {
        let words = format!("it would take more than {} MiB when decompressed", LARGEST_UNPACKED >> 20);
        return Err(Error::new(ErrorKind::InvalidData, words));
    }
    Ok(bytes)
}

/// Whether bytes are what [`pack`] makes, and not what was stored before it was compressed.
#[must_use]
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_a_bomb_does_not_go_off() {
        let text = b"one and one and one and one".repeat(100);
        let packed = pack(&text);
        assert!(packed.len() < text.len() && is_packed(&packed) && !is_packed(&text));
        assert_eq!(unpack(&packed).unwrap(), text);
        assert!(unpack(b"{}").is_err() && unpack(&packed[..packed.len() / 2]).is_err());
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![0; 1 << 20];
        (0..257).for_each(|_| bomb.write_all(&zeros).unwrap());
        let error = unpack(&bomb.finish().unwrap()).unwrap_err();
        assert!(error.to_string().contains("256 MiB"), "{error}");
    }
}
