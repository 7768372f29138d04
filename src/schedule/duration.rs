//! Durations as people write them: `90s`, `1h30m`, `1.5h`, `7d`.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing is there.
    #[error("a duration is missing: write for example `1h`, `90s` or `1h30m`")]
    Empty,
    /// A number stands alone.
    #[error("`{0}` has a number without a unit: write for example `{1}s` or `{1}m`")]
    NoUnit(String, String),
    /// A unit that is none.
    #[error("`{text}` has the unknown unit `{unit}`: use d, h, m, s or ms")]
    UnknownUnit {
        /// What was written.
        text: String,
        /// The part that is no unit.
        unit: String,
    },
    /// No number where one has to be.
    #[error("`{0}` is not a duration: write numbers with units, such as `1h30m`")]
    NotADuration(String),
    /// More than the largest number of nanoseconds.
    #[error("`{0}` is too long")]
    TooLong(String),
}

/// Nanoseconds of a unit.
fn unit(name: &str) -> Option<u128> {
    const SECOND: u128 = 1_000_000_000;
    Some(match name {
        "ms" => SECOND / 1000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => 24 * 3600 * SECOND,
        _ => return None,
    })
}

/// Reads a duration: numbers with units (`d` of 24 hours, `h`, `m`, `s`, `ms`), added up, as Go's `ParseDuration` does
/// for Kubernetes, with days added and without a sign. Fractions (`1.5h`) have at most nine digits.
///
/// # Errors
/// When a number or unit is missing or unknown; each error names the text and an example.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let not_one = || DurationError::NotADuration(text.into());
    let too_long = || DurationError::TooLong(text.into());
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let number = take_while(&mut rest, |c| c.is_ascii_digit() || c == '.');
        let name = take_while(&mut rest, |c| !c.is_ascii_digit() && c != '.');
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || fraction.contains('.') {
            return Err(not_one());
        }
        if name.is_empty() {
            return Err(DurationError::NoUnit(text.into(), number.into()));
        }
        let size =
            unit(name).ok_or_else(|| DurationError::UnknownUnit { text: text.into(), unit: name.into() })?;
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
        let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| not_one())? };
        // At most nine digits, so the power fits; the order of the operations keeps `0.1h` exact.
        let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| not_one())?);
        let part =
            whole.checked_mul(size).and_then(|n| n.checked_add(parts * size / scale)).ok_or_else(too_long)?;
        total = total.checked_add(part).ok_or_else(too_long)?;
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| too_long())
}

/// Cuts off the longest start whose characters all fit.
fn take_while<'a>(rest: &mut &'a str, fits: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
    let (start, tail) = rest.split_at(end);
    *rest = tail;
    start
}
