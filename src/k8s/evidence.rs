//! Why a workload is not healthy, read when asked: pods that are not ready, and the last warnings.

use super::kinds;
use super::read::{self, Selection};
use super::wire::Wire;
use crate::model::{Object, ResourceId};
use crate::ports::{ApiFailure, Evidence, ServedKind};
use futures::future::join_all;
use serde_json::{Value, json};

/// Pods that are looked at, and Events that are shown: enough to see the cause, which the pods of one workload share.
const PODS: usize = 5;
const EVENTS: usize = 10;

/// Gathers the evidence for a workload. A pod or an Event that cannot be read is left out: the rest still helps.
pub(super) async fn gather(wire: &Wire, id: &ResourceId) -> Result<Evidence, ApiFailure> {
    let Some(kind) = workload(id) else {
        return Ok(Evidence { pods: Vec::new(), events: recent(events(wire, id, None).await?) });
    };
    let Some(workload) = read::get(wire, &kind, id).await? else {
        return Ok(Evidence::default());
    };
    let pods = pods(wire, &workload).await?;
    let troubled: Vec<&Object> = pods.iter().filter(|pod| !is_ready(pod)).take(PODS).collect();
    let mut subjects: Vec<(ResourceId, Option<&str>)> = vec![(id.clone(), workload.uid())];
    // A Deployment's quota and admission failures are Events of its ReplicaSet.
    let replica_sets = replica_sets(wire, &workload).await.unwrap_or_default();
    subjects.extend(replica_sets.iter().map(|set| (set.id(), set.uid())));
    if id.kind != "Pod" {
        subjects.extend(troubled.iter().map(|pod| (pod.id(), pod.uid())));
    }
    let asked = join_all(subjects.iter().map(|(id, uid)| events(wire, id, *uid))).await;
    let events = asked.into_iter().filter_map(Result::ok).flatten().collect();
    let pods = troubled.into_iter().map(shown).collect();
    Ok(Evidence { pods, events: recent(events) })
}

/// The kinds that run pods.
fn workload(id: &ResourceId) -> Option<ServedKind> {
    let (version, plural) = match (id.group.as_str(), id.kind.as_str()) {
        ("", "Pod") => ("v1", "pods"),
        ("", "ReplicationController") => ("v1", "replicationcontrollers"),
        ("apps", "Deployment") => ("v1", "deployments"),
        ("apps", "ReplicaSet") => ("v1", "replicasets"),
        ("apps", "StatefulSet") => ("v1", "statefulsets"),
        ("apps", "DaemonSet") => ("v1", "daemonsets"),
        ("batch", "Job") => ("v1", "jobs"),
        _ => return None,
    };
    Some(kinds::served(&id.group, version, &id.kind, plural, true))
}

async fn pods(wire: &Wire, workload: &Object) -> Result<Vec<Object>, ApiFailure> {
    if workload.kind() == "Pod" {
        return Ok(vec![workload.clone()]);
    }
    let Some(selector) = selector(workload) else {
        return Ok(Vec::new());
    };
    let which = Selection::labels(workload.namespace(), &selector);
    // One page: a workload of more than 500 pods shows its trouble in the first 500.
    let page = read::page(wire, &kinds::pod(), &which, "", true).await?;
    Ok(page.objects(&kinds::pod())?.filter_map(Result::ok).collect())
}

async fn replica_sets(wire: &Wire, workload: &Object) -> Result<Vec<Object>, ApiFailure> {
    if workload.kind() != "Deployment" {
        return Ok(Vec::new());
    }
    let Some(selector) = selector(workload) else {
        return Ok(Vec::new());
    };
    let page = read::page(
        wire,
        &kinds::replica_set(),
        &Selection::labels(workload.namespace(), &selector),
        "",
        true,
    )
    .await?;
    let wanted = |set: &Object| set.body().pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1) > 0;
    Ok(page.objects(&kinds::replica_set())?.filter_map(Result::ok).filter(wanted).collect())
}

/// `spec.selector` as a query. A ReplicationController's is a plain map.
fn selector(workload: &Object) -> Option<String> {
    let selector = workload.body().pointer("/spec/selector")?.as_object()?;
    let labels = match selector.get("matchLabels") {
        Some(labels) => labels.as_object(),
        None if workload.kind() == "ReplicationController" => Some(selector),
        None => None,
    };
    let mut terms: Vec<String> =
        labels.into_iter().flatten().filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?))).collect();
    for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let key = expression.get("key")?.as_str()?;
        let values = expression
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let values = values.collect::<Vec<_>>().join(",");
        terms.push(match expression.get("operator")?.as_str()? {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    // An empty selector would name every pod of the namespace.
    (!terms.is_empty()).then(|| terms.join(","))
}

fn is_ready(pod: &Object) -> bool {
    let status = pod.body().get("status");
    let phase = status.and_then(|s| s.get("phase")).and_then(Value::as_str);
    let conditions = status.and_then(|s| s.get("conditions")).and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
    phase == Some("Succeeded") || ready
}

/// Name and status only: a pod's environment may hold secrets.
fn shown(pod: &Object) -> Value {
    json!({ "metadata": { "name": pod.name() }, "status": pod.body().get("status").cloned().unwrap_or_default() })
}

async fn events(wire: &Wire, about: &ResourceId, uid: Option<&str>) -> Result<Vec<Value>, ApiFailure> {
    let mut fields =
        format!("involvedObject.kind={},involvedObject.name={},type=Warning", about.kind, about.name);
    if let Some(uid) = uid {
        fields.push_str(&format!(",involvedObject.uid={uid}"));
    }
    // Events about cluster-scoped objects are kept in `default`.
    let namespace = about.namespace.as_deref().unwrap_or("default");
    let which = Selection { namespace: Some(namespace.into()), fields, ..Selection::default() };
    let kind = kinds::served("", "v1", "Event", "events", true);
    let page = read::page(wire, &kind, &which, "", true).await?;
    Ok(page.objects(&kind)?.filter_map(Result::ok).map(Object::into_body).collect())
}

/// The newest of them, the newest last.
fn recent(mut events: Vec<Value>) -> Vec<Value> {
    // RFC 3339 in UTC sorts as text; newer clients write `eventTime` and no `lastTimestamp`.
    let time = |event: &Value| {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        text("/series/lastObservedTime").max(text("/lastTimestamp")).max(text("/eventTime"))
    };
    events.sort_by_key(time);
    events.drain(..events.len().saturating_sub(EVENTS));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(selector: &Value) -> Object {
        Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"selector": selector}})).unwrap()
    }

    #[test]
    fn selectors_become_queries() {
        let expressions = json!([{"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "DoesNotExist"}]);
        let full = deployment(&json!({"matchLabels": {"app": "web"}, "matchExpressions": expressions}));
        assert_eq!(selector(&full).as_deref(), Some("app=web,tier in (a,b),!old"));
        assert_eq!(selector(&deployment(&json!({}))), None, "an empty selector must not name every pod");
    }

    #[test]
    fn the_newest_events_come_last() {
        let events =
            (0..15).rev().map(|n| json!({"lastTimestamp": format!("2026-01-01T00:00:{n:02}Z")})).collect();
        let kept = recent(events);
        assert_eq!((kept.len(), &kept[9]["lastTimestamp"]), (10, &json!("2026-01-01T00:00:14Z")));
    }
}
