//! What `kops delete cluster` says that it would take, of a small cluster that `kops create cluster` has made.

use portolan::local::kops::{Kops, KopsOptions, KopsRelease, NewCluster};
use serde_json::json;

use super::bench::understood;
use crate::local_aws::lab::Lab;
use crate::support::control_plane::progress;

const CLUSTER: &str = "small.example.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preview_of_a_deletion_is_a_set_of_types_and_ids_and_takes_nothing() {
    if !super::runs("1.28.5") {
        return;
    }
    let lab = Lab::start(portolan::local::aws::Patience::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let options = KopsOptions {
        places: lab.places.clone(),
        release: KopsRelease::find("1.28.5").unwrap(),
        folder: folder.path().to_path_buf(),
        bucket: "state".to_owned(),
    };
    let kops = Kops::open(&lab.aws, options, &mut progress()).await.unwrap();
    let cluster = NewCluster { nodes: 1, ..NewCluster::new(CLUSTER, &["eu-central-1a"]) };
    if let Err(error) = kops.create_cluster(&cluster).await {
        panic!("{error}\n{}", lab.aws.moto().last_words());
    }
    understood(&kops.state(CLUSTER).await.unwrap());

    let before = lab.aws.counts().await.unwrap();
    let taken = kops.delete_preview(CLUSTER).await.unwrap();
    let kinds: Vec<&str> = taken.iter().map(|(kind, _)| kind.as_str()).collect();
    for kind in
        ["autoscaling-group", "volume", "vpc", "subnet", "security-group", "iam-role", "route53-record"]
    {
        assert!(kinds.contains(&kind), "{kind}: {taken:?}");
    }
    assert_eq!(lab.aws.counts().await.unwrap(), before, "it was a preview");

    // A group with the cluster's tag is taken too, and spared as soon as the tag says that others use it.
    let vpc = taken.iter().find(|(kind, _)| kind == "vpc").map(|(_, id)| id.clone()).unwrap();
    let made = async |value: &str| {
        let input = json!({
            "GroupName": value, "Description": value, "VpcId": vpc,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": [
                {"Key": format!("kubernetes.io/cluster/{CLUSTER}"), "Value": value}]}],
        });
        lab.ec2("CreateSecurityGroup", input).await["groupId"].as_str().unwrap().to_owned()
    };
    let (owned, shared) = (made("owned").await, made("shared").await);
    let now = kops.delete_preview(CLUSTER).await.unwrap();
    assert!(now.contains(&("security-group".to_owned(), owned)), "{now:?}");
    assert!(!now.iter().any(|(_, id)| *id == shared), "{now:?}");
    drop(kops);
    lab.stop().await;
}
