//! The key of a rendering: equal keys, equal results.

use sha2::{Digest, Sha256};

/// Part of every key. To be raised whenever the same input would give other objects than before.
const READER: &str = "1";

/// Adds up what a rendering reads. Each part is hashed with its name and length, so that no two sequences of parts
/// look alike.
pub(super) struct Key(Sha256);

impl Key {
    pub fn new(kind: &str) -> Self {
        let mut key = Self(Sha256::new());
        key.add("reader", READER).add("kind", kind);
        key
    }

    pub fn add(&mut self, name: &str, part: impl AsRef<[u8]>) -> &mut Self {
        let part = part.as_ref();
        self.0.update((name.len() as u64).to_le_bytes());
        self.0.update(name);
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// SHA-256 in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = |parts: &[(&str, &str)]| {
            let mut key = Key::new("plain");
            for (name, part) in parts {
                key.add(name, part);
            }
            key.finish()
        };
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
        assert_ne!(key(&[("a", "b"), ("a", "c")]), key(&[("a", "bc")]));
    }
}
