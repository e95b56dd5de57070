//! Dates and times as RFC 3339 writes them.

use super::{SECONDS_OF_DAY, calendar::Day};

/// Reads a `full-date`, `2026-11-30`, as days since 1970-01-01.
pub(super) fn days(text: &str) -> Option<i64> {
    match split_date(text.as_bytes())? {
        (day, []) => Some(day.number()),
        _ => None,
    }
}

/// Reads a `date-time`, `2026-11-30T08:15:00.25+01:00`, as whole seconds since 1970-01-01T00:00:00Z: those of the second in which it
/// lies. A leap second, `23:59:60` in UTC at the end of a month, is read as the second before it.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (day, rest) = split_date(text.as_bytes())?;
    let [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest else { return None };
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    let offset = match without_fraction(rest)? {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let is_known = hours <= 23 && minutes <= 59;
            (if *sign == b'+' { 1 } else { -1 }) * is_known.then_some(hours * 3_600 + minutes * 60)?
        }
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = day.number() * SECONDS_OF_DAY + hour * 3_600 + minute * 60 + second.min(59) - offset;
    let ends_a_month = || {
        let next = seconds + 1;
        next.rem_euclid(SECONDS_OF_DAY) == 0 && Day::from_number(next.div_euclid(SECONDS_OF_DAY)).day == 1
    };
    (second < 60 || ends_a_month()).then_some(seconds)
}

fn split_date(text: &[u8]) -> Option<(Day, &[u8])> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = text else { return None };
    let (year, month, day) = (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    Some((Day::new(year, month, day)?, rest))
}

/// What follows a fraction of a second, if there is one.
fn without_fraction(text: &[u8]) -> Option<&[u8]> {
    let Some(digits) = text.strip_prefix(b".") else { return Some(text) };
    let end = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (end > 0).then_some(&digits[end..])
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

pub(super) fn date_text(days: i64) -> String {
    let Day { year, month, day } = Day::from_number(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// In UTC.
pub(super) fn time_text(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(SECONDS_OF_DAY), seconds.rem_euclid(SECONDS_OF_DAY));
    format!("{}T{:02}:{:02}:{:02}Z", date_text(days), second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_the_calendar_has_are_read() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2026-11-30", Some(20_787)),
            ("2000-02-29", Some(11_016)),
            ("2024-02-29", Some(19_782)),
            ("0001-01-01", Some(-719_162)),
            ("9999-12-31", Some(2_932_896)),
        ] {
            assert_eq!(days(text), expected, "{text}");
            assert_eq!(expected.map(date_text).as_deref(), Some(text));
        }
        for text in [
            "",
            "2026-11-31",
            "1900-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-1-01",
            "20261130",
            "2026/11/30",
            "2026-11-30T00:00:00Z",
            " 2026-11-30",
            "2026-11-30 ",
            "+2026-11-30",
            "-026-11-30",
            "12026-11-30",
            "２０２６-11-30",
            "2026-11-3\u{660}",
        ] {
            assert_eq!(days(text), None, "{text:?}");
        }
    }

    #[test]
    fn equal_instants_are_equal_seconds_and_a_fraction_is_dropped() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("1969-12-31T23:59:59.999999999Z", -1),
            ("1970-01-01T00:00:00.5Z", 0),
            ("2026-11-30T08:15:00Z", 1_796_026_500),
            ("2026-11-30t08:15:00z", 1_796_026_500),
            ("2026-11-30T09:15:00+01:00", 1_796_026_500),
            ("2026-11-29T08:16:00-23:59", 1_796_026_500),
            ("2026-12-01T08:14:00.123456789012345678901+23:59", 1_796_026_500),
            ("2026-11-30T08:15:00-00:00", 1_796_026_500),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            // A leap second of the past, and one in another time zone.
            ("2016-12-31T23:59:60Z", 1_483_228_799),
            ("2017-01-01T00:59:60.9+01:00", 1_483_228_799),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
            assert_eq!(seconds(&time_text(expected)), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026-11-30",
            "2026-11-30T08:15:00",
            "2026-11-30 08:15:00Z",
            "2026-11-30T08:15Z",
            "2026-11-30T08:15:00.Z",
            "2026-11-30T08:15:00,5Z",
            "2026-11-30T24:00:00Z",
            "2026-11-30T08:60:00Z",
            "2026-11-30T08:15:61Z",
            "2026-11-30T08:15:60Z",
            "2026-11-29T23:59:60Z",
            "2026-11-30T23:59:60+01:00",
            "2026-11-31T08:15:00Z",
            "2026-11-30T08:15:00+24:00",
            "2026-11-30T08:15:00+01:60",
            "2026-11-30T08:15:00+0100",
            "2026-11-30T08:15:00+01",
            "2026-11-30T08:15:00 Z",
            "2026-11-30T08:15:00ZZ",
            "2026-11-30T08:15:00Europe/Berlin",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
