//! CPU and memory of Kubernetes' quantities, rounded up to what is packed.

use crate::model::quantity::nanos;

/// Thousandths of a CPU of `250m`, `1`, `1.5`. None where it is no quantity.
#[must_use]
pub fn cpu(text: &str) -> Option<u64> {
    rounded_up(text, 1_000_000)
}

/// Bytes of `64Mi`, `1G`, `128974848`, `1e3`. None where it is no quantity.
#[must_use]
pub fn memory(text: &str) -> Option<u64> {
    rounded_up(text, 1_000_000_000)
}

fn rounded_up(text: &str, unit: u128) -> Option<u64> {
    u64::try_from(u128::try_from(nanos(text)?).ok()?.div_ceil(unit)).ok()
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
