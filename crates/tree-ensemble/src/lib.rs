//! The tree-ensemble operators of ONNX (`ai.onnx.ml`) for tract: [`register`] puts them in the place of tract's own.
//!
//! The way of a model, in reading order:
//!
//! 1. `operator`: tract hands over a node of the file; its attributes are read without a copy (`operator::read`,
//!    `operator::version_5`) and the finished model becomes an operator of tract's graph (`operator::typed`).
//! 2. `attributes`: what the file says, unchecked. `error`: what can be wrong with it.
//! 3. `forest::graph`: references are resolved; `forest::layout`: nodes are checked and laid out for speed
//!    (`forest::node`, `forest::leaves`). From here on nothing can be invalid.
//! 4. `forest`, `forest::walk`: from a row of features to a score per target.
//! 5. `classifier`, `regressor`, `transform`: from scores to what the operator answers.
//!
//! Only `operator` knows of tract.
//!
//! Sums are float32 in the order of the trees, as ONNX Runtime's are with one thread, so that both give the same bits; with
//! float64 attributes or a float64 input everything is float64 up to the answer.

#![warn(missing_docs)]

mod attributes;
mod classifier;
mod error;
mod forest;
mod number;
mod operator;
mod regressor;
mod transform;

pub use operator::register;

/// Changes whenever the operators' answers may change for the same file and input, if only in the last bit. Whoever keeps
/// answers makes this a part of what identifies the model.
pub const OPERATORS_VERSION: u32 = 1;
