//! Parses the text of an input in a cache key back into the values of its fields.

use serde_json::{Value, json};

use super::{
    field::{Bound, Date, Encoded, Field, Kind, Number, Tensors},
    input::Fields,
    key_text::is_integer,
    precision::Precision,
    values::Input,
};

/// The value of one field in a cache key.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedField {
    pub name: String,
    /// For programs: a number, a string, a boolean, an object with the limits of a band (`at_least` or `above`, `below` or `at_most`), or
    /// `null` for a missing or ignored value.
    pub value: Value,
    /// For people.
    pub text: String,
}

impl Fields {
    /// Parses what [`Input`] displays. `None` if no input with these fields displays as `text`.
    pub(crate) fn decode(&self, text: &str) -> Option<Vec<DecodedField>> {
        let fields = self.as_slice();
        let codes: Vec<_> = text.split(',').collect();
        if codes.len() != fields.len() {
            return None;
        }
        fields.iter().zip(codes).map(|(field, code)| field.decoded(code)).collect()
    }
}

impl Field {
    fn decoded(&self, code: &str) -> Option<DecodedField> {
        if self.has_digest() {
            let field = || {
                let text = format!("a tensor with the digest {code}");
                DecodedField { name: self.name().to_owned(), value: json!({ "digest": code }), text }
            };
            return Tensors::is_digest(code).then(field);
        }
        let value = self.decode(code)?;
        // Each value has one text: `030` is not canonical.
        (Input::new(vec![value.clone()]).to_string() == code).then(|| self.describe(value))
    }

    /// The value that displays as this text.
    fn decode(&self, code: &str) -> Option<Encoded> {
        let (codes, ignores_unknown) = match self.kind() {
            Kind::Number(number) => (number.bands().map_or(0, |limits| limits.len() + 1), false),
            Kind::Boolean => (2, false),
            Kind::Category(category) => (category.values().len(), category.ignores_unknown()),
            Kind::Date(_) => (0, false),
            Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => return None,
        };
        let if_missing = |value| self.missing().filter(|missing| **missing == value).cloned();
        match code {
            "" => if_missing(Encoded::Nan),
            "?" => if_missing(Encoded::Zeros).or(ignores_unknown.then_some(Encoded::Zeros)),
            _ if codes == 0 => self.decode_number(code).filter(|value| self.is_plausible(value)),
            _ => match code.parse::<u16>() {
                Ok(code) if usize::from(code) < codes => Some(Encoded::Code(code)),
                // The number in `missing` need not be a code.
                _ => if_missing(self.decode_number(code)?),
            },
        }
    }

    /// Whether a number can be the days or seconds of a date, unless the field is of another kind.
    fn is_plausible(&self, value: &Encoded) -> bool {
        match (self.kind(), value) {
            (Kind::Date(date), Encoded::Number(number)) => date.has(f64::from(*number)),
            (Kind::Date(date), Encoded::Double(number)) => date.has(*number),
            _ => true,
        }
    }

    fn decode_number(&self, code: &str) -> Option<Encoded> {
        match self.precision() {
            Precision::Float32 => code.parse().ok().filter(|number: &f32| number.is_finite()).map(Encoded::Number),
            Precision::Float64 => code.parse().ok().filter(|number: &f64| number.is_finite()).map(Encoded::Double),
        }
    }

    fn describe(&self, value: Encoded) -> DecodedField {
        let number = |json: Value| {
            let unit = self.unit().map(|unit| format!(" {unit}")).unwrap_or_default();
            let text = format!("{json}{unit}");
            (json, text)
        };
        let is_missing = self.missing() == Some(&value);
        let (json, text) = match (value, self.kind()) {
            // Whole numbers of days or seconds.
            (Encoded::Number(float32), Kind::Date(date)) => date_of(date, float32.into()),
            (Encoded::Double(float64), Kind::Date(date)) => date_of(date, float64),
            (Encoded::Number(float32), _) => number(shortest(float32)),
            (Encoded::Double(float64), _) => {
                let is_integer = is_integer(float64, Precision::Float64);
                number(if is_integer { json!(float64 as i64) } else { json!(float64) })
            }
            (Encoded::Code(code), Kind::Category(category)) => {
                let name = &category.values()[usize::from(code)].name;
                (json!(name), json!(name).to_string())
            }
            (Encoded::Code(code), Kind::Boolean) => (json!(code == 1), (code == 1).to_string()),
            (Encoded::Code(code), Kind::Number(numbers)) => band(numbers, usize::from(code)),
            (Encoded::Zeros, Kind::Category(category)) if category.ignores_unknown() => {
                (Value::Null, "none of its values".to_owned())
            }
            (Encoded::Nan | Encoded::Zeros | Encoded::Code(_) | Encoded::Tensors(_), _) => {
                (Value::Null, "missing".to_owned())
            }
        };
        let or_missing = if is_missing && text != "missing" { ", or missing" } else { "" };
        let text = format!("{text}{or_missing}");
        DecodedField { name: self.name().to_owned(), value: json, text }
    }
}

/// The limits of a band, as JSON and in words.
fn band(number: &Number, band: usize) -> (Value, String) {
    let limits = number.bands().unwrap_or_default();
    let lower = match band.checked_sub(1) {
        None => number.lower(),
        Some(below) => limits.get(below).map(|limit| Bound { limit: *limit, exclusive: false }),
    };
    let upper = limits.get(band).map(|limit| Bound { limit: *limit, exclusive: true }).or(number.upper());
    let ends = [(lower, ["at least", "above"]), (upper, ["at most", "below"])].into_iter();
    let ends: Vec<_> =
        ends.filter_map(|(bound, words)| Some((words[usize::from(bound?.exclusive)], bound?.limit))).collect();
    let text = ends.iter().map(|(words, limit)| format!("{words} {limit}")).collect::<Vec<_>>().join(" and ");
    let object = ends.into_iter().map(|(words, limit)| (words.replace(' ', "_"), json!(limit))).collect();
    (Value::Object(object), if text.is_empty() { "any number".to_owned() } else { text })
}

fn date_of(date: &Date, number: f64) -> (Value, String) {
    let text = date.text(number as i64);
    (json!(text), text)
}

/// The shortest decimal that reads as this `f32`: 0.1, not 0.10000000149011612.
fn shortest(number: f32) -> Value {
    if is_integer(number.into(), Precision::Float32) {
        return json!(number as i32);
    }
    let text = format!("{number:?}");
    text.parse::<f64>().map_or(Value::Null, |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{field, field_of};

    /// Each field in words and as JSON.
    fn decoded(fields: &[&str], text: &str) -> Option<Vec<(String, String)>> {
        let fields = Fields::new(fields.iter().map(|toml| field(toml)).collect(), false);
        let decoded = fields.decode(text)?;
        Some(decoded.into_iter().map(|field| (field.text, field.value.to_string())).collect())
    }

    #[test]
    fn a_code_is_shown_as_the_values_that_requests_send() {
        let blue = "type = 'string'\nvalues = ['blue', 'green']";
        let optional = "required = false\nmissing";
        for (toml, code, text, value) in [
            ("type = 'number'", "-0.1", "-0.1", "-0.1"),
            ("type = 'number'\nunit = 'euros'", "30", "30 euros", "30"),
            (
                "type = 'number'\nminimum = 0\nbands = [1, 2.5]",
                "0",
                "at least 0 and below 1",
                r#"{"at_least":0.0,"below":1.0}"#,
            ),
            (
                "type = 'number'\nexclusive_maximum = 9\nbands = [1]",
                "1",
                "at least 1 and below 9",
                r#"{"at_least":1.0,"below":9.0}"#,
            ),
            ("type = 'number'\nbands = [1]", "0", "below 1", r#"{"below":1.0}"#),
            ("type = 'boolean'", "1", "true", "true"),
            ("type = 'date'", "20787", "2026-11-30", r#""2026-11-30""#),
            ("type = 'date'", "-1", "1969-12-31", r#""1969-12-31""#),
            (&format!("type = 'date'\n{optional} = 'nan'"), "", "missing", "null"),
            (blue, "1", r#""green""#, r#""green""#),
            (&format!("{blue}\n{optional} = -1"), "-1", "-1, or missing", "-1"),
            (&format!("{blue}\n{optional} = {{ value = 'blue' }}"), "0", r#""blue", or missing"#, r#""blue""#),
            (&format!("type = 'number'\n{optional} = 0"), "0", "0, or missing", "0"),
            (&format!("type = 'number'\n{optional} = 'nan'"), "", "missing", "null"),
            (&format!("{blue}\nencoding = 'one_hot'\n{optional} = 'zeros'"), "?", "missing", "null"),
            (&format!("{blue}\nencoding = 'one_hot'\nunknown = 'ignore'"), "?", "none of its values", "null"),
        ] {
            assert_eq!(decoded(&[toml], code), Some(vec![(text.to_owned(), value.to_owned())]), "{toml} {code}");
        }
    }

    #[test]
    fn a_number_of_a_float64_graph_is_shown_with_all_of_its_digits() {
        let fields = Fields::new(vec![field_of(Precision::Float64, "type = 'number'")], false);
        for (code, value) in [
            ("1700000007", "1700000007"),
            ("9007199254740991", "9007199254740991"),
            ("13.404954", "13.404954"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1e300", "1e+300"),
        ] {
            let decoded = fields.decode(code).map(|fields| fields[0].value.to_string());
            assert_eq!(decoded.as_deref(), Some(value), "{code}");
        }
        let times = Fields::new(vec![field_of(Precision::Float64, "type = 'datetime'")], false);
        let decoded = times.decode("1796026500").map(|fields| (fields[0].text.clone(), fields[0].value.clone()));
        assert_eq!(decoded, Some(("2026-11-30T08:15:00Z".to_owned(), json!("2026-11-30T08:15:00Z"))));
        for text in ["0.5", "253402300800", "-62135596801", "1e300", ""] {
            assert_eq!(times.decode(text), None, "{text}");
        }
        for text in ["1700000007.0", "0.3000000000000000444", "inf", "", "1e999"] {
            assert_eq!(fields.decode(text), None, "{text}");
        }
    }

    #[test]
    fn text_that_no_input_displays_as_is_refused() {
        let fields = ["type = 'number'", "type = 'string'\nvalues = ['blue', 'green']"];
        assert!(decoded(&fields, "30,1").is_some());
        for text in [
            "", "30", "30,1,", "30,2", "30,-1", "030,1", "30.0,1", "+30,1", "NaN,1", "inf,1", ",1", "?,1", "30,?",
            "30,blue",
        ] {
            assert_eq!(decoded(&fields, text), None, "{text}");
        }
    }
}
