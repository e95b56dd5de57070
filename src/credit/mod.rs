//! The domain: one credit-risk model and what goes in and comes out of it. It knows nothing of HTTP, Lambda or Redis.
//!
//! To serve another model, replace this module and `models/`. The service uses [`CreditApplication`] (what is asked),
//! [`CreditRiskModel`] (what computes) and [`Prediction`] (what is answered); `http/` names the answers of the three
//! endpoints and describes them in `docs.html`.

mod application;
mod category;
mod json;
mod model;
mod prediction;
mod schema;

pub use application::{AgeInYears, CreditApplication, InstallmentRate};
pub use category::{Category, ForeignWorker, PersonalStatusAndSex, PresentEmploymentSince};
pub use json::{FieldError, InvalidApplication};
pub use model::{CreditRiskModel, ModelError};
pub use prediction::{Decision, Prediction, Probability, RiskCategory, Thresholds};
