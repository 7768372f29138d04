//! Re-tags do what they say: over generated accounts, what the guard names is gone from the list once its re-tags are made.

use super::aws::{Account, CLUSTER, KEY, account, tags};
use portolan::migrate::decommission::{Cluster, InUse, Refused, Spare, guard, would_delete};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Makes a re-tag in an account.
fn apply(account: &mut Account, operation: &str, input: &Value) {
    let id = ["RoleName", "InstanceProfileName", "OpenIDConnectProviderArn"]
        .iter()
        .find_map(|field| input[*field].as_str())
        .or_else(|| {
            ["Resources", "LoadBalancerNames", "ResourceArns"]
                .iter()
                .find_map(|field| input[*field][0].as_str())
        })
        .or_else(|| input["Tags"][0]["ResourceId"].as_str())
        .unwrap()
        .to_owned();
    let removes = ["DeleteTags", "RemoveTags", "UntagOpenIDConnectProvider"].contains(&operation);
    let key = input["TagKeys"][0].as_str().or_else(|| input["Tags"][0]["Key"].as_str()).unwrap().to_owned();
    let value = input["Tags"][0]["Value"].as_str().unwrap_or_default().to_owned();
    let mut hits = 0;
    for thing in things(account) {
        if printed(thing) == id {
            let field = if thing.get("TagSet").is_some() { "TagSet" } else { "Tags" };
            let mut kept: Vec<Value> = thing[field].as_array().cloned().unwrap_or_default();
            kept.retain(|tag| tag["Key"] != key);
            if !removes {
                kept.push(json!({"Key": key, "Value": value}));
            }
            thing[field] = kept.into();
            hits += 1;
        }
    }
    assert!(hits > 0, "{operation} {input}");
}

/// Every thing that has tags.
fn things(account: &mut Account) -> Vec<&mut Value> {
    let Account {
        vpcs,
        subnets,
        route_tables,
        internet_gateways,
        nat_gateways,
        addresses,
        dhcp_options,
        security_groups,
        interfaces,
        instances,
        groups,
        launch_templates,
        volumes,
        classic,
        balancers,
        target_groups,
        roles,
        profiles,
        providers,
        ..
    } = account;
    [
        vpcs,
        subnets,
        route_tables,
        internet_gateways,
        nat_gateways,
        addresses,
        dhcp_options,
        security_groups,
        interfaces,
        instances,
        groups,
        launch_templates,
        volumes,
        classic,
        balancers,
        target_groups,
        roles,
        profiles,
        providers,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The id that kops prints for a thing.
fn printed(thing: &Value) -> String {
    let own = [
        "SubnetId",
        "RouteTableId",
        "InternetGatewayId",
        "NatGatewayId",
        "AllocationId",
        "GroupId",
        "NetworkInterfaceId",
        "InstanceId",
        "AutoScalingGroupName",
        "LaunchTemplateId",
        "VolumeId",
        "LoadBalancerArn",
        "LoadBalancerName",
        "TargetGroupArn",
        "RoleName",
        "InstanceProfileName",
        "Arn",
        "VpcId",
        "DhcpOptionsId",
    ];
    // A NAT gateway names its subnet, an instance too: the specific field comes first by kind.
    let specific =
        ["NatGatewayId", "InstanceId", "NetworkInterfaceId"].iter().find_map(|field| thing[*field].as_str());
    specific.or_else(|| own.iter().find_map(|field| thing[*field].as_str())).unwrap().to_owned()
}

fn variations() -> impl Strategy<Value = Account> {
    let choice = prop_oneof![
        Just(vec![("KubernetesCluster", CLUSTER), (KEY, "owned")]),
        Just(vec![("KubernetesCluster", CLUSTER), (KEY, "shared")]),
        Just(vec![("KubernetesCluster", CLUSTER)]),
        Just(vec![(KEY, "owned")]),
        Just(vec![(KEY, "odd"), ("KubernetesCluster", CLUSTER)]),
        Just(vec![("KubernetesCluster", "another.example.com")]),
        Just(Vec::new()),
    ];
    prop::collection::vec(choice, 64).prop_map(|choices| {
        let mut account = account();
        account.vpcs.truncate(1);
        for (thing, chosen) in things(&mut account).into_iter().zip(choices) {
            let field = if thing.get("TagSet").is_some() { "TagSet" } else { "Tags" };
            thing[field] = tags(&chosen);
        }
        account
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_spared_is_gone_from_the_list(account in variations(), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let cluster = Cluster::new(CLUSTER);
        let mut account = account;
        let all: Vec<String> = things(&mut account).into_iter().map(|thing| printed(thing)).collect();
        let used = InUse { ids: picks.iter().map(|pick| (pick.get(&all).clone(), "the target".to_owned())).collect() };
        // Sparing one thing changes what follows from it, so a second round may name more.
        for round in 0..4 {
            match guard(&account.reads(), &cluster, &used) {
                Ok(cleared) => {
                    prop_assert!(used.ids.keys().all(|id| !cleared.would_delete.iter().any(|(_, taken)| taken == id)));
                    return Ok(());
                }
                Err(Refused::InUse(refusals)) => {
                    prop_assert!(round < 3, "still refused: {refusals:?}");
                    for refusal in refusals {
                        let Spare::Retag { call, .. } = refusal.spare else { continue };
                        apply(&mut account, &call.operation, &call.input);
                    }
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    #[test]
    fn the_order_of_reads_is_irrelevant(account in variations(), seed in any::<u64>()) {
        let cluster = Cluster::new(CLUSTER);
        let mut reads = account.reads();
        let listed = would_delete(&reads, &cluster).unwrap();
        let turn = usize::try_from(seed % 97).unwrap() % reads.reads.len();
        reads.reads.rotate_left(turn);
        reads.reads.reverse();
        prop_assert_eq!(would_delete(&reads, &cluster).unwrap(), listed);
    }
}
