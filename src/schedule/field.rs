//! One field of a cron expression, as the set of its values.

use std::collections::BTreeSet;

/// Why a field cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} `{text}`: {problem}")]
pub struct FieldError {
    /// Name of the field, such as `hour`.
    pub field: &'static str,
    /// What stands in it.
    pub text: String,
    /// What is wrong and what to write.
    pub problem: String,
}

/// What a field may hold.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    min: u8,
    max: u8,
    /// Names in the order of their values, from `min` on; empty where there are none.
    names: &'static [&'static str],
    /// Whether `max + 1` is another way to write `min` (Sunday as 7).
    wraps: bool,
}

const fn plain(name: &'static str, min: u8, max: u8) -> Unit {
    Unit { name, min, max, names: &[], wraps: false }
}

pub(super) const SECOND: Unit = plain("second", 0, 59);
pub(super) const MINUTE: Unit = plain("minute", 0, 59);
pub(super) const HOUR: Unit = plain("hour", 0, 23);
pub(super) const DAY_OF_MONTH: Unit = plain("day of month", 1, 31);
pub(super) const MONTH: Unit = Unit {
    name: "month",
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    wraps: false,
};
pub(super) const DAY_OF_WEEK: Unit = Unit {
    name: "day of week",
    min: 0,
    max: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    wraps: true,
};

/// The values of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) values: BTreeSet<u8>,
    /// Whether a part of it is `*` or `?` without a step: such a day field does not restrict (robfig/cron's star bit).
    pub(super) unrestricted: bool,
    /// Whether a part of it is `*`, `?` or `*/n`, or it covers every value: it stands for a rhythm, not for a time.
    pub(super) rhythmic: bool,
}

impl Field {
    /// Reads a field: parts separated by commas, each `*`, `?`, a value or a range, with an optional step.
    /// `5/15` means from 5 to the end in steps of 15, as in robfig/cron.
    pub(super) fn parse(unit: &Unit, text: &str) -> Result<Self, FieldError> {
        let mut field = Self { values: BTreeSet::new(), unrestricted: false, rhythmic: false };
        for part in text.split(',') {
            field.add(unit, part).map_err(|problem| FieldError {
                field: unit.name,
                text: text.into(),
                problem,
            })?;
        }
        field.rhythmic |= field.values.len() == usize::from(unit.max - unit.min) + 1;
        Ok(field)
    }

    fn add(&mut self, unit: &Unit, part: &str) -> Result<(), String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(read_step(step)?)),
            None => (part, None),
        };
        let star = matches!(range, "*" | "?");
        let (start, end) = if star {
            (unit.min, unit.max)
        } else if let Some((start, end)) = range.split_once('-') {
            unit.range(start, end)?
        } else {
            let value = unit.value(range)?;
            (value, if step.is_some() { unit.max.max(value) } else { value })
        };
        let step = step.unwrap_or(1);
        self.unrestricted |= star && step == 1;
        self.rhythmic |= star;
        for value in (start..=end).step_by(usize::from(step)) {
            self.values.insert(if value > unit.max { unit.min } else { value });
        }
        Ok(())
    }
}

impl Unit {
    fn range(&self, start: &str, end: &str) -> Result<(u8, u8), String> {
        let first = self.value(start)?;
        let mut last = self.value(end)?;
        if last < first && self.wraps && last == self.min {
            // `fri-sun`: here Sunday ends the week.
            last = self.max + 1;
        }
        if last < first {
            return Err(format!(
                "the range ends before it starts: write two parts, `{start}-{},{}-{end}`",
                self.max, self.min
            ));
        }
        Ok((first, last))
    }

    /// One value, by number or name; at most `max + 1` where that wraps.
    fn value(&self, text: &str) -> Result<u8, String> {
        let (min, max) = (self.min, self.max + u8::from(self.wraps));
        if let Some(place) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return u8::try_from(place)
                .map(|place| min + place)
                .map_err(|_| format!("`{text}` has no value"));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse::<u8>() {
                Ok(value) if (min..=max).contains(&value) => Ok(value),
                _ => Err(format!("{text} is out of range: {min} to {max}")),
            };
        }
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        if text.is_empty() {
            return Err(format!("a value is missing: {min} to {max}{names}, or `*`"));
        }
        let hint = if text.contains(['L', 'W', '#', 'l', 'w', 'H']) {
            "; L, W, # and H are not known to Kubernetes either"
        } else {
            ""
        };
        Err(format!("`{text}` is not a value: {min} to {max}{names}{hint}"))
    }
}

fn read_step(text: &str) -> Result<u8, String> {
    match text.parse::<u8>() {
        Ok(0) => Err("a step of 0 never ends: write 1 or more".into()),
        Ok(step) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(step),
        _ => Err(format!("`{text}` is not a step: write a number, such as `*/5`")),
    }
}
