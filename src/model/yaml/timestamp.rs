//! The form of timestamps, for `!!timestamp`. Their value is the text anyway.

/// The timestamps go-yaml v2 knows: `2006-1-2`, `2006-1-2 15:4:5.9`, and with `T` or `t` and a zone.
pub(super) fn is_timestamp(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let (Some(year), true) = (take_digits(&mut rest, 4, 4), take(&mut rest, b'-')) else {
        return false;
    };
    let (Some(month), true) = (take_digits(&mut rest, 1, 2), take(&mut rest, b'-')) else {
        return false;
    };
    let Some(day) = take_digits(&mut rest, 1, 2) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    if day == 0 || day > days {
        return false;
    }
    let has_zone = match rest.first() {
        None => return true,
        Some(b'T' | b't') => true,
        Some(b' ') => false,
        Some(_) => return false,
    };
    rest = &rest[1..];
    if !has_zone {
        // Go takes a run of spaces for one.
        while take(&mut rest, b' ') {}
    }
    take_clock(&mut rest)
        && if has_zone { take(&mut rest, b'Z') && rest.is_empty() || is_zone(rest) } else { rest.is_empty() }
}

/// `15:4:5` with a fraction of any length behind a point or a comma.
fn take_clock(rest: &mut &[u8]) -> bool {
    for (limit, separator) in [(24, b':'), (60, b':'), (60, 0)] {
        match take_digits(rest, 1, 2) {
            Some(value) if value < limit => {}
            _ => return false,
        }
        if separator != 0 && !take(rest, separator) {
            return false;
        }
    }
    if matches!(rest, [b'.' | b',', digit, ..] if digit.is_ascii_digit()) {
        *rest = &rest[1..];
        while rest.first().is_some_and(u8::is_ascii_digit) {
            *rest = &rest[1..];
        }
    }
    true
}

/// `+hh:mm` or `-hh:mm`, at most a day.
fn is_zone(zone: &[u8]) -> bool {
    let mut rest = match zone {
        [b'+' | b'-', rest @ ..] => rest,
        _ => return false,
    };
    let hours = take_digits(&mut rest, 2, 2);
    let colon = take(&mut rest, b':');
    let minutes = take_digits(&mut rest, 2, 2);
    colon && rest.is_empty() && hours.is_some_and(|h| h <= 24) && minutes.is_some_and(|m| m <= 60)
}

fn take(rest: &mut &[u8], byte: u8) -> bool {
    match rest.split_first() {
        Some((&first, tail)) if first == byte => {
            *rest = tail;
            true
        }
        _ => false,
    }
}

/// Takes as many digits as there are, up to `most`.
fn take_digits(rest: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let count = rest.iter().take(most).take_while(|c| c.is_ascii_digit()).count();
    if count < least {
        return None;
    }
    let value = rest[..count].iter().fold(0, |value, c| value * 10 + u32::from(c - b'0'));
    *rest = &rest[count..];
    Some(value)
}
