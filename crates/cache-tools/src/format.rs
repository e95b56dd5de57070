//! Formats numbers and table rows for people.

use std::{fmt, time::Duration};

use model_package::printable_line;

/// A whole number, with commas between thousands: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An estimate, rounded to three significant digits.
pub fn approximate(number: f64) -> String {
    let magnitude = 10_f64.powf((number.max(1.0).log10().floor() - 2.0).max(0.0));
    count(((number / magnitude).round() * magnitude) as u64)
}

/// A number of bytes, in the largest unit of which there is at least one.
pub fn bytes(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = "bytes";
    for larger in units {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "bytes" { format!("{number} bytes") } else { format!("{value:.1} {unit}") }
}

/// `share` is from 0 to 1.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A duration, in the largest unit of which there are at least two.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        172_800.. => (seconds / 86_400, "days"),
        7_200.. => (seconds / 3_600, "hours"),
        120.. => (seconds / 60, "minutes"),
        1 => (1, "second"),
        _ => (seconds, "seconds"),
    };
    format!("{} {unit}", count(number))
}

/// A number and its noun.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A row of a table: a name and a value without control characters.
///
/// # Errors
///
/// If writing fails.
pub fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<20} {}", printable_line(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 12.6, 999.4, 61_843.0].map(approximate), ["0", "13", "999", "61,800"]);
        assert_eq!([0, 1023, 1024, 67_108_864].map(bytes), ["0 bytes", "1023 bytes", "1.0 KiB", "64.0 MiB"]);
        let times = [0, 1, 119, 120, 7_199, 7_200, 604_800].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(times, ["0 seconds", "1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "7 days"]);
        assert_eq!([1, 2].map(|number| plural(number, "entry", "entries")), ["1 entry", "2 entries"]);
    }
}
