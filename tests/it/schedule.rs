//! When the next full pass is due: a table of instants, and a walk minute by minute as the judge.

use jiff::civil::DateTime;
use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, ToSpan};
use portolan::schedule::{Schedule, ScheduleError};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// The first `count` runs after an instant.
fn runs(expression: &str, zone: &str, after: &str, count: usize) -> Vec<Timestamp> {
    let schedule = Schedule::parse_cron(expression, zone).expect(expression);
    let first = schedule.next_after(at(after), "x");
    std::iter::successors(first, |run| schedule.next_after(*run, "x")).take(count).collect()
}

/// `expression | zone | after | the runs that follow`.
const TABLE: &str = "
# Fields
*/15 * * * * | UTC | 2026-01-01T00:00:00Z | 2026-01-01T00:15+00:00 2026-01-01T00:30+00:00
*/15 * * * * | UTC | 2026-01-01T00:14:59.999Z | 2026-01-01T00:15+00:00
*/15 * * * * | UTC | 2026-01-01T00:15:00.000000001Z | 2026-01-01T00:30+00:00
5/20 * * * * | UTC | 2026-01-01T00:00:00Z | 2026-01-01T00:05+00:00 2026-01-01T00:25+00:00 2026-01-01T00:45+00:00 2026-01-01T01:05+00:00
10-20/5 3 * * * | UTC | 2026-01-01T00:00:00Z | 2026-01-01T03:10+00:00 2026-01-01T03:15+00:00 2026-01-01T03:20+00:00 2026-01-02T03:10+00:00
0,30 9-10 * * * | UTC | 2026-01-01T09:00:00Z | 2026-01-01T09:30+00:00 2026-01-01T10:00+00:00 2026-01-01T10:30+00:00
*/20 * * * * * | UTC | 2026-01-01T00:00:00Z | 2026-01-01T00:00:20+00:00 2026-01-01T00:00:40+00:00 2026-01-01T00:01+00:00
0 0 29 2 * | UTC | 2026-01-01T00:00:00Z | 2028-02-29T00:00+00:00 2032-02-29T00:00+00:00
0 0 31 * * | UTC | 2026-01-31T00:00:00Z | 2026-03-31T00:00+00:00 2026-05-31T00:00+00:00
0 12 1 jan,JUL * | UTC | 2026-01-01T12:00:00Z | 2026-07-01T12:00+00:00
0 0 1 */5 * | UTC | 2026-01-01T00:00:00Z | 2026-06-01T00:00+00:00 2026-11-01T00:00+00:00 2027-01-01T00:00+00:00
59 23 31 12 ? | UTC | 2026-01-01T00:00:00Z | 2026-12-31T23:59+00:00
# Days of the week: 2026-01-05 is a Monday
0 9 * * 1 | UTC | 2026-01-01T00:00:00Z | 2026-01-05T09:00+00:00 2026-01-12T09:00+00:00
0 9 * * 0 | UTC | 2026-01-01T00:00:00Z | 2026-01-04T09:00+00:00
0 9 * * 7 | UTC | 2026-01-01T00:00:00Z | 2026-01-04T09:00+00:00
0 9 * * Sun | UTC | 2026-01-01T00:00:00Z | 2026-01-04T09:00+00:00
0 9 * * 1-5 | UTC | 2026-01-02T09:00:00Z | 2026-01-05T09:00+00:00
0 9 * * 5-7 | UTC | 2026-01-01T00:00:00Z | 2026-01-02T09:00+00:00 2026-01-03T09:00+00:00 2026-01-04T09:00+00:00 2026-01-09T09:00+00:00
0 9 * * fri-SUN | UTC | 2026-01-03T09:00:00Z | 2026-01-04T09:00+00:00 2026-01-09T09:00+00:00
0 9 * * */3 | UTC | 2026-01-01T00:00:00Z | 2026-01-03T09:00+00:00 2026-01-04T09:00+00:00 2026-01-07T09:00+00:00
# Both days restricted: either; a star in one: the other
0 0 13 * 5 | UTC | 2026-01-01T00:00:00Z | 2026-01-02T00:00+00:00 2026-01-09T00:00+00:00 2026-01-13T00:00+00:00 2026-01-16T00:00+00:00
0 0 13 * * | UTC | 2026-01-01T00:00:00Z | 2026-01-13T00:00+00:00 2026-02-13T00:00+00:00
0 0 */10 * mon | UTC | 2026-01-01T00:00:00Z | 2026-01-05T00:00+00:00 2026-01-11T00:00+00:00 2026-01-12T00:00+00:00
0 0 */1 * mon | UTC | 2026-01-01T00:00:00Z | 2026-01-05T00:00+00:00 2026-01-12T00:00+00:00
0 0 30 2 1 | UTC | 2026-01-31T00:00:00Z | 2026-02-02T00:00+00:00 2026-02-09T00:00+00:00
# Shorthands
@hourly | UTC | 2026-01-01T00:00:00Z | 2026-01-01T01:00+00:00
@daily | Europe/Berlin | 2026-01-01T00:00:00Z | 2026-01-02T00:00+01:00
@midnight | UTC | 2026-01-01T00:00:00Z | 2026-01-02T00:00+00:00
@weekly | UTC | 2026-01-01T00:00:00Z | 2026-01-04T00:00+00:00
@monthly | UTC | 2026-01-01T00:00:00Z | 2026-02-01T00:00+00:00
@yearly | UTC | 2026-01-01T00:00:00Z | 2027-01-01T00:00+00:00
@annually | UTC | 2026-01-01T00:00:00Z | 2027-01-01T00:00+00:00
# Clocks go forward: 02:00 to 03:00 in Berlin on 29 March 2026, in New York on 8 March
30 2 * * * | Europe/Berlin | 2026-03-28T00:00:00Z | 2026-03-28T02:30+01:00 2026-03-29T03:00+02:00 2026-03-30T02:30+02:00
0 2 * * * | Europe/Berlin | 2026-03-28T12:00:00Z | 2026-03-29T03:00+02:00 2026-03-30T02:00+02:00
0 3 * * * | Europe/Berlin | 2026-03-28T12:00:00Z | 2026-03-29T03:00+02:00 2026-03-30T03:00+02:00
0 2,3 * * * | Europe/Berlin | 2026-03-28T12:00:00Z | 2026-03-29T03:00+02:00 2026-03-30T02:00+02:00
*/30 * * * * | Europe/Berlin | 2026-03-29T00:15:00Z | 2026-03-29T01:30+01:00 2026-03-29T03:00+02:00 2026-03-29T03:30+02:00
*/20 2 * * * | Europe/Berlin | 2026-03-28T12:00:00Z | 2026-03-29T03:00+02:00 2026-03-30T02:00+02:00 2026-03-30T02:20+02:00
30 2 * * sun | America/New_York | 2026-03-02T00:00:00Z | 2026-03-08T03:00-04:00 2026-03-15T02:30-04:00
# Clocks go back: 03:00 to 02:00 in Berlin on 25 October 2026, 02:00 to 01:00 in New York on 1 November
30 2 * * * | Europe/Berlin | 2026-10-24T12:00:00Z | 2026-10-25T02:30+02:00 2026-10-26T02:30+01:00
30 2 * * * | Europe/Berlin | 2026-10-25T00:30:00Z | 2026-10-26T02:30+01:00
30 2 * * * | Europe/Berlin | 2026-10-25T01:00:00Z | 2026-10-26T02:30+01:00
*/30 * * * * | Europe/Berlin | 2026-10-24T23:45:00Z | 2026-10-25T02:00+02:00 2026-10-25T02:30+02:00 2026-10-25T02:00+01:00 2026-10-25T02:30+01:00 2026-10-25T03:00+01:00
*/30 * * * * | Europe/Berlin | 2026-10-25T01:00:00Z | 2026-10-25T02:30+01:00 2026-10-25T03:00+01:00
15 * * * * | Europe/Berlin | 2026-10-24T23:20:00Z | 2026-10-25T02:15+02:00 2026-10-25T02:15+01:00 2026-10-25T03:15+01:00
*/20 2 * * * | Europe/Berlin | 2026-10-25T00:20:00Z | 2026-10-25T02:40+02:00 2026-10-25T02:00+01:00 2026-10-25T02:20+01:00 2026-10-25T02:40+01:00 2026-10-26T02:00+01:00
30 1 * * * | America/New_York | 2026-11-01T00:00:00Z | 2026-11-01T01:30-04:00 2026-11-02T01:30-05:00
0 */2 * * * | America/New_York | 2026-11-01T03:30:00Z | 2026-11-01T00:00-04:00 2026-11-01T02:00-05:00
# Half an hour, on Lord Howe: 02:00 to 02:30 on 4 October 2026, 02:00 back to 01:30 on 5 April
15 2 * * * | Australia/Lord_Howe | 2026-10-02T12:00:00Z | 2026-10-03T02:15+10:30 2026-10-04T02:30+11 2026-10-05T02:15+11
*/15 * * * * | Australia/Lord_Howe | 2026-10-03T15:15:00Z | 2026-10-04T02:30+11 2026-10-04T02:45+11
45 1 * * * | Australia/Lord_Howe | 2026-04-04T00:00:00Z | 2026-04-05T01:45+11 2026-04-06T01:45+10:30
*/15 1 * * * | Australia/Lord_Howe | 2026-04-04T14:15:00Z | 2026-04-05T01:30+11 2026-04-05T01:45+11 2026-04-05T01:30+10:30 2026-04-05T01:45+10:30 2026-04-06T01:00+10:30
# A whole day skipped, in Samoa: 30 December 2011
0 12 * * * | Pacific/Apia | 2011-12-29T12:00:00Z | 2011-12-29T12:00-10 2011-12-31T00:00+14 2011-12-31T12:00+14
";

#[test]
fn every_line_of_the_table() {
    let mut count = 0;
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let want: Vec<Timestamp> = parts[3].split(' ').map(at).collect();
        assert_eq!(runs(parts[0], parts[1], parts[2], want.len()), want, "{line}");
        count += 1;
    }
    assert!(count >= 45, "only {count} lines were read");
}

#[test]
fn wrong_expressions_are_refused_with_the_place_and_the_way_out() {
    let refused = [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields: write five"),
        ("0 0 0 1 1 ? 2027", "has 7 fields"),
        ("60 * * * *", "minute `60`: 60 is out of range: 0 to 59"),
        ("* 24 * * *", "hour `24`: 24 is out of range: 0 to 23"),
        ("* * 0 * *", "day of month `0`: 0 is out of range: 1 to 31"),
        ("* * * 13 *", "month `13`"),
        ("* * * * 8", "day of week `8`: 8 is out of range: 0 to 7"),
        ("* * * * 999", "out of range"),
        ("*/0 * * * *", "a step of 0 never ends"),
        ("*/x * * * *", "`x` is not a step"),
        ("*/+5 * * * *", "is not a step"),
        ("+5 * * * *", "is not a value"),
        ("5- * * * *", "a value is missing"),
        ("1,,2 * * * *", "a value is missing"),
        ("* 22-2 * * *", "write two parts, `22-23,0-2`"),
        ("* * * * mon-fri-sun", "is not a value"),
        ("* * L * *", "L, W, # and H are not known to Kubernetes either"),
        ("* * * foo *", "`foo` is not a value: 1 to 12 or jan to dec"),
        ("0 0 30 2 *", "never runs"),
        ("0 0 31 2,4,jun,9,11 *", "never runs"),
        ("TZ=Europe/Berlin 0 0 * * *", "write the time zone as `timeZone: Europe/Berlin`"),
        ("CRON_TZ=UTC 0 0 * * *", "`timeZone: UTC`"),
        ("@every 1h30m", "write `every: 1h30m` instead"),
        ("@reboot", "@reboot` is not known"),
    ];
    for (expression, told) in refused {
        let error = Schedule::parse_cron(expression, "UTC").expect_err(expression).to_string();
        assert!(error.starts_with("cron: ") && error.contains(told), "{expression}: {error}");
    }
}

#[test]
fn time_zones_are_iana_names() {
    for zone in ["UTC", "Europe/Berlin", "america/new_york", "Etc/GMT+5"] {
        assert!(Schedule::parse_cron("@daily", zone).is_ok(), "{zone}");
    }
    for (zone, told) in [
        ("", "write an IANA name"),
        ("Local", "write an IANA name"),
        ("+02:00", "write an IANA name"),
        ("Mars/Olympus", "no time zone `Mars/Olympus`"),
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("Asia/Berlin", "did you mean `Europe/Berlin`?"),
        ("../../etc/passwd", "no time zone"),
    ] {
        let error = Schedule::parse_cron("@daily", zone).expect_err(zone).to_string();
        assert!(error.contains(told), "{zone}: {error}");
    }
}

fn every(text: &str) -> Result<Schedule, ScheduleError> {
    Schedule::every(text.parse().expect("an interval"))
}

#[test]
fn a_time_between_passes_has_bounds() {
    for good in ["10s", "30d", "720h", "1h"] {
        assert!(every(good).is_ok(), "{good}");
    }
    let told = |text: &str| every(text).expect_err(text).to_string();
    assert_eq!(
        told("9s"),
        "every: `9s` is too short: at least 10s, drift is seen by watch in between anyway"
    );
    assert!(told("9999ms").contains("`9s999ms` is too short"));
    assert_eq!(told("30d1s"), "every: `30d1s` is too long: at most 30d (720h)");
}

#[test]
fn intervals_keep_their_place_over_restarts() {
    let schedule = every("1h").unwrap();
    let first = schedule.next_after(at("2026-01-01T00:00:00Z"), "shop").unwrap();
    let second = schedule.next_after(first, "shop").unwrap();
    assert_eq!(second.as_second() - first.as_second(), 3600);
    // Asked again at any moment between, after a restart say, the answer is the same.
    for minutes in 1..60 {
        assert_eq!(schedule.next_after(first.checked_add(minutes.minutes()).unwrap(), "shop"), Some(second));
    }
    assert_ne!(Some(first), schedule.next_after(at("2026-01-01T00:00:00Z"), "shop-2"));
    let early = at("1900-01-01T00:00:00Z");
    let wait = schedule.next_after(early, "shop").unwrap().as_second() - early.as_second();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert_eq!(schedule.next_after(Timestamp::MAX, "shop"), None);
}

#[test]
fn cron_ends_with_the_year_2100_and_starts_with_1970() {
    let yearly = Schedule::parse_cron("@yearly", "UTC").unwrap();
    assert_eq!(yearly.next_after(at("2099-06-01T00:00:00Z"), ""), Some(at("2100-01-01T00:00:00Z")));
    assert_eq!(yearly.next_after(at("2100-06-01T00:00:00Z"), ""), None);
    assert_eq!(yearly.next_after(at("1812-06-01T00:00:00Z"), ""), Some(at("1970-01-01T00:00:00Z")));
    assert_eq!(yearly.next_after(Timestamp::MIN, ""), Some(at("1970-01-01T00:00:00Z")));
    assert_eq!(yearly.next_after(Timestamp::MAX, ""), None);
}

/// One field as written, and its values as the judge knows them.
fn field(min: i8, max: i8) -> impl Strategy<Value = (String, BTreeSet<i8>, bool)> {
    let all: BTreeSet<i8> = (min..=max).collect();
    let step = move |n: i8| {
        (format!("*/{n}"), (min..=max).step_by(usize::try_from(n).expect("positive")).collect(), true)
    };
    prop_oneof![
        2 => Just(("*".to_owned(), all.clone(), true)),
        1 => (2i8..=13).prop_map(step),
        2 => proptest::collection::btree_set(min..=max, 1..4).prop_map(|set| {
            let text: Vec<String> = set.iter().map(ToString::to_string).collect();
            (text.join(","), set, false)
        }),
        1 => (min..=max, min..=max).prop_map(|(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            (format!("{a}-{b}"), (a..=b).collect(), false)
        }),
    ]
}

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/St_Johns",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every minute of three days around a change of the clocks, judged by itself.
    #[test]
    fn runs_are_exactly_the_minutes_that_match(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), weekday in field(0, 6),
        zone in proptest::sample::select(&ZONES[..]), year in 2001i64..2037, change in 0usize..2, offset in 0i64..1440,
    ) {
        let expression = format!("{} {} {} * {}", minute.0, hour.0, day.0, weekday.0);
        let schedule = Schedule::parse_cron(&expression, zone).unwrap();
        // The compiled-in database, as the schedule uses: the machine's own may be of another year.
        let tz = TimeZoneDatabase::bundled().get(zone).unwrap();
        let new_year = at("1970-01-01T00:00:00Z").checked_add(((year - 1970) * 365 * 24).hours()).unwrap();
        let change = tz.following(new_year).nth(change).map_or(new_year, |change| change.timestamp());
        // The walk goes by whole minutes, and the database has an entry at 2038-01-19T03:14:07Z that changes nothing.
        let change = change.checked_sub((change.as_second() % 60).seconds()).unwrap();
        let start = change.checked_sub((offset + 600).minutes()).unwrap();
        let end = start.checked_add(4320.minutes()).unwrap();

        // POSIX: a `*` leaves the decision to the other day field; otherwise either suffices.
        let (free_day, free_weekday) = (day.0 == "*", weekday.0 == "*");
        let matches = |time: DateTime| {
            let by_day = day.1.contains(&time.day());
            let by_weekday = weekday.1.contains(&time.weekday().to_sunday_zero_offset());
            let on_day = if free_day || free_weekday { by_day && by_weekday } else { by_day || by_weekday };
            on_day && hour.1.contains(&time.hour()) && minute.1.contains(&time.minute())
        };
        // As the schedule documents it: a star, or a field that leaves nothing out.
        let rhythmic = minute.2 || hour.2 || minute.1.len() == 60 || hour.1.len() == 24;
        let mut want = Vec::new();
        let mut now = start.checked_add(1.minute()).unwrap();
        while now <= end {
            let time = tz.to_datetime(now);
            let earlier = tz.to_datetime(now.checked_sub(1.minute()).unwrap());
            // Minutes that the clock jumped over on its way here.
            let mut skipped = earlier.checked_add(1.minute()).unwrap();
            let mut jumped = false;
            while skipped < time {
                jumped |= matches(skipped);
                skipped = skipped.checked_add(1.minute()).unwrap();
            }
            let first = tz.to_ambiguous_timestamp(time).earlier().unwrap() == now;
            if jumped || (matches(time) && (first || rhythmic)) {
                want.push(now);
            }
            now = now.checked_add(1.minute()).unwrap();
        }

        let mut got = Vec::new();
        let mut now = start;
        while let Some(next) = schedule.next_after(now, "x").filter(|next| *next <= end) {
            prop_assert!(next > now, "not increasing: {now} {next}");
            got.push(next);
            now = next;
        }
        let differs = got.iter().zip(&want).find(|(got, want)| got != want);
        prop_assert!(got == want, "{expression} in {zone} from {start}: {differs:?}, {} of {}", got.len(), want.len());
    }

    #[test]
    fn any_text_is_read_or_refused(expression in "[-0-9*/,?@a-zL# =]{0,24}", zone in "[A-Za-z/_+-]{0,16}") {
        let _ = Schedule::parse_cron(&expression, &zone);
        if let Ok(schedule) = Schedule::parse_cron(&expression, "Europe/Berlin") {
            let now = at("2026-10-25T00:30:00.5Z");
            prop_assert!(schedule.next_after(now, "x").is_none_or(|next| next > now));
        }
    }
}
