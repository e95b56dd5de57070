//! Suggests a number in place of an invalid value.

use super::Number;
use crate::json::Json;

impl Number {
    /// Recognises a number in quotes, with a decimal comma, in percent, or with a fraction where only integers are allowed.
    pub(crate) fn suggestion(&self, value: &Json<'_>, unit: Option<&str>) -> Option<String> {
        let (number, percent) = match value {
            Json::Number(number) if self.integer => {
                let whole = number.floor();
                return self.read(whole).map(|_| match unit {
                    Some(unit) => format!("{whole}, in whole {unit}"),
                    None => format!("{whole}, without the fraction"),
                });
            }
            Json::Number(number) => (*number, *number > 1.0),
            Json::Text(text) => {
                let text = text.trim();
                let number = decimal(text.trim_end_matches('%').trim_end())?;
                (number, number > 1.0 || text.ends_with('%'))
            }
            _ => return None,
        };
        if self.fraction && percent {
            // Rounded, since 33.3 / 100.0 is 0.33299999999999996.
            let fraction = (number * 1e10).round() / 1e12;
            return self.read(fraction).map(|_| format!("{fraction} for {number} %"));
        }
        if matches!(value, Json::Number(_)) {
            return None;
        }
        self.read(number).map(|_| format!("{number}, without quotes"))
    }
}

/// Parses a number, possibly with a decimal comma. `1,000` is ambiguous and not parsed: it could be a thousand.
fn decimal(text: &str) -> Option<f64> {
    let number = match text.split_once(',') {
        None => text.parse().ok()?,
        Some((whole, digits)) if digits.len() != 3 || whole == "0" => format!("{whole}.{digits}").parse().ok()?,
        Some(_) => return None,
    };
    f64::is_finite(number).then_some(number)
}

#[cfg(test)]
mod tests {
    use crate::testing::field;

    #[test]
    fn percentages_quotes_decimal_commas_and_fractions_are_recognised() {
        let rate = "type = 'number'\nunit = 'fraction'\nexclusive_minimum = 0\nmaximum = 1";
        let years = "type = 'integer'\nunit = 'years'\nminimum = 18\nmaximum = 120";
        let price = "type = 'number'\nminimum = 0";
        let count = "type = 'integer'";
        for (written, sent, meant) in [
            (rate, "25", Some("0.25 for 25 %")),
            (rate, "33.3", Some("0.333 for 33.3 %")),
            (rate, "1.1", Some("0.011 for 1.1 %")),
            (rate, r#""0,25""#, Some("0.25, without quotes")),
            (rate, r#""0,333""#, Some("0.333, without quotes")),
            (rate, r#""25 %""#, Some("0.25 for 25 %")),
            (rate, r#""0.5%""#, Some("0.005 for 0.5 %")),
            (rate, "101", None),
            (rate, "0", None),
            (rate, "-25", None),
            (rate, r#""inf""#, None),
            (rate, r#""nan""#, None),
            (rate, "null", None),
            (years, "30.5", Some("30, in whole years")),
            (years, r#"" 30 ""#, Some("30, without quotes")),
            (years, "17.9", None),
            (years, r#""thirty""#, None),
            (years, r#""30.5""#, None),
            (count, "30.5", Some("30, without the fraction")),
            (price, r#""1,50""#, Some("1.5, without quotes")),
            (price, r#""1,000""#, None),
            (price, "-1", None),
        ] {
            let value = serde_json::from_str(sent).expect("JSON");
            assert_eq!(field(written).suggestion(&value).as_deref(), meant, "{sent}");
        }
    }
}
