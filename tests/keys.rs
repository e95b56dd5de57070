//! A key stands for one prediction of one model: the same model input, endpoint, model and namespace, and nothing else.

use std::collections::{BTreeMap, HashSet};

use predict_once::{
    cache::{KeySpace, Namespace},
    credit::{CreditApplication, ForeignWorker, PersonalStatusAndSex, PresentEmploymentSince},
    input::Category,
};
use proptest::{prelude::*, sample::select};

/// What a client may write for an application: each field's name with its value as JSON text.
type Fields = [(&'static str, String); 5];

/// A rate of each band.
const RATES: [f64; 4] = [0.5, 0.3, 0.22, 0.1];

fn fields(rate: f64, age: u8, foreign_worker: &str, employment: &str, status: &str) -> Fields {
    [
        ("installment_rate_in_percentage_of_disposable_income", rate.to_string()),
        ("age_in_years", age.to_string()),
        ("foreign_worker", format!("\"{foreign_worker}\"")),
        ("present_employment_since", format!("\"{employment}\"")),
        ("personal_status_and_sex", format!("\"{status}\"")),
    ]
}

fn any_fields() -> impl Strategy<Value = Fields> {
    let category = |names: Vec<&'static str>| select(names);
    (
        0.0001f64..=1.0,
        18u8..=120,
        category(ForeignWorker::names().collect()),
        category(PresentEmploymentSince::names().collect()),
        category(PersonalStatusAndSex::names().collect()),
    )
        .prop_map(|(rate, age, foreign_worker, employment, status)| {
            fields(rate, age, foreign_worker, employment, status)
        })
}

fn json(fields: &[(&str, String)], space: &str) -> String {
    let members: Vec<_> =
        fields.iter().map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}")).collect();
    format!("{space}{{{}{space}}}{space}", members.join(","))
}

fn parse(text: &str) -> CreditApplication {
    CreditApplication::from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn keys(namespace: &str, model: &str) -> KeySpace {
    KeySpace::new(&Namespace::new(namespace).expect("a valid namespace"), model)
}

fn key(application: &CreditApplication) -> String {
    keys("n", "m").key("decision", application).as_str().to_owned()
}

/// The model reads 4 rates, 103 ages, 2, 5 and 5 categories: few enough to try them all.
#[test]
fn each_of_the_20600_inputs_of_the_model_has_a_key_of_its_own() {
    let mut inputs_by_key = BTreeMap::new();
    for rate in RATES {
        for age in 18..=120 {
            for foreign_worker in ForeignWorker::names() {
                for employment in PresentEmploymentSince::names() {
                    for status in PersonalStatusAndSex::names() {
                        let application = parse(&json(&fields(rate, age, foreign_worker, employment, status), ""));
                        let input = application.encode().map(f32::to_bits);
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
fn each_namespace_model_and_endpoint_makes_another_key_of_the_same_application() {
    let application = parse(&json(&fields(0.3, 30, "yes", "unemployed", "male: single"), ""));
    let (namespaces, models) = (["a", "b", "a.b", "predict-once"], ["0123.1", "0123.2", "4567.1", "0123.11"]);
    let predictions = ["decision", "probability", "risk_category"];
    let mut all = HashSet::new();
    for namespace in namespaces {
        for model in models {
            for prediction in predictions {
                all.insert(keys(namespace, model).key(prediction, application).as_str().to_owned());
            }
        }
    }
    assert_eq!(all.len(), namespaces.len() * models.len() * predictions.len());
}

proptest! {
    #[test]
    fn two_rates_share_a_key_exactly_if_the_model_reads_the_same(
        written in any_fields(),
        rate in prop_oneof![select(vec![0.199, 0.2, 0.249, 0.25, 0.349, 0.35, 1.0]), 0.0001f64..=1.0],
    ) {
        let mut other = written.clone();
        other[0].1 = rate.to_string();
        let (one, other) = (parse(&json(&written, "")), parse(&json(&other, "")));
        prop_assert_eq!(key(&one) == key(&other), one.encode() == other.encode());
    }

    #[test]
    fn neither_order_nor_whitespace_nor_another_spelling_changes_the_key(
        written in any_fields(),
        order in Just([0, 1, 2, 3, 4]).prop_shuffle(),
        space in select(vec!["", " ", "\n\t", "\r\n  "]),
        age_ends_in in select(vec!["", ".0", ".000", "e0"]),
        data_set_spelling in any::<bool>(),
    ) {
        let mut respelled = order.map(|position: usize| written[position].clone());
        for (name, value) in &mut respelled {
            match *name {
                "age_in_years" => value.push_str(age_ends_in),
                "personal_status_and_sex" if data_set_spelling => *value = value.replace(':', " :"),
                _ => {}
            }
        }
        prop_assert_eq!(key(&parse(&json(&written, ""))), key(&parse(&json(&respelled, space))));
    }
}

/// Entries outlive deployments: a change here must come with another `CreditApplication::ENCODING_VERSION`.
#[test]
fn the_encoding_of_version_1_is_what_it_was() {
    assert_eq!(CreditApplication::ENCODING_VERSION, 1);
    let example = fields(0.25, 30, "yes", "unemployed", "male: single");
    assert_eq!(parse(&json(&example, "")).to_string(), "2,30,0,0,2");
}
