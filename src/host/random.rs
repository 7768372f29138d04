//! Random bytes of the system.

use std::fs::File;
use std::io::{self, Read as _};

/// 32 bytes that nobody can guess, for keys.
///
/// # Errors
/// The system gives none.
pub fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
