//! Ring 1: when the next full pass of an application is due.
//!
//! A [`Schedule`] is either a time between passes or a cron expression in a time zone. It is asked with an instant and
//! answers with the next one; the clock is the caller's. The same question always has the same answer, so a restart
//! neither skips a pass nor makes all of them at once.
//!
//! A cron expression means what a Kubernetes CronJob makes of it (robfig/cron v3), with one field more when it has
//! seconds. What happens around a change of the clocks is said at [`Schedule::next_after`].

mod expression;
mod field;
mod zone;

pub use expression::ExpressionError;
pub use field::FieldError;

use crate::model::Interval;
use crate::model::application::ReconcileSpec;
use expression::Expression;
use jiff::{Timestamp, tz::TimeZone};
use std::fmt;
use std::time::Duration;

/// Shortest time between two full passes.
pub const SHORTEST: Duration = Duration::from_secs(10);

/// Longest time between two full passes.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Why a schedule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The time between passes is below [`SHORTEST`].
    #[error("every: `{0}` is too short: at least 10s, drift is seen by watch in between anyway")]
    TooShort(Interval),
    /// The time between passes is above [`LONGEST`].
    #[error("every: `{0}` is too long: at most 30d (720h)")]
    TooLong(Interval),
    /// The cron expression is not one.
    #[error("cron: {0}")]
    Cron(#[from] ExpressionError),
    /// No IANA time zone has this name.
    #[error("timeZone: there is no time zone `{name}`{hint}")]
    UnknownZone {
        /// What was written.
        name: String,
        /// What to write instead, with its own punctuation.
        hint: String,
    },
}

/// When full passes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    rhythm: Rhythm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rhythm {
    Every(Interval),
    Cron {
        /// As the user wrote it.
        source: String,
        expression: Box<Expression>,
        zone: TimeZone,
    },
}

impl Schedule {
    /// The schedule of a document.
    ///
    /// # Errors
    /// As [`Schedule::every`] and [`Schedule::parse_cron`].
    pub fn of(reconcile: &ReconcileSpec) -> Result<Self, ScheduleError> {
        match &reconcile.cron {
            Some(cron) => Self::parse_cron(cron, &reconcile.time_zone),
            None => Self::every(reconcile.every),
        }
    }

    /// A time between passes.
    ///
    /// # Errors
    /// When it is not between [`SHORTEST`] and [`LONGEST`].
    pub fn every(period: Interval) -> Result<Self, ScheduleError> {
        if period.duration() < SHORTEST {
            return Err(ScheduleError::TooShort(period));
        }
        if period.duration() > LONGEST {
            return Err(ScheduleError::TooLong(period));
        }
        Ok(Self { rhythm: Rhythm::Every(period) })
    }

    /// Reads a cron expression of five or six fields (or `@daily` and its like) and the IANA name of its time zone
    /// (`Europe/Berlin`, `UTC`).
    ///
    /// Fields: `[second] minute hour day-of-month month day-of-week`, each `*`, a value, a range, a list or a step;
    /// months and weekdays also by name; Sunday is 0 and 7. With both days restricted, either suffices.
    ///
    /// # Errors
    /// When a field is wrong, the expression never matches (30 February), or the time zone is unknown.
    pub fn parse_cron(expression: &str, time_zone: &str) -> Result<Self, ScheduleError> {
        let source = expression.trim().to_owned();
        let expression = Box::new(Expression::parse(&source)?);
        let zone = zone::find(time_zone)?;
        Ok(Self { rhythm: Rhythm::Cron { source, expression, zone } })
    }

    /// The first instant after `after` at which a pass is due.
    ///
    /// **Every**: the passes of one application are exactly the period apart. Where in the period they fall follows
    /// from `spread_key` (the application's name) alone, so that a thousand applications with `1h` do not all start on
    /// the hour, and a restart changes nothing.
    ///
    /// **Cron**: to the second, without spread, in the schedule's time zone. A time that the clocks skip runs once, at
    /// the first instant after the gap. A time that comes twice runs once, the first time; but an expression with `*`
    /// (or `*/n`) as second, minute or hour runs through both passes, since it stands for a rhythm, not a time of day.
    /// `None` after the year 2100, the last one that the `cron` crate knows.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, spread_key: &str) -> Option<Timestamp> {
        match &self.rhythm {
            Rhythm::Every(period) => next_spread(period.duration(), after, spread_key),
            Rhythm::Cron { expression, zone, .. } => zone::next_after(expression, zone, after),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rhythm {
            Rhythm::Every(period) => write!(f, "every {period}"),
            Rhythm::Cron { source, zone, .. } => {
                write!(f, "cron `{source}` in {}", zone.iana_name().unwrap_or("UTC"))
            }
        }
    }
}

/// The next multiple of the period, counted from 1970 and moved by the key's share of it.
fn next_spread(period: Duration, after: Timestamp, spread_key: &str) -> Option<Timestamp> {
    let nanoseconds = i128::try_from(period.as_nanos()).ok().filter(|period| *period > 0)?;
    let share = (u128::from(stable_hash(spread_key)) * period.as_nanos()) >> 64;
    let share = i128::try_from(share).ok()?;
    let since = after.as_nanosecond() - share;
    let next = (since.div_euclid(nanoseconds) + 1) * nanoseconds + share;
    Timestamp::from_nanosecond(next).ok()
}

/// FNV-1a with a final mix: the same on every machine and in every version, unlike the standard library's hasher.
/// The mix is there because the high bits choose the place in the period, and names often differ in the last letter.
fn stable_hash(key: &str) -> u64 {
    let mut hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spread_over_the_period() {
        let schedule = Schedule::every(Interval::from_secs(3600)).unwrap();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut tenths = [0u32; 10];
        for n in 0..1000 {
            let next = schedule.next_after(start, &format!("shop-{n}")).unwrap();
            let tenth = (next.as_second() - start.as_second()) / 361;
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (60..=140).contains(count)), "{tenths:?}");
    }

    #[test]
    fn a_schedule_says_what_was_written() {
        let every = Schedule::every(Interval::from_secs(5400)).unwrap();
        assert_eq!(every.to_string(), "every 1h30m");
        let cron = Schedule::parse_cron("*/5 * * * *", "europe/berlin").unwrap();
        assert_eq!(cron.to_string(), "cron `*/5 * * * *` in Europe/Berlin");
    }
}
