//! What outside the cluster names the old one.

use super::aws::{account, tags};
use portolan::migrate::calls::outside::{Identity, Reference, references};
use serde_json::{Value, json};

const OLD_PROVIDER: &str = "arn:aws:iam::1:oidc-provider/old.example.com";
const NEW_PROVIDER: &str = "arn:aws:iam::1:oidc-provider/oidc.eks.example.com/id/AB";

fn old() -> Identity {
    Identity {
        security_groups: ["sg-nodes".to_owned()].into(),
        roles: ["arn:aws:iam::1:role/nodes.old.example.com".to_owned()].into(),
        provider: Some(OLD_PROVIDER.into()),
        pod_ranges: ["100.96.0.0/11".to_owned()].into(),
        addresses: ["198.51.100.1".to_owned()].into(),
    }
}

fn new() -> Identity {
    Identity {
        security_groups: ["sg-eks".to_owned()].into(),
        roles: ["arn:aws:iam::1:role/eks-nodes".to_owned()].into(),
        provider: Some(NEW_PROVIDER.into()),
        pod_ranges: ["10.0.0.0/16".to_owned()].into(),
        addresses: ["203.0.113.9".to_owned()].into(),
    }
}

/// References of an account whose group `sg-db` has a permission.
fn of_group(permission: Value, extra: &[(&str, &str)]) -> Vec<Reference> {
    let mut account = account();
    account.security_groups[1] =
        json!({"GroupId": "sg-db", "VpcId": "vpc-1", "Tags": tags(extra), "IpPermissions": [permission]});
    references(&account.reads(), &old(), &new())
}

#[test]
fn groups_that_let_the_old_nodes_in() {
    let permission = json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "sg-nodes"}]});
    let found = of_group(permission.clone(), &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    let addition = found[0].addition.as_ref().unwrap();
    assert_eq!(
        (addition.service.as_str(), addition.operation.as_str()),
        ("ec2", "AuthorizeSecurityGroupIngress")
    );
    assert_eq!(addition.input["GroupId"], "sg-db");
    let rule = &addition.input["IpPermissions"][0];
    assert_eq!(
        (rule["FromPort"].as_i64(), rule["UserIdGroupPairs"][0]["GroupId"].as_str()),
        (Some(5432), Some("sg-eks"))
    );
    // Nothing is missing any more.
    let mut done = permission;
    done["UserIdGroupPairs"].as_array_mut().unwrap().push(json!({"GroupId": "sg-eks"}));
    assert!(of_group(done, &[]).is_empty());
}

#[test]
fn what_a_stack_owns_is_named_and_left_alone() {
    let permission = json!({"ipProtocol": "tcp", "fromPort": "5432", "toPort": "5432", "groups": [{"groupId": "sg-nodes"}]});
    for (key, value, owner) in [
        ("aws:cloudformation:stack-name", "database", "CloudFormation stack database"),
        ("ManagedBy", "Terraform", "Terraform"),
    ] {
        let found = of_group(permission.clone(), &[(key, value)]);
        assert_eq!(found[0].declared_by.as_deref(), Some(owner));
        assert!(found[0].addition.is_none() && found[0].names.contains("sg-nodes"));
    }
    assert!(
        of_group(permission, &[]).first().unwrap().addition.is_some(),
        "the XML's names are read as well"
    );
}

#[test]
fn ranges_and_addresses_of_the_old_cluster() {
    let found = of_group(
        json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
            "IpRanges": [{"CidrIp": "100.96.0.0/11"}, {"CidrIp": "198.51.100.1/32"}, {"CidrIp": "0.0.0.0/0"}, {"CidrIp": "192.0.2.0/24"}]}),
        &[],
    );
    // Everybody is let in already: there is nothing to add.
    assert!(found.is_empty(), "{found:?}");
    let found = of_group(
        json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
            "IpRanges": [{"CidrIp": "100.96.0.0/11"}, {"CidrIp": "198.51.100.1/32"}, {"CidrIp": "192.0.2.0/24"}]}),
        &[],
    );
    let named: Vec<&str> = found.iter().map(|one| one.names.as_str()).collect();
    assert_eq!(named, ["NAT address 198.51.100.1/32", "pod range 100.96.0.0/11"]);
    let ranges: Vec<&Value> = found
        .iter()
        .map(|one| &one.addition.as_ref().unwrap().input["IpPermissions"][0]["IpRanges"][0]["CidrIp"])
        .collect();
    assert_eq!(ranges, [&json!("203.0.113.9/32"), &json!("10.0.0.0/16")]);
}

#[test]
fn routes_to_old_pods_are_told() {
    let mut account = account();
    account.route_tables.push(json!({"RouteTableId": "rtb-peer", "VpcId": "vpc-other",
        "Routes": [{"DestinationCidrBlock": "100.96.1.0/24", "InstanceId": "i-1"}, {"DestinationCidrBlock": "0.0.0.0/0"}]}));
    let found = references(&account.reads(), &old(), &new());
    assert_eq!((found.len(), found[0].thing.as_str()), (1, "route-table rtb-peer"));
    assert!(found[0].addition.is_none());
}

fn trust(document: Value) -> Vec<Reference> {
    let mut account = account();
    account.roles[1]["AssumeRolePolicyDocument"] = document;
    references(&account.reads(), &old(), &new())
}

fn policy_of(reference: &Reference) -> Value {
    let text = reference.addition.as_ref().unwrap().input["PolicyDocument"].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

#[test]
fn roles_that_trust_the_old_issuer_trust_the_new_one_too() {
    let document = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Reports", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": OLD_PROVIDER},
        "Condition": {"StringEquals": {"old.example.com:sub": "system:serviceaccount:shop:reports"}}}]});
    let encoded: String = document.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    for form in [document.clone(), json!(document.to_string()), json!(encoded)] {
        let found = trust(form);
        assert_eq!(found[0].thing, "iam-role reports");
        let policy = policy_of(&found[0]);
        assert_eq!(policy["Statement"][0], document["Statement"][0], "what is there stays");
        let added = &policy["Statement"][1];
        assert_eq!(added["Principal"]["Federated"], NEW_PROVIDER);
        assert_eq!(
            added["Condition"]["StringEquals"]["oidc.eks.example.com/id/AB:sub"],
            "system:serviceaccount:shop:reports"
        );
        assert!(added.get("Sid").is_none());
        // With the addition made, there is nothing more to add.
        assert!(trust(policy).is_empty());
    }
}

#[test]
fn roles_that_trust_the_old_nodes_trust_the_new_ones_too() {
    let found = trust(json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": ["arn:aws:iam::1:role/nodes.old.example.com", "arn:aws:iam::1:root"]}}}));
    assert_eq!(
        policy_of(&found[0])["Statement"][1]["Principal"]["AWS"],
        json!(["arn:aws:iam::1:role/eks-nodes"])
    );
}

#[test]
fn an_unknown_new_side_is_said_and_not_guessed() {
    let mut account = account();
    account.roles[1]["AssumeRolePolicyDocument"] = json!({"Statement": [{"Effect": "Allow", "Principal": {"Federated": OLD_PROVIDER}, "Action": "sts:AssumeRoleWithWebIdentity"}]});
    let found = references(&account.reads(), &old(), &Identity::default());
    assert!(found[0].addition.is_none() && found[0].says.contains("not known yet"), "{found:?}");
}

#[test]
fn buckets_and_keys_let_the_new_side_in() {
    let mut reads = account().reads();
    let bucket = json!({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": ["198.51.100.1/32"]}}}]});
    reads.push("s3", "GetBucketPolicy", json!({"Bucket": "data"}), json!({"Policy": bucket.to_string()}));
    let key = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:role/nodes.old.example.com"}, "Action": "kms:Decrypt", "Resource": "*"}]});
    reads.push("kms", "GetKeyPolicy", json!({"KeyId": "k-1"}), json!({"Policy": key.to_string()}));
    reads.push(
        "kms",
        "ListResourceTags",
        json!({"KeyId": "k-1"}),
        json!({"Tags": [{"TagKey": "provisioner", "TagValue": "terraform"}]}),
    );
    let found = references(&reads, &old(), &new());
    let shown: Vec<(&str, Option<&str>)> =
        found.iter().map(|one| (one.thing.as_str(), one.declared_by.as_deref())).collect();
    assert_eq!(shown, [("bucket data", None), ("key k-1", Some("Terraform"))]);
    let policy: Value =
        serde_json::from_str(found[0].addition.as_ref().unwrap().input["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][1]["Condition"]["IpAddress"]["aws:SourceIp"], json!(["203.0.113.9/32"]));
}

#[test]
fn a_denial_is_not_doubled() {
    let mut reads = account().reads();
    let bucket = json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "198.51.100.1"}}}]});
    reads.push("s3", "GetBucketPolicy", json!({"Bucket": "data"}), json!({"Policy": bucket.to_string()}));
    let found = references(&reads, &old(), &new());
    assert!(found.len() == 1 && found[0].addition.is_none(), "{found:?}");
}
