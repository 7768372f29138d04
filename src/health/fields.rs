//! Reading a live body that may hold anything: a field of the wrong type counts as absent, as kstatus reads it.

use serde_json::Value;

/// Longest message taken over from a controller, in characters; the rest is one `kubectl describe` away.
const LONGEST: usize = 240;

/// The integer at a JSON pointer, else `default`.
pub(super) fn int(body: &Value, pointer: &str, default: i64) -> i64 {
    body.pointer(pointer).and_then(Value::as_i64).unwrap_or(default)
}

/// The text at a JSON pointer, else an empty one.
pub(super) fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the boolean at a JSON pointer is there and true.
pub(super) fn is_true(body: &Value, pointer: &str) -> bool {
    body.pointer(pointer) == Some(&Value::Bool(true))
}

/// The list at a JSON pointer, else an empty one.
pub(super) fn list<'a>(body: &'a Value, pointer: &str) -> &'a [Value] {
    body.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `Reason: message` as one short line; either part may be empty.
pub(super) fn explain(reason: &str, message: &str) -> String {
    let message = one_line(message);
    match (reason.is_empty(), message.is_empty()) {
        (_, true) => reason.to_owned(),
        (true, false) => message,
        (false, false) => format!("{reason}: {message}"),
    }
}

/// A controller's text as one line of bounded length without a final full stop.
pub(super) fn one_line(text: &str) -> String {
    let mut line = unbroken(text);
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line.truncate(line.trim_end_matches('.').len());
    line
}

/// A text with every run of white space as one space.
pub(super) fn unbroken(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_types_count_as_absent() {
        let body = json!({"a": "1", "b": 2, "c": 1e300, "d": "true"});
        assert_eq!((int(&body, "/a", 7), int(&body, "/b", 7), int(&body, "/c", 7)), (7, 2, 7));
        assert_eq!((text(&body, "/b"), text(&body, "/a")), ("", "1"));
        assert!(!is_true(&body, "/d") && list(&body, "/a").is_empty());
    }

    #[test]
    fn messages_become_one_bounded_line() {
        assert_eq!(explain("Failed", "  pull\n failed. "), "Failed: pull failed");
        assert_eq!(explain("Failed", ""), "Failed");
        assert_eq!(explain("", ""), "");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
