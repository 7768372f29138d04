//! Service and Ingress.

use super::Subject;
use super::fields::{list, text};
use crate::model::{Assessment, Health};

/// kstatus `serviceConditions`: a load balancer needs its cluster IP, not its outer address.
///
/// Argo CD waits for the address; a cluster without a load balancer controller would then never be healthy. That it is
/// missing is said in the message.
pub(super) fn service(subject: &Subject<'_>) -> Assessment {
    let body = subject.body;
    if text(body, "/spec/type") != "LoadBalancer" {
        return Assessment::healthy();
    }
    if text(body, "/spec/clusterIP").is_empty() {
        return Assessment::new(Health::Progressing, "no cluster IP yet");
    }
    let addressed = !list(body, "/status/loadBalancer/ingress").is_empty();
    Assessment::new(Health::Healthy, if addressed { "" } else { "no load balancer address yet" })
}

/// Healthy as soon as it exists: many controllers never write an address (kstatus has no rule; Argo CD waits for ever).
pub(super) fn ingress(_: &Subject<'_>) -> Assessment {
    Assessment::healthy()
}
