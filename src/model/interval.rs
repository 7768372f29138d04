//! Lengths of time as people write them in YAML: `90s`, `5m`, `1h30m`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time, longer than nothing, in whole milliseconds.
///
/// Written as Go's `ParseDuration` reads it, which is what Kubernetes' users know: numbers with units, added up. `d`
/// stands for 24 hours in addition. Shown in one form, whatever it was written as: `90s` and `1.5m` are `1m30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(Duration);

/// Units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u128); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longest interval: a hundred years, so that adding one to a time of day cannot overflow.
const LONGEST: u128 = 100 * 366 * 86_400_000;

/// Why a text is not an interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInterval {
    /// Not numbers with units.
    #[error("has to be a length of time such as `90s`, `5m` or `1h30m` (units d, h, m, s, ms)")]
    Form,
    /// A number without a unit could be anything.
    #[error("has to be a length of time with its unit, such as `{0}s` or `{0}m`")]
    Unit(String),
    /// Nothing, or more than a hundred years.
    #[error("has to be longer than nothing and shorter than a hundred years")]
    Range,
}

impl Interval {
    /// An interval of whole seconds; zero becomes one, for an interval is longer than nothing.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(if seconds == 0 { 1 } else { seconds }))
    }

    /// The same for the standard library.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl From<Interval> for Duration {
    fn from(interval: Interval) -> Self {
        interval.0
    }
}

impl FromStr for Interval {
    type Err = NotAnInterval;

    fn from_str(text: &str) -> Result<Self, NotAnInterval> {
        let mut rest = text.trim();
        let mut total = 0u128;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or_else(|| NotAnInterval::Unit(rest.into()))?;
            let (number, tail) = rest.split_at(digits);
            let unit = &tail[..tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len())];
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 || fraction.contains('.') {
                return Err(NotAnInterval::Form);
            }
            let (_, size) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(NotAnInterval::Form)?;
            let whole: u128 = whole.parse().map_err(|_| NotAnInterval::Range)?;
            let fraction: u128 = format!("{fraction:0<9}").parse().map_err(|_| NotAnInterval::Form)?;
            // Nine digits of fraction fit; the order of the operations keeps `0.1h` exact.
            let part = whole.checked_mul(size).ok_or(NotAnInterval::Range)? + fraction * size / 1_000_000_000;
            total = total.checked_add(part).ok_or(NotAnInterval::Range)?;
            rest = &tail[unit.len()..];
        }
        match u64::try_from(total) {
            _ if text.trim().is_empty() => Err(NotAnInterval::Form),
            Ok(fits) if fits > 0 && total <= LONGEST => Ok(Self(Duration::from_millis(fits))),
            _ => Err(NotAnInterval::Range),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        for (name, size) in UNITS {
            if rest >= size {
                write!(f, "{}{name}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "interval",
            "pattern": "^([0-9]+(\\.[0-9]{1,9})?(d|h|m|s|ms))+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_go_writes_durations() {
        let shown = |text: &str| text.parse::<Interval>().map(|interval| interval.to_string());
        for (text, canonical) in [
            ("90s", "1m30s"),
            ("1h30m", "1h30m"),
            ("36h", "1d12h"),
            ("250ms", "250ms"),
            ("1s1m", "1m1s"),
            ("1.5h", "1h30m"),
            ("0.1h", "6m"),
            ("007s", "7s"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(canonical), "{text}");
        }
        for text in ["", "s", "5 m", "-1s", "5M", "5min", "1h 30m", "1..5h", ".5h", "1.h", "٣s"] {
            assert_eq!(shown(text), Err(NotAnInterval::Form), "{text}");
        }
        assert_eq!(shown("30"), Err(NotAnInterval::Unit("30".into())));
        for text in [
            "0s",
            "0h0m",
            "0.1ms",
            "36601d",
            "18446744073709551615d",
            "340282366920938463463374607431768211455d",
        ] {
            assert_eq!(shown(text), Err(NotAnInterval::Range), "{text}");
        }
    }
}
