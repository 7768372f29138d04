//! Replicas that an autoscaler decides over: within its bounds nobody else writes them.
//!
//! A HorizontalPodAutoscaler leaves what stands at 0 alone (kubernetes `pkg/controller/podautoscaler/horizontal.go`,
//! `ScalingDisabled`), so that it disturbs no fence and nothing at rest; once something runs, the number is its own.

use super::sight::{Sight, is, namespace};
use crate::model::{Gvk, ResourceId};
use serde_json::Value;
use std::collections::BTreeMap;

/// The bounds of the autoscalers of one side, by what they scale.
#[derive(Debug, Default)]
pub(super) struct Scalers(BTreeMap<ResourceId, (i64, i64)>);

impl Scalers {
    /// Of what was seen there, those of other makers (KEDA's, for one) among them.
    pub(super) fn of(sight: &Sight) -> Self {
        let all = sight.objects.iter().filter(|object| is(object, "autoscaling", "HorizontalPodAutoscaler"));
        let bounds = all.filter_map(|scaler| {
            let spec = &scaler["spec"];
            let target = &spec["scaleTargetRef"];
            let kind = target["kind"].as_str()?;
            let group = Gvk::from_api_version(target["apiVersion"].as_str().unwrap_or_default(), kind).group;
            let id = ResourceId::new(&group, kind, namespace(scaler)?, target["name"].as_str()?);
            // What is at 0 is not its own, even where it may scale to that.
            let least = spec["minReplicas"].as_i64().unwrap_or(1).max(1);
            Some((id, (least, spec["maxReplicas"].as_i64()?)))
        });
        Self(bounds.collect())
    }

    /// Whether so many replicas are an autoscaler's own decision.
    pub(super) fn decides(&self, id: &ResourceId, replicas: i64) -> bool {
        self.0.get(id).is_some_and(|(least, most)| (*least..=*most).contains(&replicas))
    }
}

/// The replicas that an object wants; it has none, or they are not written.
pub(super) fn replicas(object: &Value) -> Option<i64> {
    object.pointer("/spec/replicas").and_then(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn within_its_bounds_it_decides_and_never_over_nothing() {
        let scaler = |least: Value| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "a", "namespace": "shop"}, "spec": {"minReplicas": least, "maxReplicas": 5,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}})
        };
        let web = ResourceId::new("apps", "Deployment", "shop", "web");
        let other = ResourceId::new("apps", "StatefulSet", "shop", "web");
        for (least, expected) in
            [(json!(2), [false, false, true, true, false]), (json!(0), [false, true, true, true, false])]
        {
            let sight = Sight { objects: vec![scaler(least)], ..Sight::default() };
            let scalers = Scalers::of(&sight);
            assert_eq!([0, 1, 2, 5, 6].map(|replicas| scalers.decides(&web, replicas)), expected);
            assert!(!scalers.decides(&other, 3));
        }
    }
}
