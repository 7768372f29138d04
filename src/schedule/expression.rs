//! A cron expression over civil time, with the `cron` crate beneath.
//!
//! `cron` 0.17 reads a dialect of its own: seconds come first, Sunday is 1, a day of month and a day of week must both
//! match. So the fields are read here, as POSIX and Kubernetes mean them, and handed to `cron` in its own numbers; two
//! expressions where either day suffices. It then walks a calendar without time zone (its `Utc`), because its own
//! reading of the changes of clocks skips runs; see `zone.rs` for ours.

use super::field::{self, Field, FieldError, Unit};
use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use jiff::civil;
use std::str::FromStr;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Not five or six fields.
    #[error(
        "`{text}` has {count} fields: write five (minute hour day-of-month month day-of-week), or six with the second \
         in front"
    )]
    FieldCount {
        /// What was written.
        text: String,
        /// How many fields it has.
        count: usize,
    },
    /// One field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A time zone in front of the expression.
    #[error("`{0}` does not belong into the expression: write the time zone as `timeZone: {1}`")]
    TimeZonePrefix(String, String),
    /// A word such as `@fortnightly`.
    #[error("`{0}` is not known: use @hourly, @daily, @weekly, @monthly or @yearly")]
    Shorthand(String),
    /// `@every`, which is no point in time.
    #[error("`{0}` is an interval: write `every: {1}` instead of `cron`")]
    Interval(String, String),
    /// No day of any year matches.
    #[error("`{0}` never runs: no month that it names has such a day")]
    Never(String),
    /// The `cron` crate refuses what we made of it: a fault of ours.
    #[error("`{0}` cannot be used: {1}")]
    Refused(String, String),
}

/// An expression that has matches, in civil time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    /// One schedule, or two of which either may match.
    schedules: Vec<cron::Schedule>,
    rhythmic: bool,
}

impl Expression {
    /// Reads `text`, already trimmed.
    pub(super) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let spelled_out = shorthand(text)?.unwrap_or(text);
        let fields: Vec<&str> = spelled_out.split_ascii_whitespace().collect();
        if let Some(prefix) =
            fields.first().filter(|first| first.starts_with("TZ=") || first.starts_with("CRON_TZ="))
        {
            let zone = prefix.split_once('=').map_or("", |(_, zone)| zone);
            return Err(ExpressionError::TimeZonePrefix((*prefix).into(), zone.into()));
        }
        let (second, rest) = match fields.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            rest if rest.len() == 5 => ("0", rest),
            _ => {
                return Err(ExpressionError::FieldCount { text: text.into(), count: fields.len() });
            }
        };
        let read = |unit: &Unit, text: &str| Field::parse(unit, text);
        let [minute, hour, day, month, weekday] = rest else {
            return Err(ExpressionError::FieldCount { text: text.into(), count: fields.len() });
        };
        let second = read(&field::SECOND, second)?;
        let minute = read(&field::MINUTE, minute)?;
        let hour = read(&field::HOUR, hour)?;
        let day = read(&field::DAY_OF_MONTH, day)?;
        let month = read(&field::MONTH, month)?;
        let weekday = read(&field::DAY_OF_WEEK, weekday)?;

        // With a `*` in one day field both have to match, which leaves the other one to decide; without one either
        // suffices (POSIX crontab; robfig/cron, where `*/2` is a restriction).
        let either = !day.unrestricted && !weekday.unrestricted;
        if !either && !exists(&day, &month) {
            return Err(ExpressionError::Never(text.into()));
        }
        let time = format!("{} {} {}", list(&second, 0), list(&minute, 0), list(&hour, 0));
        let (days, months, weekdays) = (list(&day, 0), list(&month, 0), list(&weekday, 1));
        let spelled = if either {
            vec![format!("{time} {days} {months} *"), format!("{time} * {months} {weekdays}")]
        } else {
            vec![format!("{time} {days} {months} {weekdays}")]
        };
        let schedules = spelled
            .iter()
            .map(|one| cron::Schedule::from_str(one))
            .collect::<Result<_, _>>()
            .map_err(|error| ExpressionError::Refused(text.into(), error.to_string()))?;
        Ok(Self { schedules, rhythmic: second.rhythmic || minute.rhythmic || hour.rhythmic })
    }

    /// Whether it stands for a rhythm (`*/30`) rather than for times of day.
    pub(super) const fn is_rhythmic(&self) -> bool {
        self.rhythmic
    }

    /// The matches after `after`, which counts whole seconds, in ascending order.
    pub(super) fn after(&self, after: civil::DateTime) -> impl Iterator<Item = civil::DateTime> {
        let mut runs: Vec<_> = to_chrono(after)
            .map(|after| self.schedules.iter().map(|one| one.after(&after).peekable()).collect())
            .unwrap_or_default();
        std::iter::from_fn(move || {
            let next = runs.iter_mut().filter_map(|run| run.peek().copied()).min()?;
            for run in &mut runs {
                run.next_if_eq(&next);
            }
            to_civil(next)
        })
    }
}

/// `@daily` and its like, spelled out as robfig/cron does.
fn shorthand(text: &str) -> Result<Option<&'static str>, ExpressionError> {
    if !text.starts_with('@') {
        return Ok(None);
    }
    Ok(Some(match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            return Err(match text.strip_prefix("@every") {
                Some(every) => ExpressionError::Interval(text.into(), every.trim().into()),
                None => ExpressionError::Shorthand(text.into()),
            });
        }
    }))
}

/// Whether some named month has some named day, in some year.
fn exists(day: &Field, month: &Field) -> bool {
    let longest = |month: u8| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    month.values.iter().any(|month| day.values.iter().any(|day| *day <= longest(*month)))
}

/// The values as `cron` counts them.
fn list(field: &Field, offset: u8) -> String {
    if field.unrestricted {
        return "*".into();
    }
    field.values.iter().map(|value| (value + offset).to_string()).collect::<Vec<_>>().join(",")
}

fn to_chrono(time: civil::DateTime) -> Option<DateTime<Utc>> {
    let unsigned = |part: i8| u32::try_from(part).ok();
    let date =
        NaiveDate::from_ymd_opt(i32::from(time.year()), unsigned(time.month())?, unsigned(time.day())?)?;
    let time =
        date.and_hms_opt(unsigned(time.hour())?, unsigned(time.minute())?, unsigned(time.second())?)?;
    Some(time.and_utc())
}

fn to_civil(time: DateTime<Utc>) -> Option<civil::DateTime> {
    let signed = |part: u32| i8::try_from(part).ok();
    civil::DateTime::new(
        i16::try_from(time.year()).ok()?,
        signed(time.month())?,
        signed(time.day())?,
        signed(time.hour())?,
        signed(time.minute())?,
        signed(time.second())?,
        0,
    )
    .ok()
}
