//! Quantities of Kubernetes (`k8s.io/apimachinery`, `resource.Quantity`), rounded up.

/// Thousandths of a CPU of `250m`, `1`, `1.5`. None where it is no quantity.
#[must_use]
pub fn cpu(text: &str) -> Option<u64> {
    thousandths(text)
}

/// Bytes of `64Mi`, `1G`, `128974848`, `1e3`. None where it is no quantity.
#[must_use]
pub fn memory(text: &str) -> Option<u64> {
    thousandths(text).map(|thousandths| thousandths.div_ceil(1000))
}

fn thousandths(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let factor: u128 = match suffix {
        "n" => return scaled(whole, fraction, 1, 1_000_000),
        "u" => return scaled(whole, fraction, 1, 1_000),
        "m" => return scaled(whole, fraction, 1, 1),
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "P" => 1_000_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        "Pi" => 1_000 << 50,
        exponent => {
            let power: u32 = exponent.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| *power <= 18)?;
            1_000 * 10u128.pow(power)
        }
    };
    scaled(whole, fraction, factor, 1)
}

/// `whole.fraction * factor / divisor`, rounded up.
fn scaled(whole: &str, fraction: &str, factor: u128, divisor: u128) -> Option<u64> {
    let fraction = &fraction[..fraction.len().min(12)];
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let value = digits.checked_mul(factor)?.div_ceil(scale * divisor);
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, expected) in
            [("250m", 250), ("1", 1000), ("1.5", 1500), ("0.1", 100), ("100u", 1), ("2k", 2_000_000)]
        {
            assert_eq!(cpu(text), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("64Mi", 64 << 20),
            ("1G", 1_000_000_000),
            ("128974848", 128_974_848),
            ("1e3", 1000),
            ("0.5Gi", 1 << 29),
            ("100m", 1),
        ] {
            assert_eq!(memory(text), Some(expected), "{text}");
        }
        for text in ["", "Mi", "x", "1x", "-1", "1e99", "99999999999999999999999999999999999999999"] {
            assert_eq!(cpu(text), None, "{text}");
        }
    }
}
