//! Lists in pages.

use super::error::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// How many are given when nobody says.
const PAGE: u64 = 100;

/// One page of `items` (in the order of their keys) under `member`, and `nextToken` where more follow.
///
/// # Errors
/// A token that is not ours: `InvalidParameterException`.
pub fn page(
    member: &str,
    items: impl IntoIterator<Item = (String, Value)>,
    input: &Value,
) -> Result<Map<String, Value>, ApiError> {
    let after = match input["nextToken"].as_str() {
        None => None,
        Some(token) => Some(key_of(member, token).ok_or_else(|| {
            ApiError::parameter(format!("the nextToken {token:?} is not one that this list gave"))
        })?),
    };
    let most = usize::try_from(input["maxResults"].as_u64().unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let mut items: Vec<(String, Value)> = items.into_iter().collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let more = items.len() > most;
    items.truncate(most);
    let mut page = Map::new();
    if more && let Some((key, _)) = items.last() {
        page.insert("nextToken".into(), URL_SAFE_NO_PAD.encode(format!("{member}\n{key}")).into());
    }
    page.insert(member.into(), items.into_iter().map(|(_, value)| value).collect());
    Ok(page)
}

/// Names as items of a list.
pub fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<(String, Value)> {
    names.into_iter().map(|name| (name.clone(), Value::String(name.clone()))).collect()
}

fn key_of(member: &str, token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (of, key) = text.split_once('\n')?;
    (of == member).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{names, page};
    use serde_json::json;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<String> = ["c", "a", "b", "e", "d"].map(String::from).to_vec();
        let mut seen = Vec::new();
        let mut input = json!({"maxResults": 2});
        loop {
            let mut answer = page("clusters", names(&all), &input).unwrap();
            seen.push(answer["clusters"].clone());
            match answer.remove("nextToken") {
                Some(token) => input["nextToken"] = token,
                None => break,
            }
        }
        assert_eq!(seen, [json!(["a", "b"]), json!(["c", "d"]), json!(["e"])]);
        let foreign = page("addons", names(&all), &input).unwrap_err();
        assert_eq!(foreign.code, "InvalidParameterException");
    }
}
