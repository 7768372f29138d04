//! Leaving a field out of what is applied, by the path that the API server names in a conflict.

use serde_json::Value;

/// Removes the field that a path such as `.spec.template.spec.containers[name="coredns"].image` names; false when it is
/// not there.
pub(super) fn without(value: &mut Value, path: &str) -> bool {
    if let Some(rest) = path.strip_prefix('.') {
        let Some(members) = value.as_object_mut() else { return false };
        // Keys may have dots, and nothing quotes them: the longest that fits.
        let mut keys: Vec<String> = members.keys().filter(|key| begins(rest, key)).cloned().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.len()));
        return keys.iter().any(|key| {
            let left = &rest[key.len()..];
            if left.is_empty() {
                return members.remove(key).is_some();
            }
            members.get_mut(key).is_some_and(|inner| without(inner, left))
        });
    }
    let Some((selector, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) else {
        return false;
    };
    let Some(items) = value.as_array_mut() else { return false };
    let Some(at) = items.iter().position(|item| selected(item, selector)) else { return false };
    if rest.is_empty() {
        items.remove(at);
        return true;
    }
    without(&mut items[at], rest)
}

fn begins(rest: &str, key: &str) -> bool {
    rest.strip_prefix(key).is_some_and(|left| left.is_empty() || left.starts_with(['.', '[']))
}

/// `name="coredns"`, `containerPort=53,protocol="UDP"`, `="a value"`, or an index.
fn selected(item: &Value, selector: &str) -> bool {
    let is = |item: &Value, text: &str| serde_json::from_str(text).is_ok_and(|value: Value| value == *item);
    if let Some(value) = selector.strip_prefix('=') {
        return is(item, value);
    }
    selector.split(',').all(|pair| pair.split_once('=').is_some_and(|(key, value)| is(&item[key], value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_by_the_paths_of_conflicts() {
        let mut object = json!({
            "metadata": {"annotations": {"eks.amazonaws.com/role-arn": "x", "a": "b"}},
            "data": {"Corefile": "c"},
            "spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "ports": [
                {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]}]},
        });
        for path in [
            ".data.Corefile",
            ".metadata.annotations.eks.amazonaws.com/role-arn",
            ".spec.containers[name=\"a\"].image",
            ".spec.containers[name=\"b\"].ports[containerPort=53,protocol=\"UDP\"]",
        ] {
            assert!(without(&mut object, path), "{path}");
            assert!(!without(&mut object, path), "{path} again");
        }
        assert_eq!(
            object,
            json!({
                "metadata": {"annotations": {"a": "b"}}, "data": {},
                "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 53, "protocol": "TCP"}]}]},
            })
        );
    }
}
