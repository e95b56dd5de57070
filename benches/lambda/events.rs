//! Events, each with a different input of the model.

use serde_json::{Value, json};

pub(crate) fn all() -> impl Iterator<Item = Value> {
    let template: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    let rates = [0.1, 0.22, 0.3, 0.5];
    let employments = ["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"];
    let statuses = [
        "male: single",
        "female: single",
        "male: married/widowed",
        "male: divorced/separated",
        "female: divorced/separated/married",
    ];
    (0..20_600).map(move |n: usize| {
        let application = json!({
            "installment_rate_in_percentage_of_disposable_income": (rates[n / 103 % 4]),
            "age_in_years": 18 + n % 103,
            "foreign_worker": (["yes", "no"][n / 412 % 2]),
            "present_employment_since": (employments[n / 824 % 5]),
            "personal_status_and_sex": (statuses[n / 4120 % 5]),
        });
        let mut event = template.clone();
        event["body"] = application.to_string().into();
        event
    })
}
