//! The tree-ensemble operators of ONNX (`ai.onnx.ml`) for tract: [`register`] replaces tract's own.
//!
//! The path of a model through the modules, in reading order:
//!
//! 1. `operator`: tract passes a node of the file. Its attributes are read without copying (`operator::read`,
//!    `operator::version_5`), and the finished model becomes an operator in tract's graph (`operator::typed`).
//! 2. `attributes`: the unchecked contents of the file. `error`: a malformed attribute.
//! 3. `forest::graph` resolves references; `forest::layout` checks the nodes and lays them out for speed (`forest::node`,
//!    `forest::leaves`). From here on, everything is valid.
//! 4. `forest` and `forest::walk` turn a row of features into a score per target.
//! 5. `classifier`, `regressor` and `transform` turn the scores into the operator's outputs.
//! 6. `contributions` explains a score: how much each feature of a row adds to it.
//!
//! Only `operator` depends on tract.
//!
//! Sums are float32 in the order of the trees, as in ONNX Runtime with one thread, so that both return the same bits. With float64
//! attributes or a float64 input, everything up to the output is float64; the output, too, of `TreeEnsemble` with a float64 input.

#![warn(missing_docs)]

mod attributes;
mod classifier;
mod contributions;
mod error;
mod forest;
mod number;
mod operator;
mod regressor;
mod transform;

pub use contributions::{Contributions, Unexplainable};
pub use operator::{Ensemble, Score, register};

/// Changes whenever an output may change for the same file and input, even in the last bit. Include it in the identity of a model
/// whose predictions are cached.
pub const OPERATORS_VERSION: u32 = 1;

/// As [`OPERATORS_VERSION`], for contributions.
pub const CONTRIBUTIONS_VERSION: u32 = 1;
