//! JSON values, parsed only as far as validation needs.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// A JSON value, borrowed from the text where possible. The items of arrays are parsed and discarded.
///
/// serde_json limits the nesting to 128 and refuses numbers outside the range of a double, in discarded items too.
#[derive(Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The nearest double.
    Number(f64),
    Text(Cow<'a, str>),
    Array,
    /// The members in the order of the text, including repeated ones.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// The kind of value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// JSON text. Long strings are cut; arrays and objects are replaced by their kind.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_LENGTH: usize = 60;
        match self {
            Self::Bool(value) => value.fmt(f),
            // 25, not 25.0.
            Self::Number(value) if value.fract() == 0.0 && value.abs() < 1e15 => write!(f, "{value:.0}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(text) => {
                let cut = text.char_indices().nth(MAX_LENGTH).map(|(position, _)| position);
                let shown = serde_json::Value::from(&text[..cut.unwrap_or(text.len())]);
                write!(f, "{shown}{}", if cut.is_some() { " and more" } else { "" })
            }
            Self::Null | Self::Array | Self::Object(_) => f.write_str(self.kind()),
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Json::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<Json<'de>>()?.is_some() {}
        Ok(Json::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

/// A member's name. Deserialising a `Cow<str>` directly would always copy.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_json_and_a_long_one_is_cut() {
        let shown = |text: &str| serde_json::from_str::<Json<'_>>(text).expect("JSON").to_string();
        for (text, expected) in [
            ("null", "null"),
            ("true", "true"),
            ("25", "25"),
            ("25.0", "25"),
            ("0.25", "0.25"),
            ("-1e300", "-1e300"),
            (r#""male:single""#, r#""male:single""#),
            (r#""a\"\u0000""#, r#""a\"\u0000""#),
            ("[1, 2]", "an array"),
            ("{}", "an object"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(&format!("\"{}\"", "ä".repeat(60))), format!("\"{}\"", "ä".repeat(60)));
        assert_eq!(shown(&format!("\"{}\"", "ä".repeat(61))), format!("\"{}\" and more", "ä".repeat(60)));
    }
}
