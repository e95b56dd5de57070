//! Numbers and integers within bounds; with `bands`, the model reads the number of the band.

mod suggestion;

use super::Encoded;
use crate::{
    bound::{Bound, Range},
    manifest::{FieldEntry, FieldType, LimitEntry},
    mistake::Entry,
    precision::Precision,
    tensor::DataType,
};

/// The unit whose values clients tend to send in percent.
const FRACTION: &str = "fraction";

/// Also bounds the number of columns.
const MAX_BANDS: usize = 1_000;

#[derive(Clone, Debug)]
pub struct Number {
    /// The type that the model reads. An integer beyond [`Precision::largest_integer`] would share its cache entry with others.
    precision: Precision,
    integer: bool,
    fraction: bool,
    hint: Option<String>,
    lower: Option<Bound>,
    upper: Option<Bound>,
    bands: Option<Vec<f64>>,
}

impl Number {
    /// `datatype` is the type of the graph's input.
    pub(crate) fn new(written: &FieldEntry, datatype: DataType, entry: &mut Entry<'_>) -> Option<Self> {
        let precision = datatype.precision();
        let largest_integer = precision.largest_integer();
        // In the range of the type, every integer of these is one of its own.
        let (smallest, largest) = datatype.integers().unwrap_or((-largest_integer, largest_integer));
        let integer = written.r#type == FieldType::Integer;
        let FieldEntry { exclusive_minimum, exclusive_maximum, .. } = written;
        let [minimum, maximum] =
            [&written.minimum, &written.maximum].map(|limit| limit.as_ref().and_then(LimitEntry::number));
        let mut bound = |inclusive: Option<f64>, exclusive: Option<f64>, end: &str| {
            entry.require(
                inclusive.is_none() || exclusive.is_none(),
                format_args!("give `{end}` or `exclusive_{end}`, not both"),
            );
            let bound = match (inclusive, exclusive) {
                (Some(limit), _) => Bound { limit, exclusive: false },
                (None, Some(limit)) => Bound { limit, exclusive: true },
                (None, None) => return None,
            };
            if integer {
                entry.require(bound.limit.fract() == 0.0, format_args!("`{end}` of an integer must be a whole number"));
                entry.require(
                    datatype.integers().is_none() || (smallest..=largest).contains(&bound.limit),
                    format_args!(
                        "`{end}` is {} but must lie from {smallest} to {largest}, because the graph reads {datatype}",
                        bound.limit
                    ),
                );
                entry.require(
                    bound.limit.abs() <= largest_integer,
                    format_args!(
                        "`{end}` is {} but must lie within ±{largest_integer}, because the graph reads {precision}, which cannot \
                         represent every larger integer: use `type = \"number\"`, or a larger unit",
                        bound.limit
                    ),
                );
            } else {
                entry.require(
                    precision.round(bound.limit).is_finite(),
                    format_args!("`{end}` must be a finite number within the range of {precision}"),
                );
            }
            Some(bound)
        };
        let lower = bound(minimum, *exclusive_minimum, "minimum");
        let upper = bound(maximum, *exclusive_maximum, "maximum");
        let (lower, upper) = if integer {
            let within = |limit| Bound { limit, exclusive: false };
            (lower.or(Some(within(smallest))), upper.or(Some(within(largest))))
        } else {
            (lower, upper)
        };
        let number = Self {
            precision,
            integer,
            fraction: written.unit.as_deref() == Some(FRACTION),
            hint: written.hint.clone(),
            lower,
            upper,
            bands: written.bands.clone(),
        };
        if let (Some(lower), Some(upper)) = (lower, upper) {
            let holds_an_integer = || {
                let first = lower.limit + if lower.exclusive { 1.0 } else { 0.0 };
                number.holds(first)
            };
            let is_not_empty = if integer {
                holds_an_integer()
            } else {
                lower.limit < upper.limit || (lower.limit == upper.limit && !lower.exclusive && !upper.exclusive)
            };
            entry.require(is_not_empty, "no number lies between the minimum and the maximum: correct one of them");
        }
        if let Some(bands) = &number.bands {
            entry.require(
                (1..=MAX_BANDS).contains(&bands.len()),
                format_args!("`bands` must have 1 to {MAX_BANDS} limits, but has {}", bands.len()),
            );
            entry.require(
                bands.is_sorted_by(|one, next| one < next) && bands.iter().all(|limit| limit.is_finite()),
                "`bands` must be finite numbers in strictly ascending order",
            );
            let splits_the_range =
                |limit: &f64| lower.is_none_or(|lower| *limit > lower.limit) && number.below_upper(*limit);
            entry.require(
                bands.iter().all(splits_the_range),
                "`bands` has a limit that is not between the minimum and the maximum, so one band would be empty: remove it",
            );
        }
        entry.has_no_mistakes().then_some(number)
    }

    /// Whether the number is within the bounds.
    fn holds(&self, number: f64) -> bool {
        self.lower.is_none_or(|bound| bound.is_below(number)) && self.below_upper(number)
    }

    fn below_upper(&self, number: f64) -> bool {
        self.upper.is_none_or(|bound| bound.is_above(number))
    }

    /// The number of the band, or the nearest number that the model reads.
    pub(crate) fn read(&self, number: f64) -> Option<Encoded> {
        if !self.holds(number) || (self.integer && number.fract() != 0.0) {
            return None;
        }
        if let Some(bands) = &self.bands {
            // The cast is lossless: there are at most MAX_BANDS limits.
            return Some(Encoded::Code(bands.partition_point(|limit| number >= *limit) as u16));
        }
        Encoded::number(number, self.precision)
    }

    /// `must be a number greater than 0 and at most 1: the share of income`.
    pub(crate) fn allowed(&self) -> String {
        let kind = if self.integer { "an integer" } else { "a number" };
        let hint = match &self.hint {
            Some(hint) => format!(": {hint}"),
            None if self.fraction => ": a fraction (0.25 is 25 %)".to_owned(),
            None => String::new(),
        };
        // A bound that the type implies is no rule of the model's owner.
        let implied = self.precision.largest_integer();
        let written = |bound: &Bound| !self.integer || bound.exclusive || bound.limit.abs() < implied;
        let (lower, upper) = (self.lower.filter(written), self.upper.filter(written));
        let range = Range(lower, upper);
        match self.integer && (lower.is_none() || upper.is_none()) {
            true => {
                format!("must be {kind}{range}, within ±{implied}, up to which the model can tell integers apart{hint}")
            }
            false => format!("must be {kind}{range}{hint}"),
        }
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    pub fn is_integer(&self) -> bool {
        self.integer
    }

    pub fn lower(&self) -> Option<Bound> {
        self.lower
    }

    pub fn upper(&self) -> Option<Bound> {
        self.upper
    }

    /// The ascending limits of the bands, if the model reads bands instead of numbers.
    pub fn bands(&self) -> Option<&[f64]> {
        self.bands.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        json::Json,
        testing::{field, field_of, try_field_of},
    };

    #[test]
    fn a_number_within_the_bounds_is_read_and_nothing_else_is() {
        let temperature = field("type = 'number'\nminimum = -89.2\nmaximum = 56.7");
        for (text, expected) in [
            ("-89.2", Some(-89.2)),
            ("56.7", Some(56.7)),
            ("20", Some(20.0)),
            ("20.0", Some(20.0)),
            ("2e1", Some(20.0)),
            ("-0.0", Some(0.0)),
            ("-89.20000001", None),
            ("56.70000001", None),
            ("\"20\"", None),
            ("true", None),
            ("null", None),
            ("[20]", None),
        ] {
            let value = serde_json::from_str(text).expect("JSON");
            assert_eq!(temperature.read(&value), expected.map(Encoded::Number), "{text}");
        }
    }

    #[test]
    fn a_number_outside_the_range_of_float32_is_refused() {
        let any = field("type = 'number'");
        assert_eq!(any.read(&Json::Number(3.4e38)), Some(Encoded::Number(3.4e38)));
        assert_eq!([3.5e38, -1e300].map(|number| any.read(&Json::Number(number))), [const { None }; 2]);
    }

    #[test]
    fn an_integer_is_whole_in_any_notation_and_within_the_exact_range_of_float32() {
        let any = field("type = 'integer'");
        assert_eq!(any.read(&Json::Number(30.0)), Some(Encoded::Number(30.0)));
        assert_eq!(any.read(&Json::Number(-16_777_216.0)), Some(Encoded::Number(-16_777_216.0)));
        assert_eq!([30.5, 16_777_217.0].map(|number| any.read(&Json::Number(number))), [const { None }; 2]);
    }

    #[test]
    fn a_field_of_a_float64_graph_reads_every_double_and_every_integer_that_it_distinguishes() {
        let read = |toml: &str, text: &str| {
            field_of(Precision::Float64, toml).read(&serde_json::from_str(text).expect("JSON"))
        };
        for (text, expected) in [
            ("1e300", Some(1e300)),
            ("0.1", Some(0.1)),
            ("-0.0", Some(0.0)),
            ("52.520008", Some(52.520_008)),
            // The nearest double, as every parser reads it.
            ("9007199254740993", Some(9_007_199_254_740_992.0)),
            ("9007199254740993.0", Some(9_007_199_254_740_992.0)),
            ("-9.007199254740993e15", Some(-9_007_199_254_740_992.0)),
        ] {
            assert_eq!(read("type = 'number'", text), expected.map(Encoded::Double), "{text}");
        }
        for (text, expected) in [
            ("9007199254740991", Some(9_007_199_254_740_991.0)),
            ("9007199254740992", Some(9_007_199_254_740_992.0)),
            ("-9007199254740992", Some(-9_007_199_254_740_992.0)),
            ("16777217", Some(16_777_217.0)),
            ("9007199254740993", None),
            ("9007199254740994", None),
            ("-9007199254740993", None),
            // With a point or an exponent, the digits are rounded before they are seen.
            ("9007199254740991.0", Some(9_007_199_254_740_991.0)),
            ("9.007199254740991e15", Some(9_007_199_254_740_991.0)),
            ("9007199254740993.0", None),
            ("9.007199254740993e15", None),
            ("-9007199254740992.5", None),
            ("9007199254740992.0", None),
            ("1e300", None),
        ] {
            assert_eq!(read("type = 'integer'", text), expected.map(Encoded::Double), "{text}");
        }
        assert_eq!(
            field_of(Precision::Float64, "type = 'integer'").allowed(),
            "must be an integer, within ±9007199254740992, up to which the model can tell integers apart"
        );
    }

    #[test]
    fn a_bound_beyond_what_the_graph_distinguishes_is_a_mistake_in_both_types() {
        for (toml, float32, float64) in [
            ("type = 'integer'\nmaximum = 16777217", Some("±16777216, because the graph reads float32"), None),
            (
                "type = 'integer'\nmaximum = 9007199254740994",
                Some("±16777216"),
                Some("±9007199254740992, because the graph reads float64"),
            ),
            ("type = 'number'\nmaximum = 1e39", Some("within the range of float32"), None),
            (
                "type = 'number'\nmaximum = inf",
                Some("within the range of float32"),
                Some("within the range of float64"),
            ),
        ] {
            for (precision, expected) in [(Precision::Float32, float32), (Precision::Float64, float64)] {
                let mistakes = try_field_of(precision, toml).err().unwrap_or_default();
                let found: Vec<_> = mistakes.iter().map(|mistake| mistake.problem.as_str()).collect();
                match expected {
                    None => assert!(found.is_empty(), "{toml}: {found:?}"),
                    Some(part) => assert!(found.iter().any(|problem| problem.contains(part)), "{toml}: {found:?}"),
                }
            }
        }
    }

    #[test]
    fn the_bands_ascend_from_0_and_a_limit_belongs_to_the_band_above() {
        let rate = field("type = 'number'\nexclusive_minimum = 0\nmaximum = 1\nbands = [0.20, 0.25, 0.35]");
        for (rate_read, band) in
            [(1.0, 3), (0.35, 3), (0.349_999, 2), (0.25, 2), (0.249_999, 1), (0.2, 1), (0.199_999, 0), (5e-324, 0)]
        {
            assert_eq!(rate.read(&Json::Number(rate_read)), Some(Encoded::Code(band)), "{rate_read}");
        }
        for invalid in [0.0, -0.0, -0.1, 1.000_000_1, 25.0, f64::NAN, f64::INFINITY] {
            assert_eq!(rate.read(&Json::Number(invalid)), None, "{invalid}");
        }
    }

    #[test]
    fn errors_describe_the_allowed_numbers() {
        for (written, expected) in [
            ("type = 'number'", "must be a number"),
            ("type = 'number'\nminimum = -1.5\nmaximum = 20", "must be a number from -1.5 to 20"),
            ("type = 'number'\nminimum = 1", "must be a number of at least 1"),
            ("type = 'number'\nexclusive_maximum = 1", "must be a number less than 1"),
            ("type = 'number'\nmaximum = 1", "must be a number of at most 1"),
            (
                "type = 'number'\nexclusive_minimum = 0\nmaximum = 1\nunit = 'fraction'",
                "must be a number greater than 0 and at most 1: a fraction (0.25 is 25 %)",
            ),
            ("type = 'number'\nminimum = 0\nhint = 'in euros'", "must be a number of at least 0: in euros"),
            ("type = 'integer'", "must be an integer, within ±16777216, up to which the model can tell integers apart"),
            (
                "type = 'integer'\nminimum = 1\nrequired = false\nmissing = 'nan'",
                "must be an integer of at least 1, within ±16777216, up to which the model can tell integers apart, or null",
            ),
        ] {
            assert_eq!(field(written).allowed(), expected, "{written}");
        }
    }
}
