//! What controllers of AWS do for two clusters in one account, for a test: volumes are attached where a VolumeAttachment
//! says so, and Services of type LoadBalancer get a classic one.

use super::real::api;
use crate::local_aws::lab::Lab;
use portolan::local::ControlPlane;
use portolan::model::cloud::{Call, Service};
use portolan::model::{Gvk, Object};
use portolan::ports::{Cloud, ServedKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Source,
    Target,
}

/// A load balancer's name and the zone of its aliases.
pub struct Balancer {
    pub name: String,
    pub zone: String,
}

/// One cluster: read through the adapter, since it is read again and again, and patched by its own kubectl.
struct Cluster {
    side: Side,
    api: Arc<dyn portolan::ports::Cluster>,
    kubectl: std::path::PathBuf,
    kubeconfig: std::path::PathBuf,
    home: std::path::PathBuf,
    instance: String,
}

pub struct Outside {
    cloud: Arc<dyn Cloud>,
    instances: BTreeMap<Side, String>,
    task: tokio::task::JoinHandle<()>,
}

async fn done(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Value {
    cloud.call(&Call::new(service, operation, input)).await.unwrap_or_else(|failure| panic!("{failure}"))
}

/// Two instances, one for each cluster.
async fn instances(cloud: &dyn Cloud, zone: &str) -> [String; 2] {
    let images = done(cloud, Service::Ec2, "DescribeImages", json!({"Owners": ["amazon"]})).await;
    let data = json!({"ImageId": images["imagesSet"][0]["imageId"], "InstanceType": "m5.large"});
    let template = json!({"LaunchTemplateName": "nodes", "LaunchTemplateData": data});
    done(cloud, Service::Ec2, "CreateLaunchTemplate", template).await;
    let vpc = done(cloud, Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.3.0.0/16"})).await;
    let subnet = json!({"VpcId": vpc["vpc"]["vpcId"], "CidrBlock": "10.3.0.0/24", "AvailabilityZone": zone});
    let subnet = done(cloud, Service::Ec2, "CreateSubnet", subnet).await;
    let group = json!({"AutoScalingGroupName": "nodes", "MinSize": 2, "MaxSize": 2,
        "LaunchTemplate": {"LaunchTemplateName": "nodes", "Version": "1"},
        "VPCZoneIdentifier": subnet["subnet"]["subnetId"]});
    done(cloud, Service::AutoScaling, "CreateAutoScalingGroup", group).await;
    let groups = done(cloud, Service::AutoScaling, "DescribeAutoScalingGroups", json!({})).await;
    let of = |at: usize| {
        groups["AutoScalingGroups"][0]["Instances"][at]["InstanceId"].as_str().unwrap().to_owned()
    };
    [of(0), of(1)]
}

impl Outside {
    pub async fn begin(lab: &Lab, clusters: [(Side, &ControlPlane); 2], zone: &str) -> Self {
        let cloud = lab.cloud.clone();
        let ids = instances(cloud.as_ref(), zone).await;
        let mut own = Vec::new();
        for ((side, control_plane), instance) in clusters.into_iter().zip(ids) {
            own.push(Cluster {
                side,
                api: api(control_plane).await,
                kubectl: control_plane.programs().kubectl.clone(),
                kubeconfig: control_plane.kubeconfig().to_owned(),
                home: control_plane.instance().folder.clone(),
                instance,
            });
        }
        let clusters = own;
        let instances = clusters.iter().map(|cluster| (cluster.side, cluster.instance.clone())).collect();
        let (own, zone) = (cloud.clone(), zone.to_owned());
        let task = tokio::spawn(async move {
            loop {
                for cluster in &clusters {
                    cluster.volumes(own.as_ref()).await;
                    cluster.balancers(own.as_ref(), &zone).await;
                }
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        });
        Self { cloud, instances, task }
    }

    /// Waits until a volume is attached to an instance of a side.
    pub async fn until_attached(&self, volume: &str, side: Option<Side>) {
        let begun = Instant::now();
        loop {
            let input = json!({"Filters": [{"Name": "volume-id", "Values": [volume]}]});
            let answer = done(self.cloud.as_ref(), Service::Ec2, "DescribeVolumes", input).await;
            let at = answer["volumeSet"][0]["attachmentSet"][0]["instanceId"].as_str().map(str::to_owned);
            if at == side.map(|side| self.instances[&side].clone()) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{volume} is at {at:?}, not on the {side:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The load balancer of a Service, once it is there.
    pub async fn balancer(&self, side: Side, service: &str) -> Balancer {
        let begun = Instant::now();
        loop {
            let all = done(self.cloud.as_ref(), Service::Elb, "DescribeLoadBalancers", json!({})).await;
            let all = all["LoadBalancerDescriptions"].as_array().cloned().unwrap_or_default();
            if let Some(own) = all.iter().find(|own| own["LoadBalancerName"] == called(side, service)) {
                let text = |field: &str| own[field].as_str().unwrap_or_default().to_owned();
                return Balancer { name: text("DNSName"), zone: text("CanonicalHostedZoneNameID") };
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "no load balancer for {service}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn end(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn called(side: Side, service: &str) -> String {
    format!("{side:?}-{service}").to_lowercase()
}

impl Cluster {
    async fn kubectl(&self, arguments: &[&str]) -> Option<String> {
        let mut command = tokio::process::Command::from(Command::new(&self.kubectl));
        command.arg(format!("--kubeconfig={}", self.kubeconfig.display())).args(arguments);
        let output =
            command.env("HOME", &self.home).env("GOGC", "off").kill_on_drop(true).output().await.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `None`: nobody knows, and nothing follows from it.
    async fn list(&self, group: &str, kind: &str, plural: &str) -> Option<Vec<Value>> {
        let gvk = Gvk::new(group, "v1", kind);
        let kind =
            ServedKind { gvk, plural: plural.into(), namespaced: kind == "Service", verbs: BTreeSet::new() };
        let objects = self.api.list(&kind, None, "").await.ok()?;
        Some(objects.into_iter().map(Object::into_body).collect())
    }

    /// Attaches what the attach-detach controller asks for, and detaches what it asks for no more.
    async fn volumes(&self, cloud: &dyn Cloud) {
        let Some(volumes) = self.list("", "PersistentVolume", "persistentvolumes").await else { return };
        let attachments = self.list("storage.k8s.io", "VolumeAttachment", "volumeattachments").await;
        let Some(attachments) = attachments else { return };
        let handle = |name: &str| {
            let volume = volumes.iter().find(|volume| volume["metadata"]["name"] == name)?;
            volume.pointer("/spec/csi/volumeHandle")?.as_str().map(str::to_owned)
        };
        let mut wanted = Vec::new();
        for attachment in &attachments {
            let name = attachment.pointer("/spec/source/persistentVolumeName").and_then(Value::as_str);
            let Some(id) = name.and_then(handle) else { continue };
            wanted.push(id.clone());
            if attachment.pointer("/status/attached") == Some(&json!(true)) {
                continue;
            }
            let input = json!({"VolumeId": id, "InstanceId": self.instance, "Device": "/dev/xvdba"});
            // While the other side has it, it is refused; asked again until it is not.
            if cloud.call(&Call::new(Service::Ec2, "AttachVolume", input)).await.is_ok()
                || self.has(cloud, &id).await
            {
                let name = attachment["metadata"]["name"].as_str().unwrap_or_default();
                let patch = r#"{"status":{"attached":true}}"#;
                let status =
                    ["patch", "volumeattachment", name, "--subresource=status", "--type=merge", "-p", patch];
                self.kubectl(&status).await;
            }
        }
        for id in volumes.iter().filter_map(|volume| volume.pointer("/spec/csi/volumeHandle")?.as_str()) {
            if !wanted.iter().any(|own| own == id) && self.has(cloud, id).await {
                let input = json!({"VolumeId": id, "InstanceId": self.instance});
                let _ = cloud.call(&Call::new(Service::Ec2, "DetachVolume", input)).await;
            }
        }
    }

    async fn has(&self, cloud: &dyn Cloud, id: &str) -> bool {
        let input = json!({"Filters": [{"Name": "volume-id", "Values": [id]}]});
        let answer = cloud.call(&Call::new(Service::Ec2, "DescribeVolumes", input)).await.unwrap_or_default();
        answer["volumeSet"][0]["attachmentSet"][0]["instanceId"] == *self.instance
    }

    async fn balancers(&self, cloud: &dyn Cloud, zone: &str) {
        let Some(services) = self.list("", "Service", "services").await else { return };
        let is_balanced = |service: &&Value| service["spec"]["type"] == "LoadBalancer";
        let name = |service: &Value| service["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let wanted: Vec<String> =
            services.iter().filter(is_balanced).map(|service| called(self.side, &name(service))).collect();
        // As the cloud provider does when a Service goes: its name can be used again.
        let all = cloud.call(&Call::new(Service::Elb, "DescribeLoadBalancers", json!({}))).await;
        let all = all.unwrap_or_default()["LoadBalancerDescriptions"].as_array().cloned().unwrap_or_default();
        for own in all.iter().filter_map(|own| own["LoadBalancerName"].as_str()) {
            if own.starts_with(&called(self.side, "")) && !wanted.iter().any(|wanted| wanted == own) {
                let gone = json!({"LoadBalancerName": own});
                let _ = cloud.call(&Call::new(Service::Elb, "DeleteLoadBalancer", gone)).await;
            }
        }
        for service in services.iter().filter(is_balanced) {
            let told = service.pointer("/status/loadBalancer/ingress").is_some();
            if told {
                continue;
            }
            let (name, of) = (&service["metadata"]["name"], &service["metadata"]["namespace"]);
            let (name, of) = (name.as_str().unwrap_or_default(), of.as_str().unwrap_or_default());
            let listener = json!({"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 30080});
            let input = json!({"LoadBalancerName": called(self.side, name), "Listeners": [listener],
                "AvailabilityZones": [zone]});
            let made = cloud.call(&Call::new(Service::Elb, "CreateLoadBalancer", input)).await;
            // Made before, and nobody was told.
            let known = || all.iter().find(|own| own["LoadBalancerName"] == called(self.side, name)).cloned();
            let Some(host) = made.ok().or_else(known).map(|made| made["DNSName"].clone()) else { continue };
            let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}}).to_string();
            self.kubectl(&[
                "patch",
                "service",
                name,
                "-n",
                of,
                "--subresource=status",
                "--type=merge",
                "-p",
                &status,
            ])
            .await;
        }
    }
}
