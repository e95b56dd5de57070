//! A credit application, as the model reads it: two are equal exactly when the model's input is.

use std::fmt;

use serde_json::{Value, json};

use super::attributes::{AgeInYears, ForeignWorker, InstallmentRate, PersonalStatusAndSex, PresentEmploymentSince};
use crate::{
    domain::Example,
    input::{Category, Field, object},
};

object! {
    /// A credit application: all five fields, and no others.
    CreditApplication {
        installment_rate: InstallmentRate,
        age: AgeInYears,
        foreign_worker: ForeignWorker,
        employment: PresentEmploymentSince,
        status: PersonalStatusAndSex,
    }
}

impl CreditApplication {
    /// The version of the code around the model. It is part of the model's fingerprint: raise it when [`Self::encode`],
    /// the text of [`fmt::Display`] or a prediction's [`derive`](crate::prediction::Prediction::derive) gives another
    /// result for the same application.
    pub const ENCODING_VERSION: u8 = 1;

    /// How many numbers the model reads.
    pub const FEATURES: usize = 1
        + InstallmentRate::CODES
        + ForeignWorker::ALL.len()
        + PresentEmploymentSince::ALL.len()
        + PersonalStatusAndSex::ALL.len();

    /// An application of these attributes.
    pub fn new(
        installment_rate: InstallmentRate,
        age: AgeInYears,
        foreign_worker: ForeignWorker,
        employment: PresentEmploymentSince,
        status: PersonalStatusAndSex,
    ) -> Self {
        Self { installment_rate, age, foreign_worker, employment, status }
    }

    /// Applications for the documentation, the last of them a wrong one.
    pub fn examples() -> Vec<Example> {
        let application = |rate: Value, age, foreign_worker, employment, status| {
            json!({
                InstallmentRate::NAME: rate,
                AgeInYears::NAME: age,
                ForeignWorker::NAME: foreign_worker,
                PresentEmploymentSince::NAME: employment,
                PersonalStatusAndSex::NAME: status,
            })
        };
        vec![
            Example {
                name: "unemployed",
                summary: "A single man of 30 without employment",
                input: application(json!(0.25), 30, "yes", "unemployed", "male: single"),
            },
            Example {
                name: "long_employed",
                summary: "A single man of 45, for ten years in the same employment",
                input: application(json!(0.4), 45, "no", "... >= 7 years", "male: single"),
            },
            Example {
                name: "mistakes",
                summary: "Wrong on purpose: per cent for a fraction, and a misspelt category",
                input: application(json!(25), 30, "yes", "unemployed", "male:single"),
            },
        ]
    }

    /// The model's input: the age in years, then a one for the code that applies of each attribute and zeros for the
    /// others. [`Self::feature_names`] names the columns.
    pub fn encode(&self) -> [f32; Self::FEATURES] {
        let mut features = [0.0; Self::FEATURES];
        features[0] = f32::from(self.age.years());
        let mut first = 1;
        for (code, codes) in [
            (self.installment_rate.code() - 1, InstallmentRate::CODES),
            (self.foreign_worker.code(), ForeignWorker::ALL.len()),
            (self.employment.code(), PresentEmploymentSince::ALL.len()),
            (self.status.code(), PersonalStatusAndSex::ALL.len()),
        ] {
            features[first + usize::from(code)] = 1.0;
            first += codes;
        }
        features
    }

    /// The names of the columns of [`Self::encode`], as the training script writes them into the model.
    pub fn feature_names() -> impl Iterator<Item = String> {
        fn one_hot<C: Category>() -> impl Iterator<Item = String> {
            C::names().map(|name| format!("{}={name}", C::NAME))
        }
        std::iter::once(AgeInYears::NAME.to_owned())
            .chain((1..=InstallmentRate::CODES).map(|code| format!("installment_rate_code={code}")))
            .chain(one_hot::<ForeignWorker>())
            .chain(one_hot::<PresentEmploymentSince>())
            .chain(one_hot::<PersonalStatusAndSex>())
    }
}

/// The model's input as short text, for the cache's key: rate code, age, and the three category codes, `2,30,0,0,2`.
impl fmt::Display for CreditApplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{},{}",
            self.installment_rate.code(),
            self.age.years(),
            self.foreign_worker.code(),
            self.employment.code(),
            self.status.code()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{FieldError, FieldErrorCode, InvalidInput};

    const EXAMPLE: &str = r#"{
        "installment_rate_in_percentage_of_disposable_income": 0.25,
        "age_in_years": 30,
        "foreign_worker": "yes",
        "present_employment_since": "unemployed",
        "personal_status_and_sex": "male: single"
    }"#;

    fn errors(text: &str) -> Vec<FieldError> {
        match CreditApplication::from_json(text.as_bytes()) {
            Err(InvalidInput::Fields(errors)) => errors,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn the_first_fields_that_there_are_not_are_named_and_the_others_counted() {
        let many: Vec<_> = (0..8_000).map(|name| format!(r#""x{name}": 0"#)).collect();
        let errors = errors(&EXAMPLE.replacen('{', &format!("{{{},", many.join(",")), 1));
        assert_eq!(errors.len(), 20);
        assert_eq!(errors[18].detail, "is not a field of the input");
        assert_eq!(errors[19].detail, "is not a field of the input, nor are 7980 further ones");
    }

    #[test]
    fn the_specifications_example_is_an_application_and_is_encoded_as_its_age_and_one_hot_categories() {
        let application = CreditApplication::from_json(EXAMPLE.as_bytes()).expect("valid");
        assert_eq!(application.to_string(), "2,30,0,0,2");
        let set: Vec<_> = CreditApplication::feature_names()
            .zip(application.encode())
            .filter(|(_, value)| *value != 0.0)
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            set,
            [
                "age_in_years: 30",
                "installment_rate_code=2: 1",
                "foreign_worker=yes: 1",
                "present_employment_since=unemployed: 1",
                "personal_status_and_sex=male: single: 1",
            ]
        );
    }

    #[test]
    fn an_escaped_name_is_the_same_name_and_counts_as_a_repetition() {
        let escaped = EXAMPLE.replace("age_in_years", r"age\u005fin_years");
        assert!(CreditApplication::from_json(escaped.as_bytes()).is_ok());
        let twice = EXAMPLE.replacen('{', r#"{ "age\u005fin_years": 30,"#, 1);
        let [error] = &errors(&twice)[..] else { panic!("one error") };
        assert_eq!((&*error.field, &*error.detail), ("age_in_years", "must appear only once"));
        assert_eq!((error.code, error.received.as_deref()), (FieldErrorCode::Repeated, Some("2 members of this name")));
    }

    #[test]
    fn every_wrong_field_is_reported_in_the_order_of_the_fields_with_what_was_sent_and_meant() {
        let found = errors(
            r#"{"age": 1, "foreign_worker": "YES", "age_in_years": "30", "personal_status_and_sex": null, "employment": {}}"#,
        );
        let fields: Vec<_> = found.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "installment_rate_in_percentage_of_disposable_income",
                "age_in_years",
                "foreign_worker",
                "present_employment_since",
                "personal_status_and_sex",
                "age",
                "employment",
            ]
        );
        let codes: Vec<_> = found.iter().map(|error| error.code).collect();
        let (missing, invalid, unknown) = (FieldErrorCode::Missing, FieldErrorCode::Invalid, FieldErrorCode::Unknown);
        assert_eq!(codes, [missing, invalid, invalid, missing, invalid, unknown, unknown]);
        let told = |position: usize| {
            let FieldError { detail, received, suggestion, .. } = &found[position];
            (&**detail, received.as_deref(), suggestion.as_deref())
        };
        assert_eq!(told(1), ("must be an integer from 18 to 120", Some("\"30\""), Some("30, without quotes")));
        assert_eq!(told(2), (r#"must be one of "yes", "no""#, Some("\"YES\""), Some("\"yes\"")));
        assert!(told(3).0.starts_with("is required and must be one of \"unemployed\""), "{:?}", told(3));
        assert_eq!((told(3).1, told(3).2), (None, None));
        assert_eq!((told(4).1, told(4).2), (Some("null"), None));
        // age_in_years is there, if with a wrong value: it was not meant.
        assert_eq!(told(5), ("is not a field of the input", Some("1"), None));
        assert_eq!(told(6), ("is not a field of the input", Some("an object"), Some("present_employment_since")));
    }

    #[test]
    fn an_object_around_the_fields_is_seen_through() {
        let errors = errors(&format!(r#"{{"application": {EXAMPLE}}}"#));
        let suggestions: Vec<_> = errors.iter().map(|error| error.suggestion.as_deref()).collect();
        let meant = Some("its fields, without an object around them");
        assert_eq!(suggestions, [None, None, None, None, None, meant]);
    }

    #[test]
    fn what_is_no_object_is_told_what_it_is() {
        let message = |text: &str| CreditApplication::from_json(text.as_bytes()).expect_err(text).to_string();
        assert_eq!(message(" \n"), "the body is empty; it must be a JSON object");
        assert_eq!(message("[]"), "the body must be a JSON object, and is an array");
        assert_eq!(message("null"), "the body must be a JSON object, and is null");
    }
}
