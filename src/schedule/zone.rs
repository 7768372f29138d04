//! From civil times to instants, where the clocks change.

use super::ScheduleError;
use super::expression::Expression;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp, ToSpan, civil};

/// Finds a time zone by its IANA name in the database that is compiled in: the same on every machine.
pub(super) fn find(name: &str) -> Result<TimeZone, ScheduleError> {
    let name = name.trim();
    let database = TimeZoneDatabase::bundled();
    // `Local` and the empty name would be whatever machine the daemon happens to run on; CronJob refuses them too.
    if !name.is_empty()
        && let Ok(zone) = database.get(name)
    {
        return Ok(zone);
    }
    let wanted = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let near = database.available().map(|zone| zone.to_string()).find(|zone| {
        !wanted.is_empty() && zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted))
    });
    let hint = match near {
        Some(near) => format!(": did you mean `{near}`?"),
        None => ": write an IANA name, such as `Europe/Berlin` or `UTC`".into(),
    };
    Err(ScheduleError::UnknownZone { name: name.into(), hint })
}

/// The instants of one civil time: the first, and a second one where a rhythm runs through an hour that comes twice.
struct Instants {
    first: Timestamp,
    again: Option<Timestamp>,
}

/// The first instant after `after` that the expression means in this zone.
pub(super) fn next_after(expression: &Expression, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let offset = zone.to_offset(after);
    let mut start = offset.to_datetime(after).with().subsec_nanosecond(0).build().ok()?;
    if let AmbiguousOffset::Fold { before, after: second } = zone.to_ambiguous_timestamp(start).offset()
        && offset == before
    {
        // In the first pass of an hour that comes twice: what lies before us on the clock is still to come again.
        let back = i64::from(before.seconds()) - i64::from(second.seconds());
        start = start.checked_sub(seconds(back)).ok()?;
    }
    // The crate's years begin in 1970; and its "after" excludes the very second, which may be ours.
    let start = start.max(civil::date(1970, 1, 1).at(0, 0, 0, 0)).checked_sub(1.second()).ok()?;

    let mut best: Option<Timestamp> = None;
    for time in expression.after(start) {
        let Some(instants) = instants(zone, time, expression.is_rhythmic()) else {
            continue;
        };
        // First instants ascend with the clock, so nothing later can come before this one.
        let ends = instants.first > after;
        let candidates = [Some(instants.first), instants.again];
        best = candidates.into_iter().flatten().filter(|at| *at > after).chain(best).min();
        if ends {
            break;
        }
    }
    best
}

fn instants(zone: &TimeZone, time: civil::DateTime, rhythmic: bool) -> Option<Instants> {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            Some(Instants { first: offset.to_timestamp(time).ok()?, again: None })
        }
        AmbiguousOffset::Fold { before, after } => {
            let again = if rhythmic { after.to_timestamp(time).ok() } else { None };
            Some(Instants { first: before.to_timestamp(time).ok()?, again })
        }
        AmbiguousOffset::Gap { after, .. } => {
            // With the offset that comes, a skipped time lies just before the change.
            let before_change = after.to_timestamp(time).ok()?;
            let change = zone.following(before_change).find(|change| change.offset() == after)?;
            Some(Instants { first: change.timestamp(), again: None })
        }
    }
}

fn seconds(count: i64) -> Span {
    Span::new().seconds(count)
}
