//! A credit application, as the model reads it.

use std::fmt;

use super::category::{Category, ForeignWorker, PersonalStatusAndSex, PresentEmploymentSince};

/// The instalment rate, in the four bands of the data set. Within a band the model sees no difference, so the band is all
/// that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallmentRate {
    code: u8,
}

impl InstallmentRate {
    /// The attribute's name in a request.
    pub const FIELD: &'static str = "installment_rate_in_percentage_of_disposable_income";
    /// What a request may hold.
    pub const ALLOWED: &'static str = "must be a number greater than 0 and at most 1: the instalment as a fraction of disposable income (0.25 is 25 %)";

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

/// An age in whole years, 18 to 120.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeInYears(u8);

impl AgeInYears {
    /// The attribute's name in a request.
    pub const FIELD: &'static str = "age_in_years";
    /// What a request may hold.
    pub const ALLOWED: &'static str = "must be an integer from 18 to 120";

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

/// The five attributes that the model reads. Two applications are equal exactly when the model's input is.
///
/// Each attribute is of a type that cannot be invalid, and so an application that exists is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditApplication {
    pub(super) installment_rate: InstallmentRate,
    pub(super) age: AgeInYears,
    pub(super) foreign_worker: ForeignWorker,
    pub(super) employment: PresentEmploymentSince,
    pub(super) status: PersonalStatusAndSex,
}

impl CreditApplication {
    /// The version of the encoding below. It is part of the model's fingerprint: raise it when [`Self::encode`] or the
    /// text of [`fmt::Display`] gives another result for the same application.
    pub const ENCODING_VERSION: u8 = 1;

    /// How many numbers the model reads.
    pub const FEATURES: usize = 1
        + Self::RATE_CODES
        + ForeignWorker::ALL.len()
        + PresentEmploymentSince::ALL.len()
        + PersonalStatusAndSex::ALL.len();
    const RATE_CODES: usize = 4;

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

    /// The model's input: the age in years, then a one for the code that applies of each attribute and zeros for the
    /// others. [`Self::feature_names`] names the columns.
    pub fn encode(&self) -> [f32; Self::FEATURES] {
        let mut features = [0.0; Self::FEATURES];
        features[0] = f32::from(self.age.0);
        let mut first = 1;
        for (code, codes) in [
            (self.installment_rate.code - 1, Self::RATE_CODES),
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
            C::ALL.iter().map(|(_, name)| format!("{}={name}", C::FIELD))
        }
        std::iter::once(AgeInYears::FIELD.to_owned())
            .chain((1..=Self::RATE_CODES).map(|code| format!("installment_rate_code={code}")))
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
            self.installment_rate.code,
            self.age.0,
            self.foreign_worker.code(),
            self.employment.code(),
            self.status.code()
        )
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

    #[test]
    fn the_encoding_is_the_age_and_one_hot_categories() {
        let application = CreditApplication::new(
            InstallmentRate { code: 2 },
            AgeInYears(30),
            ForeignWorker::Yes,
            PresentEmploymentSince::Unemployed,
            PersonalStatusAndSex::MaleSingle,
        );
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
        assert_eq!(application.to_string(), "2,30,0,0,2");
    }
}
