//! Quantities of Kubernetes (`100m`, `1Gi`, `1e3`), compared by value: the server stores `1000m` as `1`.
//!
//! Format: apimachinery `api/resource.Quantity`.

use serde_json::Value;

/// Whether two JSON values (text or number) are quantities of one size. `false` as well for what is no quantity and
/// for what is finer than a billionth, which the server rounds.
#[must_use]
pub fn equal(left: &Value, right: &Value) -> bool {
    match (of_json(left), of_json(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

fn of_json(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => nanos(text),
        Value::Number(number) => nanos(&number.to_string()),
        _ => None,
    }
}

/// Size in billionths; `None` for what is no quantity and for what is finer.
#[must_use]
pub fn nanos(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (number, negative) = match number.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (number.strip_prefix('+').unwrap_or(number), false),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (power, factor) = scale(suffix)?;
    let mut size = digits.parse::<i128>().ok()?.checked_mul(factor)?;
    let power = power + 9 - i32::try_from(fraction.len()).ok()?;
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        size = size.checked_mul(ten)?;
    } else if size % ten == 0 {
        size /= ten;
    } else {
        return None;
    }
    Some(if negative { -size } else { size })
}

/// Power of ten and factor of a suffix.
fn scale(suffix: &str) -> Option<(i32, i128)> {
    Some(match suffix {
        "n" => (-9, 1),
        "u" => (-6, 1),
        "m" => (-3, 1),
        "" => (0, 1),
        "k" => (3, 1),
        "M" => (6, 1),
        "G" => (9, 1),
        "T" => (12, 1),
        "P" => (15, 1),
        "E" => (18, 1),
        "Ki" => (0, 1 << 10),
        "Mi" => (0, 1 << 20),
        "Gi" => (0, 1 << 30),
        "Ti" => (0, 1 << 40),
        "Pi" => (0, 1 << 50),
        "Ei" => (0, 1 << 60),
        exponent => {
            (exponent.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| (-30..=30).contains(power))?, 1)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_compared_and_not_texts() {
        for (left, right) in [
            (json!("1000m"), json!("1")),
            (json!(1), json!("1")),
            (json!(0.5), json!("500m")),
            (json!("1024Mi"), json!("1Gi")),
            (json!("2048"), json!("2Ki")),
            (json!("1e3"), json!("1k")),
            (json!("0.1"), json!("100m")),
            (json!("-2"), json!("-2000m")),
            (json!("1.5Gi"), json!("1536Mi")),
        ] {
            assert!(equal(&left, &right), "{left} {right}");
        }
        for (left, right) in [
            (json!("1"), json!("1m")),
            (json!("1G"), json!("1Gi")),
            (json!("a"), json!("a")),
            (json!(""), json!("")),
            (json!("1.2.3"), json!("1.23")),
            (json!("0.0000000001"), json!("0")),
        ] {
            assert!(!equal(&left, &right), "{left} {right}");
        }
    }
}
