//! What keeps a thing out of kops' list.

use super::listing::{Cluster, LEGACY_TAG};
use crate::model::cloud::{Call, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a thing is spared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Spare {
    /// By other tags.
    Retag {
        /// The call.
        call: Call,
        /// What it does, in words.
        says: String,
    },
    /// By nothing: kops takes it because of its name.
    Impossible {
        /// What to do instead.
        says: String,
    },
}

/// How a thing of kops' list is spared, by the rule that put it there.
pub(super) fn spare(kind: &str, id: &str, cluster: &Cluster) -> Spare {
    let key = cluster.tag_key();
    let retag = |service, operation: &str, input: Value, says: String| Spare::Retag {
        call: Call::new(service, operation, input),
        says,
    };
    let shared = format!("the tag {key}=shared spares it");
    let removed = format!("it has no tag that spares it, so {LEGACY_TAG} is removed");
    match kind {
        "iam-role" => retag(
            Service::Iam,
            "TagRole",
            json!({"RoleName": id, "Tags": [{"Key": key, "Value": "shared"}]}),
            shared,
        ),
        "iam-instance-profile" => retag(
            Service::Iam,
            "TagInstanceProfile",
            json!({"InstanceProfileName": id, "Tags": [{"Key": key, "Value": "shared"}]}),
            shared,
        ),
        "oidc-provider" => retag(
            Service::Iam,
            "UntagOpenIDConnectProvider",
            json!({"OpenIDConnectProviderArn": id, "TagKeys": [LEGACY_TAG]}),
            removed,
        ),
        "autoscaling-group" => retag(
            Service::AutoScaling,
            "DeleteTags",
            json!({"Tags": [{"ResourceId": id, "ResourceType": "auto-scaling-group", "Key": LEGACY_TAG}]}),
            removed,
        ),
        "instance" => retag(
            Service::Ec2,
            "DeleteTags",
            json!({"Resources": [id], "Tags": [{"Key": LEGACY_TAG}]}),
            removed,
        ),
        "load-balancer" if !id.starts_with("arn:") => retag(
            Service::Elb,
            "RemoveTags",
            json!({"LoadBalancerNames": [id], "Tags": [{"Key": LEGACY_TAG}]}),
            removed,
        ),
        "load-balancer" | "target-group" => retag(
            Service::ElbV2,
            "RemoveTags",
            json!({"ResourceArns": [id], "TagKeys": [LEGACY_TAG]}),
            removed,
        ),
        "keypair" => Spare::Impossible {
            says:
                "kops takes key pairs by their name: import the public key under another name, and use that"
                    .into(),
        },
        "sqs" => Spare::Impossible {
            says: "kops takes queues whose name begins with the cluster's: use a queue of another name"
                .into(),
        },
        "eventbridge-rule" => Spare::Impossible {
            says: "kops takes rules whose name begins with the cluster's: use a rule of another name".into(),
        },
        "route53-record" => Spare::Impossible {
            says: "kops takes the names of its control plane: use another name for the new cluster".into(),
        },
        _ => retag(
            Service::Ec2,
            "CreateTags",
            json!({"Resources": [id], "Tags": [{"Key": key, "Value": "shared"}]}),
            shared,
        ),
    }
}
