//! What is the users', and what of it needs a thought.

use super::facts::{Fact, Facts};
use super::finding::{Finding, Rule, rule};
use super::names;
use super::table::{Program, TABLE};
use super::{Class, Whose};
use crate::migrate::owner;
use serde_json::Value;

const POLICY: Rule =
    rule("own.user.network-policy", "migration.md 2.2, 1.3: policies of another network plug-in");
const STATE: Rule = rule("own.network.state", "migration.md 2.2: state of a network plug-in is never copied");
const DERIVED: Rule =
    rule("own.user.derived-resource", "migration.md 2.2: what a controller makes without naming an owner");
const IDENTITY: Rule =
    rule("own.user.identity-mapping", "migration.md 1.2: authentication.aws, backend mode CRD");
const POOL: Rule = rule("own.user.node-pool", "migration.md 2.2: karpenter.sh");
const ENI: Rule = rule("own.user.eni-config", "migration.md 2.2: networking.amazon-vpc-routed-eni");
const BINDING: Rule = rule("own.user.target-group-binding", "migration.md 2.2, 3.8");
const PSP: Rule =
    rule("own.user.pod-security-policy", "migration.md 3.2: PodSecurityPolicy ends with Kubernetes 1.25");
const PROGRAM: Rule =
    rule("own.user.program", "migration.md 2.2, 3.5, 3.9: programs that know their cluster");
const FINISHED: Rule = rule("own.user.finished", "migration.md 3.2: Pod, Job; velero#8800");
const JOB: Rule = rule("own.user.running-job", "migration.md 3.2: Job; velero#8801");
const SERVICE_RANGE: Rule =
    rule("own.user.service-range", "migration.md 0: addresses of Services are not kept");
const IN_KUBE_SYSTEM: Rule =
    rule("own.user.in-kube-system", "migration.md 2.3: users' objects in kube-system are listed");
const USER: Rule = rule("own.user", "migration.md 2: what nothing else claims is the users'");

/// Policies that a person wrote, of network plug-ins.
const POLICIES: &[(&str, &[&str])] = &[
    (
        "crd.projectcalico.org",
        &[
            "GlobalNetworkPolicy",
            "GlobalNetworkSet",
            "HostEndpoint",
            "NetworkPolicy",
            "NetworkSet",
            "StagedGlobalNetworkPolicy",
            "StagedKubernetesNetworkPolicy",
            "StagedNetworkPolicy",
        ],
    ),
    (
        "cilium.io",
        &[
            "CiliumCIDRGroup",
            "CiliumClusterwideEnvoyConfig",
            "CiliumClusterwideNetworkPolicy",
            "CiliumEgressGatewayPolicy",
            "CiliumEnvoyConfig",
            "CiliumLocalRedirectPolicy",
            "CiliumNetworkPolicy",
        ],
    ),
    ("policy.networking.k8s.io", &["AdminNetworkPolicy", "BaselineAdminNetworkPolicy"]),
];

/// Groups whose other kinds hold the state of a network plug-in, with kops' add-on for it.
const NETWORKS: &[(&str, &str)] =
    &[("cilium.io", "networking.cilium.io"), ("crd.projectcalico.org", "networking.projectcalico.org")];

/// Kinds that a controller makes anew.
const MADE: &[(&str, &str, &str)] = &[
    ("acme.cert-manager.io", "Challenge", "cert-manager makes it when it asks for a certificate"),
    ("acme.cert-manager.io", "Order", "cert-manager makes it when it asks for a certificate"),
    ("cert-manager.io", "CertificateRequest", "cert-manager makes it when it asks for a certificate"),
    ("karpenter.sh", "Machine", "it stands for a node of the old cluster"),
    ("karpenter.sh", "NodeClaim", "it stands for a node of the old cluster"),
    ("networking.k8s.aws", "PolicyEndpoint", "the VPC CNI makes it from NetworkPolicies"),
    ("vpcresources.k8s.aws", "CNINode", "it stands for a node of the old cluster"),
];

/// Custom resources that say something about the old cluster.
pub(super) fn resource(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let (group, kind) = (fact.key.group.as_str(), fact.key.kind.as_str());
    if POLICIES.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind)) {
        let why = "the VPC CNI knows no such policy: rewrite it as a NetworkPolicy, keep the old network plug-in, or leave it";
        return Some(Finding::ask(POLICY, Whose::User, why));
    }
    if let Some((_, addon)) = NETWORKS.iter().find(|(of, _)| *of == group) {
        let is_kops = facts.is_confirmed(addon) || facts.is_anchored(addon);
        let whose = if is_kops { Whose::Kops { addon: Some((*addon).into()) } } else { Whose::User };
        return Some(Finding::drop(STATE, whose, "it is state of the old cluster's network"));
    }
    if let Some((_, _, why)) = MADE.iter().find(|(of, made, _)| (*of, *made) == (group, kind)) {
        return Some(Finding::drop(DERIVED, Whose::User, *why));
    }
    match (group, kind) {
        ("iamauthenticator.k8s.aws", "IAMIdentityMapping") => {
            Some(Finding::new(IDENTITY, Whose::User, Class::Replace { by: "access-entries".into() }))
        }
        ("karpenter.sh", "Provisioner" | "NodePool")
        | ("karpenter.k8s.aws", "AWSNodeTemplate" | "EC2NodeClass") => Some(Finding::ask(
            POOL,
            Whose::User,
            "it describes nodes of the old cluster: its roles, subnets and image are to be named anew",
        )),
        ("crd.k8s.amazonaws.com", "ENIConfig") => {
            Some(Finding::port(ENI).says("its subnet and security groups have to be the new cluster's"))
        }
        ("elbv2.k8s.aws", "TargetGroupBinding") => Some(binding(fact)),
        ("policy", "PodSecurityPolicy") => {
            Some(Finding::new(PSP, Whose::User, Class::Replace { by: "pod-security-admission".into() }))
        }
        ("networking.k8s.io", "ServiceCIDR") => Some(Finding::ask(
            SERVICE_RANGE,
            Whose::User,
            "the new cluster's range of Service addresses is another one",
        )),
        _ => None,
    }
}

/// The controller's own bindings carry the label of the Ingress or Service that they were made for.
fn binding(fact: &Fact<'_>) -> Finding {
    let labels = fact.object.body().pointer("/metadata/labels").and_then(Value::as_object);
    let made = labels.into_iter().flatten().any(|(key, _)| {
        key.starts_with("ingress.k8s.aws/")
            || key.starts_with("service.k8s.aws/")
            || key.starts_with("gateway.k8s.aws/")
    });
    if made {
        return Finding::drop(
            DERIVED,
            Whose::User,
            "the load balancer controller makes it from an Ingress or a Service",
        );
    }
    Finding::port(BINDING)
        .says("both clusters put pods into one target group: it has to be marked multiClusterTargetGroup")
}

/// Programs that know their cluster.
pub(super) fn program(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let workload = matches!(fact.key.kind.as_str(), "DaemonSet" | "Deployment" | "Pod" | "StatefulSet");
    if !workload || !matches!(fact.key.group.as_str(), "" | "apps") {
        return None;
    }
    let mut images = Vec::new();
    names::values_under(fact.object.body().get("spec")?, "image", &mut images);
    let program = images.iter().filter_map(|image| image.as_str()).find_map(program_of)?;
    Some(match &program.becomes {
        Some(by) => {
            Finding::new(PROGRAM, Whose::User, Class::Replace { by: by.clone() }).says(program.says.clone())
        }
        None => Finding::ask(PROGRAM, Whose::User, program.says.clone()),
    })
}

fn program_of(image: &str) -> Option<&'static Program> {
    let image = image.split('@').next().unwrap_or(image);
    let (path, last) = image.rsplit_once('/').unwrap_or(("", image));
    let name = last.split(':').next().unwrap_or(last);
    TABLE.programs.iter().find(|program| {
        let under = program.path.as_ref().is_none_or(|part| path.split('/').any(|piece| piece == part));
        program.image == name && under
    })
}

/// Kinds whose state decides.
pub(super) fn kind(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let status = |pointer: &str| fact.object.body().pointer(pointer);
    if fact.is("", "Pod") {
        let phase = status("/status/phase").and_then(Value::as_str);
        return matches!(phase, Some("Succeeded" | "Failed"))
            .then(|| Finding::drop(FINISHED, Whose::User, "it has ended, and nothing starts it again"));
    }
    if fact.is("batch", "Job") {
        let conditions = status("/status/conditions").and_then(Value::as_array);
        let ended = conditions.into_iter().flatten().any(|condition| {
            matches!(condition["type"].as_str(), Some("Complete" | "Failed")) && condition["status"] == "True"
        });
        return Some(if ended {
            Finding::drop(FINISHED, Whose::User, "it has ended: made anew, it would run a second time")
        } else {
            Finding::ask(JOB, Whose::User, "it is not done: made anew, it would begin from its start")
        });
    }
    None
}

/// What nothing else claims.
pub(super) fn anything(facts: &Facts<'_>, at: usize) -> Finding {
    let fact = &facts.objects[at];
    if fact.namespace() != "kube-system" {
        return Finding::port(USER);
    }
    match owner::mark(fact.object) {
        Some(mark) => {
            Finding::port(IN_KUBE_SYSTEM).says(format!("it lives in kube-system, and {mark} declares it"))
        }
        None => {
            Finding::ask(IN_KUBE_SYSTEM, Whose::User, "it lives in kube-system, and nothing says whose it is")
        }
    }
}
