//! The AWS Load Balancer Controller on the target: who makes the load balancers of what is carried over. EKS brings none,
//! so an Application delivers it, as the assessment tells a person to.

use super::kubectl::Kubectl;
use super::repository::Repository;
use super::told::expect;
use crate::failure::Failure;
use serde_json::json;
use std::time::{Duration, Instant};

/// Its name, in the target's `kube-system`.
const NAME: &str = "aws-load-balancer-controller";
/// Longest wait for it.
const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(500);

/// Declares it for a target: `cluster` is its document, `eks` its name in EKS.
///
/// # Errors
/// The files cannot be written.
pub fn declare(fleet: &Repository, cluster: &str, eks: &str) -> Result<(), Failure> {
    let labels = json!({"app.kubernetes.io/name": NAME});
    let container = json!({"name": NAME, "image": format!("{NAME}:v2.14.1"),
        "args": [format!("--cluster-name={eks}"), "--ingress-class=alb"]});
    let controller = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": "kube-system", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    });
    let application = json!({
        "apiVersion": "portolan.dev/v1alpha1", "kind": "Application", "metadata": {"name": NAME},
        "spec": {"path": format!("platform/{NAME}"), "destination": {"cluster": cluster}},
    });
    let manifest = crate::cli::migrate::folder::manifest;
    fleet.write(&format!("platform/{NAME}/deployment.yaml"), &manifest(&controller)?)?;
    fleet.write(&format!("portolan/{NAME}.yaml"), &manifest(&application)?)
}

/// Waits until it is on the target.
///
/// # Errors
/// It does not come.
pub async fn installed(new: &Kubectl) -> Result<(), String> {
    let begun = Instant::now();
    while new.object("kube-system", "deployment", NAME).await?.is_none() {
        expect(begun.elapsed() < LIMIT, || format!("{NAME} does not come to the target"))?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
