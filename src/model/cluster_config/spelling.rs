//! Other spellings that eksctl reads, brought to the one that the schema has.

use serde_json::{Map, Value, json};

/// Taints of a node group as a mapping become the list that they mean: `key: value:Effect`, or `key: Effect` (eksctl
/// `pkg/utils/taints`). What is neither stays as it is, for the validator to refuse.
pub(super) fn settle(config: &mut Value) {
    for kind in ["nodeGroups", "managedNodeGroups"] {
        let groups = config.get_mut(kind).and_then(Value::as_array_mut);
        for taints in groups.into_iter().flatten().filter_map(|group| group.get_mut("taints")) {
            if let Some(list) = taints.as_object().and_then(list) {
                *taints = Value::Array(list);
            }
        }
    }
}

fn list(taints: &Map<String, Value>) -> Option<Vec<Value>> {
    let one = |(key, text): (&String, &Value)| {
        let parts: Vec<&str> = text.as_str()?.split(':').collect();
        match parts[..] {
            [effect] => Some(json!({"key": key, "effect": effect})),
            ["", effect] => Some(json!({"key": key, "effect": effect})),
            [value, effect] => Some(json!({"key": key, "value": value, "effect": effect})),
            _ => None,
        }
    };
    taints.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_as_a_mapping_are_the_list_that_they_mean() {
        let mut config = json!({"nodeGroups": [
            {"taints": {"a.example.com/x": "true:NoSchedule", "b": ":NoExecute", "c": "PreferNoSchedule"}},
            {"taints": {"d": "e:f:NoSchedule"}},
            {"taints": [{"key": "g", "effect": "NoSchedule"}]},
        ]});
        let before = config.clone();
        settle(&mut config);
        let list = json!([
            {"key": "a.example.com/x", "value": "true", "effect": "NoSchedule"},
            {"key": "b", "effect": "NoExecute"},
            {"key": "c", "effect": "PreferNoSchedule"},
        ]);
        assert_eq!(config["nodeGroups"][0]["taints"], list);
        assert_eq!(
            config["nodeGroups"].as_array().map(|all| &all[1..]),
            before["nodeGroups"].as_array().map(|all| &all[1..])
        );
    }
}
