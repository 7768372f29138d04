//! How single texts have to look: names, ARNs, ids, addresses, tags.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is wrong with a text, and the way out.
pub(super) type Checked = Result<(), (String, &'static str)>;

/// Prefix of the tags that say whose a resource is.
const OUR_TAGS: &str = "portolan.dev/";
/// Tags of the person on one resource. EKS takes 50 (`TagMap` of its model), and ours need some room.
const MOST_TAGS: usize = 45;

fn ensure(holds: bool, said: impl Into<String>, hint: &'static str) -> Checked {
    if holds { Ok(()) } else { Err((said.into(), hint)) }
}

/// Names of clusters, node groups, add-ons and profiles: EKS's pattern, up to a number of characters.
pub(super) fn eks_name(text: &str, most: usize) -> Checked {
    let holds = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    ensure(
        holds,
        "is no name that EKS takes",
        "use letters, digits, `-` and `_`, with a letter or digit first",
    )?;
    ensure(text.len() <= most, format!("may have {most} characters and has {}", text.len()), "shorten it")
}

/// An ARN of some service.
pub(super) fn arn(text: &str) -> Checked {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let holds = matches!(parts[..], ["arn", partition, service, _, _, resource]
        if partition.starts_with("aws") && !service.is_empty() && !resource.is_empty());
    ensure(
        holds,
        "is no ARN",
        "write it as `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; REGION is empty for IAM",
    )
}

/// An ARN of a service and kind of resource, such as `iam` and `role/`.
pub(super) fn arn_of(text: &str, service: &str, resource: &str, hint: &'static str) -> Checked {
    arn(text)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    ensure(
        parts[2] == service && parts[5].starts_with(resource),
        format!("is not the ARN of a {}", resource.trim_end_matches('/')),
        hint,
    )
}

/// An ARN of an IAM role.
pub(super) fn role(text: &str) -> Checked {
    arn_of(text, "iam", "role/", "write it as `arn:aws:iam::111122223333:role/NAME`")
}

/// An ARN of an IAM policy.
pub(super) fn policy(text: &str) -> Checked {
    arn_of(text, "iam", "policy/", "write it as `arn:aws:iam::111122223333:policy/NAME`")
}

/// An IAM role's name.
pub(super) fn role_name(text: &str) -> Checked {
    let inner = |c: u8| c.is_ascii_alphanumeric() || b"+=,.@-_".contains(&c);
    ensure(
        !text.is_empty() && text.len() <= 64 && text.bytes().all(inner),
        "is no name of an IAM role",
        "use up to 64 letters, digits and `+=,.@-_`",
    )
}

/// An id such as `subnet-…`.
pub(super) fn id(text: &str, prefix: &str, hint: &'static str) -> Checked {
    let holds =
        text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
    ensure(holds, format!("has to begin with `{prefix}`"), hint)
}

/// A region's name.
pub(super) fn region(text: &str) -> Checked {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_lowercase());
    let holds = match parts[..] {
        [ref words @ .., number] => {
            words.len() >= 2
                && words.iter().all(|part| word(part))
                && number.len() == 1
                && number.bytes().all(|c| c.is_ascii_digit())
        }
        [] => false,
    };
    ensure(
        holds,
        "is no region",
        "write it as `eu-central-1`; a zone has a letter after it, a region has not",
    )
}

/// A name that Kubernetes takes for namespaces and service accounts: RFC 1123.
pub(super) fn dns(text: &str, most: usize) -> Checked {
    let label = |part: &str| {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    ensure(
        text.len() <= most && text.split('.').all(label) && (most > 63 || !text.contains('.')),
        "is no name that Kubernetes takes",
        "use lower-case letters, digits and `-`, with a letter or digit at both ends",
    )
}

/// Tags: keys up to 128 characters, values up to 256, nothing that begins with `aws:` (AWS's rule) or is ours.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Vec<(Option<&str>, String, &'static str)> {
    let mut found = Vec::new();
    if tags.len() > MOST_TAGS {
        found.push((None, format!("has {} tags, and {MOST_TAGS} are the most", tags.len()), "take some out"));
    }
    for (key, value) in tags {
        let lower = key.to_ascii_lowercase();
        let said = if lower.starts_with("aws:") {
            ("begins with `aws:`, which belongs to AWS".to_owned(), "choose another key")
        } else if lower.starts_with(OUR_TAGS) {
            (format!("begins with `{OUR_TAGS}`, which says whose a resource is"), "choose another key")
        } else if key.is_empty() || key.chars().count() > 128 {
            ("is a key of no or more than 128 characters".to_owned(), "choose another key")
        } else if value.chars().count() > 256 {
            ("has a value of more than 256 characters".to_owned(), "shorten it")
        } else {
            continue;
        };
        found.push((Some(key.as_str()), said.0, said.1));
    }
    found
}

/// An IPv4 block that begins at its own first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    first: u32,
    pub prefix: u8,
}

impl Block {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let block = Self { first, prefix };
        (block.first & block.mask() == block.first).then_some(block)
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// Whether all of the other is in this one.
    pub(super) fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix && other.first & self.mask() == self.first
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

/// An IPv4 block.
pub(super) fn ipv4_block(text: &str) -> Checked {
    ensure(
        Block::parse(text).is_some(),
        "is no IPv4 block",
        "write it as `10.0.0.0/16`, with the block's own first address",
    )
}

/// An IPv6 block.
pub(super) fn ipv6_block(text: &str) -> Checked {
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let address = u128::from(address.parse::<Ipv6Addr>().ok()?);
        let prefix: u32 = prefix.parse().ok().filter(|prefix| *prefix <= 128)?;
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        (address & mask == address).then_some(())
    });
    ensure(
        parsed.is_some(),
        "is no IPv6 block",
        "write it as `2001:db8::/56`, with the block's own first address",
    )
}

/// A duration of one unit, as EKS takes it for flags: `30m`, `15s`.
pub(super) fn duration(text: &str) -> Checked {
    let number = text.strip_suffix(['s', 'm', 'h']);
    let holds = number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0));
    ensure(holds, "is no duration of one unit", "write it as `15s`, `30m` or `1h`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        type Case = (fn(&str) -> Checked, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 7] = [
            (|t| eks_name(t, 5), &["a", "A-_1", "12345"], &["", "-a", "a.b", "ä", "123456"]),
            (
                role,
                &["arn:aws:iam::1:role/x/y", "arn:aws-cn:iam::1:role/x"],
                &["", "arn:aws:iam:1:role/x", "x"],
            ),
            (
                region,
                &["eu-central-1", "us-gov-west-1", "cn-north-1"],
                &["", "eu", "eu-central-1a", "eu-1", "EU-west-1"],
            ),
            (|t| dns(t, 63), &["a", "a-1"], &["", "a.b", "A", "-a", "a-"]),
            (
                ipv4_block,
                &["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32"],
                &["10.0.0.1/8", "10.0.0.0", "x/8", "10.0.0.0/33"],
            ),
            (ipv6_block, &["2001:db8::/56", "::/0"], &["2001:db8::1/56", "10.0.0.0/8", "::/129"]),
            (duration, &["15s", "1h"], &["", "15", "0s", "1h30m", "-1s", "1.5h"]),
        ];
        for (check, good, bad) in cases {
            good.iter().for_each(|text| assert_eq!(check(text), Ok(()), "{text}"));
            bad.iter().for_each(|text| assert!(check(text).is_err(), "{text}"));
        }
        let block = |text| Block::parse(text).unwrap();
        assert!(
            block("10.0.0.0/8").overlaps(block("10.1.0.0/16"))
                && block("10.1.0.0/16").overlaps(block("10.0.0.0/8"))
        );
        assert!(!block("10.0.0.0/16").overlaps(block("10.1.0.0/16")));
    }
}
