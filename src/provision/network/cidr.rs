//! Address blocks: reading, splitting, and whether two overlap.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An IPv4 block such as `192.168.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv4Block {
    first: u32,
    prefix: u8,
}

impl Ipv4Block {
    /// A block from text; none when it is not one, or when its address is not the block's first.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let block = Self { first: u32::from(address.parse::<Ipv4Addr>().ok()?), prefix };
        (u64::from(block.first) % block.size() == 0).then_some(block)
    }

    /// Length of the prefix: 16 for a /16.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// How many addresses it has.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }

    /// Its parts with `bits` more bits of prefix, in order; none when that is longer than /28, the smallest subnet there
    /// is in EC2.
    #[must_use]
    pub fn split(self, bits: u8) -> Option<Vec<Self>> {
        let prefix = self.prefix.checked_add(bits).filter(|prefix| *prefix <= 28)?;
        let step = 1u32.checked_shl(u32::from(32 - prefix))?;
        Some((0..1u32 << bits).map(|nth| Self { first: self.first + nth * step, prefix }).collect())
    }

    /// Whether the two have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let end = |block: Self| u64::from(block.first) + block.size();
        u64::from(self.first) < end(other) && u64::from(other.first) < end(self)
    }

    /// Whether all addresses of the other are in this one.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.overlaps(other) && self.prefix <= other.prefix
    }

    /// The nth address of the block.
    #[must_use]
    pub fn address(self, nth: u32) -> Option<Ipv4Addr> {
        (u64::from(nth) < self.size()).then(|| Ipv4Addr::from(self.first + nth))
    }
}

impl fmt::Display for Ipv4Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

/// An IPv6 block such as `2600:1f14:0:100::/56`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv6Block {
    first: u128,
    prefix: u8,
}

impl Ipv6Block {
    /// A block from text; none when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 128)?;
        Some(Self { first: u128::from(address.parse::<Ipv6Addr>().ok()?), prefix })
    }

    /// Its nth /64, the size of every IPv6 subnet in EC2; none when it has fewer.
    #[must_use]
    pub fn block_64(self, nth: u16) -> Option<Self> {
        let bits = 64u8.checked_sub(self.prefix)?;
        let exists = bits >= 16 || u32::from(nth) < 1 << bits;
        exists.then(|| Self { first: self.first + (u128::from(nth) << 64), prefix: 64 })
    }

    /// Its nth address.
    #[must_use]
    pub fn address(self, nth: u16) -> Ipv6Addr {
        Ipv6Addr::from(self.first + u128::from(nth))
    }
}

impl fmt::Display for Ipv6Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.first), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_16_splits_into_eight_19s() {
        let parts = Ipv4Block::parse("192.168.0.0/16").unwrap().split(3).unwrap();
        let shown: Vec<String> = parts.iter().map(ToString::to_string).collect();
        assert_eq!(shown[..3], ["192.168.0.0/19", "192.168.32.0/19", "192.168.64.0/19"]);
        assert_eq!(shown[7], "192.168.224.0/19");
    }

    #[test]
    fn blocks_that_are_none() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/16", "10.0.0/8", "::/0", "10.0.0.0/-1"] {
            assert_eq!(Ipv4Block::parse(text), None, "{text}");
        }
        assert_eq!(Ipv4Block::parse("10.0.0.0/26").unwrap().split(3), None);
    }

    #[test]
    fn parts_of_an_ipv6_block() {
        let block = Ipv6Block::parse("2600:1f14:0:100::/56").unwrap();
        assert_eq!(block.block_64(3).unwrap().to_string(), "2600:1f14:0:103::/64");
        assert_eq!(block.block_64(256), None);
        assert_eq!(block.address(10).to_string(), "2600:1f14:0:100::a");
    }
}
