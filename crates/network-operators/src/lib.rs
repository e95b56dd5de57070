//! Operators of networks for tract. [`stabilize_logarithms`] replaces what tract answers wrongly, and [`replace`] what takes longer in a
//! convolutional network than the convolutions.
//!
//! In a YOLOv8 detector of 320 × 320 pixels, tract 0.23.9's softmax over a middle axis takes 60 % of a run, since it visits each number
//! through a strided view, and its padding 8 %. Here, both move blocks of memory.

#![warn(missing_docs)]

mod logarithm;
mod pad;
mod softmax;

use tract_onnx::tract_core::internal::TypedModel;

pub use self::logarithm::stabilize_logarithms;

/// Changes whenever an operator may answer differently for the same model and input, even in the last bit. Include it in the identity of
/// a model whose predictions are cached.
pub const NETWORK_VERSION: u32 = 1;

/// Replaces the operators in a graph that tract has optimised: paddings belong to convolutions until then.
pub fn replace(model: &mut TypedModel) {
    for node in 0..model.nodes().len() {
        if let Some(operator) = softmax::replacement(model, node).or_else(|| pad::replacement(model, node)) {
            model.node_mut(node).op = operator;
        }
    }
}
