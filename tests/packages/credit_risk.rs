//! The shipped package in detail: which inputs it accepts, the errors for all others, and the keys of its inputs.

use std::collections::{BTreeMap, HashSet};

use model_package::{FieldError, FieldErrorCode, Input, InvalidInput};
use predict_once::model::Model;
use prediction_cache::{KeySpace, Layout, Namespace};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use test_support::{
    applications::{example, with},
    models,
};

const RATE: &str = "installment_rate_in_percentage_of_disposable_income";

/// One rate per band.
const RATES: [f64; 4] = [0.5, 0.3, 0.22, 0.1];

fn read(model: &Model, text: &str) -> Input {
    model.signature().read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn errors(text: &str) -> Vec<FieldError> {
    match models::shipped().signature().read(text.as_bytes()) {
        Err(InvalidInput::Fields { errors, .. }) => errors,
        other => panic!("{text} gave {other:?}"),
    }
}

/// The suggestion for a field's value; `None` if the value is valid or has no suggestion.
fn suggestion(model: &Model, field: &str, value: &str) -> Option<String> {
    let body = with(field, serde_json::from_str::<Value>(value).expect("JSON"));
    match model.signature().read(body.to_string().as_bytes()) {
        Err(InvalidInput::Fields { errors, .. }) => {
            let [error] = &errors[..] else { panic!("{value}: {errors:?}") };
            assert_eq!((error.field.as_str(), error.code), (field, FieldErrorCode::Invalid));
            error.suggestion.clone()
        }
        other => panic!("{field} {value}: {other:?}"),
    }
}

#[test]
fn the_specifications_example_is_valid_and_encoded_as_its_age_and_one_hot_categories() {
    let model = models::shipped();
    let application = read(&model, &example().to_string());
    assert_eq!(application.to_string(), "2,30,0,0,2");
    let columns = model.signature().columns();
    let encoded = model.signature().encode(&application);
    assert_eq!((columns.len(), encoded.len()), (17, 17));
    let set: Vec<_> = columns
        .iter()
        .zip(encoded)
        .filter(|(_, value)| *value != 0.0)
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        set,
        [
            "installment_rate_in_percentage_of_disposable_income=2: 1",
            "age_in_years: 30",
            "foreign_worker=yes: 1",
            "present_employment_since=unemployed: 1",
            "personal_status_and_sex=male: single: 1",
        ]
    );
}

#[test]
fn rates_fall_into_the_bands_of_the_data_set() {
    let model = models::shipped();
    let band = |rate: f64| {
        let input = model.signature().read(with(RATE, rate).to_string().as_bytes()).ok()?.to_string();
        Some(input.split(',').next().expect("split yields").to_owned())
    };
    for (rate, code) in [
        (1.0, "3"),
        (0.35, "3"),
        (0.349_999, "2"),
        (0.25, "2"),
        (0.249_999, "1"),
        (0.2, "1"),
        (0.199_999, "0"),
        (5e-324, "0"),
    ] {
        assert_eq!(band(rate).as_deref(), Some(code), "{rate}");
    }
    for invalid in [0.0, -0.0, -0.1, 1.000_000_1, 25.0] {
        assert_eq!(band(invalid), None, "{invalid}");
    }
}

#[test]
fn an_age_is_an_integer_from_18_to_120() {
    let model = models::shipped();
    let key =
        |age: f64| Some(model.signature().read(with("age_in_years", age).to_string().as_bytes()).ok()?.to_string());
    for (age, expected) in [(18.0, "2,18,0,0,2"), (30.0, "2,30,0,0,2"), (120.0, "2,120,0,0,2")] {
        assert_eq!(key(age).as_deref(), Some(expected));
    }
    for invalid in [17.0, 17.999, 30.5, 120.5, 121.0, 286.0, -30.0, 0.0] {
        assert_eq!(key(invalid), None, "{invalid}");
    }
}

#[test]
fn per_cent_and_quotes_are_recognised_in_a_suggestion() {
    let model = models::shipped();
    for (sent, meant) in [
        ("25", Some("0.25 for 25 %")),
        ("2.5", Some("0.025 for 2.5 %")),
        ("33.3", Some("0.333 for 33.3 %")),
        ("1.1", Some("0.011 for 1.1 %")),
        (r#""0,25""#, Some("0.25, without quotes")),
        (r#""25 %""#, Some("0.25 for 25 %")),
        (r#""0.5%""#, Some("0.005 for 0.5 %")),
        (r#""0.25""#, Some("0.25, without quotes")),
        ("101", None),
        ("0", None),
        ("-25", None),
        (r#""inf""#, None),
        (r#""nan""#, None),
        ("null", None),
    ] {
        assert_eq!(suggestion(&model, RATE, sent).as_deref(), meant, "{sent}");
    }
    for (sent, meant) in [
        ("30.5", Some("30, in whole years")),
        (r#"" 30 ""#, Some("30, without quotes")),
        ("17.9", None),
        (r#""thirty""#, None),
        (r#""30.5""#, None),
    ] {
        assert_eq!(suggestion(&model, "age_in_years", sent).as_deref(), meant, "{sent}");
    }
}

#[test]
fn a_misspelt_category_is_recognised() {
    let model = models::shipped();
    for (field, sent, meant) in [
        ("personal_status_and_sex", r#""male:single""#, Some(r#""male: single""#)),
        ("foreign_worker", "true", Some(r#""yes""#)),
        ("foreign_worker", "false", Some(r#""no""#)),
        ("present_employment_since", r#""Unemployed""#, Some(r#""unemployed""#)),
        ("present_employment_since", "3", None),
        ("present_employment_since", "true", None),
    ] {
        assert_eq!(suggestion(&model, field, sent).as_deref(), meant, "{field}: {sent}");
    }
}

#[test]
fn only_the_spelling_of_the_data_set_is_accepted_besides_the_names() {
    let model = models::shipped();
    let key = |status: &str| {
        Some(model.signature().read(with("personal_status_and_sex", status).to_string().as_bytes()).ok()?.to_string())
    };
    let categories = models::categories(&model);
    let (_, statuses) = &categories[2];
    assert_eq!(statuses.len(), 5);
    for (code, name) in statuses.iter().enumerate() {
        let expected = Some(format!("2,30,0,0,{code}"));
        assert_eq!([key(name), key(&name.replace(':', " :"))], [expected.clone(), expected], "{name}");
        for other in [name.replace(": ", ":"), name.replace(':', "  :"), name.to_uppercase(), format!("{name} ")] {
            assert_eq!(key(&other), None, "{other:?}");
        }
    }
}

#[test]
fn the_first_unknown_fields_are_listed_and_the_others_counted() {
    let many: Vec<_> = (0..8_000).map(|name| format!(r#""x{name}": 0"#)).collect();
    let errors = errors(&example().to_string().replacen('{', &format!("{{{},", many.join(",")), 1));
    assert_eq!(errors.len(), 20);
    assert_eq!(errors[18].detail, "is not a field of the input");
    assert_eq!(errors[19].detail, "is not a field of the input, nor are 7980 others");
}

#[test]
fn an_escaped_name_counts_as_a_repetition_of_the_same_name() {
    let text = example().to_string();
    let escaped = text.replace("age_in_years", r"age\u005fin_years");
    assert_eq!(read(&models::shipped(), &escaped).to_string(), "2,30,0,0,2");
    let twice = text.replacen('{', r#"{ "age\u005fin_years": 30,"#, 1);
    let [error] = &errors(&twice)[..] else { panic!("one error") };
    assert_eq!((&*error.field, &*error.detail), ("age_in_years", "must appear only once"));
    assert_eq!((error.code, error.received.as_deref()), (FieldErrorCode::Repeated, Some("2 members with this name")));
}

#[test]
fn every_invalid_field_is_reported_in_field_order_with_the_sent_and_the_suggested_value() {
    let found = errors(
        r#"{"age": 1, "foreign_worker": "YES", "age_in_years": "30", "personal_status_and_sex": null, "employment": {}}"#,
    );
    let fields: Vec<_> = found.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            RATE,
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
    assert!(told(0).0.starts_with("is required and must be a number greater than 0 and at most 1: "), "{:?}", told(0));
    assert_eq!(told(1), ("must be an integer from 18 to 120", Some("\"30\""), Some("30, without quotes")));
    assert_eq!(told(2), (r#"must be one of "yes", "no""#, Some("\"YES\""), Some("\"yes\"")));
    assert!(told(3).0.starts_with("is required and must be one of \"unemployed\""), "{:?}", told(3));
    assert_eq!((told(3).1, told(3).2), (None, None));
    assert_eq!((told(4).1, told(4).2), (Some("null"), None));
    // age_in_years is present, though with a wrong value, so it is not suggested.
    assert_eq!(told(5), ("is not a field of the input", Some("1"), None));
    assert_eq!(told(6), ("is not a field of the input", Some("an object"), Some("present_employment_since")));
}

#[test]
fn an_object_around_the_fields_is_recognised_in_a_suggestion() {
    let errors = errors(&json!({ "application": example() }).to_string());
    let suggestions: Vec<_> = errors.iter().map(|error| error.suggestion.as_deref()).collect();
    let meant = Some("its fields, without an object around them");
    assert_eq!(suggestions, [None, None, None, None, None, meant]);
}

#[test]
fn a_body_that_is_not_an_object_is_described_in_the_error() {
    let model = models::shipped();
    let message = |text: &str| model.signature().read(text.as_bytes()).expect_err(text).to_string();
    assert_eq!(message(" \n"), "is empty");
    assert_eq!(message("[]"), "must be a JSON object, not an array");
    assert_eq!(message("null"), "must be a JSON object, not null");
}

fn keys(namespace: &str, model: &str) -> KeySpace {
    KeySpace::new(&Namespace::new(namespace).expect("a valid namespace"), Layout::String, model)
}

fn key(application: &Input) -> String {
    keys("n", "m").key("decision", application).as_str().to_owned()
}

/// An application as a client may write it: each field's name with its value as JSON text.
type Fields = [(&'static str, String); 5];

fn any_fields(model: &Model) -> impl Strategy<Value = Fields> + use<> {
    let categories = models::categories(model);
    let category = |position: usize| {
        let (_, names) = &categories[position];
        select(names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>())
    };
    (0.0001f64..=1.0, 18u8..=120, category(0), category(1), category(2)).prop_map(
        |(rate, age, foreign_worker, employment, status)| {
            [
                (RATE, rate.to_string()),
                ("age_in_years", age.to_string()),
                ("foreign_worker", foreign_worker),
                ("present_employment_since", employment),
                ("personal_status_and_sex", status),
            ]
        },
    )
}

fn json_text(fields: &[(&str, String)], space: &str) -> String {
    let members: Vec<_> =
        fields.iter().map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}")).collect();
    format!("{space}{{{}{space}}}{space}", members.join(","))
}

/// The model distinguishes 4 rates, 103 ages, and 2, 5 and 5 categories: few enough to try all combinations.
#[test]
fn each_of_the_20600_inputs_of_the_model_has_its_own_key() {
    let model = models::shipped();
    let categories = models::categories(&model);
    let [(_, foreign_workers), (_, employments), (_, statuses)] = &categories[..] else { panic!("{categories:?}") };
    let mut inputs_by_key = BTreeMap::new();
    for rate in RATES {
        for age in 18..=120 {
            for foreign_worker in foreign_workers {
                for employment in employments {
                    for status in statuses {
                        let application = json!({
                            RATE: rate,
                            "age_in_years": age,
                            "foreign_worker": foreign_worker,
                            "present_employment_since": employment,
                            "personal_status_and_sex": status,
                        });
                        let application = read(&model, &application.to_string());
                        let input: Vec<_> =
                            model.signature().encode(&application).into_iter().map(f64::to_bits).collect();
                        assert_eq!(inputs_by_key.insert(key(&application), input), None, "{application}");
                    }
                }
            }
        }
    }
    let inputs: HashSet<_> = inputs_by_key.values().collect();
    assert_eq!((inputs_by_key.len(), inputs.len()), (20_600, 20_600));
}

#[test]
fn the_key_of_an_application_depends_on_namespace_model_and_endpoint() {
    let application = read(&models::shipped(), &example().to_string());
    let (namespaces, models) = (["a", "b", "a.b", "predict-once"], ["0123", "01230", "4567", "012"]);
    let predictions = ["decision", "probability", "risk_category"];
    let mut all = HashSet::new();
    for namespace in namespaces {
        for model in models {
            for prediction in predictions {
                all.insert(keys(namespace, model).key(prediction, &application).as_str().to_owned());
            }
        }
    }
    assert_eq!(all.len(), namespaces.len() * models.len() * predictions.len());
}

#[test]
fn two_rates_share_a_key_if_and_only_if_the_model_reads_the_same_value() {
    let model = models::shipped();
    let rates = prop_oneof![select(vec![0.199, 0.2, 0.249, 0.25, 0.349, 0.35, 1.0]), 0.0001f64..=1.0];
    proptest!(|(written in any_fields(&model), rate in rates)| {
        let mut other = written.clone();
        other[0].1 = rate.to_string();
        let (one, other) = (read(&model, &json_text(&written, "")), read(&model, &json_text(&other, "")));
        prop_assert_eq!(key(&one) == key(&other), model.signature().encode(&one) == model.signature().encode(&other));
    });
}

#[test]
fn neither_order_nor_whitespace_nor_another_spelling_changes_the_key() {
    let model = models::shipped();
    proptest!(|(
        written in any_fields(&model),
        order in Just([0, 1, 2, 3, 4]).prop_shuffle(),
        space in select(vec!["", " ", "\n\t", "\r\n  "]),
        age_ends_in in select(vec!["", ".0", ".000", "e0"]),
        data_set_spelling in any::<bool>(),
    )| {
        let mut respelled = order.map(|position: usize| written[position].clone());
        for (name, value) in &mut respelled {
            match *name {
                "age_in_years" => value.push_str(age_ends_in),
                "personal_status_and_sex" if data_set_spelling => *value = value.replace(':', " :"),
                _ => {}
            }
        }
        let (written, respelled) = (read(&model, &json_text(&written, "")), read(&model, &json_text(&respelled, space)));
        prop_assert_eq!(key(&written), key(&respelled));
    });
}
