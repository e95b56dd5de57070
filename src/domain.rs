//! Which model is served. Everything but this file, `credit/` and `models/` is the same for every model.
//!
//! To serve another model, put a module of yours in place of [`crate::credit`] and name its items here
//! (`docs/your-own-model.md` goes through it):
//!
//! * [`Input`]: what a client sends. It is read by `from_json`, prints as the input's part of a cache key (equal text
//!   exactly for equal model input), and describes itself by `schema` and `examples`.
//! * [`Model`]: what computes. It is loaded by `embedded`, maps an input to an [`Output`] by `predict`, and has a
//!   `fingerprint` that tells its predictions from those of any other model.
//! * [`Prediction`](crate::prediction::Prediction)s: what is answered, each at an endpoint of its own.
//!   [`each_prediction`] lists them.

pub use crate::credit::{
    CreditApplication as Input, CreditRiskModel as Model, DESCRIPTION, Probability as Output, each_prediction,
};

/// An input that the documentation shows, with the answers that the service gives to it.
#[derive(Clone, Debug)]
pub struct Example {
    /// Its name in the OpenAPI document.
    pub name: &'static str,
    /// What it stands for.
    pub summary: &'static str,
    /// The request's body. It may be wrong, to show the error.
    pub input: serde_json::Value,
}
