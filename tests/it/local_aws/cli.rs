//! The AWS CLI, from PyPI, as a client that is not ours: a cluster made, waited for, logged in to, and taken away.

use super::lab::Lab;
use crate::support::aws::{needs_aws, packages, python};
use portolan::local::aws::Patience;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CLI: &[&str] = &["awscli==1.46.3"];

struct Cli<'a> {
    lab: &'a Lab,
    packages: PathBuf,
    home: &'a Path,
}

impl Cli<'_> {
    async fn run(&self, arguments: &[&str]) -> Result<Value, String> {
        let access = self.lab.aws.access();
        let output = python()
            .await
            .command()
            .env("PYTHONPATH", &self.packages)
            .args(["-m", "awscli"])
            .args(arguments)
            .args(["--output", "json"])
            .env("AWS_ENDPOINT_URL", &access.endpoint)
            .env("AWS_DEFAULT_REGION", &access.region)
            .env("AWS_ACCESS_KEY_ID", &access.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &access.secret_access_key)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("HOME", self.home)
            .env_remove("AWS_REGION")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            return Err(said);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn ok(&self, arguments: &[&str]) -> Value {
        self.run(arguments).await.unwrap_or_else(|said| panic!("aws {arguments:?}: {said}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_made_logged_in_to_and_taken_away_by_the_aws_cli() {
    needs_aws!();
    let packages = packages(CLI).await;
    let lab = Lab::start(Patience::default()).await;
    let home = tempfile::tempdir().unwrap();
    let cli = Cli { lab: &lab, packages, home: home.path() };
    let before = lab.counts().await;
    let who = cli.ok(&["sts", "get-caller-identity"]).await;
    assert_eq!(who["Arn"], "arn:aws:iam::123456789012:user/local");
    let role = lab.role("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]).await;
    let policies =
        ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"];
    let node_role = lab.role("nodes", "ec2.amazonaws.com", &policies).await;
    let network = lab.network().await;
    let vpc_config = format!("subnetIds={}", network.subnets.join(","));

    let cluster: &[&str] = &["eks", "describe-cluster", "--name", "shop"];
    let absent = cli.run(cluster).await.unwrap_err();
    assert!(absent.contains("ResourceNotFoundException"), "{absent}");
    let create = [
        "eks",
        "create-cluster",
        "--name",
        "shop",
        "--role-arn",
        &role,
        "--resources-vpc-config",
        &vpc_config,
    ];
    let made = cli.ok(&create).await;
    assert_eq!(made["cluster"]["status"], "CREATING");
    assert!(cli.run(&create).await.unwrap_err().contains("ResourceInUseException"));
    // Its waiters ask every half minute: they are called when there is nothing left to wait for.
    let named = json!({"name": "shop"});
    lab.until("DescribeCluster", &named, "cluster", "ACTIVE").await;
    cli.ok(&["eks", "wait", "cluster-active", "--name", "shop"]).await;
    assert_eq!(cli.ok(cluster).await["cluster"]["status"], "ACTIVE");
    assert_eq!(cli.ok(&["eks", "list-clusters"]).await["clusters"], json!(["shop"]));

    let mut create = vec!["eks", "create-nodegroup", "--cluster-name", "shop", "--nodegroup-name", "blue"];
    create.extend([
        "--node-role",
        &node_role,
        "--scaling-config",
        "minSize=1,maxSize=2,desiredSize=1",
        "--subnets",
    ]);
    create.extend(network.subnets.iter().map(String::as_str));
    cli.ok(&create).await;
    let group = ["eks", "describe-nodegroup", "--cluster-name", "shop", "--nodegroup-name", "blue"];
    let blue = json!({"clusterName": "shop", "nodegroupName": "blue"});
    lab.until("DescribeNodegroup", &blue, "nodegroup", "ACTIVE").await;
    let wait = ["eks", "wait", "nodegroup-active", "--cluster-name", "shop", "--nodegroup-name", "blue"];
    cli.ok(&wait).await;
    assert_eq!(cli.ok(&group).await["nodegroup"]["status"], "ACTIVE");

    let credential = cli.ok(&["eks", "get-token", "--cluster-name", "shop"]).await;
    assert_eq!(credential["kind"], "ExecCredential");
    let token = format!("--token={}", credential["status"]["token"].as_str().unwrap());
    let is = lab.kubectl_token("shop", &token).await.unwrap_or_else(|said| panic!("{said}"));
    assert!(is.contains("arn:aws:iam::123456789012:user/local"), "{is}");
    let other = cli.ok(&["eks", "get-token", "--cluster-name", "bank"]).await;
    let token = format!("--token={}", other["status"]["token"].as_str().unwrap());
    assert!(lab.kubectl_token("shop", &token).await.is_err(), "a token is for one cluster");

    cli.ok(&["eks", "delete-nodegroup", "--cluster-name", "shop", "--nodegroup-name", "blue"]).await;
    lab.until_gone("DescribeNodegroup", &blue).await;
    cli.ok(&["eks", "wait", "nodegroup-deleted", "--cluster-name", "shop", "--nodegroup-name", "blue"]).await;
    cli.ok(&["eks", "delete-cluster", "--name", "shop"]).await;
    lab.until_gone("DescribeCluster", &named).await;
    assert!(cli.run(cluster).await.unwrap_err().contains("ResourceNotFoundException"));
    cli.ok(&["eks", "wait", "cluster-deleted", "--name", "shop"]).await;
    lab.drop_network(&network).await;
    for role in ["cluster", "nodes"] {
        lab.drop_role(role).await;
    }
    assert_eq!(lab.left(&before).await, Vec::<String>::new());
    lab.stop().await;
}
