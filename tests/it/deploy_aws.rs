//! The rights in AWS that `deploy/aws` gives: whatever tests see Portolan call is in one of its policies, and nothing that
//! writes is among those for reading.

use portolan::model::cloud::{Call, Service};
use portolan::provision::reads::READS;
use serde_json::Value;

/// For plans, drift and exports of clusters.
pub const READING: &[&str] = &["clusters-read"];
/// For keeping clusters.
pub const KEEPING: &[&str] = &["clusters-read", "clusters"];
/// For a migration's account.
pub const MIGRATING: &[&str] = &["migrate"];

/// The action that IAM asks for before a call (Service Authorization Reference); none for what everybody may.
fn action(service: Service, operation: &str) -> Option<String> {
    let prefix = match service {
        // Who one is may be asked by everybody.
        Service::Sts | Service::Kubernetes => return None,
        Service::Elb | Service::ElbV2 => "elasticloadbalancing",
        Service::Quotas => "servicequotas",
        other => other.name(),
    };
    let name = match (service, operation) {
        (Service::S3, "ListObjectsV2") => "ListBucket",
        (Service::S3, "ListBuckets") => "ListAllMyBuckets",
        (_, operation) => operation,
    };
    Some(format!("{prefix}:{name}"))
}

/// The actions of policies, as they stand there.
fn actions(policies: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for policy in policies {
        let file = format!("{}/deploy/aws/{policy}.json", env!("CARGO_MANIFEST_DIR"));
        let policy: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow", "{file}");
            match &statement["Action"] {
                Value::Array(actions) => {
                    all.extend(actions.iter().map(|action| action.as_str().unwrap().to_owned()));
                }
                action => all.push(action.as_str().unwrap().to_owned()),
            }
        }
    }
    all
}

fn covers(pattern: &str, action: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == action, |begin| action.starts_with(begin))
}

/// Fails where a call, as `service:Operation` with what it is about after that, is in none of the policies.
pub fn may(policies: &[&str], call: &str) {
    let (service, operation) = call.split(' ').next().unwrap().split_once(':').unwrap();
    let Some(service) = Service::named(service) else { return };
    let Some(action) = action(service, operation) else { return };
    let known = actions(policies).iter().any(|pattern| covers(pattern, &action));
    assert!(known, "{call} is called, and none of {policies:?} in deploy/aws has {action}");
}

/// The same of a call that is about to be made.
pub fn may_call(policies: &[&str], call: &Call) {
    may(policies, &call.to_string());
}

#[test]
fn what_a_pass_reads_may_be_read_and_nothing_written() {
    READS.iter().for_each(|row| may(READING, row.call));
    for action in actions(READING) {
        let name = action.split(':').nth(1).unwrap();
        let reads = ["Describe", "Get", "List", "Lookup"];
        assert!(reads.iter().any(|begin| name.starts_with(begin)), "{action} writes");
    }
}

#[test]
fn a_policy_is_sorted_names_nothing_twice_and_fits_into_iam() {
    for policy in ["clusters-read", "clusters", "migrate"] {
        let file = format!("{}/deploy/aws/{policy}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&file).unwrap();
        // IAM counts what is no white space, and takes 6,144 of a managed policy (its quotas).
        assert!(text.chars().filter(|c| !c.is_whitespace()).count() < 6_144, "{policy}");
        let document: Value = serde_json::from_str(&text).unwrap();
        for statement in document["Statement"].as_array().unwrap() {
            let Some(actions) = statement["Action"].as_array() else { continue };
            let names: Vec<&str> = actions.iter().map(|action| action.as_str().unwrap()).collect();
            assert!(names.is_sorted_by(|one, next| one < next), "{policy} {}: {names:?}", statement["Sid"]);
        }
    }
}

#[test]
#[should_panic(expected = "ec2:TerminateInstances is called")]
fn what_no_policy_has_is_told() {
    may(KEEPING, "ec2:TerminateInstances");
}
