//! Which items of two lists belong together.

use serde_json::Value;
use std::collections::BTreeMap;

/// Items by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// In both.
    Both(usize, usize),
    /// Expected only.
    Missing(usize),
    /// There only.
    Added(usize),
}

/// Fields by which items of lists are known, the first that fits all items counts (`x-kubernetes-list-map-keys` of the
/// built-in kinds; the protocol is TCP where it is not told).
const KEYS: [&[&str]; 8] = [
    &["name"],
    &["mountPath"],
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["devicePath"],
    &["topologyKey", "whenUnsatisfiable"],
    &["ip"],
    &["uid"],
];

/// Pairs in the order of the expected list; what is added comes last.
pub(super) fn pairs(expected: &[Value], actual: &[Value]) -> Vec<Pair> {
    KEYS.iter().find_map(|key| keyed(expected, actual, key)).unwrap_or_else(|| {
        if expected.len() == actual.len() {
            (0..expected.len()).map(|place| Pair::Both(place, place)).collect()
        } else {
            by_value(expected, actual)
        }
    })
}

fn keyed(expected: &[Value], actual: &[Value], key: &[&str]) -> Option<Vec<Pair>> {
    if expected.is_empty() && actual.is_empty() {
        return None;
    }
    let index = |list: &[Value]| -> Option<BTreeMap<String, usize>> {
        let mut index = BTreeMap::new();
        for (place, item) in list.iter().enumerate() {
            // A name twice names nothing.
            if index.insert(name_of(item, key)?, place).is_some() {
                return None;
            }
        }
        Some(index)
    };
    let (wanted, held) = (index(expected)?, index(actual)?);
    let mut pairs = Vec::new();
    for item in expected {
        let name = name_of(item, key)?;
        let one = *wanted.get(&name)?;
        pairs.push(held.get(&name).map_or(Pair::Missing(one), |place| Pair::Both(one, *place)));
    }
    let added = held.iter().filter(|(name, _)| !wanted.contains_key(*name)).map(|(_, place)| *place);
    let mut added: Vec<usize> = added.collect();
    added.sort_unstable();
    pairs.extend(added.into_iter().map(Pair::Added));
    Some(pairs)
}

fn name_of(item: &Value, key: &[&str]) -> Option<String> {
    let mut name = String::new();
    for field in key {
        match item.get(*field) {
            Some(value) if !value.is_object() && !value.is_array() => name.push_str(&value.to_string()),
            None if *field == "protocol" && item.is_object() => name.push_str("\"TCP\""),
            _ => return None,
        }
        name.push('/');
    }
    Some(name)
}

/// Items that are the same belong together; the rest is missing or added.
fn by_value(expected: &[Value], actual: &[Value]) -> Vec<Pair> {
    let mut taken = vec![false; actual.len()];
    let mut pairs = Vec::new();
    for (one, item) in expected.iter().enumerate() {
        let place = actual.iter().enumerate().position(|(place, other)| !taken[place] && other == item);
        match place {
            Some(place) => {
                taken[place] = true;
                pairs.push(Pair::Both(one, place));
            }
            None => pairs.push(Pair::Missing(one)),
        }
    }
    let added = taken.iter().enumerate().filter(|(_, taken)| !**taken);
    pairs.extend(added.map(|(place, _)| Pair::Added(place)));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs_of(expected: Value, actual: Value) -> Vec<Pair> {
        pairs(expected.as_array().unwrap(), actual.as_array().unwrap())
    }

    #[test]
    fn items_are_known_by_their_keys() {
        use Pair::{Added, Both, Missing};
        let named = pairs_of(json!([{"name": "a"}, {"name": "b"}]), json!([{"name": "c"}, {"name": "a"}]));
        assert_eq!(named, [Both(0, 1), Missing(1), Added(0)]);
        let ports = pairs_of(json!([{"port": 80}]), json!([{"port": 80, "protocol": "TCP"}]));
        assert_eq!(ports, [Both(0, 0)]);
        // Twice the same name: by place.
        let twice = pairs_of(json!([{"name": "a"}, {"name": "a"}]), json!([{"name": "a"}, {"name": "b"}]));
        assert_eq!(twice, [Both(0, 0), Both(1, 1)]);
        assert_eq!(pairs_of(json!(["x"]), json!(["y", "x"])), [Both(0, 1), Added(0)]);
        assert_eq!(pairs_of(json!([]), json!(["y"])), [Added(0)]);
    }
}
