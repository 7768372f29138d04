//! Load balancers of Ingresses of the class `alb`: one for each, or one for a group.
//!
//! Names and tags are those of the AWS Load Balancer Controller (`pkg/ingress/model_build_*.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::view::{View, is_going, shown};
use super::wanted::{
    Group, Kind, Listener, Stack, Wanted, annotation, group_of, has, hash, pairs, short_name,
};
use crate::local::aws::account::items;

const FINALIZER: &str = "ingress.k8s.aws/resources";
/// Followed by the group's name.
const GROUP_FINALIZER: &str = "group.ingress.k8s.aws/";
const PREFIX: &str = "alb.ingress.kubernetes.io";

/// Ingresses of one load balancer: those that want it, and those that are about to leave it.
type Members<'a> = (Vec<&'a Value>, Vec<&'a Value>);

/// The load balancers of Ingresses of the class `alb`: one for each, or for a group of them.
pub(super) fn stacks<'a>(view: &'a View, cluster: &str) -> Vec<Stack<'a>> {
    let mut by_stack: BTreeMap<(String, bool), Members<'a>> = BTreeMap::new();
    for ingress in &view.ingresses {
        let class = ingress["spec"]["ingressClassName"]
            .as_str()
            .or_else(|| annotation(ingress, "kubernetes.io/", "ingress.class"));
        let group = annotation(ingress, PREFIX, "/group.name");
        let (id, finalizer) = match group {
            Some(group) => ((group.to_owned(), true), format!("{GROUP_FINALIZER}{group}")),
            None => ((shown(ingress), false), FINALIZER.to_owned()),
        };
        let (members, leaving) = by_stack.entry(id).or_default();
        if class == Some("alb") && !is_going(ingress) {
            members.push(ingress);
        } else if has(ingress, &finalizer) {
            leaving.push(ingress);
        }
    }
    by_stack.retain(|_, (members, leaving)| !members.is_empty() || !leaving.is_empty());
    by_stack
        .into_iter()
        .map(|((id, grouped), (members, leaving))| {
            let all = if members.is_empty() { &leaving } else { &members };
            let wanted = of_stack(view, &id, grouped, all, cluster);
            let finalizer = if grouped { format!("{GROUP_FINALIZER}{id}") } else { FINALIZER.to_owned() };
            Stack { wanted, finalizer, members, leaving }
        })
        .collect()
}

fn of_stack(view: &View, id: &str, grouped: bool, ingresses: &[&Value], cluster: &str) -> Wanted {
    let told = |name: &str| ingresses.iter().find_map(|ingress| annotation(ingress, PREFIX, name));
    let internal = told("/scheme") != Some("internet-facing");
    let scheme = if internal { "internal" } else { "internet-facing" };
    let by_address = told("/target-type") == Some("ip");
    let name = match told("/load-balancer-name") {
        Some(name) => name.to_owned(),
        None if grouped => {
            let kept: String = id.chars().filter(char::is_ascii_alphanumeric).take(17).collect();
            format!("k8s-{kept}-{}", hash(&[cluster, id, scheme]))
        }
        None => short_name(ingresses[0], &[cluster, id, scheme]),
    };
    let mut groups: Vec<Group> = Vec::new();
    for (ingress, backend) in
        ingresses.iter().flat_map(|one| backends(one).into_iter().map(move |b| (*one, b)))
    {
        let service = view.services.iter().find(|service| {
            service["metadata"]["name"] == backend["name"]
                && service["metadata"]["namespace"] == ingress["metadata"]["namespace"]
        });
        let Some(service) = service else { continue };
        let port = items(&service["spec"], "ports").find(|port| {
            let asked = &backend["port"];
            port["port"] == asked["number"] || (asked["name"].is_string() && port["name"] == asked["name"])
        });
        let Some(port) = port else { continue };
        let group = group_of(view, service, port, by_address, cluster);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let secure = told("/certificate-arn").is_some();
    let listened =
        told("/listen-ports").and_then(|text| serde_json::from_str::<Vec<BTreeMap<String, u16>>>(text).ok());
    let listened: Vec<(u16, &'static str)> = match listened {
        Some(listed) => {
            let all = listed.into_iter().flatten();
            all.map(|(protocol, port)| (port, if protocol == "HTTPS" { "HTTPS" } else { "HTTP" })).collect()
        }
        None if secure => vec![(443, "HTTPS")],
        None => vec![(80, "HTTP")],
    };
    // Every listener leads to the first backend: rules of hosts and paths are not played.
    let first = (!groups.is_empty()).then_some(0);
    let listeners = listened.into_iter().filter(|_| first.is_some()).map(|(port, protocol)| Listener {
        port,
        protocol,
        node: 0,
        group: first,
    });
    let mut tags = BTreeMap::from([
        ("elbv2.k8s.aws/cluster".to_owned(), cluster.to_owned()),
        ("ingress.k8s.aws/stack".to_owned(), id.to_owned()),
    ]);
    tags.extend(pairs(told("/tags")));
    Wanted {
        name,
        kind: Kind::Application,
        internal,
        tags,
        resource_key: Some("ingress.k8s.aws/resource"),
        listeners: listeners.collect(),
        groups,
        by_address,
        shared: told("/multi-cluster-target-group") == Some("true"),
        instances: BTreeSet::new(),
        sources: Vec::new(),
    }
}

/// Services that an Ingress leads to.
fn backends(ingress: &Value) -> Vec<&Value> {
    let spec = &ingress["spec"];
    let of_rules =
        items(spec, "rules").flat_map(|rule| items(&rule["http"], "paths")).map(|path| &path["backend"]);
    let all = of_rules.chain([&spec["defaultBackend"]]).map(|backend| &backend["service"]);
    all.filter(|service| service["name"].is_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ingress(name: &str, group: Option<&str>, going: bool) -> Value {
        let finalizer =
            group.map_or_else(|| FINALIZER.to_owned(), |group| format!("{GROUP_FINALIZER}{group}"));
        let mut ingress = json!({
            "metadata": {"name": name, "namespace": "shop", "annotations": {}, "finalizers": [finalizer]},
            "spec": {"ingressClassName": "alb", "rules": [{"http": {"paths": [
                {"backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]},
        });
        if let Some(group) = group {
            ingress["metadata"]["annotations"][format!("{PREFIX}/group.name")] = group.into();
        }
        if going {
            ingress["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        ingress
    }

    #[test]
    fn a_group_shares_one_until_its_last_member_goes() {
        let service = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"},
            "spec": {"ports": [{"port": 80, "nodePort": 30080}]}});
        let of =
            |ingresses: Vec<Value>| View { services: vec![service.clone()], ingresses, ..View::default() };
        let view = of(vec![
            ingress("a", Some("edge"), false),
            ingress("b", Some("edge"), true),
            ingress("c", None, false),
        ]);
        let found = stacks(&view, "old");
        let shape: Vec<(&str, usize, usize)> = found
            .iter()
            .map(|stack| {
                (
                    stack.wanted.tags["ingress.k8s.aws/stack"].as_str(),
                    stack.members.len(),
                    stack.leaving.len(),
                )
            })
            .collect();
        assert_eq!(shape, [("edge", 1, 1), ("shop/c", 1, 0)]);
        assert!(
            found[0].wanted.name.starts_with("k8s-edge-") && found[1].wanted.name.starts_with("k8s-shop-c-")
        );
        assert_eq!(found[0].wanted.listeners[0].port, 80);
        let view = of(vec![ingress("b", Some("edge"), true)]);
        assert!(stacks(&view, "old")[0].members.is_empty());
    }

    #[test]
    fn ports_and_scheme_are_as_annotated() {
        let mut one = ingress("a", None, false);
        one["metadata"]["annotations"][format!("{PREFIX}/listen-ports")] =
            r#"[{"HTTP": 80}, {"HTTPS": 8443}]"#.into();
        one["metadata"]["annotations"][format!("{PREFIX}/scheme")] = "internet-facing".into();
        let service = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"},
            "spec": {"ports": [{"port": 80, "nodePort": 30080}]}});
        let view = View { services: vec![service], ingresses: vec![one], ..View::default() };
        let wanted = stacks(&view, "old").remove(0).wanted;
        let ports: Vec<_> = wanted.listeners.iter().map(|one| (one.port, one.protocol)).collect();
        assert_eq!((wanted.internal, ports), (false, vec![(80, "HTTP"), (8443, "HTTPS")]));
    }
}
