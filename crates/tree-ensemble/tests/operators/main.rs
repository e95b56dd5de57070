//! Runs the operators in tract, from an ONNX file to its outputs.
//!
//! | file | what it proves |
//! |---|---|
//! | `contributions.rs` | contributions are the Shapley values of all coalitions, and add up to the score |
//! | `exporters.rs` | exported models match ONNX Runtime and the training library |
//! | `differential.rs` | generated operators of every mode, aggregate function and post-transform match ONNX Runtime |
//! | `inputs.rs` | types and shapes of inputs, labels, outputs; float64 attributes; batches |
//! | `version_5.rs` | `TreeEnsemble` |
//! | `malformed.rs` | each malformed attribute is an error at load that names the attribute |
//! | `mutations.rs` | loading and running terminate without a panic for any attributes |

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod contributions;
mod differential;
mod exporters;
mod inputs;
mod malformed;
mod mutations;
mod support;
mod version_5;
