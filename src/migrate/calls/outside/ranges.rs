//! Ranges of IPv4 addresses.

use std::net::Ipv4Addr;

/// First and last address of a range such as `100.96.0.0/11`; an address alone is a range of one.
fn bounds(range: &str) -> Option<(u32, u32)> {
    let (address, length) = range.split_once('/').unwrap_or((range, "32"));
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
    let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
    Some((address & !hosts, address | hosts))
}

/// Whether a range lies in another one, both of IPv4.
pub(super) fn is_within(range: &str, other: &str) -> bool {
    matches!((bounds(range), bounds(other)), (Some((first, last)), Some((from, to))) if from <= first && last <= to)
}

/// Whether two ranges share an address, both of IPv4.
pub(super) fn overlap(range: &str, other: &str) -> bool {
    matches!((bounds(range), bounds(other)), (Some((first, last)), Some((from, to))) if first <= to && from <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_compared_by_their_bounds() {
        assert!(is_within("100.96.1.0/24", "100.96.0.0/11") && !is_within("100.64.0.0/10", "100.96.0.0/11"));
        assert!(overlap("100.64.0.0/10", "100.96.0.0/11") && !overlap("10.0.0.0/8", "100.96.0.0/11"));
        assert!(is_within("203.0.113.7/32", "203.0.113.7") && is_within("1.2.3.4", "0.0.0.0/0"));
        assert!(!overlap("fd00::/8", "0.0.0.0/0") && !overlap("10.0.0.0/40", "10.0.0.0/8"));
    }
}
