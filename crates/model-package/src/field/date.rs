//! Dates and times in RFC 3339, which the model reads as days or seconds since the start of 1970.
//!
//! The parser and the calendar are our own, a hundred lines: the build script uses this crate, so that a library such as `time` would be
//! compiled a second time, for the build machine.

mod calendar;
mod rfc3339;
mod suggestion;

use super::Encoded;
use crate::{
    json::Json,
    manifest::{FieldEntry, FieldType, LimitEntry},
    mistake::Entry,
    tensor::DataType,
};

const SECONDS_OF_DAY: i64 = 86_400;
/// 0001-01-01 and 9999-12-31.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;

/// A date, or a date with a time and its offset from UTC.
#[derive(Clone, Debug)]
pub struct Date {
    scale: Scale,
    datatype: DataType,
    hint: Option<String>,
    /// Inclusive, in days or seconds since the start of 1970.
    lower: i64,
    upper: i64,
}

/// What the model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Since 1970-01-01.
    Days,
    /// Whole ones since 1970-01-01T00:00:00Z.
    Seconds,
}

impl Scale {
    /// What it has for the years 1 to 9999, which every library has.
    fn range(self) -> (i64, i64) {
        match self {
            Self::Days => (FIRST_DAY, LAST_DAY),
            Self::Seconds => (FIRST_DAY * SECONDS_OF_DAY, (LAST_DAY + 1) * SECONDS_OF_DAY - 1),
        }
    }
}

impl Date {
    /// `datatype` is the type of the graph's input.
    pub(crate) fn new(written: &FieldEntry, datatype: DataType, entry: &mut Entry<'_>) -> Option<Self> {
        let scale = if written.r#type == FieldType::Datetime { Scale::Seconds } else { Scale::Days };
        let (lower, upper) = scale.range();
        let mut date = Self { scale, datatype, hint: written.hint.clone(), lower, upper };
        let mut limit = |given: &Option<LimitEntry>, end: &str, default: i64| {
            let Some(given) = given else { return default };
            let limit = match given {
                LimitEntry::Text(text) => date.number_of(text),
                LimitEntry::Number(_) => None,
            };
            entry.require(limit.is_some(), format_args!("`{end}` is {given} but {}", date.allowed()));
            limit.unwrap_or(default)
        };
        let (least, most) = (limit(&written.minimum, "minimum", lower), limit(&written.maximum, "maximum", upper));
        (date.lower, date.upper) = (least, most);
        entry.require(date.lower <= date.upper, "`minimum` is later than `maximum`: correct one of them");
        let (smallest, largest) = exact_integers(datatype);
        let name = datatype.name();
        let what = match scale {
            Scale::Days => "days since 1970-01-01",
            Scale::Seconds => "seconds since 1970-01-01T00:00:00Z",
        };
        entry.require(
            date.lower as f64 >= smallest && date.upper as f64 <= largest,
            format_args!(
                "becomes {what}, from {} to {}, but feeds an input of {name}, which holds the whole numbers from {smallest} to \
                 {largest}: declare the input as float64 or int64, and cast it inside the graph",
                date.lower, date.upper
            ),
        );
        entry.has_no_mistakes().then_some(date)
    }

    /// The number that the model reads for the value of a request. `None` if it is not allowed.
    pub(crate) fn read(&self, value: &Json<'_>) -> Option<Encoded> {
        match value {
            Json::Text(text) => self.read_text(text),
            _ => None,
        }
    }

    pub(crate) fn read_text(&self, text: &str) -> Option<Encoded> {
        self.encoded(self.number_of(text)?)
    }

    /// Days or seconds, within the bounds.
    fn number_of(&self, text: &str) -> Option<i64> {
        let number = match self.scale {
            Scale::Days => rfc3339::days(text),
            Scale::Seconds => rfc3339::seconds(text),
        };
        number.filter(|number| (self.lower..=self.upper).contains(number))
    }

    fn encoded(&self, number: i64) -> Option<Encoded> {
        // Lossless: Self::new has compared the bounds with the type.
        Encoded::number(number as f64, self.datatype.precision())
    }

    /// The value at a position from 0, the first one, to 1, the last.
    pub(crate) fn value_at(&self, position: f64) -> Encoded {
        let span = (self.upper - self.lower) as f64;
        let number = self.lower + (span * position) as i64;
        self.encoded(number.min(self.upper)).unwrap_or(Encoded::Nan)
    }

    /// `must be a date as YYYY-MM-DD, from 2020-01-01 to 2029-12-31`.
    pub(crate) fn allowed(&self) -> String {
        let form = match self.scale {
            Scale::Days => "a date as YYYY-MM-DD",
            Scale::Seconds => {
                "a date and time with an offset from UTC as YYYY-MM-DDThh:mm:ssZ or YYYY-MM-DDThh:mm:ss+hh:mm"
            }
        };
        let range = match (self.minimum(), self.maximum()) {
            (None, None) => String::new(),
            (Some(first), None) => format!(", not before {first}"),
            (None, Some(last)) => format!(", not after {last}"),
            (Some(first), Some(last)) => format!(", from {first} to {last}"),
        };
        let hint = self.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default();
        format!("must be {form}{range}{hint}")
    }

    /// Whether it has a time, so that the model reads seconds.
    pub fn has_time(&self) -> bool {
        self.scale == Scale::Seconds
    }

    /// Whether it is the number of a date in the years 1 to 9999, whatever the bounds are.
    pub(crate) fn has(&self, number: f64) -> bool {
        let (first, last) = self.scale.range();
        number.fract() == 0.0 && (first as f64..=last as f64).contains(&number)
    }

    /// The value in RFC 3339, a time in UTC, for a number of days or seconds since the start of 1970.
    pub fn text(&self, number: i64) -> String {
        match self.scale {
            Scale::Days => rfc3339::date_text(number),
            Scale::Seconds => rfc3339::time_text(number),
        }
    }

    /// The first and the last value, in days or seconds since the start of 1970.
    pub fn range(&self) -> (i64, i64) {
        (self.lower, self.upper)
    }

    /// The first value, if it is later than in the year 1.
    pub fn minimum(&self) -> Option<String> {
        (self.lower > self.scale.range().0).then(|| self.text(self.lower))
    }

    /// The last value, if it is earlier than the end of the year 9999.
    pub fn maximum(&self) -> Option<String> {
        (self.upper < self.scale.range().1).then(|| self.text(self.upper))
    }
}

/// The range in which the type holds every integer.
fn exact_integers(datatype: DataType) -> (f64, f64) {
    let largest = datatype.precision().largest_integer();
    datatype.integers().unwrap_or((-largest, largest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Precision,
        testing::{field, field_of, try_field_of},
    };

    fn text(text: &str) -> Json<'_> {
        Json::Text(text.into())
    }

    #[test]
    fn a_date_is_days_and_a_time_is_seconds_since_1970() {
        assert_eq!(field("type = 'date'").read(&text("2026-11-30")), Some(Encoded::Number(20_787.0)));
        let of_double = |toml: &str, value: &str| field_of(Precision::Float64, toml).read(&text(value));
        assert_eq!(of_double("type = 'date'", "9999-12-31"), Some(Encoded::Double(2_932_896.0)));
        let instant = Some(Encoded::Double(1_796_026_500.0));
        assert_eq!(of_double("type = 'datetime'", "2026-11-30T08:15:00Z"), instant);
        assert_eq!(of_double("type = 'datetime'", "2026-11-30T09:15:00.75+01:00"), instant);
        for sent in ["2026-11-30T08:15:00", "2026-11-30", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(of_double("type = 'datetime'", sent), None, "{sent}");
        }
        for sent in ["20787", "true", "null", "[\"2026-11-30\"]"] {
            assert_eq!(field("type = 'date'").read(&serde_json::from_str(sent).expect("JSON")), None, "{sent}");
        }
    }

    #[test]
    fn bounds_are_inclusive_and_those_of_times_are_instants() {
        let date = field("type = 'date'\nminimum = '2020-02-29'\nmaximum = '2020-03-01'");
        let read = ["2020-02-28", "2020-02-29", "2020-03-01", "2020-03-02"].map(|day| date.read(&text(day)).is_some());
        assert_eq!(read, [false, true, true, false]);
        let time = field_of(Precision::Float64, "type = 'datetime'\nminimum = '2020-01-01T00:00:00+01:00'");
        assert!(time.read(&text("2019-12-31T23:00:00Z")).is_some());
        assert!(time.read(&text("2019-12-31T22:59:59.9Z")).is_none());
        assert!(time.allowed().ends_with(", not before 2019-12-31T23:00:00Z"), "{}", time.allowed());
    }

    #[test]
    fn a_missing_date_is_nan_or_a_date() {
        let missing = |missing: &str| field(&format!("type = 'date'\nrequired = false\nmissing = {missing}"));
        assert_eq!(missing("'nan'").read(&Json::Null), Some(Encoded::Nan));
        assert_eq!(missing("{ value = '1970-01-02' }").read(&Json::Null), Some(Encoded::Number(1.0)));
        for wrong in ["5", "'zeros'", "{ value = '1970-01-32' }"] {
            let toml = format!("type = 'date'\nrequired = false\nmissing = {wrong}");
            let mistakes = try_field_of(Precision::Float32, &toml).expect_err("refused");
            assert!(mistakes[0].problem.ends_with("\"nan\", or { value = \"…\" } with a date"), "{mistakes:?}");
        }
    }

    #[test]
    fn mistakes_in_the_manifest_say_what_is_allowed() {
        for (toml, expected) in [
            ("type = 'date'\nminimum = 5", "`minimum` is 5 but must be a date as YYYY-MM-DD"),
            ("type = 'date'\nmaximum = '30.11.2026'", "`maximum` is \"30.11.2026\" but must be a date as YYYY-MM-DD"),
            ("type = 'datetime'\nminimum = '2026-11-30'\nmaximum = '1970-01-02T00:00:00Z'", "YYYY-MM-DDThh:mm:ssZ or"),
            ("type = 'date'\nminimum = '2020-01-02'\nmaximum = '2020-01-01'", "`minimum` is later than `maximum`"),
            ("type = 'number'\nminimum = '2020-01-01'", "`minimum` must be a number"),
            (
                "type = 'date'\nexclusive_minimum = 5",
                "`exclusive_minimum` applies only to numbers, integers and arrays",
            ),
            ("type = 'date'\nbands = [1]", "`bands` applies only to"),
            ("type = 'date'\nvalues = ['a']", "`values` applies only to"),
            ("type = 'date'\nencoding = 'one_hot'", "`encoding` applies only to"),
            ("type = 'date'\nexample = '2026-11-31'", "`example` is \"2026-11-31\" but must be a date"),
            (
                "type = 'datetime'",
                "becomes seconds since 1970-01-01T00:00:00Z, from -62135596800 to 253402300799, but feeds an input of float32",
            ),
        ] {
            let mistakes = try_field_of(Precision::Float32, toml).expect_err(toml);
            assert!(mistakes.iter().any(|mistake| mistake.problem.contains(expected)), "{toml}: {mistakes:?}");
        }
        // Its seconds are among the integers that float32 holds.
        let early = "type = 'datetime'\nminimum = '1970-01-01T00:00:00Z'\nmaximum = '1970-07-14T04:20:16Z'";
        assert_eq!(field(early).read(&text("1970-07-14T04:20:16Z")), Some(Encoded::Number(16_777_216.0)));
    }
}
