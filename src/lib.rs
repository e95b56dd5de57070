//! predict-once: a machine-learning prediction API that runs as one AWS Lambda function and never computes the same
//! prediction twice.
//!
//! # The path of a request
//!
//! ```text
//! API Gateway event ── lambda ──┐                                    ┌── model (tract) on a miss
//!                      event    ├─► http router ─► parse ─► service ─┤
//! plain HTTP ───────── local ───┘                  (valid   look up  └── prediction ─► response ─► client
//!                                                  types)   cache                         │
//!                                                                                         └─ afterwards: write the cache,
//!                                                                                            log, count
//! ```
//!
//! # The modules, in reading order
//!
//! * [`settings`]: environment → [`settings::Settings`].
//! * [`lambda`] and [`local`]: the two ways in. [`event`] makes an HTTP request of a gateway's event.
//! * [`http`]: three endpoints, errors, headers, documentation.
//! * [`service`]: look up, else predict, answer, store afterwards. Here domain, cache and transport meet.
//! * [`after_response`]: work that waits until the response has left.
//! * [`domain`]: which model is served; it is [`credit`]. Replace that, and `models/`, to serve another.
//! * [`input`], [`onnx`] and [`prediction`]: what every domain is made of: fields, a graph, answers.
//! * [`cache`]: bytes under keys, in this process or in Redis.
//! * [`telemetry`]: logs and metrics.

pub mod after_response;
pub mod cache;
pub mod credit;
pub mod domain;
pub mod event;
pub mod http;
pub mod input;
pub mod lambda;
pub mod local;
pub mod onnx;
pub mod prediction;
pub mod service;
pub mod settings;
pub mod telemetry;
