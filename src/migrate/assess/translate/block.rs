//! Blocks of IPv4 addresses.

use std::net::Ipv4Addr;

/// A block by its first address and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Block {
    first: u32,
    /// Length of the prefix.
    pub prefix: u8,
}

impl Block {
    /// Reads `10.0.0.0/16`; an address within the block stands for it, as kops takes it.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let block = Self { first: address, prefix };
        Some(Self { first: address & block.mask(), prefix })
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    pub(in super::super) fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix && other.first & self.mask() == self.first
    }

    pub(in super::super) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Its `nth` address; none where it has not so many.
    pub(in super::super) fn address(self, nth: u32) -> Option<Ipv4Addr> {
        let address = self.first.checked_add(nth)?;
        self.contains(Self { first: address, prefix: 32 }).then(|| Ipv4Addr::from(address))
    }

    /// The `nth` of the blocks that it is cut into by a prefix that is longer by some bits.
    pub(in super::super) fn part(self, bits: u8, nth: u32) -> Option<Self> {
        let prefix = self.prefix.checked_add(bits).filter(|prefix| (1..=32).contains(prefix))?;
        let first = nth.checked_mul(1u32.checked_shl(32 - u32::from(prefix))?)?;
        let part = Self { first: self.first.checked_add(first)?, prefix };
        self.contains(part).then_some(part)
    }

    /// Whether it is within the private ranges of RFC 1918, the only ones that EKS takes for Services.
    pub(in super::super) fn is_private(self) -> bool {
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
            .into_iter()
            .filter_map(Self::parse)
            .any(|range| range.contains(self))
    }
}

/// With its own first address.
impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_parts_stay_within_the_block() {
        let block = |text| Block::parse(text).unwrap();
        assert_eq!(block("100.64.0.0/13").address(10).unwrap().to_string(), "100.64.0.10");
        assert_eq!(block("10.0.0.0/30").address(4), None);
        assert_eq!(block("100.64.0.0/10").part(3, 0).unwrap().to_string(), "100.64.0.0/13");
        assert_eq!(block("100.64.0.0/10").part(1, 1).unwrap().to_string(), "100.96.0.0/11");
        assert_eq!(block("100.64.0.0/10").part(1, 2), None);
        assert_eq!(block("0.0.0.0/0").part(0, 0), None);
        assert!(block("0.0.0.0/0").contains(block("255.255.255.255/32")));
    }
}
