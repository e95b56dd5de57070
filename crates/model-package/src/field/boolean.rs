//! Boolean fields.

use crate::json::Json;

/// The boolean that a value of another type stands for: `"yes"`, `"True"`, `1`.
pub(crate) fn suggestion(value: &Json<'_>) -> Option<bool> {
    let is = |text: &str, names: [&str; 4]| names.iter().any(|name| text.trim().eq_ignore_ascii_case(name));
    match value {
        Json::Number(1.0) => Some(true),
        Json::Number(0.0) => Some(false),
        Json::Text(text) if is(text, ["true", "yes", "y", "1"]) => Some(true),
        Json::Text(text) if is(text, ["false", "no", "n", "0"]) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_spellings_of_booleans_are_recognised() {
        for (sent, meant) in [
            (r#""yes""#, Some(true)),
            (r#"" True ""#, Some(true)),
            ("1", Some(true)),
            (r#""N""#, Some(false)),
            ("0", Some(false)),
            ("2", None),
            (r#""maybe""#, None),
            ("null", None),
        ] {
            assert_eq!(suggestion(&serde_json::from_str(sent).expect("JSON")), meant, "{sent}");
        }
    }
}
