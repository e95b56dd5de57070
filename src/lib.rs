//! predict-once: a machine-learning prediction API that runs as one AWS Lambda function and keeps every
//! prediction so as not to compute it twice.
//!
//! # The path of a request
//!
//! ```text
//! API Gateway event ── lambda ──┐                                      ┌── model (tract) on a miss
//!                      event    ├─► http api ────► model ──► service ──┤
//! plain HTTP ───────── local ───┘                  (a valid  look up   └── answer ─► response ─► client
//!                                                  input)    cache                      │
//!                                                                                       └─ afterwards: write the cache,
//!                                                                                          log, count
//! ```
//!
//! # The modules, in reading order
//!
//! * [`settings`]: environment → [`settings::Settings`].
//! * [`lambda`] and [`local`]: the two entry points. [`event`] turns a gateway's event into an HTTP request, [`event_answer`] the
//!   response into what the gateway expects.
//! * [`http`]: the predictions' endpoints, errors, headers, documentation.
//! * [`service`]: look up, else predict, answer, store afterwards. This is where model, cache and transport meet.
//! * [`after_response`]: work deferred until the response has been sent.
//! * [`model`]: the package that is served: fields, graph, predictions.
//! * [`cache`]: bytes under keys, in this process or in Redis.
//! * [`telemetry`]: logs and metrics. [`prometheus`]: the local server's metrics.
//! * [`traces`]: what OpenTelemetry makes of a request.
//! * [`check`]: the subcommand to run before deploying a package.
//! * [`cache_tools`]: the subcommands that look into Redis, and fill it ahead of requests.

pub mod after_response;
pub mod cache;
pub mod cache_tools;
pub mod check;
pub mod event;
pub mod event_answer;
pub mod http;
pub mod lambda;
pub mod local;
pub mod model;
pub mod prometheus;
pub mod service;
pub mod settings;
pub mod telemetry;
pub mod traces;
