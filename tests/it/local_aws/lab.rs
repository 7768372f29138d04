//! A local AWS of a test's own, an account in it, and words for what tests do there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use portolan::aws::{AwsClouds, AwsOptions, CredentialsSource, Endpoints};
use portolan::local::Places;
use portolan::local::aws::{Access, Connect, LocalAws, LocalAwsOptions, Patience};
use portolan::model::cloud::{Call, Service};
use portolan::ports::{Clock, Cloud, CloudAccess, CloudFailure, Clouds};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::control_plane::{built, places, progress};

/// How long anything may take here; a loaded machine is slow.
const LIMIT: Duration = Duration::from_secs(180);

/// The account as a customer has it, with everything around.
pub struct Lab {
    /// The whole of it.
    pub aws: LocalAws,
    /// By the keys that were handed out, through the one address.
    pub cloud: Arc<dyn Cloud>,
    /// Where control planes are.
    pub places: Places,
    folder: TempDir,
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Our adapter, with fixed keys and one address.
pub struct Adapter;

#[async_trait]
impl Connect for Adapter {
    async fn connect(&self, access: &Access) -> Result<Arc<dyn Cloud>, CloudFailure> {
        cloud(access).await
    }
}

/// The account with those keys.
pub async fn cloud(access: &Access) -> Result<Arc<dyn Cloud>, CloudFailure> {
    open(access, (&access.access_key_id, &access.secret_access_key), None).await
}

/// The account by a role that those keys assume.
pub async fn cloud_in_role(access: &Access, role: &str) -> Result<Arc<dyn Cloud>, CloudFailure> {
    open(access, (&access.access_key_id, &access.secret_access_key), Some(role)).await
}

/// The account with other keys.
pub async fn cloud_of(access: &Access, key: &str, secret: &str) -> Result<Arc<dyn Cloud>, CloudFailure> {
    open(access, (key, secret), None).await
}

async fn open(
    access: &Access,
    keys: (&str, &str),
    role: Option<&str>,
) -> Result<Arc<dyn Cloud>, CloudFailure> {
    let options = AwsOptions {
        credentials: CredentialsSource::Fixed {
            access_key_id: keys.0.to_owned(),
            secret_access_key: keys.1.to_owned().into(),
            session_token: None,
        },
        endpoints: Endpoints { every: Some(access.endpoint.clone()), of_service: BTreeMap::new() },
        pace: None,
        ..AwsOptions::new(Arc::new(Now))
    };
    AwsClouds::new(options)
        .open(&CloudAccess { region: access.region.clone(), role_arn: role.map(str::to_owned) })
        .await
}

impl Lab {
    /// With programs for a cluster of the newest version built.
    pub async fn start(patience: Patience) -> Lab {
        built("1.36").await;
        let folder = tempfile::tempdir().unwrap();
        let places = places(&folder);
        let options = LocalAwsOptions {
            patience,
            supervisor: Some(env!("CARGO_BIN_EXE_portolan").into()),
            ..LocalAwsOptions::new(places.clone(), "eu-central-1")
        };
        let aws = match LocalAws::start(options, &Adapter, &mut progress()).await {
            Ok(aws) => aws,
            Err(error) => panic!("{error}"),
        };
        let cloud = cloud(aws.access()).await.unwrap();
        Lab { aws, cloud, places, folder }
    }

    /// Ends it; no control plane is left, and nothing was asked of EKS that its model does not have.
    pub async fn stop(self) {
        let violations = self.aws.eks().violations();
        assert!(violations.is_empty(), "{violations:#?}");
        self.aws.stop().await;
        let left = std::fs::read_dir(&self.places.instances).map_or(0, |entries| entries.count());
        assert_eq!(left, 0, "folders of control planes are left");
    }

    pub async fn call(&self, service: Service, operation: &str, input: Value) -> Value {
        match self.try_call(service, operation, input.clone()).await {
            Ok(answer) => answer,
            Err(failure) => panic!("{operation} {input}: {failure}\n{}", self.aws.moto().last_words()),
        }
    }

    pub async fn try_call(
        &self,
        service: Service,
        operation: &str,
        input: Value,
    ) -> Result<Value, CloudFailure> {
        self.cloud.call(&Call::new(service, operation, input)).await
    }

    pub async fn ec2(&self, operation: &str, input: Value) -> Value {
        self.call(Service::Ec2, operation, input).await
    }

    pub async fn eks(&self, operation: &str, input: Value) -> Value {
        self.call(Service::Eks, operation, input).await
    }

    /// Waits until what `operation` describes under `member` has a status, and gives it.
    pub async fn until(&self, operation: &str, input: &Value, member: &str, status: &str) -> Value {
        let described = self.until_status(operation, input, member, &[status, "FAILED", "Failed"]).await;
        assert_eq!(described["status"], status, "{described:#}");
        described
    }

    /// Waits until what `operation` describes under `member` has a status that ends in one of these, and gives it.
    pub async fn until_status(
        &self,
        operation: &str,
        input: &Value,
        member: &str,
        statuses: &[&str],
    ) -> Value {
        let since = Instant::now();
        loop {
            let described = self.eks(operation, input.clone()).await[member].clone();
            let now = described["status"].as_str().unwrap_or_default().to_owned();
            if statuses.iter().any(|status| now.ends_with(status)) {
                return described;
            }
            let status = statuses[0];
            assert!(since.elapsed() < LIMIT, "{status} is awaited: {described:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until what `operation` describes is not there any more.
    pub async fn until_gone(&self, operation: &str, input: &Value) {
        let since = Instant::now();
        while let Ok(described) = self.try_call(Service::Eks, operation, input.clone()).await {
            let failed = described.to_string().contains("FAILED");
            let words = || self.aws.moto().last_words();
            assert!(!failed && since.elapsed() < LIMIT, "{operation}: {described:#}\n{}", words());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for an update to end well.
    pub async fn updated(&self, update: &Value, mut names: Value) {
        names["updateId"] = update["update"]["id"].clone();
        self.until("DescribeUpdate", &names, "update", "Successful").await;
    }

    /// A role that a service may assume, with managed policies.
    pub async fn role(&self, name: &str, service: &str, policies: &[&str]) -> String {
        self.role_for(name, service, json!({}), policies).await
    }

    /// The same under a condition, such as on whose behalf the service asks.
    pub async fn role_for(&self, name: &str, service: &str, condition: Value, policies: &[&str]) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": service}, "Condition": condition,
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }]});
        let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
        let made = self.call(Service::Iam, "CreateRole", input).await;
        for policy in policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            self.call(Service::Iam, "AttachRolePolicy", json!({"RoleName": name, "PolicyArn": arn})).await;
        }
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    /// Takes a role away.
    pub async fn drop_role(&self, name: &str) {
        let answer = self.call(Service::Iam, "ListAttachedRolePolicies", json!({"RoleName": name})).await;
        for policy in answer["AttachedPolicies"].as_array().into_iter().flatten() {
            let input = json!({"RoleName": name, "PolicyArn": policy["PolicyArn"]});
            self.call(Service::Iam, "DetachRolePolicy", input).await;
        }
        self.call(Service::Iam, "DeleteRole", json!({"RoleName": name})).await;
    }

    pub async fn network(&self) -> Network {
        let vpc = self.ec2("CreateVpc", json!({"CidrBlock": "10.20.0.0/16"})).await;
        let vpc = vpc["vpc"]["vpcId"].as_str().unwrap().to_owned();
        let mut subnets = Vec::new();
        for (number, zone) in [(0, "a"), (1, "b")] {
            let input = json!({
                "VpcId": vpc, "CidrBlock": format!("10.20.{number}.0/24"),
                "AvailabilityZone": format!("eu-central-1{zone}"),
            });
            let made = self.ec2("CreateSubnet", input).await;
            subnets.push(made["subnet"]["subnetId"].as_str().unwrap().to_owned());
        }
        Network { vpc, subnets }
    }

    pub async fn drop_network(&self, network: &Network) {
        for subnet in &network.subnets {
            self.ec2("DeleteSubnet", json!({"SubnetId": subnet})).await;
        }
        self.ec2("DeleteVpc", json!({"VpcId": network.vpc})).await;
    }

    pub async fn counts(&self) -> BTreeMap<String, u64> {
        self.aws.counts().await.unwrap()
    }

    /// The kinds whose number has changed.
    pub async fn left(&self, before: &BTreeMap<String, u64>) -> Vec<String> {
        let after = self.counts().await;
        let changed = after.iter().filter(|(kind, number)| before.get(*kind) != Some(*number));
        changed.map(|(kind, number)| format!("{kind}: {number}, was {:?}", before.get(kind))).collect()
    }

    /// kubectl with the token that an account's keys give.
    pub async fn kubectl_as(
        &self,
        cloud: &dyn Cloud,
        cluster: &str,
        arguments: &[&str],
    ) -> Result<String, String> {
        use secrecy::ExposeSecret as _;
        let token = cloud.kubernetes_token(cluster).await.unwrap().token;
        let token = format!("--token={}", token.expose_secret());
        self.kubectl_with(cluster, &[&token], arguments, "").await
    }

    /// Who a token is, by `--token=…`.
    pub async fn kubectl_token(&self, cluster: &str, token: &str) -> Result<String, String> {
        self.kubectl_with(cluster, &[token], &["auth", "whoami"], "").await
    }

    /// kubectl as the cluster's administrator.
    pub async fn kubectl(&self, cluster: &str, arguments: &[&str], input: &str) -> String {
        let kubeconfig = self.kubeconfig(cluster).await;
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        match self.run(&[&kubeconfig], arguments, input).await {
            Ok(output) => output,
            Err(error) => panic!("kubectl {arguments:?}: {error}"),
        }
    }

    pub async fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.aws.world().kubeconfigs().await.remove(cluster).expect("no such cluster runs")
    }

    async fn kubectl_with(
        &self,
        cluster: &str,
        options: &[&str],
        arguments: &[&str],
        input: &str,
    ) -> Result<String, String> {
        let described = self.eks("DescribeCluster", json!({"name": cluster})).await;
        let server = format!("--server={}", described["cluster"]["endpoint"].as_str().unwrap());
        let authority = self.kubeconfig(cluster).await.with_file_name("pki").join("ca.crt");
        let authority = format!("--certificate-authority={}", authority.display());
        let mut all = vec!["--kubeconfig=/dev/null", &server, &authority];
        all.extend(options);
        self.run(&all, arguments, input).await
    }

    async fn run(&self, options: &[&str], arguments: &[&str], input: &str) -> Result<String, String> {
        use tokio::io::AsyncWriteExt as _;
        let program = kubectl(&self.places).await;
        let mut child = tokio::process::Command::new(program)
            .args(options)
            .args(arguments)
            .env("HOME", self.folder.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // kubectl may end without reading; its output says why.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// A VPC with a private subnet in each of two zones.
pub struct Network {
    pub vpc: String,
    pub subnets: Vec<String>,
}

async fn kubectl(places: &Places) -> PathBuf {
    let release = portolan::local::Release::default_release();
    portolan::local::programs_in(places, release, &mut progress()).await.unwrap().kubectl
}

/// Waits for a condition.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < LIMIT, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
