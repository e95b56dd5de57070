//! JSON → [`CreditApplication`], or everything that is wrong with it in one go.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::{
    application::{AgeInYears, CreditApplication, InstallmentRate},
    category::{Category, ForeignWorker, PersonalStatusAndSex, PresentEmploymentSince},
};

/// Why a text is no credit application.
#[derive(Debug, thiserror::Error)]
pub enum InvalidApplication {
    /// It is not JSON. The message says where and why; it quotes nothing of the text.
    #[error("the body is not valid JSON: {0}")]
    Syntax(serde_json::Error),
    /// It is JSON, but not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// It is an object, with missing, unknown, repeated or invalid fields: all of them, in the order of the fields.
    #[error("the credit application is invalid: errors has every field that is")]
    Fields(Vec<FieldError>),
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, as it stands in the text.
    pub field: String,
    /// What is allowed, as a sentence without its subject: `must be an integer from 18 to 120`.
    pub detail: Cow<'static, str>,
}

impl CreditApplication {
    /// Reads an application from JSON text.
    ///
    /// Every field must be there, once, with an allowed value, and no other field may be.
    pub fn from_json(text: &[u8]) -> Result<Self, InvalidApplication> {
        let json: Json<'_> = serde_json::from_slice(text).map_err(InvalidApplication::Syntax)?;
        let Json::Object(members) = json else { return Err(InvalidApplication::NotAnObject) };
        let mut fields = Fields { members, errors: Vec::new() };
        let installment_rate = fields.take(
            InstallmentRate::FIELD,
            || InstallmentRate::ALLOWED.into(),
            |value| match value {
                Json::Number(fraction) => InstallmentRate::from_fraction(*fraction),
                _ => None,
            },
        );
        let age = fields.take(
            AgeInYears::FIELD,
            || AgeInYears::ALLOWED.into(),
            |value| match value {
                Json::Number(years) => AgeInYears::from_number(*years),
                _ => None,
            },
        );
        let foreign_worker = fields.take_category::<ForeignWorker>();
        let employment = fields.take_category::<PresentEmploymentSince>();
        let status = fields.take_category::<PersonalStatusAndSex>();
        fields.reject_the_rest();
        match (installment_rate, age, foreign_worker, employment, status) {
            (Some(rate), Some(age), Some(foreign_worker), Some(employment), Some(status))
                if fields.errors.is_empty() =>
            {
                Ok(Self::new(rate, age, foreign_worker, employment, status))
            }
            _ => Err(InvalidApplication::Fields(fields.errors)),
        }
    }
}

/// The members of the object that no field has taken yet, and what was wrong with those that were taken.
struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Takes every member of this name. `None` leaves an error behind.
    fn take<T>(
        &mut self,
        field: &'static str,
        allowed: impl FnOnce() -> Cow<'static, str>,
        parse: impl FnOnce(&Json<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut value = None;
        let mut count = 0;
        self.members.retain_mut(|(name, member)| {
            let other = name != field;
            if !other {
                count += 1;
                value = Some(std::mem::replace(member, Json::Other));
            }
            other
        });
        let detail = match (count, value) {
            (0, _) => format!("is required and {}", allowed()).into(),
            (1, Some(value)) => match parse(&value) {
                Some(parsed) => return Some(parsed),
                None => allowed(),
            },
            _ => "must appear only once".into(),
        };
        self.errors.push(FieldError { field: field.to_owned(), detail });
        None
    }

    fn take_category<C: Category>(&mut self) -> Option<C> {
        self.take(C::FIELD, C::allowed, |value| match value {
            Json::Text(name) => C::from_name(name),
            _ => None,
        })
    }

    /// Whatever is left is unknown: reported once for each name.
    fn reject_the_rest(&mut self) {
        let mut seen = HashSet::new();
        self.members.retain(|(name, _)| seen.insert(name.clone()));
        self.errors.extend(self.members.drain(..).map(|(name, _)| FieldError {
            field: name.into_owned(),
            detail: "is not a field of a credit application".into(),
        }));
    }
}

/// As much of a JSON value as validation asks for, borrowed from the text where it can be.
///
/// serde_json bounds the nesting (128) and refuses numbers that no double holds, also inside of what is thrown away here.
enum Json<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    Other,
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

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Other)
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
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(5);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

/// A member's name. `Cow<str>` on its own always copies.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{
        "installment_rate_in_percentage_of_disposable_income": 0.25,
        "age_in_years": 30,
        "foreign_worker": "yes",
        "present_employment_since": "unemployed",
        "personal_status_and_sex": "male: single"
    }"#;

    fn errors(text: &str) -> Vec<(String, String)> {
        match CreditApplication::from_json(text.as_bytes()) {
            Err(InvalidApplication::Fields(errors)) => {
                errors.into_iter().map(|e| (e.field, e.detail.into_owned())).collect()
            }
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn the_specifications_example_is_an_application() {
        let application = CreditApplication::from_json(EXAMPLE.as_bytes()).expect("valid");
        assert_eq!(application.to_string(), "2,30,0,0,2");
    }

    #[test]
    fn an_escaped_name_is_the_same_name_and_counts_as_a_repetition() {
        let escaped = EXAMPLE.replace("age_in_years", r"age\u005fin_years");
        assert!(CreditApplication::from_json(escaped.as_bytes()).is_ok());
        let twice = EXAMPLE.replacen('{', r#"{ "age\u005fin_years": 30,"#, 1);
        assert_eq!(errors(&twice), [("age_in_years".to_owned(), "must appear only once".to_owned())]);
    }

    #[test]
    fn every_wrong_field_is_reported_in_the_order_of_the_fields() {
        let found = errors(
            r#"{"b": 1, "foreign_worker": "maybe", "age_in_years": "30", "personal_status_and_sex": null, "a": {}}"#,
        );
        let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "installment_rate_in_percentage_of_disposable_income",
                "age_in_years",
                "foreign_worker",
                "present_employment_since",
                "personal_status_and_sex",
                "b",
                "a",
            ]
        );
        assert_eq!(found[1].1, "must be an integer from 18 to 120");
        assert_eq!(found[2].1, r#"must be one of "yes", "no""#);
        assert!(found[3].1.starts_with("is required and must be one of \"unemployed\""), "{}", found[3].1);
    }
}
