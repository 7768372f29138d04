//! The marks by which we know our own objects. Compatibility promise: never change a value here.
//!
//! The ApplySet convention is KEP-3659 (kubectl apply --prune --applyset).

use sha2::{Digest, Sha256};

/// Field manager of every write, and the manager whose `managedFields` entry proves ownership.
pub const FIELD_MANAGER: &str = "portolan";
/// Label on every object of ours: the ApplySet it is part of (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Label on the parent: the ApplySet's id (KEP-3659).
pub const APPLYSET_ID: &str = "applyset.kubernetes.io/id";
/// Annotation on the parent: the tool that writes it (KEP-3659).
pub const APPLYSET_TOOLING: &str = "applyset.kubernetes.io/tooling";
/// Value of [`APPLYSET_TOOLING`].
pub const TOOLING: &str = "portolan/v1alpha1";
/// Annotation on the parent: kinds that members have, comma-separated and sorted (KEP-3659).
pub const CONTAINS_GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// Annotation on the parent: namespaces that members are in, the parent's own left out (KEP-3659).
pub const ADDITIONAL_NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Label on every object of ours: the application that declares it.
pub const APPLICATION: &str = "portolan.dev/application";
/// Annotation that the parent carries beside KEP-3659's: whose daemon keeps it.
pub const INSTANCE: &str = "portolan.dev/instance";

/// The ApplySet id of a parent Secret, as KEP-3659 computes it:
/// `applyset-<base64url(sha256(name.namespace.kind.group))>-v1`.
#[must_use]
pub fn applyset_id(parent_name: &str, parent_namespace: &str) -> String {
    let digest = Sha256::digest(format!("{parent_name}.{parent_namespace}.Secret."));
    format!("applyset-{}-v1", base64url(&digest))
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * position) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_rfc_4648_without_padding() {
        assert_eq!(base64url(b"f"), "Zg");
        assert_eq!(base64url(b"fo"), "Zm8");
        assert_eq!(base64url(b"foo"), "Zm9v");
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn the_id_fits_a_label_value() {
        let id = applyset_id("portolan", "portolan-system");
        assert!(id.starts_with("applyset-") && id.ends_with("-v1") && id.len() <= 63, "{id}");
    }
}
