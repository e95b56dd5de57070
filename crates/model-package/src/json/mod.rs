//! JSON values, parsed only as far as validation needs: they take a small multiple of the text's memory.

mod array;

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

pub use self::array::Dimension;
pub(crate) use self::array::{ArrayFormat, shape_text};
use crate::{precision::Precision, tensor::Tensor};

/// The most members of an object that are kept, but for fields behind them. A model has at most 1,000 fields.
const MAX_MEMBERS: usize = 10_000;

/// The same for an object within an object: enough to recognise the input inside it.
const MAX_NESTED_MEMBERS: usize = 16;

/// A JSON value, borrowed from the text where possible. The items of arrays, except those that become tensors, and members beyond the
/// limits, are parsed and discarded.
///
/// serde_json limits the nesting to 128 and refuses numbers outside the range of a double, in discarded items too.
#[derive(Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The nearest double.
    Number(f64),
    /// An integer that no double equals.
    LargeInteger(i128),
    /// The nearest double of a number from 2⁵³ on that was written with a point or an exponent: its digits may have said another integer.
    Rounded(f64),
    Text(Cow<'a, str>),
    /// What sort of array it is, if that is known.
    Array(Option<Box<str>>),
    /// Arrays of a field's [`ArrayFormat`].
    Tensor(Arc<Tensor>),
    Object(Members<'a>),
}

/// The members of an object in the order of the text, including repeated ones.
#[derive(Debug, Default)]
pub(crate) struct Members<'a> {
    pub(crate) kept: Vec<(Cow<'a, str>, Json<'a>)>,
    /// The number of further members.
    pub(crate) discarded: usize,
}

impl Json<'_> {
    fn integer(number: i128) -> Self {
        let nearest = number as f64;
        if nearest as i128 == number { Self::Number(nearest) } else { Self::LargeInteger(number) }
    }

    /// A number that was written with a point or an exponent.
    fn decimal(number: f64) -> Self {
        let is_exact = number.abs() < Precision::Float64.largest_integer();
        if is_exact { Self::Number(number) } else { Self::Rounded(number) }
    }

    /// The kind of value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) | Self::LargeInteger(_) | Self::Rounded(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) | Self::Tensor(_) => "an array",
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
            Self::Number(value) | Self::Rounded(value) => write!(f, "{value:?}"),
            Self::LargeInteger(value) => value.fmt(f),
            Self::Text(text) => {
                let cut = text.char_indices().nth(MAX_LENGTH).map(|(position, _)| position);
                let shown = serde_json::Value::from(&text[..cut.unwrap_or(text.len())]);
                write!(f, "{shown}{}", if cut.is_some() { " and more" } else { "" })
            }
            Self::Array(Some(sort)) => f.write_str(sort),
            Self::Null | Self::Array(None) | Self::Tensor(_) | Self::Object(_) => f.write_str(self.kind()),
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        JsonSeed::any().deserialize(deserializer)
    }
}

/// What is known of the members of an object.
pub(crate) trait MemberFormats {
    /// The format of the member with this name, if it is an array.
    fn array_format(&self, name: &str) -> Option<&ArrayFormat>;

    /// Whether a field has this name.
    fn is_field(&self, name: &str) -> bool;
}

/// Keeps so many members if the value is an object.
#[derive(Clone, Copy)]
pub(crate) struct JsonSeed<'f> {
    max_members: usize,
    formats: Option<&'f dyn MemberFormats>,
    /// Whether any of the formats is an array's: members need no lookup otherwise.
    has_arrays: bool,
}

impl<'f> JsonSeed<'f> {
    /// Reads a value of which nothing is known.
    pub(crate) fn any() -> Self {
        Self { max_members: MAX_MEMBERS, formats: None, has_arrays: false }
    }

    /// Reads a value. If it is an object, its arrays of these formats become tensors, and no field is discarded.
    pub(crate) fn of_fields(formats: &'f dyn MemberFormats, has_arrays: bool) -> Self {
        Self { max_members: MAX_MEMBERS, formats: Some(formats), has_arrays }
    }

    /// Reads a value inside another one.
    fn inner(max_members: usize) -> Self {
        Self { max_members, formats: None, has_arrays: false }
    }
}

impl<'de> DeserializeSeed<'de> for JsonSeed<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonSeed<'_> {
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
        Ok(Json::integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Json::decimal(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element_seed(Self::inner(0))?.is_some() {}
        Ok(Json::Array(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let is_nested = self.max_members < MAX_MEMBERS;
        let inner = Self::inner(if is_nested { 0 } else { MAX_NESTED_MEMBERS });
        let arrays = self.formats.filter(|_| self.has_arrays);
        let mut members = Members::default();
        while let Some(Name(name)) = map.next_key()? {
            let value = match arrays.and_then(|formats| formats.array_format(&name)) {
                Some(format) => map.next_value_seed(format)?,
                None => map.next_value_seed(inner)?,
            };
            // Twice as many hold every field, or one that is repeated.
            let is_field = || self.formats.is_some_and(|formats| formats.is_field(&name));
            let count = members.kept.len();
            if count < self.max_members || (count < 2 * self.max_members && is_field()) {
                members.kept.push((name, value));
            } else {
                members.discarded += 1;
            }
        }
        if is_nested {
            members.kept.shrink_to_fit();
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
            ("9007199254740993", "9007199254740993"),
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
