//! The operators, through tract, from an ONNX file to its answers.
//!
//! | file | what it proves |
//! |---|---|
//! | `exporters.rs` | models of the exporters answer as ONNX Runtime does, and as the training library does |
//! | `differential.rs` | generated operators of every mode, aggregate function and post-transform answer as ONNX Runtime does |
//! | `inputs.rs` | types and shapes of inputs, labels, outputs; float64 attributes; batches |
//! | `version_5.rs` | `TreeEnsemble` |
//! | `malformed.rs` | each malformed attribute is an error at load that names it |
//! | `mutations.rs` | whatever attributes hold, loading and running end, without a panic |

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod differential;
mod exporters;
mod inputs;
mod malformed;
mod mutations;
mod support;
mod version_5;
