//! From an AWS principal to a Kubernetes user: access entries, and the ConfigMap `aws-auth` in the modes that have it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::moto::Caller;

/// Who may come in, and how: the cluster's authentication mode and its access entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// Whether access entries count: API and API_AND_CONFIG_MAP.
    by_entries: bool,
    /// Whether `aws-auth` counts: CONFIG_MAP and API_AND_CONFIG_MAP.
    by_config_map: bool,
    entries: Vec<Entry>,
}

/// An access entry with its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    principal: String,
    username: String,
    groups: Vec<String>,
    grants: Vec<Grant>,
}

/// A policy that is associated with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// Name of the policy, the end of its ARN: `AmazonEKSViewPolicy`.
    pub(super) policy: String,
    /// Namespaces, `*` at their end allowed; `None` for the whole cluster.
    pub(super) namespaces: Option<Vec<String>>,
}

/// A Kubernetes user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) groups: Vec<String>,
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

/// The key of `extra` by which the authorisation webhook knows the principal again.
pub(super) const CANONICAL_ARN: &str = "canonicalArn";

impl Access {
    /// From the mode, and entries as `{accessEntry, associatedAccessPolicies}`.
    pub(super) fn described(mode: &str, entries: &[Value]) -> Access {
        Access {
            by_entries: mode != "CONFIG_MAP",
            by_config_map: mode != "API",
            entries: entries.iter().filter_map(entry).collect(),
        }
    }

    /// Whether `aws-auth` has to be read.
    pub(super) fn reads_config_map(&self) -> bool {
        self.by_config_map
    }

    /// Who a caller is in the cluster. An access entry comes before `aws-auth` (the service's documentation on
    /// migrating to access entries).
    pub(super) fn user(&self, caller: &Caller, aws_auth: Option<&Value>) -> Option<User> {
        if self.by_entries
            && let Some(entry) = self.entries.iter().find(|entry| entry.principal == principal(caller))
        {
            return Some(user(caller, &entry.username, entry.groups.clone()));
        }
        let aws_auth = aws_auth.filter(|_| self.by_config_map)?;
        let (list, key) =
            if caller.role.is_some() { ("mapRoles", "rolearn") } else { ("mapUsers", "userarn") };
        let mapped = mappings(aws_auth, list)
            .into_iter()
            .find(|mapping| mapping[key].as_str() == Some(canonical(caller).as_str()));
        if let Some(mapping) = mapped {
            let groups = mapping["groups"].as_array().into_iter().flatten();
            let groups = groups.filter_map(|group| group.as_str().map(str::to_owned)).collect();
            let name = mapping["username"].as_str().map_or_else(|| canonical(caller), str::to_owned);
            return Some(user(caller, &name, groups));
        }
        let accounts = mappings(aws_auth, "mapAccounts");
        accounts
            .iter()
            .any(|account| account.as_str() == Some(caller.account.as_str()))
            .then(|| user(caller, &canonical(caller), Vec::new()))
    }

    /// The policies of a principal, by the ARN that [`User::extra`] has.
    pub(super) fn grants(&self, canonical_arn: &str) -> Vec<Grant> {
        if !self.by_entries {
            return Vec::new();
        }
        let entries = self.entries.iter().filter(|entry| entry.principal == canonical_arn);
        entries.flat_map(|entry| entry.grants.clone()).collect()
    }
}

fn entry(described: &Value) -> Option<Entry> {
    let entry = &described["accessEntry"];
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let grants = described["associatedAccessPolicies"].as_array().into_iter().flatten().map(|policy| {
        let arn = policy["policyArn"].as_str().unwrap_or_default();
        let scope = &policy["accessScope"];
        Grant {
            policy: arn.rsplit('/').next().unwrap_or_default().to_owned(),
            namespaces: (scope["type"] == "namespace").then(|| texts(&scope["namespaces"])),
        }
    });
    let mut groups = texts(&entry["kubernetesGroups"]);
    // What the service adds by the entry's type, beside the groups that are described.
    match entry["type"].as_str().unwrap_or_default() {
        "EC2_LINUX" | "EC2_WINDOWS" | "HYBRID_LINUX" | "HYPERPOD_LINUX" => {
            groups.extend(["system:bootstrappers".to_owned(), "system:nodes".to_owned()]);
        }
        "FARGATE_LINUX" => {
            groups.extend(["system:bootstrappers", "system:nodes", "system:node-proxier"].map(str::to_owned))
        }
        _ => {}
    }
    groups.sort();
    groups.dedup();
    Some(Entry {
        principal: entry["principalArn"].as_str()?.to_owned(),
        username: entry["username"].as_str().unwrap_or_default().to_owned(),
        groups,
        grants: grants.collect(),
    })
}

/// The ARN that access entries name: of a role the role's own, with its path.
fn principal(caller: &Caller) -> String {
    caller.role.clone().unwrap_or_else(|| caller.arn.clone())
}

/// The ARN that `aws-auth` names: of a role without its path.
fn canonical(caller: &Caller) -> String {
    let Some(role) = &caller.role else { return caller.arn.clone() };
    match (role.split_once(":role/"), role.rsplit('/').next()) {
        (Some((account, _)), Some(name)) => format!("{account}:role/{name}"),
        _ => role.clone(),
    }
}

/// The last part of an assumed role's ARN.
fn session(caller: &Caller) -> &str {
    caller.arn.rsplit('/').next().unwrap_or_default()
}

fn user(caller: &Caller, template: &str, groups: Vec<String>) -> User {
    let template = if template.is_empty() { canonical(caller) } else { template.to_owned() };
    let name = template
        .replace("{{AccountID}}", &caller.account)
        .replace("{{SessionNameRaw}}", session(caller))
        // Not allowed in names of users.
        .replace("{{SessionName}}", &session(caller).replace('@', "-"))
        .replace("{{EC2PrivateDNSName}}", session(caller));
    let extra = [
        ("arn", caller.arn.clone()),
        (CANONICAL_ARN, principal(caller)),
        ("sessionName", if caller.role.is_some() { session(caller).to_owned() } else { String::new() }),
    ];
    User {
        uid: format!("aws-iam-authenticator:{}:{}", caller.account, canonical(caller)),
        name,
        groups,
        extra: extra.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect(),
    }
}

fn mappings(aws_auth: &Value, list: &str) -> Vec<Value> {
    let text = aws_auth["data"][list].as_str().unwrap_or_default();
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Array(items)) => items,
        // A ConfigMap that cannot be read lets nobody in, as with the service.
        _ => Vec::new(),
    }
}

impl User {
    /// As a TokenReview's answer has it.
    pub(super) fn described(&self) -> Value {
        json!({"username": self.name, "uid": self.uid, "groups": self.groups, "extra": self.extra})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(path: &str) -> Caller {
        Caller {
            secret: String::new(),
            arn: "arn:aws:sts::111122223333:assumed-role/deploy/ann@example.org".into(),
            role: Some(format!("arn:aws:iam::111122223333:role/{path}deploy")),
            account: "111122223333".into(),
            session_token: None,
        }
    }

    fn entry_for(principal: &str) -> Value {
        json!({
            "accessEntry": {
                "principalArn": principal, "type": "STANDARD", "kubernetesGroups": ["ops"],
                "username": "arn:aws:sts::111122223333:assumed-role/deploy/{{SessionName}}",
            },
            "associatedAccessPolicies": [{
                "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
                "accessScope": {"type": "namespace", "namespaces": ["dev-*"]},
            }],
        })
    }

    #[test]
    fn an_entry_names_the_role_with_its_path() {
        let entries = [entry_for("arn:aws:iam::111122223333:role/ci/deploy")];
        let access = Access::described("API", &entries);
        let user = access.user(&role("ci/"), None).unwrap();
        assert_eq!(user.name, "arn:aws:sts::111122223333:assumed-role/deploy/ann-example.org");
        assert_eq!(user.groups, ["ops"]);
        let grants = access.grants(&user.extra[CANONICAL_ARN][0]);
        assert_eq!(grants[0].policy, "AmazonEKSViewPolicy");
        assert_eq!(grants[0].namespaces, Some(vec!["dev-*".to_owned()]));
        assert_eq!(access.user(&role(""), None), None);
    }

    #[test]
    fn aws_auth_names_the_role_without_its_path_and_counts_in_its_modes() {
        let map = json!({"data": {"mapRoles":
            "- rolearn: arn:aws:iam::111122223333:role/deploy\n  username: d-{{SessionName}}\n  groups: [a, b]\n"}});
        for (mode, comes_in) in [("API", false), ("API_AND_CONFIG_MAP", true), ("CONFIG_MAP", true)] {
            let user = Access::described(mode, &[]).user(&role("ci/"), Some(&map));
            assert_eq!(user.is_some(), comes_in, "{mode}");
            if let Some(user) = user {
                assert_eq!((user.name.as_str(), user.groups.len()), ("d-ann-example.org", 2));
            }
        }
        let entries = [entry_for("arn:aws:iam::111122223333:role/ci/deploy")];
        let both = Access::described("API_AND_CONFIG_MAP", &entries).user(&role("ci/"), Some(&map)).unwrap();
        assert_eq!(both.groups, ["ops"], "an entry comes first");
        let only_map = Access::described("CONFIG_MAP", &entries);
        assert!(only_map.grants("arn:aws:iam::111122223333:role/ci/deploy").is_empty());
    }
}
