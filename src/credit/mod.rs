//! The domain: one credit-risk model and what goes in and comes out of it. It knows nothing of HTTP, Lambda or Redis.
//!
//! [`crate::domain`] says what the service asks of it.

mod application;
mod attributes;
mod model;
mod prediction;

pub use application::CreditApplication;
pub use attributes::{AgeInYears, ForeignWorker, InstallmentRate, PersonalStatusAndSex, PresentEmploymentSince};
pub use model::CreditRiskModel;
pub use prediction::{Decision, Probability, RiskCategory, Thresholds, each_prediction};

/// What the API's documentation begins with, in Markdown.
pub const DESCRIPTION: &str = "\
Estimates the credit risk of an application from five attributes, in three forms: a decision, the probability that the credit \
goes bad, and a risk category. The model is a logistic regression on the UCI Statlog (German Credit) data, and a weak one: it \
shows how a model is served, and must not decide on anybody's credit.";
