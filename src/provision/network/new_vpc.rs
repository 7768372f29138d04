//! A new VPC as eksctl lays one out: a public and a private subnet in each zone, ways out, routes.

use super::declared::{resource, tags};
use super::layout::{DEFAULT_CIDR, PlannedSubnet, Side, is_fully_private};
use crate::model::cluster_config::{ClusterConfig, HostnameType, IpFamily, NatGateway};
use crate::provision::resource::{Key, Kind, Resource, Scope};
use serde_json::{Value, json};

const ANYWHERE: &str = "0.0.0.0/0";
const ANYWHERE_V6: &str = "::/0";

/// `Vpc/vpc`.
#[must_use]
pub fn vpc() -> Key {
    Key::new(Kind::Vpc, "vpc")
}

fn internet() -> Key {
    Key::new(Kind::InternetGateway, "internet")
}

fn egress() -> Key {
    Key::new(Kind::EgressGateway, "egress")
}

/// The route table of a private subnet.
#[must_use]
pub fn private_table(subnet: &PlannedSubnet) -> Key {
    Key::new(Kind::RouteTable, format!("private-{}", subnet.name))
}

/// Whether the cluster is one of IPv6.
#[must_use]
pub fn is_ipv6(config: &ClusterConfig) -> bool {
    config.kubernetes_network_config.as_ref().and_then(|network| network.ip_family) == Some(IpFamily::IPv6)
}

/// All resources of a new VPC.
#[must_use]
pub fn resources(config: &ClusterConfig, scope: &Scope, subnets: &[PlannedSubnet]) -> Vec<Resource> {
    let plan = Plan { config, scope, subnets };
    let mut resources = vec![plan.vpc()];
    resources.extend(subnets.iter().map(|subnet| plan.subnet(subnet)));
    if !is_fully_private(config) {
        resources.push(plan.made(internet(), json!({"VpcId": vpc().output("id")}), "/vpc"));
        if is_ipv6(config) {
            resources.push(plan.made(egress(), json!({"VpcId": vpc().output("id")}), "/vpc"));
        }
        resources.extend(plan.nat_gateways());
        resources.extend(plan.public_table());
    }
    resources.extend(plan.on(Side::Private).map(|subnet| plan.private_table(subnet)));
    resources
}

struct Plan<'a> {
    config: &'a ClusterConfig,
    scope: &'a Scope,
    subnets: &'a [PlannedSubnet],
}

impl Plan<'_> {
    fn made(&self, key: Key, desired: Value, at: &str) -> Resource {
        let name = format!("{}/{}", self.scope.cluster, key.name);
        let tags = tags(&self.config.metadata.tags, name, []);
        resource(key, desired, tags, at)
    }

    fn on(&self, side: Side) -> impl Iterator<Item = &PlannedSubnet> {
        self.subnets.iter().filter(move |subnet| subnet.side == side)
    }

    fn vpc(&self) -> Resource {
        let declared = self.config.vpc.as_ref();
        let cidr = declared.and_then(|vpc| vpc.cidr.as_deref()).unwrap_or(DEFAULT_CIDR);
        let mut desired = json!({"CidrBlock": cidr, "EnableDnsSupport": true, "EnableDnsHostnames": true});
        if is_ipv6(self.config) {
            match declared.and_then(|vpc| vpc.ipv6_cidr.as_deref()) {
                Some(block) => {
                    desired["Ipv6CidrBlock"] = json!(block);
                    desired["Ipv6Pool"] = json!(declared.and_then(|vpc| vpc.ipv6_pool.as_deref()));
                }
                None => desired["AmazonProvidedIpv6CidrBlock"] = json!(true),
            }
        }
        self.made(vpc(), desired, "/vpc")
    }

    fn subnet(&self, subnet: &PlannedSubnet) -> Resource {
        let public = subnet.side == Side::Public;
        let mut desired = json!({
            "VpcId": vpc().output("id"),
            "AvailabilityZone": subnet.zone,
            "CidrBlock": subnet.block.map(|block| block.to_string()),
            "MapPublicIpOnLaunch": public,
        });
        if is_ipv6(self.config) {
            desired["Ipv6CidrBlock"] = vpc().output(&format!("ipv6Cidr-{}", subnet.ipv6_index));
            desired["AssignIpv6AddressOnCreation"] = json!(true);
        }
        if let Some(hostnames) = self.config.vpc.as_ref().and_then(|vpc| vpc.hostname_type) {
            desired["PrivateDnsHostnameTypeOnLaunch"] = json!(match hostnames {
                HostnameType::IpName => "ip-name",
                HostnameType::ResourceName => "resource-name",
            });
        }
        // How load balancer controllers find the subnets of each side (EKS User Guide, network requirements).
        let role = if public { "kubernetes.io/role/elb" } else { "kubernetes.io/role/internal-elb" };
        let key = subnet.key();
        let name = format!("{}/{}", self.scope.cluster, key.name);
        resource(key, desired, tags(&self.config.metadata.tags, name, [(role, "1")]), subnet.at.as_str())
    }

    fn nat(&self) -> NatGateway {
        let nat = self.config.vpc.as_ref().and_then(|vpc| vpc.nat);
        nat.and_then(|nat| nat.gateway).unwrap_or_default()
    }

    /// The public subnets that have a NAT gateway.
    fn with_nat(&self) -> Vec<&PlannedSubnet> {
        let most = match self.nat() {
            NatGateway::Disable => 0,
            NatGateway::Single => 1,
            NatGateway::HighlyAvailable => usize::MAX,
        };
        let mut zones = std::collections::BTreeSet::new();
        self.on(Side::Public).filter(|subnet| zones.insert(subnet.zone.as_str())).take(most).collect()
    }

    fn nat_gateways(&self) -> Vec<Resource> {
        let made = |subnet: &PlannedSubnet| {
            // By the zone and not as "the one": a single gateway stays when the others come.
            let name = format!("nat-{}", subnet.zone);
            let address = Key::new(Kind::Address, name.as_str());
            let desired = json!({
                "SubnetId": subnet.key().output("id"),
                "AllocationId": address.output("id"),
                "ConnectivityType": "public",
                "InternetGateway": internet().output("attached"),
            });
            [
                self.made(address, json!({"Domain": "vpc"}), "/vpc/nat"),
                self.made(Key::new(Kind::NatGateway, name), desired, "/vpc/nat"),
            ]
        };
        self.with_nat().into_iter().flat_map(made).collect()
    }

    fn public_table(&self) -> Option<Resource> {
        let subnets: Vec<Value> = self.on(Side::Public).map(|subnet| subnet.key().output("id")).collect();
        if subnets.is_empty() {
            return None;
        }
        let mut routes =
            vec![json!({"DestinationCidrBlock": ANYWHERE, "GatewayId": internet().output("attached")})];
        if is_ipv6(self.config) {
            let gateway = internet().output("attached");
            routes.push(json!({"DestinationIpv6CidrBlock": ANYWHERE_V6, "GatewayId": gateway}));
        }
        let desired = json!({"VpcId": vpc().output("id"), "Routes": routes, "SubnetIds": subnets});
        Some(self.made(Key::new(Kind::RouteTable, "public"), desired, "/vpc"))
    }

    fn private_table(&self, subnet: &PlannedSubnet) -> Resource {
        let mut routes = Vec::new();
        if !is_fully_private(self.config) {
            let gateways = self.with_nat();
            // The zone's own gateway: traffic between zones costs, and a zone may fail alone.
            let own = gateways.iter().find(|public| public.zone == subnet.zone).or(gateways.first());
            if let Some(public) = own {
                let gateway = Key::new(Kind::NatGateway, format!("nat-{}", public.zone));
                routes.push(json!({"DestinationCidrBlock": ANYWHERE, "NatGatewayId": gateway.output("id")}));
            }
            if is_ipv6(self.config) {
                routes.push(json!({
                    "DestinationIpv6CidrBlock": ANYWHERE_V6,
                    "EgressOnlyInternetGatewayId": egress().output("attached"),
                }));
            }
        }
        let desired = json!({
            "VpcId": vpc().output("id"),
            "Routes": routes,
            "SubnetIds": [subnet.key().output("id")],
        });
        self.made(private_table(subnet), desired, &subnet.at)
    }
}
