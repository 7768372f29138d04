//! What controllers of a cluster do after every write: pods of workloads, quotas, namespaces, claims and their volumes,
//! load balancers and endpoints.

use super::fake_server::State;
use portolan::model::ResourceId;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const MAKERS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

impl State {
    /// What controllers do.
    pub fn settle(&mut self) {
        self.run_controllers();
        self.autoscale();
        for id in self.scaled_up.clone() {
            if let Some(mut object) = self.objects.get(&id).cloned()
                && object["spec"]["replicas"] != 5
            {
                object["spec"]["replicas"] = 5.into();
                self.put(id, object);
                self.run_controllers();
            }
        }
    }

    /// Autoscalers under the highest load, which leave alone what stands at 0.
    fn autoscale(&mut self) {
        let scalers = self.objects.iter().filter(|(id, _)| id.kind == "HorizontalPodAutoscaler");
        let wanted: Vec<(ResourceId, Value)> = scalers
            .map(|(id, scaler)| {
                let name = scaler["spec"]["scaleTargetRef"]["name"].as_str().unwrap();
                let namespace = id.namespace.as_deref().unwrap();
                (
                    ResourceId::new("apps", "Deployment", namespace, name),
                    scaler["spec"]["maxReplicas"].clone(),
                )
            })
            .collect();
        for (id, most) in wanted {
            let Some(mut object) = self.objects.get(&id).cloned() else { continue };
            let now = &object["spec"]["replicas"];
            if *now != most && *now != 0 {
                object["spec"]["replicas"] = most;
                let entries = object["metadata"]["managedFields"].as_array_mut().into_iter().flatten();
                for fields in entries.filter_map(|entry| entry["fieldsV1"]["f:spec"].as_object_mut()) {
                    // The field is the autoscaler's from now on.
                    fields.remove("f:replicas");
                }
                self.put(id, object);
                self.run_controllers();
            }
        }
    }

    fn run_controllers(&mut self) {
        self.bind();
        self.refused.retain(|id, _| self.objects.contains_key(id));
        let ids: Vec<ResourceId> = self.objects.keys().cloned().collect();
        for id in &ids {
            let namespace = id.namespace.clone().unwrap_or_default();
            match id.kind.as_str() {
                "ResourceQuota" => {
                    if let Some(quota) = self.objects.get_mut(id) {
                        quota["status"]["hard"] = quota["spec"]["hard"].clone();
                    }
                }
                "Namespace" => {
                    let account = ResourceId::new("", "ServiceAccount", &id.name, "default");
                    if !self.objects.contains_key(&account) {
                        let metadata = json!({"name": "default", "namespace": id.name});
                        self.put(
                            account,
                            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
                        );
                    }
                }
                kind if MAKERS.contains(&kind) => self.run(id, &namespace),
                _ => {}
            }
        }
        // Pods go with what made them, and with their namespaces goes everything.
        let there: BTreeSet<String> =
            self.objects.keys().filter(|id| id.kind == "Namespace").map(|id| id.name.clone()).collect();
        self.objects.retain(|id, _| id.namespace.as_ref().is_none_or(|namespace| there.contains(namespace)));
        let makers: BTreeSet<(String, String)> = self
            .objects
            .keys()
            .filter(|id| MAKERS.contains(&id.kind.as_str()))
            .map(|id| (id.namespace.clone().unwrap_or_default(), id.name.clone()))
            .collect();
        self.objects.retain(|id, object| {
            let maker = object.pointer("/metadata/ownerReferences/0/name").and_then(Value::as_str);
            id.kind != "Pod"
                || maker.is_none_or(|maker| {
                    makers.contains(&(id.namespace.clone().unwrap_or_default(), maker.to_owned()))
                })
        });
        self.attach();
        self.serve();
    }

    fn run(&mut self, id: &ResourceId, namespace: &str) {
        let object = self.objects[id].clone();
        let selector = object.pointer("/spec/template/spec/nodeSelector").and_then(Value::as_object);
        let wanted = match id.kind.as_str() {
            "DaemonSet" => usize::from(selector.is_none_or(Map::is_empty)),
            _ => usize::try_from(object["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap(),
        };
        let name = |number: usize| ResourceId::new("", "Pod", namespace, &format!("{}-{number}", id.name));
        let fenced = self.is_fenced(namespace);
        let generation = &object["metadata"]["generation"];
        let later = self.refused.get(id) == Some(generation);
        // What runs already is refused to nobody; a workload that is made anew has a controller that knows nothing.
        if fenced && (0..wanted).any(|number| !self.objects.contains_key(&name(number))) {
            self.refused.insert(id.clone(), generation.clone());
        }
        let mut ready = 0;
        for number in 0..10 {
            let pod = name(number);
            let there = self.objects.contains_key(&pod);
            let claim = object.pointer("/spec/volumeClaimTemplates/0/metadata/name").and_then(Value::as_str);
            let claim = claim.map(|claim| format!("{claim}-{}", pod.name));
            let unbound = claim.as_ref().is_some_and(|claim| !self.is_bound(namespace, claim));
            if number >= wanted {
                self.objects.remove(&pod);
            } else if there || !(fenced || unbound || later) {
                ready += 1;
                if !there {
                    let owner = json!({"apiVersion": "apps/v1", "kind": id.kind, "name": id.name,
                        "uid": object["metadata"]["uid"], "controller": true});
                    let metadata = json!({"name": pod.name, "namespace": namespace, "ownerReferences": [owner],
                        "labels": object.pointer("/spec/template/metadata/labels")});
                    let volumes = claim.map(
                        |claim| json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]),
                    );
                    self.put(
                        pod,
                        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                        "spec": {"volumes": volumes}, "status": {"phase": "Running"}}),
                    );
                }
            }
        }
        if let Some(live) = self.objects.get_mut(id) {
            live["status"] =
                json!({"readyReplicas": ready, "observedGeneration": live["metadata"]["generation"]});
        }
    }

    fn is_bound(&self, namespace: &str, claim: &str) -> bool {
        let claim = self.objects.get(&ResourceId::new("", "PersistentVolumeClaim", namespace, claim));
        claim.is_some_and(|claim| claim["status"]["phase"] == "Bound")
    }

    fn of_kind(&self, kind: &str) -> Vec<(ResourceId, Value)> {
        let all = self.objects.iter().filter(|(id, _)| id.kind == kind);
        all.map(|(id, object)| (id.clone(), object.clone())).collect()
    }

    /// Claims get the volumes that they name; a volume without its claim is released, or its disk deleted.
    fn bind(&mut self) {
        for (id, volume) in self.of_kind("PersistentVolume") {
            let of = |field: &str| volume["spec"]["claimRef"][field].as_str().unwrap_or_default().to_owned();
            let claim = ResourceId::new("", "PersistentVolumeClaim", &of("namespace"), &of("name"));
            let named = self.objects.get(&claim).is_some_and(|claim| claim["spec"]["volumeName"] == *id.name);
            if named {
                for id in [&id, &claim] {
                    self.objects.get_mut(id).unwrap()["status"]["phase"] = "Bound".into();
                }
            } else if volume["status"]["phase"] == "Bound" {
                self.objects.get_mut(&id).unwrap()["status"]["phase"] = "Released".into();
                if volume["spec"]["persistentVolumeReclaimPolicy"] != "Retain"
                    && let (Some(account), Some(disk)) = (&self.account, disk_of(&volume))
                {
                    account.state().volumes.remove(&disk);
                }
            }
        }
    }

    /// Volumes of running pods are attached, others are not.
    fn attach(&mut self) {
        let mut used = BTreeSet::new();
        for (id, pod) in self.of_kind("Pod") {
            let claim =
                pod.pointer("/spec/volumes/0/persistentVolumeClaim/claimName").and_then(Value::as_str);
            let Some(claim) = claim else { continue };
            let claim = ResourceId::new("", "PersistentVolumeClaim", id.namespace.as_deref().unwrap(), claim);
            if let Some(volume) =
                self.objects.get(&claim).and_then(|claim| claim["spec"]["volumeName"].as_str())
            {
                used.insert(volume.to_owned());
            }
        }
        let Some(account) = self.account.clone() else { return };
        for (id, volume) in self.of_kind("PersistentVolume") {
            let attachment =
                ResourceId::new("storage.k8s.io", "VolumeAttachment", "", &format!("csi-{}", id.name));
            let Some(disk) = disk_of(&volume) else { continue };
            if used.contains(&id.name) {
                account.attach(&disk, self.side);
                if !self.objects.contains_key(&attachment) {
                    self.put(
                        attachment,
                        json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
                            "metadata": {"name": format!("csi-{}", id.name)}, "spec": {"attacher": "ebs.csi.aws.com",
                            "nodeName": "node", "source": {"persistentVolumeName": id.name}}}),
                    );
                }
            } else {
                account.detach(&disk, self.side);
                self.objects.remove(&attachment);
            }
        }
    }

    /// Load balancers get names, and Services the endpoints of their pods.
    fn serve(&mut self) {
        for (id, service) in self.of_kind("Service") {
            let namespace = id.namespace.clone().unwrap_or_default();
            let selector = service["spec"]["selector"].as_object().cloned().unwrap_or_default();
            let matches = |pod: &Value| {
                !selector.is_empty()
                    && selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
            };
            let pods = self.of_kind("Pod").into_iter().filter(|(own, _)| own.namespace == id.namespace);
            let endpoints: Vec<Value> = pods
                .filter(|(_, pod)| matches(pod))
                .map(|_| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}}))
                .collect();
            let slice =
                ResourceId::new("discovery.k8s.io", "EndpointSlice", &namespace, &format!("{}-1", id.name));
            let metadata = json!({"name": slice.name, "namespace": namespace, "labels": {
                "kubernetes.io/service-name": id.name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}});
            let body = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
                "addressType": "IPv4", "endpoints": endpoints});
            let old = self.objects.get(&slice).map(|old| old["endpoints"].clone());
            if old.as_ref() != Some(&body["endpoints"]) {
                self.put(slice, body);
            }
            if service["spec"]["type"] == "NodePort" {
                let live = self.objects.get_mut(&id).unwrap();
                for port in live["spec"]["ports"].as_array_mut().into_iter().flatten() {
                    let number = 30000 + port["port"].as_u64().unwrap() % 2768;
                    port.as_object_mut().unwrap().entry("nodePort").or_insert(number.into());
                }
            }
            if service["spec"]["type"] == "LoadBalancer" && self.has_maker(&service) {
                let host = format!("{}-{}.elb.example.net", self.side, id.name);
                if let Some(account) = &self.account {
                    account.balancer(&host);
                }
                self.objects.get_mut(&id).unwrap()["status"]["loadBalancer"] =
                    json!({"ingress": [{"hostname": host}]});
            }
        }
        // Endpoints go with their Service.
        let services: BTreeSet<(Option<String>, String)> =
            self.of_kind("Service").into_iter().map(|(id, _)| (id.namespace, id.name)).collect();
        self.objects.retain(|id, slice| {
            let of = slice.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str);
            id.kind != "EndpointSlice"
                || of.is_none_or(|of| services.contains(&(id.namespace.clone(), of.to_owned())))
        });
    }
}

impl State {
    /// Whether somebody makes the load balancer of a Service: of what is left to the AWS Load Balancer Controller it alone.
    fn has_maker(&self, service: &Value) -> bool {
        let kind =
            service.pointer("/metadata/annotations/service.beta.kubernetes.io~1aws-load-balancer-type");
        kind.is_none_or(|kind| kind != "external")
            || self.of_kind("Deployment").iter().any(|(id, _)| id.name == "aws-load-balancer-controller")
    }
}

/// The EBS volume of a PersistentVolume.
fn disk_of(volume: &Value) -> Option<String> {
    let in_tree = volume.pointer("/spec/awsElasticBlockStore/volumeID").and_then(Value::as_str);
    let csi = volume.pointer("/spec/csi/volumeHandle").and_then(Value::as_str);
    csi.or(in_tree).map(|id| id.rsplit('/').next().unwrap_or(id).to_owned())
}
