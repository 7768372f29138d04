//! The stand-in controllers, on a cluster of the local EKS: volumes, load balancers and records are in the account as the
//! real ones would have them.

use crate::local_aws::lab::{Lab, eventually};
use portolan::local::aws::Patience;
use portolan::model::cloud::Service;
use serde_json::{Value, json};

const CLUSTER: &str = "shop";

async fn ground() -> Lab {
    let lab = Lab::start(Patience::default()).await;
    let role = lab.role("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]).await;
    let policies = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"];
    let nodes = lab.role("nodes", "ec2.amazonaws.com", &policies).await;
    let network = lab.network().await;
    for subnet in &network.subnets {
        let tags = json!([{"Key": "kubernetes.io/role/elb", "Value": "1"}, {"Key": "kubernetes.io/role/internal-elb", "Value": "1"}]);
        lab.ec2("CreateTags", json!({"Resources": [subnet], "Tags": tags})).await;
    }
    let input = json!({"name": CLUSTER, "version": "1.36", "roleArn": role,
        "resourcesVpcConfig": {"subnetIds": network.subnets}});
    lab.eks("CreateCluster", input).await;
    lab.until("DescribeCluster", &json!({"name": CLUSTER}), "cluster", "ACTIVE").await;
    let group = json!({
        "clusterName": CLUSTER, "nodegroupName": "one", "subnets": network.subnets, "nodeRole": nodes,
        "scalingConfig": {"minSize": 2, "maxSize": 2, "desiredSize": 2},
    });
    lab.eks("CreateNodegroup", group).await;
    let named = json!({"clusterName": CLUSTER, "nodegroupName": "one"});
    lab.until("DescribeNodegroup", &named, "nodegroup", "ACTIVE").await;
    lab.eks("CreateAddon", json!({"clusterName": CLUSTER, "addonName": "aws-ebs-csi-driver"})).await;
    let addon = json!({"clusterName": CLUSTER, "addonName": "aws-ebs-csi-driver"});
    lab.until("DescribeAddon", &addon, "addon", "ACTIVE").await;
    lab
}

async fn apply(lab: &Lab, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    lab.kubectl(CLUSTER, &["apply", "-f", "-"], &list.to_string()).await;
}

async fn get(lab: &Lab, arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["get"]
        .into_iter()
        .chain(arguments.iter().copied())
        .chain(["-o", "json", "--ignore-not-found"])
        .collect();
    serde_json::from_str(&lab.kubectl(CLUSTER, &all, "").await).unwrap_or_default()
}

async fn volume(lab: &Lab, id: &str) -> Value {
    let answer =
        lab.ec2("DescribeVolumes", json!({"Filters": [{"Name": "volume-id", "Values": [id]}]})).await;
    answer["volumeSet"][0].clone()
}

fn tag<'a>(thing: &'a Value, key: &str) -> Option<&'a str> {
    let tags = thing["tagSet"].as_array().into_iter().flatten();
    tags.into_iter().find(|tag| tag["key"] == key).and_then(|tag| tag["value"].as_str())
}

fn set(replicas: u64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": "db",
                "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                "resources": {"requests": {"storage": "3Gi"}}}}],
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_controllers_do_in_aws_is_in_the_account() {
    let lab = ground().await;
    volumes(&lab).await;
    balancers_and_records(&lab).await;
    lab.eks("DeleteAddon", json!({"clusterName": CLUSTER, "addonName": "aws-ebs-csi-driver"})).await;
    lab.stop().await;
}

async fn volumes(lab: &Lab) {
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer", "parameters": {"type": "gp3"}});
    apply(lab, &[class, set(1)]).await;
    eventually("the claim is bound", async || {
        get(lab, &["pvc", "data-db-0"]).await["status"]["phase"] == "Bound"
    })
    .await;
    let claim = get(lab, &["pvc", "data-db-0"]).await;
    let name = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    let object = get(lab, &["pv", &name]).await;
    let id = object["spec"]["csi"]["volumeHandle"].as_str().unwrap().to_owned();
    eventually("the volume is attached", async || volume(lab, &id).await["status"] == "in-use").await;
    let made = volume(lab, &id).await;
    assert_eq!((made["size"].as_str(), made["volumeType"].as_str()), (Some("3"), Some("gp3")));
    assert_eq!(tag(&made, "ebs.csi.aws.com/cluster"), Some("true"));
    assert_eq!(tag(&made, "kubernetes.io/created-for/pvc/name"), Some("data-db-0"));
    // In the pod's zone, at the pod's instance.
    let pod = get(lab, &["pod", "db-0"]).await;
    let node = get(lab, &["node", pod["spec"]["nodeName"].as_str().unwrap()]).await;
    assert!(
        node["spec"]["providerID"]
            .as_str()
            .unwrap()
            .ends_with(made["attachmentSet"][0]["instanceId"].as_str().unwrap())
    );
    assert_eq!(node["metadata"]["labels"]["topology.kubernetes.io/zone"], made["availabilityZone"]);
    eventually("the API server knows it", async || {
        get(lab, &["volumeattachments"]).await["items"][0]["status"]["attached"] == true
    })
    .await;
    apply(lab, &[set(0)]).await;
    eventually("the volume is detached", async || volume(lab, &id).await["status"] == "available").await;
    eventually("no VolumeAttachment is left", async || {
        get(lab, &["volumeattachments"]).await["items"].as_array().is_none_or(Vec::is_empty)
    })
    .await;
    refused_without_its_tags(lab, &id).await;
    // The trap of `Delete`: who deletes the claim deletes the data.
    lab.kubectl(CLUSTER, &["delete", "statefulset", "db"], "").await;
    lab.kubectl(CLUSTER, &["delete", "pvc", "data-db-0"], "").await;
    eventually("the volume is deleted", async || volume(lab, &id).await.is_null()).await;
}

async fn refused_without_its_tags(lab: &Lab, id: &str) {
    let keys = ["ebs.csi.aws.com/cluster", "kubernetes.io/created-for/pvc/name", "CSIVolumeName"];
    let made = volume(lab, id).await;
    let tags: Vec<Value> = keys.iter().map(|key| json!({"Key": key, "Value": tag(&made, key)})).collect();
    let bare: Vec<Value> = keys.iter().map(|key| json!({"Key": key})).collect();
    lab.ec2("DeleteTags", json!({"Resources": [id], "Tags": bare})).await;
    apply(lab, &[set(1)]).await;
    eventually("the role may not attach it", async || {
        let attachments = get(lab, &["volumeattachments"]).await;
        let message = attachments["items"][0]["status"]["attachError"]["message"].as_str().map(str::to_owned);
        message.is_some_and(|message| message.contains("UnauthorizedOperation"))
    })
    .await;
    assert_eq!(volume(lab, id).await["status"], "available");
    lab.ec2("CreateTags", json!({"Resources": [id], "Tags": tags})).await;
    eventually("with its tags it may", async || volume(lab, id).await["status"] == "in-use").await;
    apply(lab, &[set(0)]).await;
    eventually("it is detached", async || volume(lab, id).await["status"] == "available").await;
}

async fn balancers_and_records(lab: &Lab) {
    let zone = json!({"Name": "example.com", "CallerReference": "controllers"});
    let zone = lab.call(Service::Route53, "CreateHostedZone", zone).await["HostedZone"]["Id"].clone();
    let records = async || {
        let answer =
            lab.call(Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": zone})).await;
        answer["ResourceRecordSets"].as_array().unwrap().clone()
    };
    let service = |name: &str, host: &str| {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default", "annotations": {"external-dns.alpha.kubernetes.io/hostname": host}},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    };
    let dns = |replicas: u64| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-dns", "namespace": "default"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "dns"}}, "template": {
                "metadata": {"labels": {"app": "dns"}}, "spec": {"containers": [{"name": "dns",
                    "image": "registry.example.com/external-dns:v0.15.0",
                    "args": ["--source=service", "--txt-owner-id=shop", "--policy=sync"]}]}}}})
    };
    // Without the controller of AWS the cloud provider makes a classic one, which is public.
    apply(lab, &[dns(1), service("web", "web.example.com")]).await;
    let host = async |name: &str| {
        get(lab, &["service", name]).await["status"]["loadBalancer"]["ingress"][0]["hostname"].clone()
    };
    eventually("the Service has a load balancer", async || host("web").await.is_string()).await;
    let classic = lab.call(Service::Elb, "DescribeLoadBalancers", json!({})).await;
    let classic = &classic["LoadBalancerDescriptions"][0];
    assert_eq!(
        (&classic["DNSName"], classic["Scheme"].as_str()),
        (&host("web").await, Some("internet-facing"))
    );
    assert_eq!(classic["Instances"].as_array().map(Vec::len), Some(2));
    let named = |sets: &[Value], name: &str, kind: &str| {
        sets.iter().any(|set| set["Name"] == name && set["Type"] == kind)
    };
    eventually("its record is there", async || named(&records().await, "web.example.com.", "A")).await;
    assert!(records().await.iter().any(|set| set.to_string().contains("external-dns/owner=shop,")));
    // With it a Service without a word about it is internal: the trap of moving one as it is.
    let controller = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "lbc", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "lbc"}}, "template": {"metadata": {"labels": {"app": "lbc"}},
            "spec": {"containers": [{"name": "c", "image": "eks/aws-load-balancer-controller:v2.14.0"}]}}}});
    apply(lab, &[controller]).await;
    apply(lab, &[service("api", "api.example.com")]).await;
    eventually("the second one has a load balancer", async || host("api").await.is_string()).await;
    let network = lab.call(Service::ElbV2, "DescribeLoadBalancers", json!({})).await;
    let network = &network["LoadBalancers"][0];
    assert_eq!((network["Type"].as_str(), network["Scheme"].as_str()), (Some("network"), Some("internal")));
    assert!(network["LoadBalancerName"].as_str().unwrap().starts_with("k8s-default-api-"));
    eventually("and a record", async || named(&records().await, "api.example.com.", "A")).await;
    // Paused, nothing is written; let go, what nobody declares any more is deleted.
    apply(lab, &[dns(0)]).await;
    lab.kubectl(CLUSTER, &["delete", "service", "web", "api"], "").await;
    eventually("the load balancers are gone", async || {
        let classic = lab.call(Service::Elb, "DescribeLoadBalancers", json!({})).await;
        let network = lab.call(Service::ElbV2, "DescribeLoadBalancers", json!({})).await;
        let none = |answer: &Value, list: &str| answer[list].as_array().is_none_or(Vec::is_empty);
        none(&classic, "LoadBalancerDescriptions") && none(&network, "LoadBalancers")
    })
    .await;
    assert!(named(&records().await, "web.example.com.", "A"));
    apply(lab, &[dns(1)]).await;
    eventually("its records are gone", async || {
        let sets = records().await;
        !named(&sets, "web.example.com.", "A")
            && !sets.iter().any(|set| set.to_string().contains("heritage=external-dns"))
    })
    .await;
}
