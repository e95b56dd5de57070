//! What is answered: a probability, and the decision and the risk category that follow from it.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::model::CreditRiskModel;
use crate::prediction::{Prediction, PredictionVisitor, named};

/// The three predictions, in the order of the documentation.
pub fn each_prediction(visitor: &mut impl PredictionVisitor) {
    visitor.visit::<Decision>();
    visitor.visit::<Probability>();
    visitor.visit::<RiskCategory>();
}

/// The cut points that turn a probability into a decision and a category. They come from the model's metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    decision: f32,
    risk_categories: [f32; 3],
}

impl Thresholds {
    /// `decision`: the probability from which an application is declined. `risk_categories`: where medium, high and very
    /// high risk begin. `None` unless all lie strictly between 0 and 1 and the latter ascend.
    pub fn new(decision: f32, risk_categories: [f32; 3]) -> Option<Self> {
        let inside = |cut: &f32| *cut > 0.0 && *cut < 1.0;
        let valid = inside(&decision)
            && risk_categories.iter().all(inside)
            && risk_categories.is_sorted_by(|below, above| below < above);
        valid.then_some(Self { decision, risk_categories })
    }
}

/// The probability that the credit goes bad, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
pub struct Probability(f32);

impl Probability {
    /// `None` unless `value` is a number from 0 to 1. The negative zero becomes zero, which is written in one way only.
    pub fn new(value: f32) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value + 0.0))
    }

    /// The probability as a number.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl Prediction for Probability {
    const NAME: &'static str = "probability";
    const ENDPOINT: &'static str = "probabilities";
    const SUMMARY: &'static str = "How probable it is that the credit goes bad";
    const DESCRIPTION: &'static str = "The model's own output, from which the decision and the risk category follow.";

    fn derive(probability: Probability, _: &CreditRiskModel) -> Self {
        probability
    }

    /// The shortest decimal that reads back as the same `f32`, so that a cached answer equals a computed one.
    fn to_bytes(self) -> Bytes {
        self.0.to_string().into()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let probability = Self::new(std::str::from_utf8(bytes).ok()?.parse().ok()?)?;
        // `+0.3`, `3e-1` and `0.30` are numbers, but no entries of ours.
        (probability.to_bytes() == bytes).then_some(probability)
    }

    fn schema(_: &CreditRiskModel) -> Value {
        json!({
            "type": "number",
            "format": "double",
            "description": "The probability that the credit goes bad: 0.25 is 25 %. From the seventh digit on it may differ \
                            between processors.",
            "minimum": 0,
            "maximum": 1,
        })
    }
}

named! {
    /// Whether the credit is granted.
    Decision {
        /// the probability that the credit goes bad is below the model's threshold
        Accept = "ACCEPT",
        /// the probability is that threshold or more
        Decline = "DECLINE",
    }
}

impl Decision {
    fn at(probability: Probability, thresholds: &Thresholds) -> Self {
        if probability.0 < thresholds.decision { Self::Accept } else { Self::Decline }
    }
}

impl Prediction for Decision {
    const NAME: &'static str = "decision";
    const ENDPOINT: &'static str = "decisions";
    const SUMMARY: &'static str = "Whether the credit is granted";
    const DESCRIPTION: &'static str = "An application is accepted if the probability that the credit goes bad is below the \
                                       model's threshold, which came from its training.";

    fn derive(probability: Probability, model: &CreditRiskModel) -> Self {
        Self::at(probability, model.thresholds())
    }

    fn to_bytes(self) -> Bytes {
        Bytes::from_static(self.name().as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_name(bytes)
    }

    fn schema(model: &CreditRiskModel) -> Value {
        let mut schema = Self::named_schema();
        explain(&mut schema, &format!("The threshold is {}.", model.thresholds().decision));
        schema
    }
}

named! {
    /// How risky the credit is: four bands of the probability that it goes bad, whose limits came from the model's training.
    RiskCategory {
        /// the least risky band
        Low = "low_risk",
        /// the second
        Medium = "medium_risk",
        /// the third
        High = "high_risk",
        /// the riskiest
        VeryHigh = "very_high_risk",
    }
}

impl RiskCategory {
    fn at(probability: Probability, thresholds: &Thresholds) -> Self {
        let [medium, high, very_high] = thresholds.risk_categories;
        match probability.0 {
            p if p < medium => Self::Low,
            p if p < high => Self::Medium,
            p if p < very_high => Self::High,
            _ => Self::VeryHigh,
        }
    }
}

impl Prediction for RiskCategory {
    const NAME: &'static str = "risk_category";
    const ENDPOINT: &'static str = "risk_categories";
    const SUMMARY: &'static str = "How risky the credit is, in four categories";
    const DESCRIPTION: &'static str = "The four categories are bands of the probability that the credit goes bad.";

    fn derive(probability: Probability, model: &CreditRiskModel) -> Self {
        Self::at(probability, model.thresholds())
    }

    fn to_bytes(self) -> Bytes {
        Bytes::from_static(self.name().as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_name(bytes)
    }

    fn schema(model: &CreditRiskModel) -> Value {
        let [medium, high, very_high] = model.thresholds().risk_categories;
        let mut schema = Self::named_schema();
        let limits =
            format!("The bands begin at 0, {medium}, {high} and {very_high}; a limit belongs to the riskier band.");
        explain(&mut schema, &limits);
        schema
    }
}

/// Adds to what a schema says what only the model knows.
fn explain(schema: &mut Value, more: &str) {
    let description = schema["description"].as_str().unwrap_or_default();
    schema["description"] = format!("{description}\n\n{more}").into();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thresholds() -> Thresholds {
        Thresholds::new(0.3, [0.25, 0.3, 0.4]).expect("valid")
    }

    fn probability(value: f32) -> Probability {
        Probability::new(value).expect("valid")
    }

    #[test]
    fn a_cut_point_belongs_to_the_riskier_side() {
        let decide = |p| Decision::at(probability(p), &thresholds()).name();
        assert_eq!([0.0, 0.299_999, 0.3, 1.0].map(decide), ["ACCEPT", "ACCEPT", "DECLINE", "DECLINE"]);
        let categorise = |p| RiskCategory::at(probability(p), &thresholds()).name();
        assert_eq!(
            [0.0, 0.25, 0.3, 0.4, 1.0].map(categorise),
            ["low_risk", "medium_risk", "high_risk", "very_high_risk", "very_high_risk"]
        );
    }

    #[test]
    fn thresholds_out_of_range_or_order_are_refused() {
        for (decision, cuts) in
            [(0.0, [0.1, 0.2, 0.3]), (f32::NAN, [0.1, 0.2, 0.3]), (0.3, [0.2, 0.2, 0.3]), (0.3, [0.1, 0.2, 1.0])]
        {
            assert_eq!(Thresholds::new(decision, cuts), None);
        }
    }

    #[test]
    fn bytes_that_are_no_entry_are_none() {
        for bytes in ["", "accept", "ACCEPT ", "\"ACCEPT\"", "DECLINED"] {
            assert_eq!(Decision::from_bytes(bytes.as_bytes()), None, "{bytes:?}");
            assert_eq!(RiskCategory::from_bytes(bytes.as_bytes()), None, "{bytes:?}");
        }
        for bytes in ["", "NaN", "inf", "-0.1", "1.1", "-0", "+0.3", "0.30", "3e-1", ".3", "0.3 ", "0.3\0"] {
            assert_eq!(Probability::from_bytes(bytes.as_bytes()), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_prediction_reads_back_from_the_bytes_it_writes(value in 0.0f32..=1.0) {
            let probability = probability(value);
            prop_assert_eq!(Probability::from_bytes(&probability.to_bytes()), Some(probability));
            let decision = Decision::at(probability, &thresholds());
            prop_assert_eq!(Decision::from_bytes(&decision.to_bytes()), Some(decision));
            let category = RiskCategory::at(probability, &thresholds());
            prop_assert_eq!(RiskCategory::from_bytes(&category.to_bytes()), Some(category));
        }

        #[test]
        fn bytes_that_read_as_a_prediction_are_the_bytes_it_writes(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            if let Some(read) = Probability::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), &bytes[..]);
            }
        }
    }
}
