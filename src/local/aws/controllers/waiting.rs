//! What still waits for the controllers.

use serde_json::Value;

use super::Failed;
use super::nodes::DRIVER;
use super::view::{View, is_going, shown};
use crate::local::aws::account::{items, text};
use crate::local::aws::kubernetes::Api;

/// The first object of a cluster that waits for one of its controllers, in words; `None` when all is done. What nobody here
/// gives anything does not wait: a claim that no pod uses, a Service of another class.
///
/// # Errors
/// When the API server cannot be read.
pub(in crate::local) async fn waiting(api: &Api) -> Result<Option<String>, Failed> {
    let view = View::read(api).await?;
    let pods = api.list("/api/v1/pods").await?;
    let services = view.services.iter().filter(|service| {
        service["spec"]["type"] == "LoadBalancer" && service["spec"]["loadBalancerClass"].is_null()
    });
    let mut services = services.filter(|service| !service["status"]["loadBalancer"]["ingress"].is_array());
    let service = services.next().map(|service| format!("Service {}", shown(service)));
    Ok(pods.iter().find_map(|pod| claim_of(&view, pod)).or(service))
}

/// The first claim of a pod that is not bound, or whose volume is not attached.
fn claim_of(view: &View, pod: &Value) -> Option<String> {
    let over = ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    if over || is_going(pod) {
        return None;
    }
    let mut names =
        items(&pod["spec"], "volumes").filter_map(|one| one["persistentVolumeClaim"]["claimName"].as_str());
    names.find_map(|name| {
        let claim = view.claims.iter().find(|claim| {
            claim["metadata"]["name"] == name
                && claim["metadata"]["namespace"] == pod["metadata"]["namespace"]
        })?;
        if claim["status"]["phase"] != "Bound" {
            return Some(format!("PersistentVolumeClaim {}", shown(claim)));
        }
        let volume = View::named(&view.volumes, &text(&claim["spec"], "volumeName"))?;
        let block =
            volume["spec"]["csi"]["driver"] == DRIVER || volume["spec"]["awsElasticBlockStore"].is_object();
        let attached = view.attachments.iter().any(|one| {
            one["spec"]["source"]["persistentVolumeName"] == volume["metadata"]["name"]
                && one["status"]["attached"] == true
        });
        let placed = pod["spec"]["nodeName"].is_string();
        (block && placed && !attached).then(|| format!("PersistentVolume {}", shown(volume)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_waits_for_its_claim_and_for_its_volume() {
        let pod = json!({"metadata": {"namespace": "shop"}, "spec": {"nodeName": "n",
            "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}});
        let mut view = View {
            claims: vec![
                json!({"metadata": {"name": "data", "namespace": "shop"}, "status": {"phase": "Pending"}}),
            ],
            ..View::default()
        };
        assert_eq!(claim_of(&view, &pod).as_deref(), Some("PersistentVolumeClaim shop/data"));
        view.claims[0]["status"]["phase"] = "Bound".into();
        view.claims[0]["spec"]["volumeName"] = "pv".into();
        view.volumes.push(json!({"metadata": {"name": "pv"}, "spec": {"csi": {"driver": DRIVER}}}));
        assert_eq!(claim_of(&view, &pod).as_deref(), Some("PersistentVolume pv"));
        view.attachments
            .push(json!({"spec": {"source": {"persistentVolumeName": "pv"}}, "status": {"attached": true}}));
        assert_eq!(claim_of(&view, &pod), None);
    }
}
