//! Fields whose values form a closed set of strings.

use std::collections::HashMap;

use super::{Encoded, MAX_NAME_LENGTH, is_name};
use crate::{
    json::Json,
    manifest::{CategoryEntry, EncodingEntry, FieldEntry, UnknownValue},
    mistake::Entry,
    normal_form::Spellings,
    suggestion::{closest_match, work},
};

const MAX_VALUES: usize = 10_000;

/// An error lists this many values and counts the others.
const MAX_LISTED_VALUES: usize = 20;

/// A closed set of strings. A value's position is its code, in the model's input and in the cache key.
#[derive(Clone, Debug)]
pub struct Category {
    values: Vec<CategoryValue>,
    codes: HashMap<String, u16>,
    spellings: Spellings,
    unknown: UnknownValue,
}

#[derive(Clone, Debug)]
pub struct CategoryValue {
    /// The value in a request.
    pub name: String,
    pub description: String,
    /// The boolean for which this value is suggested.
    boolean: Option<bool>,
}

impl Category {
    pub(crate) fn new(written: &FieldEntry, entry: &mut Entry<'_>) -> Option<Self> {
        let values = written.values.as_deref().unwrap_or_default();
        entry.require(
            (1..=MAX_VALUES).contains(&values.len()),
            format_args!("a string field needs 1 to {MAX_VALUES} `values`, but has {}", values.len()),
        );
        let unknown = written.unknown.unwrap_or(UnknownValue::Refuse);
        entry.require(
            unknown != UnknownValue::Ignore || written.encoding == Some(EncodingEntry::OneHot),
            "`unknown = \"ignore\"` needs `encoding = \"one_hot\"`: an ordinal code cannot express an unknown value",
        );
        entry.require(
            unknown != UnknownValue::Missing || !written.required,
            "`unknown = \"missing\"` needs `required = false` and `missing`: what the model reads for a missing value",
        );
        let mut codes = HashMap::new();
        for (code, CategoryEntry { name, aliases, .. }) in (0..).zip(values.iter().take(MAX_VALUES)) {
            for text in std::iter::once(name).chain(aliases) {
                entry.require(
                    is_name(text),
                    format_args!("{text:?} in `values` must be 1 to {MAX_NAME_LENGTH} printable characters"),
                );
                let is_new = codes.insert(text.clone(), code).is_none();
                entry.require(is_new, format_args!("{text:?} is in `values` twice, as a name or an alias: remove one"));
            }
        }
        for boolean in [true, false] {
            let count = values.iter().filter(|value| value.boolean == Some(boolean)).count();
            entry.require(
                count < 2,
                format_args!("only one of `values` can have `boolean = {boolean}`: remove it from the others"),
            );
        }
        let spellings = Spellings::new(codes.iter().map(|(text, code)| (text.as_str(), usize::from(*code))));
        let values = values.iter().cloned().map(|CategoryEntry { name, description, boolean, .. }| CategoryValue {
            name,
            description,
            boolean,
        });
        entry.has_no_mistakes().then(|| Self { values: values.collect(), codes, spellings, unknown })
    }

    /// The code of the value with this name or alias or, if there is none, with another Unicode spelling of it.
    pub(crate) fn code(&self, text: &str) -> Option<u16> {
        // Most sets are small, and hashing costs more than a few comparisons.
        match self.values.iter().take(8).position(|value| value.name == text) {
            Some(code) => Some(code as u16),
            None => self.codes.get(text).copied().or_else(|| self.spellings.find(text).map(|code| code as u16)),
        }
    }

    /// `missing` is what the model reads for a missing value.
    pub(crate) fn read(&self, text: &str, missing: Option<&Encoded>) -> Option<Encoded> {
        match (self.code(text), self.unknown) {
            (Some(code), _) => Some(Encoded::Code(code)),
            (None, UnknownValue::Refuse) => None,
            (None, UnknownValue::Ignore) => Some(Encoded::Zeros),
            (None, UnknownValue::Missing) => missing.cloned(),
        }
    }

    /// `must be one of "yes", "no"`.
    pub(crate) fn allowed(&self) -> String {
        let names: Vec<_> = self.values.iter().take(MAX_LISTED_VALUES).map(|value| quoted(&value.name)).collect();
        let names = names.join(", ");
        match (self.accepts_unknown(), self.values.len().saturating_sub(MAX_LISTED_VALUES)) {
            (true, _) => "must be a string".to_owned(),
            (false, 0) => format!("must be one of {names}"),
            (false, others) => format!("must be one of {names}, or one of {others} more"),
        }
    }

    /// The work of [`Self::suggestion`], in pairs of characters that are compared.
    pub(crate) fn suggestion_work(&self, value: &Json<'_>) -> usize {
        match value {
            Json::Text(text) => work(text, self.values.iter().map(|value| value.name.as_str())),
            Json::Null
            | Json::Bool(_)
            | Json::Number(_)
            | Json::LargeInteger(_)
            | Json::Rounded(_)
            | Json::Array(_)
            | Json::Tensor(_)
            | Json::Object(_) => 0,
        }
    }

    /// Suggests the most similar value, or the one that stands for a boolean.
    pub(crate) fn suggestion(&self, value: &Json<'_>) -> Option<String> {
        let names = || self.values.iter().map(|value| value.name.as_str());
        let meant = match value {
            Json::Text(text) => closest_match(text, names()),
            Json::Bool(answer) => {
                self.values.iter().find(|value| value.boolean == Some(*answer)).map(|value| value.name.as_str())
            }
            // 3 for "3".
            Json::Number(number) => {
                let text = number.to_string();
                names().find(|name| *name == text)
            }
            Json::Null
            | Json::LargeInteger(_)
            | Json::Rounded(_)
            | Json::Array(_)
            | Json::Tensor(_)
            | Json::Object(_) => None,
        };
        meant.map(quoted)
    }

    /// In the order of their codes.
    pub fn values(&self) -> &[CategoryValue] {
        &self.values
    }

    /// Whether any other string is accepted and encoded as a row of zeros.
    pub fn ignores_unknown(&self) -> bool {
        self.unknown == UnknownValue::Ignore
    }

    /// Whether any other string is accepted.
    pub fn accepts_unknown(&self) -> bool {
        self.unknown != UnknownValue::Refuse
    }
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::field;

    const COLOUR: &str = r#"
        type = "string"
        values = [{ name = "dark: blue", aliases = ["dark : blue"], boolean = true }, "green", "3"]
    "#;

    #[test]
    fn a_code_is_the_position_of_a_name_or_of_its_alias() {
        let colour = field(COLOUR);
        for (text, code) in [("dark: blue", 0), ("dark : blue", 0), ("green", 1), ("3", 2)] {
            assert_eq!(colour.read(&Json::Text(text.into())), Some(Encoded::Code(code)), "{text}");
        }
        for unknown in ["", "dark:blue", "dark  : blue", "Green", "green "] {
            assert_eq!(colour.read(&Json::Text(unknown.into())), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_value_in_another_unicode_spelling_has_the_same_code_unless_the_package_tells_them_apart() {
        let read = |field: &crate::Field, text: &'static str| field.read(&Json::Text(text.into()));
        let city = field(
            r#"
            type = "string"
            values = ["Ko\u0308ln", { name = "Sa\u0303o Paulo", aliases = ["S\u00e3o"] }, "Bern"]
        "#,
        );
        for (text, code) in [("Köln", 0), ("Ko\u{308}ln", 0), ("São Paulo", 1), ("Sa\u{303}o", 1), ("Bern", 2)] {
            assert_eq!(read(&city, text), Some(Encoded::Code(code)), "{text}");
        }
        assert_eq!(["Koln", "köln"].map(|text| read(&city, text)), [const { None }; 2]);
        let both = field("type = 'string'\nvalues = [\"K\\u00f6ln\", \"Ko\\u0308ln\"]");
        assert_eq!(["Köln", "Ko\u{308}ln"].map(|text| read(&both, text)), [0, 1].map(|code| Some(Encoded::Code(code))));
    }

    #[test]
    fn an_ignored_unknown_value_is_a_row_of_zeros() {
        let colour = field("type = 'string'\nencoding = 'one_hot'\nunknown = 'ignore'\nvalues = ['blue', 'green']");
        let encoded = |text: &'static str| {
            let mut columns = Vec::new();
            colour.encode(&colour.read(&Json::Text(text.into())).expect("accepted"), &mut columns);
            columns
        };
        assert_eq!(["green", "red"].map(encoded), [[0.0, 1.0], [0.0, 0.0]]);
        assert_eq!((colour.read(&Json::Null), &*colour.allowed()), (None, "must be a string"));
    }

    #[test]
    fn an_unknown_value_can_be_read_as_a_missing_one() {
        let read = |missing: &str| {
            let lines = format!(
                "type = 'string'\nunknown = 'missing'\nvalues = ['blue', 'green']\nrequired = false\n{missing}"
            );
            let colour = field(&lines);
            (["green", "red"].map(|text| colour.read(&Json::Text(text.into()))), colour.allowed().into_owned())
        };
        let allowed = "must be a string, or null".to_owned();
        assert_eq!(read("missing = 'nan'"), ([Some(Encoded::Code(1)), Some(Encoded::Nan)], allowed.clone()));
        assert_eq!(read("missing = { value = 'blue' }"), ([Some(Encoded::Code(1)), Some(Encoded::Code(0))], allowed));
    }

    #[test]
    fn a_likely_value_is_suggested() {
        for (sent, meant) in [
            (r#""dark:blue""#, Some(r#""dark: blue""#)),
            (r#""Green""#, Some(r#""green""#)),
            ("true", Some(r#""dark: blue""#)),
            ("false", None),
            ("3", Some(r#""3""#)),
            ("4", None),
        ] {
            let value = serde_json::from_str(sent).expect("JSON");
            assert_eq!(field(COLOUR).suggestion(&value).as_deref(), meant, "{sent}");
        }
    }

    #[test]
    fn an_error_lists_twenty_values_and_counts_the_rest() {
        let names: Vec<_> = (0..35).map(|name| format!("\"v{name}\"")).collect();
        let many = field(&format!("type = 'string'\nvalues = [{}]", names.join(",")));
        let allowed = many.allowed();
        assert!(allowed.ends_with("\"v19\", or one of 15 more"), "{allowed}");
    }
}
