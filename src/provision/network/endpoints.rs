//! VPC endpoints of a private cluster: how its nodes reach the services of AWS without the internet.

use super::answer::{some_text, text};
use super::declared::{Declared, Problem, resource, tags};
use super::drivers::ROUTE_TABLES_OF_SUBNETS;
use super::groups::shared_node;
use super::layout::{PlannedSubnet, Side, uses_existing_vpc};
use super::new_vpc::private_table;
use crate::model::cluster_config::ClusterConfig;
use crate::provision::resource::{Key, Kind, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What nodes need (EKS User Guide, private clusters): images from ECR, whose layers are in S3, logins, instances.
const REQUIRED: [&str; 5] = ["ec2", "ecr.api", "ecr.dkr", "s3", "sts"];
/// What a file may ask for beside.
const ADDITIONAL: [&str; 3] = ["autoscaling", "cloudformation", "logs"];
/// Services whose endpoint names begin otherwise in China.
const PREFIXED_IN_CHINA: [&str; 5] = ["cloudformation", "ec2", "ecr.api", "ecr.dkr", "sts"];

/// The endpoints; none where the cluster is not private, or where the file says that the VPC has them.
#[must_use]
pub fn resources(
    config: &ClusterConfig,
    scope: &Scope,
    known: &Snapshot,
    subnets: &[PlannedSubnet],
    vpc_id: &Value,
) -> Declared {
    let mut declared = Declared::default();
    let Some(private) = config.private_cluster.as_ref().filter(|private| private.enabled == Some(true))
    else {
        return declared;
    };
    if private.skip_endpoint_creation == Some(true) {
        return declared;
    }
    let mut services: BTreeSet<&str> = REQUIRED.into();
    for (at, service) in private.additional_endpoint_services.iter().enumerate() {
        if ADDITIONAL.contains(&service.as_str()) {
            services.insert(service);
        } else {
            declared.problems.push(Problem::refused(
                format!("/privateCluster/additionalEndpointServices/{at}"),
                format!("{service} is not one of {}", ADDITIONAL.join(", ")),
            ));
        }
    }
    if config.cloud_watch.as_ref().is_some_and(|watch| watch.cluster_logging.is_some()) {
        services.insert("logs");
    }
    // The pod identity agent asks for credentials there.
    if config.addons.iter().any(|addon| addon.name == "eks-pod-identity-agent") {
        services.insert("eks-auth");
    }
    let private: Vec<&PlannedSubnet> = subnets.iter().filter(|subnet| subnet.side == Side::Private).collect();
    for service in services {
        let mut desired = json!({
            "ServiceName": service_name(scope, service),
            "VpcId": vpc_id,
        });
        if service == "s3" {
            let Some(tables) = route_tables(config, known, &private) else {
                let message = "the route tables of the private subnets have not been read yet";
                declared.problems.push(Problem::waiting("/privateCluster", message));
                continue;
            };
            desired["VpcEndpointType"] = json!("Gateway");
            desired["RouteTableIds"] = Value::Array(tables);
        } else {
            // One subnet a zone is the most that an interface endpoint takes.
            let mut zones = BTreeSet::new();
            let one_a_zone = private.iter().filter(|subnet| zones.insert(subnet.zone.as_str()));
            desired["VpcEndpointType"] = json!("Interface");
            desired["SubnetIds"] = one_a_zone.map(|subnet| subnet.key().output("id")).collect();
            desired["SecurityGroupIds"] = json!([shared_node().output("id")]);
            desired["PrivateDnsEnabled"] = json!(true);
        }
        let name = format!("{}/{service}", scope.cluster);
        let tags = tags(&config.metadata.tags, name, []);
        declared.resources.push(resource(
            Key::new(Kind::VpcEndpoint, service),
            desired,
            tags,
            "/privateCluster",
        ));
    }
    declared
}

fn service_name(scope: &Scope, service: &str) -> String {
    let china = scope.partition == "aws-cn" && PREFIXED_IN_CHINA.contains(&service);
    format!("{}com.amazonaws.{}.{service}", if china { "cn." } else { "" }, scope.region)
}

/// The route tables of the private subnets; none as long as those of an existing VPC have not been read.
fn route_tables(config: &ClusterConfig, known: &Snapshot, private: &[&PlannedSubnet]) -> Option<Vec<Value>> {
    if !uses_existing_vpc(config) {
        return Some(private.iter().map(|subnet| private_table(subnet).output("id")).collect());
    }
    let of_subnets = known.facts.get(ROUTE_TABLES_OF_SUBNETS)?;
    let mut tables = BTreeSet::new();
    for subnet in private {
        let id = some_text(&json!(known.live.get(&subnet.key())?.outputs), "id")?.to_owned();
        let table = of_subnets.get(&id).or_else(|| of_subnets.get(""))?;
        tables.insert(text(table, "table").to_owned());
    }
    Some(tables.into_iter().map(Value::String).collect())
}
