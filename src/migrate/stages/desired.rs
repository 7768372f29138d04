//! What the target has to hold of a part of the move: the source's objects through the rules, at rest or running.

use super::fence::AT_REST;
use super::sight::{is, is_in, name, namespace};
use crate::migrate::own::{Class, Classified};
use crate::model::ResourceId;
use crate::transform::{self, Context, Edit, Phase, Transformed, Weight, identity, phase};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How much of a part stands on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What others need: definitions, namespaces, access, settings, limits, policies.
    Basis,
    /// All of it, with nothing running and no load balancer.
    Rest,
    /// All of it, as it ran on the source.
    Running,
}

/// Whose objects.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// Those that live in no namespace.
    Whole,
    /// Those of a wave's namespaces, these included.
    Wave(&'a BTreeSet<String>),
}

/// What a part has to be.
#[derive(Clone, Default)]
pub struct Desired {
    /// The objects, in the order in which they are written.
    pub objects: Vec<(Phase, Value)>,
    /// What comes later, or never, with the reason.
    pub held: BTreeMap<ResourceId, String>,
    /// What keeps an object from being carried over, for a person.
    pub blockers: Vec<String>,
    /// What the rules changed, for the proof.
    pub edits: BTreeMap<ResourceId, Vec<Edit>>,
}

/// Everything that is needed to know what belongs on the target.
pub struct Intent<'a> {
    /// The source's objects as they were before the migration wrote anything.
    pub source: &'a [Value],
    /// What becomes of each.
    pub classes: &'a BTreeMap<ResourceId, Classified>,
    /// What the rules need to know; its survey is that of the source.
    pub context: &'a Context,
    /// Services of which the target has a bridge instead, until their wave is handed over.
    pub replaced: &'a BTreeSet<ResourceId>,
}

impl Intent<'_> {
    /// What a part has to be.
    #[must_use]
    pub fn desired(&self, part: Part<'_>, level: Level) -> Desired {
        let mut desired = Desired::default();
        let mut context = self.context.clone();
        context.quiesce.cron_jobs = level < Level::Running;
        context.quiesce.all_workloads = level < Level::Running;
        let mut objects = Vec::new();
        for object in self.source.iter().filter(|object| belongs(object, part)) {
            let Some(id) = identity(object) else { continue };
            match self.classes.get(&id).map(|classified| &classified.class) {
                Some(Class::Port) | None => {}
                Some(Class::Ask { why }) => {
                    desired.blockers.push(format!("{id}: {why}"));
                    continue;
                }
                Some(Class::Replace { .. } | Class::Drop { .. }) => continue,
            }
            let bridged = self.replaced.contains(&id);
            if let Some(why) = held_back(&id, level).or(bridged.then_some("a bridge stands in its place")) {
                desired.held.insert(id, why.into());
                continue;
            }
            let Transformed { objects: made, edits, remarks, dropped, .. } =
                transform::transform(object, &context);
            if let Some(dropped) = dropped {
                desired.held.insert(id, dropped.reason);
                continue;
            }
            for remark in remarks.iter().filter(|remark| remark.weight == Weight::Blocker) {
                desired.blockers.push(format!("{}{}: {}", remark.subject, remark.pointer, remark.says));
            }
            desired.edits.insert(id, edits);
            objects.extend(
                made.into_iter().map(|object| if level == Level::Rest { at_rest(object) } else { object }),
            );
        }
        let ordered = transform::apply_order(&objects).into_iter();
        desired.objects = ordered.map(|(phase, object)| (phase, object.clone())).collect();
        desired
    }
}

impl Intent<'_> {
    /// Volumes, claims and snapshots of some namespaces, as the rules make them.
    #[must_use]
    pub fn prepared(&self, namespaces: &BTreeSet<String>) -> Vec<Value> {
        let of = |object: &&Value| {
            let claimed = object.pointer("/spec/claimRef/namespace").and_then(Value::as_str);
            let bound =
                is(object, "", "PersistentVolume") && claimed.is_some_and(|name| namespaces.contains(name));
            let phase = identity(object).map(|id| phase(&id.group_kind()));
            bound || (is_in(object, namespaces) && matches!(phase, Some(Phase::Claims | Phase::Snapshots)))
        };
        let objects = self.source.iter().filter(of);
        objects.flat_map(|object| transform::transform(object, self.context).objects).collect()
    }
}

fn belongs(object: &Value, part: Part<'_>) -> bool {
    match part {
        Part::Wave(namespaces) => {
            is_in(object, namespaces) || (is(object, "", "Namespace") && namespaces.contains(name(object)))
        }
        Part::Whole => namespace(object).is_none() && !is(object, "", "Namespace"),
    }
}

/// Why an object is not written at a level; volumes and claims are written when volumes are handed over.
fn held_back(id: &ResourceId, level: Level) -> Option<&'static str> {
    match phase(&id.group_kind()) {
        Phase::Volumes | Phase::Claims | Phase::Snapshots => Some("it comes with the volumes"),
        // What refuses others' writes, or answers for a part of the API, needs its workload first.
        Phase::Aggregated | Phase::Admission if level < Level::Running => {
            Some("it comes when its workload runs")
        }
        Phase::Services
        | Phase::Workloads
        | Phase::Scaling
        | Phase::Jobs
        | Phase::Custom
        | Phase::Ingresses
            if level == Level::Basis =>
        {
            Some("it comes with the workloads")
        }
        Phase::Ingresses if level < Level::Running => Some("its load balancer comes with the traffic"),
        Phase::Workloads if id.kind == "Pod" && level < Level::Running => {
            Some("a pod of no workload runs at once: it comes at the hand-over")
        }
        _ => None,
    }
}

/// What the rules leave running by its nature is held: DaemonSets, and load balancers of Services.
fn at_rest(mut object: Value) -> Value {
    if is(&object, "apps", "DaemonSet") {
        let selector =
            object.pointer("/spec/template/spec/nodeSelector").cloned().unwrap_or_else(|| json!({}));
        let mut selector = selector.as_object().cloned().unwrap_or_default();
        selector.insert(AT_REST.into(), "true".into());
        object["spec"]["template"]["spec"]["nodeSelector"] = Value::Object(selector);
    }
    if is(&object, "", "Service") && object.pointer("/spec/type") == Some(&json!("LoadBalancer")) {
        let Some(spec) = object["spec"].as_object_mut() else { return object };
        spec.insert("type".into(), "ClusterIP".into());
        // The server refuses these of any other type (kubernetes pkg/apis/core/validation, ValidateService).
        for field in [
            "loadBalancerClass",
            "loadBalancerIP",
            "loadBalancerSourceRanges",
            "allocateLoadBalancerNodePorts",
            "healthCheckNodePort",
            "externalTrafficPolicy",
        ] {
            spec.remove(field);
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(port) = port.as_object_mut() {
                port.remove("nodePort");
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_rest_no_daemon_runs_and_no_balancer_is_made() {
        let daemon = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}});
        let at_rest_daemon = at_rest(daemon);
        assert_eq!(
            at_rest_daemon["spec"]["template"]["spec"]["nodeSelector"],
            json!({"disk": "ssd", AT_REST: "true"})
        );
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": "x", "ports": [{"port": 80, "nodePort": 30000}]}});
        assert_eq!(at_rest(service)["spec"], json!({"type": "ClusterIP", "ports": [{"port": 80}]}));
    }
}
