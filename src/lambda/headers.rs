//! The headers in an event.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Headers by name, each with one value or a list of them. What HTTP does not allow is left out, not refused: gateways pass on names
/// such as `x@y` and control characters in values, and one odd header of a client must not fail its request.
#[derive(Debug, Default)]
pub(super) struct Headers(pub(super) HeaderMap);

/// A string, borrowed unless the JSON has escapes in it.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The text, or an empty one.
pub(super) fn text<'a>(text: &'a Option<Text<'_>>) -> &'a str {
    text.as_ref().map_or("", |Text(text)| text)
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;

        impl<'de> Visitor<'de> for ByName {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Headers, A::Error> {
                let mut headers = HeaderMap::with_capacity(16);
                while let Some(Text(name)) = members.next_key::<Text<'de>>()? {
                    let name = HeaderName::from_bytes(name.as_bytes()).ok();
                    members.next_value_seed(Values { name: name.as_ref(), headers: &mut headers })?;
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(ByName)
    }
}

/// Reads the values of one header: a string, or a list of strings.
struct Values<'a> {
    /// `None` if HTTP does not allow the name.
    name: Option<&'a HeaderName>,
    headers: &'a mut HeaderMap,
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header's value, or a list of them")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        if let (Some(name), Ok(value)) = (self.name, HeaderValue::from_bytes(value.as_bytes())) {
            // Further headers than a map holds (32,768) are left out.
            let _ = self.headers.try_append(name, value);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Self { name, headers } = self;
        while values.next_element_seed(Values { name, headers: &mut *headers })?.is_some() {}
        Ok(())
    }

    // Gateways send none of these.

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Vec<u8>)> {
        let Headers(headers) = serde_json::from_str(text).expect("headers");
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())).collect()
    }

    #[test]
    fn more_headers_than_a_map_holds_are_left_out() {
        let headers: serde_json::Map<_, _> = (0..40_000).map(|n| (format!("x-{n}"), "1".into())).collect();
        let text = serde_json::Value::Object(headers).to_string();
        let Headers(headers) = serde_json::from_str(&text).expect("headers");
        assert!((20_000..40_000).contains(&headers.len()), "{}", headers.len());
    }

    #[test]
    fn invalid_headers_are_left_out_and_the_others_are_read() {
        let text = r#"{"": "a", "a b": "a", "x@y": "a", "line": "a\nb", "X-One": "1", "umlaut": "\u00e4"}"#;
        let expected = [("x-one".to_owned(), b"1".to_vec()), ("umlaut".to_owned(), "\u{e4}".as_bytes().to_vec())];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_list_of_values_is_read_without_its_invalid_ones() {
        let text = r#"{"x@y": ["a"], "A": ["1", "2\u0000", null, 3, ["4"], {"b": "c"}, "5"], "b": null, "c": {"d": [1.5, -1, true]}}"#;
        let value = |value: &str| ("a".to_owned(), value.as_bytes().to_vec());
        assert_eq!(read(text), ["1", "4", "5"].map(value));
    }
}
