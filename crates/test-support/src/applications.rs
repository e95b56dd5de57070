//! Credit applications to post.

use serde_json::{Value, json};

/// The specification's example.
pub fn example() -> Value {
    json!({
        "installment_rate_in_percentage_of_disposable_income": 0.25,
        "age_in_years": 30,
        "foreign_worker": "yes",
        "present_employment_since": "unemployed",
        "personal_status_and_sex": "male: single"
    })
}

/// The example with one field changed.
pub fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut application = example();
    application[field] = value.into();
    application
}

/// The example at another age, which has its own prediction and cache entry.
pub fn aged(years: u8) -> Value {
    with("age_in_years", years)
}
