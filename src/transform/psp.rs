//! What a PodSecurityPolicy allows, as a level of Pod Security, and what it wrote into the pods that it admitted.
//!
//! Source: kubernetes.io, "Mapping PodSecurityPolicies to Pod Security Standards".

use serde_json::Value;
use std::collections::BTreeSet;

/// A level of the Pod Security Standards, the strictest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodLevel {
    /// Nothing that gives rights on the node, and the fields say so.
    #[default]
    Restricted,
    /// Nothing that gives rights on the node.
    Baseline,
    /// Anything.
    Privileged,
}

impl PodLevel {
    /// The value of the namespace's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Baseline => "baseline",
            Self::Privileged => "privileged",
        }
    }
}

/// What a namespace's pods were admitted by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodSecurity {
    /// The level that lets all of them in.
    pub level: PodLevel,
    /// What the policy wrote into them; `None` where several policies were used, which may have written different things.
    pub defaults: Option<PodDefaults>,
}

/// Fields that a policy sets in pods that leave them open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodDefaults {
    /// Capabilities that are taken.
    pub drop: BTreeSet<String>,
    /// Capabilities that are given.
    pub add: BTreeSet<String>,
    /// The user.
    pub run_as_user: Option<i64>,
    /// Whether the user must not be root.
    pub run_as_non_root: bool,
    /// The group of volumes.
    pub fs_group: Option<i64>,
    /// Groups beside the main one.
    pub supplemental_groups: Option<i64>,
    /// Whether a process may get more rights than its parent.
    pub allow_privilege_escalation: Option<bool>,
    /// Whether the root file system can be read only.
    pub read_only_root: bool,
}

impl PodSecurity {
    /// Reads a policy.
    #[must_use]
    pub fn of(policy: &Value) -> Self {
        let spec = policy.get("spec").unwrap_or(&Value::Null);
        Self { level: level(spec), defaults: Some(defaults(spec)) }
    }

    /// Of two policies that were both used.
    #[must_use]
    pub fn together(self, other: Self) -> Self {
        let defaults = if self.defaults == other.defaults { self.defaults } else { None };
        Self { level: self.level.max(other.level), defaults }
    }
}

fn level(spec: &Value) -> PodLevel {
    let yes = |key: &str| spec.get(key) == Some(&Value::Bool(true));
    let list = |key: &str| -> BTreeSet<&str> {
        let items = spec.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).collect()
    };
    let rule = |key: &str| spec.get(key).and_then(|rule| rule.get("rule")?.as_str()).unwrap_or_default();
    let hosts = ["privileged", "hostNetwork", "hostPID", "hostIPC"].into_iter().any(yes);
    let ports = spec.get("hostPorts").and_then(Value::as_array).is_some_and(|ports| !ports.is_empty());
    let volumes = list("volumes");
    let wide = volumes.contains("*") || volumes.contains("hostPath");
    let baseline = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    let allowed = &list("allowedCapabilities") | &list("defaultAddCapabilities");
    let strong = allowed.iter().any(|capability| !baseline.contains(capability));
    if hosts || ports || wide || strong || !list("allowedUnsafeSysctls").is_empty() {
        return PodLevel::Privileged;
    }
    let escalates = spec.get("allowPrivilegeEscalation") != Some(&Value::Bool(false));
    let keeps = !list("requiredDropCapabilities").contains("ALL");
    let weak = allowed.iter().any(|capability| *capability != "NET_BIND_SERVICE");
    if escalates || keeps || weak || rule("runAsUser") != "MustRunAsNonRoot" {
        return PodLevel::Baseline;
    }
    PodLevel::Restricted
}

fn defaults(spec: &Value) -> PodDefaults {
    let texts = |key: &str| -> BTreeSet<String> {
        let items = spec.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_str().map(String::from)).collect()
    };
    // Where an id must be of a range, the policy gives its first.
    let first = |key: &str| {
        let rule = spec.get(key).filter(|rule| rule["rule"] == "MustRunAs")?;
        rule.pointer("/ranges/0/min")?.as_i64()
    };
    PodDefaults {
        drop: texts("requiredDropCapabilities"),
        add: texts("defaultAddCapabilities"),
        run_as_user: first("runAsUser"),
        run_as_non_root: spec.pointer("/runAsUser/rule").and_then(Value::as_str) == Some("MustRunAsNonRoot"),
        fs_group: first("fsGroup"),
        supplemental_groups: first("supplementalGroups"),
        allow_privilege_escalation: match spec.get("allowPrivilegeEscalation").and_then(Value::as_bool) {
            Some(false) => Some(false),
            _ => spec.get("defaultAllowPrivilegeEscalation").and_then(Value::as_bool),
        },
        read_only_root: spec.get("readOnlyRootFilesystem").and_then(Value::as_bool) == Some(true),
    }
}
