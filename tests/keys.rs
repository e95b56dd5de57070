//! A key stands for one prediction of one model: the same model input, endpoint, model and namespace, and nothing else.

use predict_once::{
    cache::{KeySpace, Namespace},
    credit::{Category, CreditApplication, ForeignWorker, PersonalStatusAndSex, PresentEmploymentSince},
};
use proptest::{prelude::*, sample::select};

/// What a client may write for an application: each field's name with its value as JSON text.
type Fields = [(&'static str, String); 5];

fn category<C: Category + std::fmt::Debug>() -> impl Strategy<Value = String> {
    select(C::ALL).prop_map(|(_, name)| name.to_owned())
}

fn fields() -> impl Strategy<Value = Fields> {
    // Few ages and rates, so that two applications are often equal, and rates on either side of a band's edge.
    let rate = prop_oneof![select(vec![0.1, 0.199, 0.2, 0.249, 0.25, 0.3, 0.349, 0.35, 1.0]), 0.0001f64..=1.0];
    let age = prop_oneof![select(vec![18u8, 30, 31, 120]), 18u8..=120];
    let categories =
        (category::<ForeignWorker>(), category::<PresentEmploymentSince>(), category::<PersonalStatusAndSex>());
    (rate, age, categories).prop_map(|(rate, age, (foreign_worker, employment, status))| {
        [
            ("installment_rate_in_percentage_of_disposable_income", rate.to_string()),
            ("age_in_years", age.to_string()),
            ("foreign_worker", format!("\"{foreign_worker}\"")),
            ("present_employment_since", format!("\"{employment}\"")),
            ("personal_status_and_sex", format!("\"{status}\"")),
        ]
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

proptest! {
    #[test]
    fn two_applications_share_a_key_exactly_if_the_model_reads_the_same(one in fields(), other in fields()) {
        let (one, other) = (parse(&json(&one, "")), parse(&json(&other, "")));
        prop_assert_eq!(key(&one) == key(&other), one.encode() == other.encode());
    }

    #[test]
    fn neither_order_nor_whitespace_nor_another_spelling_changes_the_key(
        written in fields(),
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

    #[test]
    fn another_namespace_model_or_endpoint_is_another_key(
        written in fields(),
        namespaces in ("[a-z.]{1,6}", "[a-z.]{1,6}"),
        models in ("[0-9a-f]{1,4}\\.[1-2]", "[0-9a-f]{1,4}\\.[1-2]"),
        predictions in (select(vec!["decision", "probability", "risk_category"]), select(vec!["decision", "probability", "risk_category"])),
    ) {
        let application = parse(&json(&written, ""));
        let one = keys(&namespaces.0, &models.0).key(predictions.0, application);
        let other = keys(&namespaces.1, &models.1).key(predictions.1, application);
        let same = namespaces.0 == namespaces.1 && models.0 == models.1 && predictions.0 == predictions.1;
        prop_assert_eq!(one == other, same);
    }
}

/// Entries outlive deployments: a change here must come with another `CreditApplication::ENCODING_VERSION`.
#[test]
fn the_encoding_of_version_1_is_what_it_was() {
    assert_eq!(CreditApplication::ENCODING_VERSION, 1);
    let example = [
        ("installment_rate_in_percentage_of_disposable_income", "0.25".to_owned()),
        ("age_in_years", "30".to_owned()),
        ("foreign_worker", "\"yes\"".to_owned()),
        ("present_employment_since", "\"unemployed\"".to_owned()),
        ("personal_status_and_sex", "\"male: single\"".to_owned()),
    ];
    assert_eq!(parse(&json(&example, "")).to_string(), "2,30,0,0,2");
}
