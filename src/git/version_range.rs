//! Ranges of versions as people write them in GitOps tools: `1.x`, `~1.2`, `>=1.2 <2`, `^1 || ^3`.
//!
//! The grammar is that of Masterminds/semver, which Helm and Flux use; the judgement is the `semver` crate's. Pre-releases
//! match only where the range names one of the same version.

use semver::{Version, VersionReq};

/// One or more ranges, any of which may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionRange {
    any_of: Vec<VersionReq>,
}

impl VersionRange {
    /// Reads a range; `None` when the text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let any_of: Option<Vec<VersionReq>> = text.split("||").map(alternative).collect();
        Some(Self { any_of: any_of? })
    }

    /// Whether a version is in the range.
    pub(super) fn matches(&self, version: &Version) -> bool {
        self.any_of.iter().any(|range| range.matches(version))
    }
}

/// A tag's version: `1.2.3` or `v1.2.3`, all three numbers.
pub(super) fn version_of_tag(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// Comparators that all have to hold, parted by commas or spaces, or `from - to`.
fn alternative(text: &str) -> Option<VersionReq> {
    if let Some((from, to)) = text.split_once(" - ") {
        return VersionReq::parse(&format!(">={}, <={}", bare(from)?, bare(to)?)).ok();
    }
    let mut comparators = Vec::new();
    let mut operator = String::new();
    for word in text.split([',', ' ']).filter(|w| !w.is_empty()) {
        let digits = word.find(|c: char| !"<>=~^".contains(c)).unwrap_or(word.len());
        operator.push_str(&word[..digits]);
        if digits < word.len() {
            comparators.push(comparator(&operator, &word[digits..])?);
            operator.clear();
        }
    }
    if comparators.is_empty() || !operator.is_empty() {
        return None;
    }
    VersionReq::parse(&comparators.join(", ")).ok()
}

/// A version without an operator is itself when complete, and any of its line otherwise (`1.2` is `1.2.x`).
fn comparator(operator: &str, version: &str) -> Option<String> {
    let version = bare(version)?;
    let is_wild = version.contains(['x', 'X', '*']) && !version.contains('-');
    let operator = match operator {
        "" if is_wild => "",
        "" | "=" if Version::parse(version).is_ok() => "=",
        "" | "=" => "~",
        known @ ("<" | "<=" | ">" | ">=" | "~" | "^") => known,
        _ => return None,
    };
    Some(format!("{operator}{version}"))
}

fn bare(version: &str) -> Option<&str> {
    let version = version.trim();
    let version = version.strip_prefix('v').unwrap_or(version);
    version.starts_with(|c: char| c.is_ascii_digit() || "xX*".contains(c)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_match_as_in_helm_and_flux() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("1.x", &["1.0.0", "1.9.3"], &["2.0.0", "1.9.3-rc.1"]),
            ("1.2", &["1.2.0", "1.2.9"], &["1.3.0"]),
            ("1", &["1.2.0"], &["2.0.0"]),
            ("~1.2", &["1.2.5"], &["1.3.0"]),
            ("^1.2", &["1.3.0"], &["2.0.0", "1.1.0"]),
            (">=1.2 <2", &["1.2.0", "1.99.0"], &["2.0.0", "1.1.9"]),
            (">= 1.2, < 2", &["1.2.0"], &["2.0.0"]),
            (">=v1.2 <v2", &["1.4.0"], &["2.0.0"]),
            ("^1 || ^3", &["1.1.0", "3.0.1"], &["2.0.0"]),
            ("1.2 - 1.4.2", &["1.2.0", "1.4.2"], &["1.4.3"]),
            ("1.2.3", &["1.2.3"], &["1.2.4"]),
            ("v1.2.3", &["1.2.3"], &["1.2.4"]),
            ("*", &["0.1.0", "9.0.0"], &["1.0.0-alpha"]),
            (">=1.2.0-0", &["1.2.0-rc.1", "1.3.0"], &["1.1.0"]),
        ];
        for (range, inside, outside) in table {
            let parsed = VersionRange::parse(range).unwrap_or_else(|| panic!("{range} is a range"));
            for version in *inside {
                assert!(parsed.matches(&Version::parse(version).unwrap()), "{range} has {version}");
            }
            for version in *outside {
                assert!(!parsed.matches(&Version::parse(version).unwrap()), "{range} has not {version}");
            }
        }
    }

    #[test]
    fn names_of_branches_are_no_ranges() {
        for text in ["main", "feature/1.x", "release-1.2", "", "||", ">=", "=>1", "1.2.3.4", "deadbeef"] {
            assert_eq!(VersionRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_tag_is_a_version_with_three_numbers() {
        assert_eq!(version_of_tag("v1.2.3").unwrap().to_string(), "1.2.3");
        assert!(version_of_tag("1.2").is_none());
        assert!(version_of_tag("chart-1.2.3").is_none());
    }
}
