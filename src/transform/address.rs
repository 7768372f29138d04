//! IP addresses and ranges in text.

use std::net::IpAddr;

/// Whether an address lies in a range (`100.64.0.0/13`). `false` for what is no range.
#[must_use]
pub fn lies_in(address: IpAddr, range: &str) -> bool {
    let Some((base, length)) = parse(range) else { return false };
    match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            u32::from(address) & mask == u32::from(base) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(base)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            u128::from(address) & mask == u128::from(base) & mask
        }
        _ => false,
    }
}

/// Whether two ranges have an address in common.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    let (Some((a, _)), Some((b, _))) = (parse(one), parse(other)) else { return false };
    lies_in(a, other) || lies_in(b, one)
}

fn parse(range: &str) -> Option<(IpAddr, u8)> {
    let (base, length) = range.split_once('/')?;
    let (base, length) = (base.parse::<IpAddr>().ok()?, length.parse::<u8>().ok()?);
    (length <= if base.is_ipv4() { 32 } else { 128 }).then_some((base, length))
}

/// The IPv4 addresses that stand in a text, each once, in the order of the text. A version like `1.2.3.4.5` is none.
#[must_use]
pub fn addresses(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    // Most texts have none at all: a look for two dots saves the walk.
    if text.bytes().filter(|byte| *byte == b'.').take(3).count() < 3 {
        return found;
    }
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    for word in words.map(|word| word.trim_matches('.')).filter(|word| word.len() >= 7) {
        if word.parse::<std::net::Ipv4Addr>().is_ok() && !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_and_placed() {
        assert_eq!(
            addresses("http://100.64.0.10:53, 10.0.0.1. v1.2.3.4.5 1.2.3"),
            ["100.64.0.10", "10.0.0.1"]
        );
        let lies = |address: &str, range: &str| lies_in(address.parse().unwrap(), range);
        assert!(lies("100.64.0.10", "100.64.0.0/13") && !lies("100.72.0.1", "100.64.0.0/13"));
        assert!(lies("10.0.0.1", "0.0.0.0/0") && lies("fd00::1", "fd00::/8") && !lies("10.0.0.1", "x"));
        assert!(overlap("100.64.0.0/10", "100.96.0.0/11") && overlap("100.96.0.0/11", "100.64.0.0/10"));
        assert!(!overlap("10.0.0.0/8", "172.16.0.0/12") && !overlap("10.0.0.0/8", "10.0.0.0/40"));
    }
}
