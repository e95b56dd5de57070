//! predict-once: serves an ONNX model as a typed HTTP API, on AWS Lambda or as a local server, and caches every prediction in memory and,
//! optionally, in Redis or DynamoDB.
//!
//! # The path of a request
//!
//! ```text
//! API Gateway event ── lambda ──┐                                        ┌── model (tract) on a miss
//!                               ├─► http ──► a valid Input ──► service ──┤
//! plain HTTP ───────── server ──┘                              look up   └── answer ─► response ─► client
//!                                                              the cache                  │
//!                                                                                         └─ after the response: store, log, count
//! ```
//!
//! # The modules, in reading order
//!
//! * [`settings`]: environment → [`settings::Settings`].
//! * [`lambda`] and [`server`]: the two entry points, the Lambda function and the local server.
//! * [`http`]: routes, bodies, errors, headers and documentation: every word that a client reads.
//! * [`service`]: looks up the cache, otherwise runs the model; answers, then stores. Model, cache and transport meet here.
//! * [`fetch`]: a package in S3, for `MODEL_URI`.
//! * [`model`]: the graph in tract, and the checks of a package.
//! * [`after_response`]: work deferred until the response has been sent.
//! * [`observe`]: log lines, metrics, traces, and the names of outcomes.
//!
//! The modules use three crates: `model-package` (fields and predictions), `prediction-cache` (keys, memory, Redis) and `cache-tools`
//! (`predict-once cache`).

pub mod after_response;
pub mod fetch;
pub mod http;
pub mod lambda;
pub mod model;
pub mod observe;
pub mod server;
pub mod service;
pub mod settings;
