//! A state store in a bucket, and an account, both of moto.

use super::{NAME, no_secret, store};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan::app::eks::cloud_at;
use portolan::engine::inventory::{Bucket, Reading, read_account, read_store};
use portolan::local::Places;
use portolan::local::aws::Moto;
use portolan::migrate::decommission::{Cluster, would_delete};
use portolan::migrate::dump::{facts, write};
use portolan::model::cloud::{Call, Service};
use portolan::ports::{Cloud, CloudFailure, CloudFailureKind, KubernetesToken};
use serde_json::{Value, json};
use std::sync::Arc;

async fn done(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Value {
    cloud.call(&Call::new(service, operation, input)).await.unwrap_or_else(|failure| panic!("{failure}"))
}

/// Puts a state store below `prefix` of a new bucket.
async fn upload(cloud: &dyn Cloud, bucket: &str, prefix: &str) {
    let place = json!({"LocationConstraint": "eu-central-1"});
    done(cloud, Service::S3, "CreateBucket", json!({"Bucket": bucket, "CreateBucketConfiguration": place}))
        .await;
    for (key, text) in store() {
        let key = format!("{prefix}{key}");
        done(
            cloud,
            Service::S3,
            "PutObject",
            json!({"Bucket": bucket, "Key": key, "Body": STANDARD.encode(text)}),
        )
        .await;
    }
}

/// An account that lets nobody look at some things.
struct Guarded {
    cloud: Arc<dyn Cloud>,
    denied: &'static [&'static str],
}

#[async_trait::async_trait]
impl Cloud for Guarded {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        crate::deploy_aws::may_call(crate::deploy_aws::MIGRATING, call);
        if self.denied.contains(&call.operation.as_str()) {
            return Err(CloudFailure {
                kind: CloudFailureKind::Denied,
                code: "AccessDenied".into(),
                message: "no".into(),
                call: call.to_string(),
                service: Some(call.service),
            });
        }
        self.cloud.call(call).await
    }

    async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        self.cloud.kubernetes_token(cluster).await
    }

    fn region(&self) -> &str {
        self.cloud.region()
    }

    fn partition(&self) -> &str {
        self.cloud.partition()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_store_in_a_bucket_and_its_account_become_one_inventory() {
    let places = Places::from_env().unwrap();
    let moto = Moto::start(&places, &mut crate::support::control_plane::progress()).await.unwrap();
    let cloud = cloud_at(moto.endpoint(), "eu-central-1", ("AKID", "secret")).await.unwrap();
    upload(cloud.as_ref(), "kops-state.example.com", "deep/er/").await;

    let silent = |_: &str| {};
    let mut reading = Reading::new([5; 32]);
    let bucket = Bucket::at("s3://kops-state.example.com/deep/er/", cloud.clone()).unwrap();
    read_store(&bucket, None, &mut reading, &silent).await.unwrap();
    let kops = reading.inventory.kops().unwrap();
    assert_eq!((kops.cluster.name.as_str(), kops.version.as_deref()), (NAME, Some("1.28.5")));
    assert_eq!(kops.groups.len(), 2);
    assert!(kops.presence.docker_config && kops.presence.etcd_backups && !kops.presence.encryption_config);
    assert_eq!(kops.channel.as_ref().unwrap().addons[0].objects.as_ref().unwrap().len(), 2);
    assert_eq!(reading.inventory.store.as_ref().unwrap().seen.len(), 2);
    let wrong = Bucket::at("s3://kops-state.example.com", cloud.clone()).unwrap();
    let mut other = Reading::new([5; 32]);
    let failure = read_store(&wrong, Some("new.example.com"), &mut other, &silent).await;
    // There is one cluster, and it has another name.
    assert!(failure.unwrap_err().to_string().contains(NAME));
    let none = Bucket::at("s3://nowhere", cloud.clone()).unwrap();
    let failure = read_store(&none, None, &mut other, &silent).await.unwrap_err().to_string();
    assert!(
        failure.starts_with("s3://nowhere: ") && failure.contains("is the bucket's name right"),
        "{failure}"
    );

    let tag = |value: &str| json!([{"ResourceType": "vpc", "Tags": [{"Key": "KubernetesCluster", "Value": value}]}]);
    let vpc = json!({"CidrBlock": "172.20.0.0/16", "TagSpecifications": tag(NAME)});
    let vpc = done(cloud.as_ref(), Service::Ec2, "CreateVpc", vpc).await["vpc"]["vpcId"]
        .as_str()
        .unwrap()
        .to_owned();
    let zone = json!({"Name": "example.com.", "CallerReference": "a"});
    done(cloud.as_ref(), Service::Route53, "CreateHostedZone", zone).await;
    let guarded = Guarded { cloud, denied: &["GetKeyPolicy", "DescribeAddresses"] };
    read_account(&guarded, &mut reading, &silent).await.unwrap();
    let inventory = &reading.inventory;
    let facts = facts(inventory, Some(&kops));
    assert_eq!(facts.vpcs[&vpc].tags["KubernetesCluster"], NAME);
    assert!(facts.zones.len() >= 3 && facts.instance_types["m5.large"].nitro, "{:?}", facts.instance_types);
    assert_eq!(facts.instance_types["m5.large"].interfaces, 3);
    // moto has no versions of EKS; addresses may not be listed: both are named, and the guard does not take the missing list
    // for an empty one.
    let named = |what: &str| inventory.unread.iter().any(|unread| unread.what.starts_with(what));
    assert!(named("eks:DescribeClusterVersions") && named("ec2:DescribeAddresses"), "{:?}", inventory.unread);
    assert!(!inventory.aws.has("ec2", "DescribeAddresses"));
    let refused = would_delete(&inventory.aws, &Cluster::new(NAME)).unwrap_err().to_string();
    assert!(refused.contains("ec2:DescribeAddresses"), "{refused}");
    assert!(inventory.aws.has("route53", "ListResourceRecordSets") && inventory.aws.has("sqs", "ListQueues"));
    assert!(inventory.aws.has("s3", "GetBucketPolicy"), "{:?}", inventory.unread);

    let content = write(inventory, "portolan 1", "now");
    no_secret(&content);
    assert_eq!(portolan::migrate::dump::read(&content).unwrap().1, *inventory);
    moto.stop().await;
}
