//! What an approval is bound to.

use sha2::{Digest, Sha256};

/// SHA-256 over lines, in hex: another list needs another approval.
pub(in crate::migrate) fn of_lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        // The length first: no two lists make the same bytes.
        hash.update(line.as_ref().len().to_string());
        hash.update("\n");
        hash.update(line.as_ref());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::of_lines;

    #[test]
    fn lists_that_differ_have_digests_that_differ() {
        assert_ne!(of_lines(["ab", "c"]), of_lines(["a", "bc"]));
        assert_ne!(of_lines(["a"]), of_lines(["a", ""]));
        assert_eq!(of_lines(["a", "b"]), of_lines(vec!["a".to_owned(), "b".to_owned()]));
    }
}
