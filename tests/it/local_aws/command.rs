//! `portolan local aws`, with boto3 as an independent client.

use std::process::{Output, Stdio};

use portolan::local::Places;
use serde_json::Value;

use crate::support::control_plane::places;

async fn portolan(places: &Places, arguments: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(arguments)
        .env("PORTOLAN_CACHE", &places.cache)
        .env("PORTOLAN_LOCAL_DIR", &places.instances)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a customer's own script would do.
const SCRIPT: &str = r#"
import boto3
ec2, iam, eks, sts = (boto3.client(name) for name in ("ec2", "iam", "eks", "sts"))
print(sts.get_caller_identity()["Arn"])
assert [v["clusterVersion"] for v in eks.describe_cluster_versions()["clusterVersions"]]
assert eks.list_clusters()["clusters"] == []
try:
    eks.describe_cluster(name="none")
except eks.exceptions.ResourceNotFoundException as error:
    print(error.response["Error"]["Code"])
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
subnets = [
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zones[n])["Subnet"]["SubnetId"]
    for n in range(2)
]
trust = '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
role = iam.create_role(RoleName="cluster", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.attach_role_policy(RoleName="cluster", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
eks.create_cluster(name="shop", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
waiter = eks.get_waiter("cluster_active")
waiter.config.delay = 1
waiter.wait(name="shop")
print(eks.describe_cluster(name="shop")["cluster"]["status"])
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stays_until_it_is_taken_down_and_boto3_works_against_it() {
    crate::support::aws::needs_aws!();
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let up = portolan(&places, &["local", "aws", "up", "--name", "one", "--region", "us-west-2"]).await;
    let exports = text(&up);
    let variables: Vec<(&str, &str)> =
        exports.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).collect();
    assert!(variables.contains(&("AWS_REGION", "us-west-2")), "{exports}");

    let again = portolan(&places, &["local", "aws", "up", "--name", "one"]).await;
    assert!(!again.status.success());
    let status = text(&portolan(&places, &["local", "aws", "status", "--output", "json"]).await);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status[0]["name"], "one");
    assert!(status[0]["access"]["endpoint"].as_str().unwrap().starts_with("http://127.0.0.1:"));

    let output = crate::support::aws::python()
        .await
        .command()
        .args(["-c", SCRIPT])
        .envs(variables)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .await
        .unwrap();
    let told = text(&output);
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        ["arn:aws:iam::123456789012:user/local", "ResourceNotFoundException", "ACTIVE"]
    );
    let instances = text(&portolan(&places, &["local", "list"]).await);
    assert!(instances.contains("eks-"), "{instances}");

    text(&portolan(&places, &["local", "aws", "down", "--name", "one"]).await);
    assert!(
        !text(&portolan(&places, &["local", "list"]).await).contains("eks-"),
        "its control planes go with it"
    );
    assert_eq!(text(&portolan(&places, &["local", "aws", "status"]).await), "");
    let down = portolan(&places, &["local", "aws", "down", "--name", "one"]).await;
    assert!(String::from_utf8_lossy(&down.stderr).contains("none is running"));
}
