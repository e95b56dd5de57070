//! Turns a node of an ONNX file into an operator of tract. The only module that depends on tract.

mod ensemble;
mod expansion;
mod model;
mod read;
mod typed;
mod version_5;

use std::sync::Arc;

use tract_onnx::{
    Onnx,
    model::ParsingContext,
    pb::NodeProto,
    tract_hir::{internal::*, ops::expandable::expand},
};

pub use self::ensemble::{Ensemble, Score};
use self::{expansion::TreeEnsemble, model::Model};

/// Makes `onnx` read `TreeEnsembleClassifier`, `TreeEnsembleRegressor` (versions 1 and 3 of ai.onnx.ml) and `TreeEnsemble`
/// (version 5) with the operators of this crate.
///
/// Input: float32, float64, int64 or int32 `[N, features]`, or `[features]` for one row.
/// Outputs: for a classifier, labels `[N]`, int64 or strings as in the file; scores, float32 `[N, classes or targets]`, or float64 for
/// `TreeEnsemble` with a float64 input.
///
/// Reading a model fails if an attribute is malformed, with an error that names the attribute. A node that reads a feature beyond the
/// input's columns is an error as soon as the input's width is known.
pub fn register(onnx: &mut Onnx) {
    onnx.op_register.insert("TreeEnsembleClassifier", classifier);
    onnx.op_register.insert("TreeEnsembleRegressor", regressor);
    onnx.op_register.insert("TreeEnsemble", tree_ensemble);
}

type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

fn classifier(context: &ParsingContext, node: &NodeProto) -> Built {
    let (model, labels) = read::classifier(context, node)?;
    // An output without a name is unused.
    let is_used = |position: usize| node.output.get(position).is_some_and(|name| !name.is_empty());
    built(TreeEnsemble {
        name: "TreeEnsembleClassifier",
        model: Arc::new(model),
        labels: is_used(0).then_some(labels),
        scores: is_used(1),
    })
}

fn regressor(context: &ParsingContext, node: &NodeProto) -> Built {
    scores_only("TreeEnsembleRegressor", read::regressor(context, node)?)
}

fn tree_ensemble(context: &ParsingContext, node: &NodeProto) -> Built {
    scores_only("TreeEnsemble", version_5::read(context, node)?)
}

fn scores_only(name: &'static str, model: Model) -> Built {
    built(TreeEnsemble { name, model: Arc::new(model), labels: None, scores: true })
}

fn built(operator: TreeEnsemble) -> Built {
    Ok((expand(operator), vec![]))
}
