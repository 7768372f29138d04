//! One target group for the pods of both clusters: a cutover without DNS, where load balancer and controller allow it.

use crate::migrate::verdict::{Level, Verdict};
use serde_json::{Value, json};

/// A load balancer of the source, as assess has found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balancer {
    /// `Service shop/web` or `Ingress shop/web`.
    pub subject: String,
    /// `classic`, `network` or `application`.
    pub kind: String,
    /// Whether the AWS Load Balancer Controller keeps it (tag `elbv2.k8s.aws/cluster`), and not the cloud provider.
    pub by_controller: bool,
    /// That controller's release, such as `2.8.1`.
    pub release: Option<String>,
    /// `instance` or `ip`.
    pub target_type: String,
    /// VPC of the target group.
    pub vpc: String,
}

/// The controller that knows target groups of several clusters: 2.10 (aws-load-balancer-controller
/// docs/guide/targetgroupbinding/targetgroupbinding.md).
const SHARES_SINCE: (u32, u32) = (2, 10);
/// What the source's object says, so that its controller leaves targets of others alone.
pub const SHARED_SERVICE: &str = "service.beta.kubernetes.io/aws-load-balancer-multi-cluster-target-group";
/// The same for an Ingress.
pub const SHARED_INGRESS: &str = "alb.ingress.kubernetes.io/multi-cluster-target-group";

/// Whether pods of both clusters can stand behind a load balancer, and if not, why.
///
/// # Errors
/// The reason, in words.
pub fn can_share(balancer: &Balancer, target_vpc: &str) -> Result<(), String> {
    match balancer.kind.as_str() {
        "classic" => return Err("a classic load balancer has no target groups".into()),
        "network" | "application" => {}
        other => return Err(format!("no rule knows a load balancer of the kind {other:?}")),
    }
    if !balancer.by_controller {
        return Err(
            "the cloud provider keeps its targets, and takes away whatever is not a node of its cluster"
                .into(),
        );
    }
    let release = balancer.release.as_deref().and_then(|release| {
        let mut numbers = release.trim_start_matches('v').split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    match release {
        Some(release) if release >= SHARES_SINCE => {}
        Some((major, minor)) => {
            return Err(format!(
                "the source's AWS Load Balancer Controller {major}.{minor} takes away targets that are not its own; 2.10 shares"
            ));
        }
        None => return Err("the release of the source's AWS Load Balancer Controller is not known".into()),
    }
    if balancer.vpc != target_vpc {
        return Err(format!(
            "its target group is of {}, and the new nodes are in {target_vpc}",
            balancer.vpc
        ));
    }
    Ok(())
}

/// The verdict on sharing, for the assessment: DNS is the way where it is not possible.
#[must_use]
pub fn share(balancer: &Balancer, target_vpc: &str) -> Verdict {
    let (level, says) = match can_share(balancer, target_vpc) {
        Ok(()) => (
            Level::Mapped,
            "pods of both clusters can stand in its target group: address, name and certificate stay, and the way back is \
             to take the target's pods out"
                .to_owned(),
        ),
        Err(why) => (Level::Warning, format!("its target group cannot be shared: {why}. The names in DNS are shifted instead")),
    };
    Verdict {
        subject: balancer.subject.clone(),
        field: String::new(),
        level,
        rule: "traffic.target-group".into(),
        source: "aws-load-balancer-controller docs/guide/targetgroupbinding/targetgroupbinding.md".into(),
        says,
        becomes: None,
        choices: Vec::new(),
    }
}

/// The binding of a Service of the target to a target group that both sides use.
#[must_use]
pub fn binding(namespace: &str, service: &str, port: &Value, group_arn: &str, target_type: &str) -> Value {
    json!({
        "apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding",
        "metadata": {"name": format!("{service}-shared"), "namespace": namespace},
        "spec": {
            "targetGroupARN": group_arn, "targetType": target_type, "multiClusterTargetGroup": true,
            "serviceRef": {"name": service, "port": port},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_controller_in_the_same_vpc_shares() {
        let good = Balancer {
            subject: "Service shop/web".into(),
            kind: "network".into(),
            by_controller: true,
            release: Some("v2.11.0".into()),
            target_type: "ip".into(),
            vpc: "vpc-1".into(),
        };
        assert_eq!(can_share(&good, "vpc-1"), Ok(()));
        let refused = [
            Balancer { kind: "classic".into(), ..good.clone() },
            Balancer { by_controller: false, ..good.clone() },
            Balancer { release: Some("2.9.9".into()), ..good.clone() },
            Balancer { release: None, ..good.clone() },
            Balancer { vpc: "vpc-2".into(), ..good.clone() },
        ];
        for one in refused {
            assert!(can_share(&one, "vpc-1").is_err(), "{one:?}");
            assert_eq!(share(&one, "vpc-1").level, Level::Warning);
        }
    }
}
