//! TargetGroupBindings: pods of a Service as targets of a group that somebody else has made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::view::{View, is_going, shown, with_finalizer, without_finalizer};
use super::wanted::targets_of;
use super::{Controllers, Failed, network};
use crate::local::aws::account::{items, text};

/// The controller's, on bindings.
const FINALIZER: &str = "elbv2.k8s.aws/resources";

/// One look at bindings.
pub(super) async fn pass(controllers: &Controllers, view: &View, complaints: &mut BTreeMap<String, String>) {
    for binding in &view.bindings {
        if let Err(failed) = keep(controllers, view, binding).await {
            complaints.insert(format!("TargetGroupBinding {}", shown(binding)), failed.to_string());
        }
    }
}

async fn keep(controllers: &Controllers, view: &View, binding: &Value) -> Result<(), Failed> {
    let (metadata, spec) = (&binding["metadata"], &binding["spec"]);
    let path = format!(
        "/apis/elbv2.k8s.aws/v1beta1/namespaces/{}/targetgroupbindings/{}",
        text(metadata, "namespace"),
        text(metadata, "name")
    );
    let group = text(spec, "targetGroupARN");
    let shared = spec["multiClusterTargetGroup"] == true;
    if is_going(binding) {
        if let Some(patch) = without_finalizer(binding, FINALIZER) {
            network::register(controllers, &group, &BTreeSet::new(), shared).await?;
            controllers.forget(&path);
            controllers.api.merge(&path, &patch).await?;
        }
        return Ok(());
    }
    let service = view.services.iter().find(|service| {
        service["metadata"]["name"] == spec["serviceRef"]["name"]
            && service["metadata"]["namespace"] == metadata["namespace"]
    });
    let service = service.ok_or_else(|| format!("there is no Service {}", spec["serviceRef"]["name"]))?;
    let asked = &spec["serviceRef"]["port"];
    let port = items(&service["spec"], "ports").find(|port| port["port"] == *asked || port["name"] == *asked);
    let port = port.ok_or_else(|| format!("its Service has no port {asked}"))?;
    let targets = targets_of(view, service, port, spec["targetType"] == "ip");
    let digest = format!("{group} {shared} {targets:?}");
    if controllers.is_settled(&path, &digest) {
        return Ok(());
    }
    if let Some(patch) = with_finalizer(binding, FINALIZER) {
        controllers.api.merge(&path, &patch).await?;
    }
    network::register(controllers, &group, &targets, shared).await?;
    controllers.settle(&path, digest);
    Ok(())
}
