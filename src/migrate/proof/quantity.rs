//! Quantities (`100m`, `1Gi`, `1e3`), compared by value: the server stores `1000m` as `1`.
//!
//! Format: apimachinery `api/resource.Quantity`.

use serde_json::Value;

/// Whether two values are quantities of one size.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (size(left), size(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// A size in billionths, rounded up as the server does; `None` for what is no quantity.
fn size(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest.to_owned()),
        None => (1, text.trim_start_matches('+').to_owned()),
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (factor, power) = unit(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all: i128 = format!("{whole}{fraction}").parse().ok()?;
    let power = power + 9 - i32::try_from(fraction.len()).ok()?;
    let scaled = all.checked_mul(factor)?;
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    let size = if power >= 0 {
        scaled.checked_mul(ten)?
    } else {
        scaled.div_euclid(ten) + i128::from(scaled % ten != 0)
    };
    Some(sign * size)
}

/// Factor and power of ten of a suffix.
fn unit(suffix: &str) -> Option<(i128, i32)> {
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|unit| *unit == suffix);
    if let Some(place) = binary {
        return Some((1 << (10 * (place + 1)), 0));
    }
    let decimal = [
        ("n", -9),
        ("u", -6),
        ("m", -3),
        ("", 0),
        ("k", 3),
        ("M", 6),
        ("G", 9),
        ("T", 12),
        ("P", 15),
        ("E", 18),
    ];
    if let Some((_, power)) = decimal.iter().find(|(unit, _)| *unit == suffix) {
        return Some((1, *power));
    }
    let power = suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| (-24..=24).contains(power))?;
    Some((1, power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_compared_and_not_texts() {
        for (left, right) in
            [("1000m", "1"), ("1024Mi", "1Gi"), ("1e3", "1k"), ("0.1", "100m"), ("1.5Gi", "1536Mi")]
        {
            assert!(equal(&json!(left), &json!(right)), "{left} {right}");
        }
        assert!(equal(&json!(2), &json!("2")) && equal(&json!(0.5), &json!("500m")));
        for (left, right) in [("1", "1m"), ("1G", "1Gi"), ("a", "a"), ("", ""), ("-1", "1")] {
            assert!(!equal(&json!(left), &json!(right)), "{left} {right}");
        }
    }
}
