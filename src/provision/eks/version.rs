//! Kubernetes minor versions and add-on versions, and how they are ordered.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// A Kubernetes version without its patch level: `1.36`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Minor {
    /// `1`.
    pub major: u32,
    /// `36`.
    pub minor: u32,
}

impl Minor {
    /// Of `1.36`, `v1.36.3` or `v1.36.1-eks-113cf36`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        let major = parts.next()?.parse().ok()?;
        let minor: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
        Some(Self { major, minor: minor.parse().ok()? })
    }

    /// The one after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { major: self.major, minor: self.minor + 1 }
    }

    /// The one before; the first one itself.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self { major: self.major, minor: self.minor.saturating_sub(1) }
    }

    /// By how many minors it is older than another; 0 when it is not older.
    #[must_use]
    pub const fn behind(self, other: Self) -> u32 {
        other.minor.saturating_sub(self.minor)
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Orders add-on versions such as `v1.18.3-eksbuild.2`: number by number, and where there is none by text.
#[must_use]
pub fn compare_addon_versions(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

/// Runs of digits as numbers, what stands between as text. Numbers sort after text, so that `v1.2` follows `v1-rc`.
fn parts(version: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut digits = String::new();
    let mut letters = String::new();
    let mut flush = |digits: &mut String, letters: &mut String| {
        if !letters.is_empty() {
            parts.push((0, std::mem::take(letters)));
        }
        if !digits.is_empty() {
            parts.push((digits.parse().unwrap_or(u64::MAX).saturating_add(1), String::new()));
            digits.clear();
        }
    };
    for character in version.trim_start_matches('v').chars() {
        if character.is_ascii_digit() {
            if !letters.is_empty() {
                flush(&mut digits, &mut letters);
            }
            digits.push(character);
        } else {
            if !digits.is_empty() {
                flush(&mut digits, &mut letters);
            }
            letters.push(character);
        }
    }
    flush(&mut digits, &mut letters);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minors_are_read_from_every_shape_they_come_in() {
        for text in ["1.36", "v1.36.3", "v1.36.1-eks-113cf36", "1.36+"] {
            assert_eq!(Minor::parse(text), Some(Minor { major: 1, minor: 36 }), "{text}");
        }
        assert_eq!(Minor::parse("latest"), None);
        assert_eq!(Minor::parse("1"), None);
    }

    #[test]
    fn addon_versions_are_ordered_by_number() {
        let mut versions =
            vec!["v1.9.0-eksbuild.1", "v1.18.3-eksbuild.10", "v1.18.3-eksbuild.2", "v1.18.0-eksbuild.3"];
        versions.sort_by(|a, b| compare_addon_versions(a, b));
        assert_eq!(
            versions,
            ["v1.9.0-eksbuild.1", "v1.18.0-eksbuild.3", "v1.18.3-eksbuild.2", "v1.18.3-eksbuild.10"]
        );
    }
}
