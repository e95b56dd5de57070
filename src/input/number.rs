//! Fields whose value is a number between two bounds.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Json;

/// The least and the greatest number that a field takes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds(pub f64, pub f64);

impl Bounds {
    fn hold(self, number: f64) -> bool {
        (self.0..=self.1).contains(&number)
    }

    /// The number, if it is within the bounds: the nearest one that a model reads. The negative zero becomes zero, so that
    /// equal numbers are equal text in a cache's key.
    pub fn read(self, value: &Json<'_>) -> Option<f32> {
        match value {
            Json::Number(number) if self.hold(*number) => Some(*number as f32 + 0.0),
            _ => None,
        }
    }

    /// The bounds: `must be a number from 0.5 to 20`.
    pub fn allowed(self) -> Cow<'static, str> {
        format!("must be a number from {} to {}", self.0, self.1).into()
    }

    /// A number in quotes without them.
    pub fn suggestion(self, value: &Json<'_>) -> Option<String> {
        let Json::Text(text) = value else { return None };
        let number: f64 = text.trim().parse().ok()?;
        self.hold(number).then(|| format!("{number}, without quotes"))
    }

    /// The JSON Schema: the meaning and the bounds.
    pub fn schema(self, meaning: &str) -> Value {
        json!({
            "type": "number",
            "format": "double",
            "description": format!("{meaning} From {} to {}.", self.0, self.1),
            "minimum": self.0,
            "maximum": self.1,
        })
    }
}

/// A number between two bounds that is a [`Field`](super::Field). Its documentation comments are the meaning that the API's
/// documentation gives.
#[allow(unused_macros, reason = "a domain may have no numbers")]
macro_rules! number {
    ($(#[doc = $meaning:literal])+ $name:ident, $field:literal, $least:literal..=$greatest:literal) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name(f32);

        impl $name {
            /// The number, as the model reads it.
            pub fn get(self) -> f32 {
                self.0
            }
        }

        impl $crate::input::Field for $name {
            const NAME: &'static str = $field;

            fn read(value: &$crate::input::Json<'_>) -> Option<Self> {
                $crate::input::Bounds($least, $greatest).read(value).map(Self)
            }

            fn allowed() -> std::borrow::Cow<'static, str> {
                $crate::input::Bounds($least, $greatest).allowed()
            }

            fn suggestion(value: &$crate::input::Json<'_>) -> Option<String> {
                $crate::input::Bounds($least, $greatest).suggestion(value)
            }

            fn schema() -> serde_json::Value {
                $crate::input::Bounds($least, $greatest).schema(concat!($($meaning),+).trim_ascii())
            }
        }
    };
}

pub(crate) use number;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro is for the domain's public types")]
mod tests {
    use super::*;
    use crate::input::Field;

    number! {
        /// How warm it is, in degrees Celsius.
        Temperature, "temperature", -89.2..=56.7
    }

    fn json(text: &str) -> Json<'_> {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn a_number_within_the_bounds_is_read_and_nothing_else_is() {
        for (text, expected) in [
            ("-89.2", Some("-89.2")),
            ("56.7", Some("56.7")),
            ("20", Some("20")),
            ("20.0", Some("20")),
            ("2e1", Some("20")),
            ("-0.0", Some("0")),
            ("-89.20000001", None),
            ("56.70000001", None),
            ("\"20\"", None),
            ("null", None),
            ("[20]", None),
        ] {
            let read = Temperature::read(&json(text)).map(|temperature| temperature.get().to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_allowed_and_meant_is_told() {
        assert_eq!(Temperature::allowed(), "must be a number from -89.2 to 56.7");
        let meant = |text| Temperature::suggestion(&json(text));
        assert_eq!(meant("\" 20.5 \"").as_deref(), Some("20.5, without quotes"));
        assert_eq!([meant("\"60\""), meant("\"warm\""), meant("\"NaN\""), meant("60")], [const { None }; 4]);
        let schema = Temperature::schema();
        assert_eq!(schema["description"], "How warm it is, in degrees Celsius. From -89.2 to 56.7.");
        assert_eq!((&schema["minimum"], &schema["maximum"]), (&json!(-89.2), &json!(56.7)));
    }
}
