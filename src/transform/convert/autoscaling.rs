//! `HorizontalPodAutoscaler` of `autoscaling/v2beta1` and `v2beta2` to v2.

use super::super::work::Work;
use crate::model::Gvk;
use serde_json::{Map, Value, json};

pub(super) fn autoscaler(work: &mut Work<'_>, from: &Gvk) {
    // v2 is v2beta2 under another name.
    if from.version != "v2beta1" {
        return;
    }
    for metric in work.items("/spec/metrics") {
        let Some(old) = work.get(&metric).cloned() else { continue };
        let Some(new) = converted(&old) else { continue };
        work.set_for(&metric, new, "metrics have another form in autoscaling/v2");
    }
}

fn converted(metric: &Value) -> Option<Value> {
    let kind = metric.get("type")?.as_str()?;
    let key = match kind {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "Pods" => "pods",
        "Object" => "object",
        "External" => "external",
        _ => return None,
    };
    let mut old = metric.get(key)?.as_object()?.clone();
    if old.get("target").is_some_and(|target| target.get("type").is_some()) {
        return None;
    }
    let mut new = Map::new();
    let take = |old: &mut Map<String, Value>, key: &str| old.remove(key).filter(|value| !value.is_null());
    let name = take(&mut old, "metricName");
    let selector = take(&mut old, "selector").or_else(|| take(&mut old, "metricSelector"));
    if let Some(name) = name {
        let mut named = json!({"name": name});
        if let Some(selector) = selector {
            named["selector"] = selector;
        }
        new.insert("metric".into(), named);
    }
    if kind == "Object"
        && let Some(described) = take(&mut old, "target")
    {
        new.insert("describedObject".into(), described);
    }
    let forms = [
        ("targetAverageUtilization", "Utilization", "averageUtilization"),
        ("targetAverageValue", "AverageValue", "averageValue"),
        ("averageValue", "AverageValue", "averageValue"),
        ("targetValue", "Value", "value"),
    ];
    for (field, form, into) in forms {
        if let Some(value) = take(&mut old, field)
            && !new.contains_key("target")
        {
            new.insert("target".into(), json!({"type": form, (into): value}));
        }
    }
    // What has not been named stays: `name` and `container`.
    new.extend(old);
    Some(json!({"type": kind, (key): new}))
}
