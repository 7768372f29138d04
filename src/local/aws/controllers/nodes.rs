//! CSINodes and the topology label: what the driver's node part and the kubelet publish.

use serde_json::json;

use super::view::{View, instance_of, is_going, zone_of};
use super::{Controllers, Failed};
use crate::local::aws::account::text;
use crate::local::aws::kubernetes::Refusal;

pub(super) const DRIVER: &str = "ebs.csi.aws.com";
/// The driver's own key for zones.
pub(super) const ZONE: &str = "topology.ebs.csi.aws.com/zone";
/// By it the controller-manager knows that volumes of the in-tree plugin go to the driver (CSI migration, KEP-625).
const MIGRATED: &str = "storage.alpha.kubernetes.io/migrated-plugins";
/// The kubelet's: without it the controller-manager attaches nothing (kubernetes `pkg/volume/util`,
/// `ControllerManagedAttachAnnotation`).
const ATTACHED_BY_CONTROLLER: &str = "volumes.kubernetes.io/controller-managed-attach-detach";
/// How many volumes a Nitro instance takes beside its own (EC2, volume limits).
const LIMIT: u64 = 25;

/// Makes the CSINode of every node that has an instance.
pub(super) async fn register(controllers: &Controllers, view: &View) -> Result<(), Failed> {
    for node in view.nodes.iter().filter(|node| !is_going(node)) {
        let (name, instance, zone) = (text(&node["metadata"], "name"), instance_of(node), zone_of(node));
        if !instance.starts_with("i-") || zone.is_empty() {
            continue;
        }
        let is_marked = node["metadata"]["labels"][ZONE] == zone.as_str()
            && node["metadata"]["annotations"][ATTACHED_BY_CONTROLLER] == "true";
        if !is_marked {
            let patch = json!({"metadata": {"labels": {ZONE: zone}, "annotations": {ATTACHED_BY_CONTROLLER: "true"}}});
            controllers.api.merge(&format!("/api/v1/nodes/{name}"), &patch).await?;
        }
        if View::named(&view.driver_nodes, &name).is_some() {
            continue;
        }
        let object = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
            "metadata": {
                "name": name, "annotations": {MIGRATED: "kubernetes.io/aws-ebs"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}],
            },
            "spec": {"drivers": [{
                "name": DRIVER, "nodeID": instance, "topologyKeys": [ZONE], "allocatable": {"count": LIMIT},
            }]},
        });
        match controllers.api.create("/apis/storage.k8s.io/v1/csinodes", &object).await {
            Ok(_) | Err(Refusal { status: 409, .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(())
}
