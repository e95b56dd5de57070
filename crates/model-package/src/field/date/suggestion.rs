//! Suggests a date in RFC 3339 in place of an invalid value.

use super::{Date, SECONDS_OF_DAY, Scale, calendar, calendar::Day, rfc3339};
use crate::json::Json;

/// From here on, a number is taken for seconds since 1970, and from [`LEAST_MILLISECONDS`] on for milliseconds: 1973 and 5138.
const LEAST_SECONDS: f64 = 1e8;
const LEAST_MILLISECONDS: f64 = 1e11;

impl Date {
    /// Recognises other notations of dates and times, days beyond the end of a month, and seconds and milliseconds since 1970.
    pub(crate) fn suggestion(&self, value: &Json<'_>) -> Option<String> {
        let meant = match value {
            Json::Text(text) => self.meant_by(text.trim())?,
            Json::Number(number) => self.meant_by_number(*number)?,
            _ => return None,
        };
        let (text, remark) = meant;
        self.number_of(&text).map(|_| format!("\"{text}\"{remark}"))
    }

    fn meant_by(&self, text: &str) -> Option<(String, &'static str)> {
        let (day, rest, remark) = day(text)?;
        let date = rfc3339::date_text(day.number());
        let time = rest.trim_start_matches(['T', 't', ' ']);
        match self.scale {
            Scale::Days if time.is_empty() || has_time(time) => Some((date, remark)),
            Scale::Days => None,
            Scale::Seconds if time.is_empty() => Some((format!("{date}T00:00:00Z"), remark)),
            Scale::Seconds => {
                let (clock, offset) = split_offset(time);
                let clock = clock.trim();
                let clock = if clock.len() == "08:15".len() { format!("{clock}:00") } else { clock.to_owned() };
                let (offset, if_utc) = match offset {
                    "" => ("Z".to_owned(), ", if the time is UTC"),
                    "Z" | "z" => ("Z".to_owned(), ""),
                    _ => (with_colon(offset)?, ""),
                };
                Some((format!("{date}T{clock}{offset}"), if remark.is_empty() { if_utc } else { remark }))
            }
        }
    }

    fn meant_by_number(&self, number: f64) -> Option<(String, &'static str)> {
        let (seconds, remark) = match number {
            _ if number >= LEAST_MILLISECONDS => (number / 1e3, " for milliseconds since 1970"),
            _ if number >= LEAST_SECONDS => (number, " for seconds since 1970"),
            _ => return None,
        };
        // Too large a number becomes a year that is refused.
        let seconds = seconds.min(1e15) as i64;
        Some(match self.scale {
            Scale::Days => (rfc3339::date_text(seconds.div_euclid(SECONDS_OF_DAY)), remark),
            Scale::Seconds => (rfc3339::time_text(seconds), remark),
        })
    }
}

/// The day at the start of a text, what follows it, and a remark. `11/12/2026` is ambiguous and no day.
fn day(text: &str) -> Option<(Day, &str, &'static str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '/' | '.')).unwrap_or(text.len());
    let (written, rest) = text.split_at(end);
    let separator = written.find(|c: char| !c.is_ascii_digit()).map(|position| &written[position..=position]);
    let parts: Vec<&str> = match separator {
        None if written.len() == 8 => vec![&written[..4], &written[4..6], &written[6..]],
        None => return None,
        Some(separator) => written.split(separator).collect(),
    };
    let [first, second, third] = parts[..] else { return None };
    let is_year = |text: &str| text.len() == 4;
    let is_short = |text: &str| (1..=2).contains(&text.len());
    let number = |text: &str| text.parse::<i64>().ok();
    let (year, month, day) = match (is_year(first), is_year(third)) {
        (true, false) if is_short(second) && is_short(third) => (number(first)?, number(second)?, number(third)?),
        (false, true) if is_short(first) && is_short(second) => {
            let (first, second) = (number(first)?, number(second)?);
            // With points, the day comes first: 30.11.2026.
            let day_first = separator == Some(".") || first > 12 || first == second;
            let month_first = separator != Some(".") && second > 12;
            match (day_first, month_first) {
                (true, false) => (number(third)?, second, first),
                (false, true) => (number(third)?, first, second),
                _ => return None,
            }
        }
        _ => return None,
    };
    if let Some(day) = Day::new(year, month, day) {
        return Some((day, rest, ""));
    }
    // 2026-11-31
    let last = (1..=12).contains(&month).then(|| calendar::length_of_month(year, month))?;
    (29..=31).contains(&day).then_some((Day { year, month, day: last }, rest, ", the last day of the month"))
}

/// Whether a text begins with a time: `08:15`.
fn has_time(text: &str) -> bool {
    matches!(text.as_bytes(), [h1, h2, b':', ..] if h1.is_ascii_digit() && h2.is_ascii_digit())
}

/// A time, and its offset from UTC: `08:15:00` and `+0100`.
fn split_offset(time: &str) -> (&str, &str) {
    time.split_at(time.find(['+', '-', 'Z', 'z']).unwrap_or(time.len()))
}

/// `+01:00` for `+0100` and `+01`.
fn with_colon(offset: &str) -> Option<String> {
    let digits: String = offset.chars().skip(1).filter(|c| *c != ':').collect();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = match digits.len() {
        2 if is_number => (&digits[..], "00"),
        4 if is_number => digits.split_at(2),
        _ => return None,
    };
    Some(format!("{}{hours}:{minutes}", &offset[..1]))
}

#[cfg(test)]
mod tests {
    use crate::{Precision, testing::field_of};

    #[test]
    fn other_notations_are_recognised_and_ambiguous_ones_are_not() {
        let (date, datetime) = ("type = 'date'", "type = 'datetime'");
        let recent = "type = 'date'\nminimum = '2020-01-01'";
        for (written, sent, meant) in [
            (date, r#""30.11.2026""#, Some(r#""2026-11-30""#)),
            (date, r#""3.4.2026""#, Some(r#""2026-04-03""#)),
            (date, r#""2026/11/30""#, Some(r#""2026-11-30""#)),
            (date, r#""20261130""#, Some(r#""2026-11-30""#)),
            (date, r#""2026-1-5""#, Some(r#""2026-01-05""#)),
            (date, r#"" 2026-11-30 ""#, Some(r#""2026-11-30""#)),
            (date, r#""11/30/2026""#, Some(r#""2026-11-30""#)),
            (date, r#""30/11/2026""#, Some(r#""2026-11-30""#)),
            (date, r#""11/12/2026""#, None),
            (date, r#""2026-11-31""#, Some(r#""2026-11-30", the last day of the month"#)),
            (date, r#""2026-02-29""#, Some(r#""2026-02-28", the last day of the month"#)),
            (date, r#""2026-11-32""#, None),
            (date, r#""2026-13-01""#, None),
            (date, r#""2026-11-30T08:15:00Z""#, Some(r#""2026-11-30""#)),
            (date, r#""2026-11-30 or later""#, None),
            (date, r#""tomorrow""#, None),
            (date, r#""0000-01-01""#, None),
            (date, "1796026500", Some(r#""2026-11-30" for seconds since 1970"#)),
            (date, "20787", None),
            (date, "true", None),
            (recent, r#""30.11.2026""#, Some(r#""2026-11-30""#)),
            (recent, r#""30.11.2016""#, None),
            (datetime, r#""2026-11-30T08:15:00""#, Some(r#""2026-11-30T08:15:00Z", if the time is UTC"#)),
            (datetime, r#""2026-11-30 08:15""#, Some(r#""2026-11-30T08:15:00Z", if the time is UTC"#)),
            (datetime, r#""2026-11-30 08:15:00Z""#, Some(r#""2026-11-30T08:15:00Z""#)),
            (datetime, r#""2026-11-30T08:15:00+0100""#, Some(r#""2026-11-30T08:15:00+01:00""#)),
            (datetime, r#""2026-11-30T08:15:00-01""#, Some(r#""2026-11-30T08:15:00-01:00""#)),
            (datetime, r#""30.11.2026 08:15:00.5 +01:00""#, Some(r#""2026-11-30T08:15:00.5+01:00""#)),
            (datetime, r#""2026-11-30""#, Some(r#""2026-11-30T00:00:00Z""#)),
            (datetime, r#""2026-11-30T25:00:00Z""#, None),
            (datetime, r#""2026-11-30T08:15:00+é""#, None),
            (datetime, "1796026500", Some(r#""2026-11-30T08:15:00Z" for seconds since 1970"#)),
            (datetime, "1796026500123", Some(r#""2026-11-30T08:15:00Z" for milliseconds since 1970"#)),
            (datetime, "1e300", None),
        ] {
            let value = serde_json::from_str(sent).expect("JSON");
            assert_eq!(field_of(Precision::Float64, written).suggestion(&value).as_deref(), meant, "{sent}");
        }
    }
}
