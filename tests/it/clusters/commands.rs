//! `portolan cluster …` as a person runs it, against the local AWS: what is printed where, in which form, and with which
//! exit code.

use super::aws_scene::AwsScene;
use crate::support::git_repo::TestRepo;
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::Service;
use serde_json::{Value, json};
use std::process::{Command, Output};
use tempfile::TempDir;

pub(super) const DOCUMENT: &str = "apiVersion: portolan.dev/v1alpha1
kind: Cluster
metadata: {name: shop}
spec:
  eks: {name: shop, region: eu-central-1}
  clusterConfig: clusters/shop.yaml
";

const CONFIG: &str = r#"apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35", tags: {team: shop}}
availabilityZones: [eu-central-1a, eu-central-1b]
iam: {withOIDC: true}
addons: [{name: vpc-cni}, {name: kube-proxy}, {name: coredns}]
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 2}
"#;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A person's machine: a repository, and a daemon's file that leads to the local AWS.
struct Desk {
    scene: AwsScene,
    repo: TestRepo,
    folder: TempDir,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    async fn new() -> Self {
        let repo = TestRepo::with(&[("portolan/cluster.yaml", DOCUMENT), ("clusters/shop.yaml", CONFIG)]);
        let desk = Self {
            scene: AwsScene::start(Delays::default()).await,
            repo,
            folder: tempfile::tempdir().unwrap(),
        };
        let settings = json!({
            "apiVersion": "portolan.dev/v1alpha1", "kind": "Config",
            "repositories": [{"name": "main", "url": desk.repo.path()}],
            "dataDir": desk.folder.path().join("data"),
            // The daemon's file counts before the environment, which leads nowhere (see `run`).
            "aws": {"endpoint": desk.scene.moto.endpoint(), "endpoints": {"eks": desk.scene.eks.endpoint()}},
        });
        std::fs::write(desk.folder.path().join("portolan.yaml"), settings.to_string()).unwrap();
        desk
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_portolan"))
            .arg("--config")
            .arg(self.folder.path().join("portolan.yaml"))
            .arg("cluster")
            .args(arguments)
            .env("HOME", self.folder.path())
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", NOWHERE)
            .env("AWS_ENDPOINT_URL_EKS", NOWHERE)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = Said {
            code: output.status.code().unwrap(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        assert!(
            !said.out.contains('\x1b') && !said.err.contains('\x1b'),
            "colours and no terminal: {}{}",
            said.out,
            said.err
        );
        said
    }

    /// Runs it, and holds its exit code and what it says on standard output to this.
    fn says(&self, arguments: &[&str], code: i32, holds: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}\n{}\n{}", said.out, said.err);
        for words in holds {
            assert!(
                said.out.contains(words),
                "{arguments:?}: {words:?} is not in\n{}\n{}",
                said.out,
                said.err
            );
        }
        said
    }

    /// The same as JSON.
    fn data(&self, arguments: &[&str], code: i32) -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--output", "json"]).collect();
        let said = self.says(&all, code, &[]);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", said.out))
    }
}

/// In a thread of its own: the servers go on meanwhile.
async fn blocking<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    tokio::task::block_in_place(work)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_cluster_is_planned_made_looked_at_and_taken_away_by_hand() {
    let desk = Desk::new().await;
    let before = desk.scene.counts().await;
    blocking(|| {
        desk.says(
            &["plan", "shop"],
            1,
            &["to create", "+ create Cluster/shop", "min in all", "costs: about 10 min", "later: waits for"],
        );
        let plan = desk.data(&["plan", "shop"], 1);
        assert_eq!((plan["name"].as_str(), plan["region"].as_str()), (Some("shop"), Some("eu-central-1")));
        assert!(
            plan["steps"].as_array().unwrap().iter().any(|step| step["resource"] == "Cluster/shop"),
            "{plan:#}"
        );
        let unknown = desk.says(&["plan", "shpo"], 2, &[]);
        assert!(unknown.err.contains("did you mean `shop`?"), "{}", unknown.err);
        let early = desk.says(&["status", "shop"], 2, &[]);
        assert!(early.err.contains("portolan cluster plan"), "{}", early.err);
        let early = desk.says(&["kubeconfig", "shop"], 2, &[]);
        assert!(early.err.contains("there is no EKS cluster shop in eu-central-1"), "{}", early.err);
        let early = desk.says(&["export", "shop"], 2, &[]);
        assert!(early.err.contains("there is no EKS cluster"), "{}", early.err);

        let made = desk.says(&["apply", "shop", "--here"], 0, &["shop: Synced Healthy, version 1.35"]);
        for words in [
            "create Cluster/shop (about 10 min)",
            "create Cluster/shop: done after ",
            "create Nodegroup/blue",
        ] {
            assert!(made.err.contains(words), "{words} is not in\n{}", made.err);
        }
        desk.says(&["apply", "shop", "--here"], 0, &["shop: Synced Healthy"]);
        assert_eq!(desk.data(&["apply", "shop", "--here"], 0)["sync"], "Synced");
        desk.says(&["plan", "shop"], 0, &["nothing to change"]);
        desk.says(&["status"], 0, &["CLUSTER", "shop", "1.35", "ACTIVE", "Synced", "Healthy"]);
        desk.says(
            &["status", "shop"],
            0,
            &["shop: Synced Healthy, version 1.35", "from main clusters/shop.yaml"],
        );
        let status = desk.data(&["status"], 0);
        assert_eq!((&status[0]["name"], &status[0]["version"]), (&json!("shop"), &json!("1.35")));
        assert!(status[0]["memory"].is_null() || status[0]["memory"] == json!({}), "{status:#}");
        desk.says(&["drift", "shop"], 0, &["resources as declared"]);
    })
    .await;

    let labels = json!({"clusterName": "shop", "nodegroupName": "blue", "labels": {"addOrUpdateLabels": {"mine": "yes"}}});
    desk.scene.console(Service::Eks, "UpdateNodegroupConfig", labels).await;
    let endpoint = json!({"name": "shop", "resourcesVpcConfig": {"endpointPrivateAccess": true}});
    desk.scene.console(Service::Eks, "UpdateClusterConfig", endpoint).await;
    blocking(|| {
        desk.says(
            &["drift", "shop"],
            1,
            &["Cluster/shop", "/resourcesVpcConfig/endpointPrivateAccess: true instead of false"],
        );
        let drift = desk.data(&["drift", "shop"], 1);
        assert!(drift.as_array().unwrap().iter().any(|step| step["resource"] == "Cluster/shop"), "{drift:#}");
        desk.says(&["plan", "shop"], 1, &["~ update Cluster/shop (drifted)", "true -> false"]);
        desk.says(&["apply", "shop", "--here"], 0, &["shop: Synced Healthy"]);

        let kubeconfig = desk.says(
            &["kubeconfig", "shop"],
            0,
            &["kind: Config", "command:", "client.authentication.k8s.io/v1"],
        );
        assert!(!kubeconfig.out.contains("k8s-aws-v1."), "no token unless it is asked for");
        desk.says(&["kubeconfig", "shop", "--with-token"], 0, &["token: k8s-aws-v1."]);
        let token = desk.says(&["token", "shop"], 0, &["ExecCredential"]);
        let token: Value = serde_json::from_str(&token.out).unwrap();
        assert!(token["status"]["token"].as_str().unwrap().starts_with("k8s-aws-v1."));
        desk.says(&["token", "--eks", "shop", "--region", "eu-central-1"], 0, &["k8s-aws-v1."]);

        let exported = desk.says(
            &["export", "shop"],
            0,
            &["kind: ClusterConfig", "name: blue", "version: '1.35'", "withOIDC: true"],
        );
        let file = desk.folder.path().join("exported.yaml");
        std::fs::write(&file, &exported.out).unwrap();
        let check = Command::new(env!("CARGO_BIN_EXE_portolan")).arg("check").arg(&file).output().unwrap();
        assert!(check.status.success(), "{}\n{}", String::from_utf8_lossy(&check.stdout), exported.out);

        let daemonless = desk.says(&["apply", "shop", "--no-wait"], 4, &[]);
        assert!(daemonless.err.contains("--here"), "{}", daemonless.err);
        let none = desk.says(&["delete", "shop", "--approve", "abc"], 2, &[]);
        assert!(none.err.contains("remove the document from the repository first"), "{}", none.err);
        let shown = desk.says(
            &["delete", "shop"],
            1,
            &["- delete Cluster/shop", "- delete Vpc/vpc (held)", "approve its deletion"],
        );
        let digest = shown.out.lines().find_map(|line| line.split("--approve ").nth(1)).expect("a digest");
        desk.says(
            &["delete", "shop", "--here", "--approve", digest.trim()],
            0,
            &["shop: nothing is left of it"],
        );
    })
    .await;
    assert_eq!(desk.scene.counts().await, before, "nothing is left");
    desk.scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_and_reads_are_explained() {
    let desk = Desk::new().await;
    blocking(|| {
        desk.says(&["explain"], 0, &["FIELD", "managedNodeGroups[].instanceTypes"]);
        desk.says(&["explain", "iam.serviceAccounts"], 0, &["the ServiceAccount in the cluster"]);
        desk.says(&["explain", "metadata.name"], 0, &["metadata.name: "]);
        let refused = desk.data(&["explain", "--refused"], 0);
        assert!(refused.as_array().unwrap().iter().all(|row| row["supported"] == false));
        let unknown = desk.says(&["explain", "managedNodeGroup"], 2, &[]);
        assert!(unknown.err.contains("did you mean `managedNodeGroups`?"), "{}", unknown.err);
        desk.says(&["explain", "--reads"], 0, &["KIND", "ec2:DescribeSubnets", "eks:DescribeNodegroup"]);
        let reads = desk.data(&["explain", "--reads"], 0);
        assert!(reads.as_array().unwrap().len() > 30);
    })
    .await;
}
