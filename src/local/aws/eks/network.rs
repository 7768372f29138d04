//! What the service demands of networks: CIDR blocks, endpoints.

use super::error::ApiError;
use super::state::texts;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

/// Most CIDR blocks that may reach a public endpoint (service quotas).
const PUBLIC_CIDRS: usize = 40;

/// An address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its first address.
    pub address: IpAddr,
    /// Length of its prefix.
    pub length: u8,
}

impl Block {
    /// Of `10.0.0.0/16`; none where it is no block, or has bits beyond its prefix.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let (address, length): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
        let (bits, rest) = match address {
            IpAddr::V4(v4) => (32, u128::from(v4.to_bits()) << 96),
            IpAddr::V6(v6) => (128, v6.to_bits()),
        };
        let beyond = if length == 0 { rest } else { rest.checked_shl(u32::from(length)).unwrap_or(0) };
        (length <= bits && beyond == 0).then_some(Self { address, length })
    }

    fn within(self, network: Ipv4Addr, length: u8) -> bool {
        let IpAddr::V4(address) = self.address else { return false };
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        self.length >= length && address.to_bits() & mask == network.to_bits() & mask
    }

    fn is_private(self) -> bool {
        self.within(Ipv4Addr::new(10, 0, 0, 0), 8)
            || self.within(Ipv4Addr::new(172, 16, 0, 0), 12)
            || self.within(Ipv4Addr::new(192, 168, 0, 0), 16)
    }

    fn is_reserved(self) -> bool {
        self.is_private()
            || self.within(Ipv4Addr::new(100, 64, 0, 0), 10)
            || self.within(Ipv4Addr::new(127, 0, 0, 0), 8)
            || self.within(Ipv4Addr::new(169, 254, 0, 0), 16)
            || self.within(Ipv4Addr::new(224, 0, 0, 0), 3)
    }
}

/// Endpoint access and the CIDR blocks that may use it, after a request changed what was before.
///
/// # Errors
/// No endpoint at all; a block that is none, reserved, of IPv6 in an IPv4 cluster; too many.
pub fn endpoints(before: &Value, asked: &Value, ipv6: bool) -> Result<Value, ApiError> {
    let mut after = before.clone();
    super::state::copy(
        asked,
        &["endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"],
        &mut after,
    );
    if after["endpointPublicAccess"] == false && after["endpointPrivateAccess"] == false {
        return Err(ApiError::parameter("Private and public endpoint access cannot both be disabled"));
    }
    let blocks = texts(asked, "publicAccessCidrs");
    if blocks.len() > PUBLIC_CIDRS {
        let message =
            format!("publicAccessCidrs has {} entries, at most {PUBLIC_CIDRS} are allowed", blocks.len());
        return Err(ApiError::parameter(message));
    }
    let wrong = |text: &&String| match Block::of(text) {
        Some(block) => block.is_reserved() || (block.address.is_ipv6() && !ipv6),
        None => true,
    };
    let wrong: Vec<&str> = blocks.iter().filter(wrong).map(String::as_str).collect();
    if !wrong.is_empty() {
        let message =
            format!("The following CIDRs are not allowed in publicAccessCidrs: [{}]", wrong.join(", "));
        return Err(ApiError::parameter(message));
    }
    if blocks.is_empty() && !asked["publicAccessCidrs"].is_null() {
        after["publicAccessCidrs"] = everywhere(ipv6);
    }
    Ok(after)
}

/// The blocks that may use a public endpoint when nobody says.
#[must_use]
pub fn everywhere(ipv6: bool) -> Value {
    if ipv6 { json!(["0.0.0.0/0", "::/0"]) } else { json!(["0.0.0.0/0"]) }
}

/// The Kubernetes network of a new cluster, as described.
///
/// # Errors
/// A service CIDR that is none, not private, too large or too small, or that goes with IPv6.
pub fn kubernetes(asked: &Value) -> Result<Value, ApiError> {
    let load_balancing = asked["elasticLoadBalancing"]["enabled"].as_bool().unwrap_or(false);
    let family = asked["ipFamily"].as_str().unwrap_or("ipv4");
    let cidr = asked["serviceIpv4Cidr"].as_str();
    let mut described = json!({"ipFamily": family, "elasticLoadBalancing": {"enabled": load_balancing}});
    if !asked["elasticLoadBalancing"]["gatewayApi"].is_null() {
        described["elasticLoadBalancing"]["gatewayApi"] = asked["elasticLoadBalancing"]["gatewayApi"].clone();
    }
    if family == "ipv6" {
        if cidr.is_some() {
            return Err(ApiError::parameter("serviceIpv4Cidr cannot be given when ipFamily is ipv6"));
        }
        described["serviceIpv6Cidr"] = "fd30:1c53:5f8a::/108".into();
        return Ok(described);
    }
    let cidr = cidr.unwrap_or("10.100.0.0/16");
    let fits = Block::of(cidr).is_some_and(|block| block.is_private() && (12..=24).contains(&block.length));
    if !fits {
        let message = format!(
            "serviceIpv4Cidr {cidr} is not a block of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 between /24 and /12"
        );
        return Err(ApiError::parameter(message));
    }
    described["serviceIpv4Cidr"] = cidr.into();
    Ok(described)
}

#[cfg(test)]
mod tests {
    use super::{Block, endpoints, kubernetes};
    use serde_json::json;

    #[test]
    fn blocks() {
        for right in ["10.0.0.0/16", "0.0.0.0/0", "1.2.3.4/32", "::/0", "2001:db8::/32"] {
            assert!(Block::of(right).is_some(), "{right}");
        }
        for wrong in ["10.0.0.1/16", "10.0.0.0/33", "10.0.0.0", "a/8", "2001:db8::1/32"] {
            assert!(Block::of(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn endpoints_are_checked() {
        let before = json!({"endpointPublicAccess": true, "endpointPrivateAccess": false});
        assert!(endpoints(&before, &json!({"endpointPublicAccess": false}), false).is_err());
        for wrong in ["10.0.0.0/8", "100.64.0.0/10", "1.2.3.4", "::/0"] {
            assert!(endpoints(&before, &json!({"publicAccessCidrs": [wrong]}), false).is_err(), "{wrong}");
        }
        assert!(endpoints(&before, &json!({"publicAccessCidrs": ["1.2.3.4/32", "::/0"]}), true).is_ok());
    }

    #[test]
    fn service_networks_are_private() {
        assert_eq!(kubernetes(&json!({})).unwrap()["serviceIpv4Cidr"], "10.100.0.0/16");
        for wrong in ["8.8.8.0/24", "10.0.0.0/8", "10.0.0.0/25", "10.0.0.1/24"] {
            assert!(kubernetes(&json!({"serviceIpv4Cidr": wrong})).is_err(), "{wrong}");
        }
        assert!(kubernetes(&json!({"ipFamily": "ipv6", "serviceIpv4Cidr": "10.0.0.0/16"})).is_err());
        assert!(kubernetes(&json!({"ipFamily": "ipv6"})).unwrap()["serviceIpv6Cidr"].is_string());
    }
}
