//! The attributes of an application, each as a type that cannot be invalid, with the codes of the data set.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::input::{Field, Json, category};

/// The instalment rate, in the four bands of the data set. Within a band the model sees no difference, so the band is all
/// that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallmentRate {
    code: u8,
}

impl InstallmentRate {
    /// How many bands there are.
    pub const CODES: usize = 4;

    /// The band of a rate, given as a fraction of disposable income; `None` unless 0 < `fraction` ≤ 1.
    ///
    /// The codes are those of attribute 8 of the data set: 1 (35 % or more), 2 (25 to < 35 %), 3 (20 to < 25 %),
    /// 4 (less than 20 %).
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        let code = match fraction {
            f if !(f > 0.0 && f <= 1.0) => return None,
            f if f >= 0.35 => 1,
            f if f >= 0.25 => 2,
            f if f >= 0.20 => 3,
            _ => 4,
        };
        Some(Self { code })
    }

    /// The data set's code, 1 to 4.
    pub fn code(self) -> u8 {
        self.code
    }
}

impl Field for InstallmentRate {
    const NAME: &'static str = "installment_rate_in_percentage_of_disposable_income";

    fn read(value: &Json<'_>) -> Option<Self> {
        match value {
            Json::Number(fraction) => Self::from_fraction(*fraction),
            _ => None,
        }
    }

    fn allowed() -> Cow<'static, str> {
        "must be a number greater than 0 and at most 1: the instalment as a fraction of disposable income (0.25 is 25 %)".into()
    }

    /// A number of up to 100 was meant in per cent; `"0.25"`, `"0,25"` and `"25 %"` are numbers in quotes.
    fn suggestion(value: &Json<'_>) -> Option<String> {
        let (number, percent) = match value {
            Json::Number(number) => (*number, *number > 1.0),
            Json::Text(text) => {
                let text = text.trim();
                let number: f64 = text.trim_end_matches('%').trim_end().replace(',', ".").parse().ok()?;
                (number, number > 1.0 || text.ends_with('%'))
            }
            _ => return None,
        };
        if percent {
            // A hundredth, as people write it: 33.3 / 100.0 is 0.33299999999999996.
            let fraction = (number * 1e10).round() / 1e12;
            Self::from_fraction(fraction).map(|_| format!("{fraction} for {number} %"))
        } else {
            Self::from_fraction(number).map(|_| format!("{number}, without quotes"))
        }
    }

    fn schema() -> Value {
        json!({
            "type": "number",
            "format": "double",
            "description": "The instalment as a **fraction** of disposable income, greater than 0 and at most 1: `0.25` is 25 %, \
                            `1` is 100 %. \
                            (The name is the data set's.)\n\nThe model does not see the fraction but its band, coded as in the \
                            data set: 0.35 and more (code 1), from 0.25 (2), from 0.20 (3), below 0.20 (4). Two rates of one \
                            band have the same prediction.",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "examples": [0.25],
        })
    }
}

/// An age in whole years, 18 to 120.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeInYears(u8);

impl AgeInYears {
    /// The age, if `years` is an integer from 18 to 120. `30.0` is an integer, as JSON Schema has it; `30.5` is not.
    pub fn from_number(years: f64) -> Option<Self> {
        let valid = (18.0..=120.0).contains(&years) && years.fract() == 0.0;
        valid.then_some(Self(years as u8))
    }

    /// The age in years.
    pub fn years(self) -> u8 {
        self.0
    }
}

impl Field for AgeInYears {
    const NAME: &'static str = "age_in_years";

    fn read(value: &Json<'_>) -> Option<Self> {
        match value {
            Json::Number(years) => Self::from_number(*years),
            _ => None,
        }
    }

    fn allowed() -> Cow<'static, str> {
        "must be an integer from 18 to 120".into()
    }

    /// The years that are complete, of a number with a fraction; a number in quotes without them.
    fn suggestion(value: &Json<'_>) -> Option<String> {
        match value {
            Json::Number(years) => Self::from_number(years.floor()).map(|age| format!("{}, the complete years", age.0)),
            Json::Text(text) => {
                Self::from_number(text.trim().parse().ok()?).map(|age| format!("{}, without quotes", age.0))
            }
            _ => None,
        }
    }

    fn schema() -> Value {
        json!({
            "type": "integer",
            "description": "The applicant's age in complete years, from 18 to 120.",
            "minimum": 18,
            "maximum": 120,
            "examples": [30],
        })
    }
}

category! {
    /// Whether the applicant is a foreign worker, as the data set (Germany, 1973 to 1975) calls it.
    ForeignWorker, "foreign_worker" {
        /// is a foreign worker (A201 in the data set)
        Yes = "yes",
        /// is not (A202)
        No = "no",
    }
}

category! {
    /// For how long the applicant has been in the present employment.
    PresentEmploymentSince, "present_employment_since" {
        /// is in none at present (A71 in the data set)
        Unemployed = "unemployed",
        /// for less than one year (A72)
        LessThanOneYear = "... < 1 year",
        /// for at least one year and less than four (A73)
        OneToFourYears = "1 <= ... < 4 years",
        /// for at least four years and less than seven (A74)
        FourToSevenYears = "4 <= ... < 7 years",
        /// for seven years or more (A75)
        SevenYearsOrMore = "... >= 7 years",
    }
}

category! {
    /// Personal status and sex, in the five combinations of the data set's codebook. The data set's own spelling, with a space
    /// before the colon, is accepted too.
    PersonalStatusAndSex, "personal_status_and_sex" {
        /// a man who is divorced or separated (A91 in the data set)
        MaleDivorcedOrSeparated = "male: divorced/separated",
        /// a woman who is divorced, separated or married (A92)
        FemaleDivorcedSeparatedOrMarried = "female: divorced/separated/married",
        /// a man who is single (A93)
        MaleSingle = "male: single",
        /// a man who is married or widowed (A94)
        MaleMarriedOrWidowed = "male: married/widowed",
        /// a woman who is single (A95): in the codebook, but on none of the 1,000 applications, so that the model gives
        /// it no weight
        FemaleSingle = "female: single",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_into_the_bands_of_the_data_set() {
        let code = |rate| InstallmentRate::from_fraction(rate).map(InstallmentRate::code);
        for (rate, band) in
            [(1.0, 1), (0.35, 1), (0.349_999, 2), (0.25, 2), (0.249_999, 3), (0.2, 3), (0.199_999, 4), (5e-324, 4)]
        {
            assert_eq!(code(rate), Some(band), "{rate}");
        }
        for invalid in [0.0, -0.0, -0.1, 1.000_000_1, 25.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(code(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn an_age_is_an_integer_from_18_to_120() {
        let years = |age| AgeInYears::from_number(age).map(AgeInYears::years);
        assert_eq!([18.0, 30.0, 120.0].map(years), [Some(18), Some(30), Some(120)]);
        for invalid in [17.0, 17.999, 30.5, 120.5, 121.0, 286.0, -30.0, 0.0, f64::NAN, f64::INFINITY] {
            assert_eq!(years(invalid), None, "{invalid}");
        }
    }

    fn suggestion<F: Field>(json: &str) -> Option<String> {
        F::suggestion(&serde_json::from_str(json).expect("JSON"))
    }

    #[test]
    fn per_cent_and_quotes_are_seen_through() {
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
            assert_eq!(suggestion::<InstallmentRate>(sent).as_deref(), meant, "{sent}");
        }
        for (sent, meant) in [
            ("30.5", Some("30, the complete years")),
            (r#"" 30 ""#, Some("30, without quotes")),
            ("17.9", None),
            (r#""thirty""#, None),
            (r#""30.5""#, None),
        ] {
            assert_eq!(suggestion::<AgeInYears>(sent).as_deref(), meant, "{sent}");
        }
    }

    #[test]
    fn a_misspelt_category_is_recognised() {
        assert_eq!(suggestion::<PersonalStatusAndSex>(r#""male:single""#).as_deref(), Some(r#""male: single""#));
        assert_eq!(suggestion::<ForeignWorker>("true").as_deref(), Some(r#""yes""#));
        assert_eq!(suggestion::<PresentEmploymentSince>(r#""Unemployed""#).as_deref(), Some(r#""unemployed""#));
        assert_eq!(suggestion::<PresentEmploymentSince>("3"), None);
    }
}
