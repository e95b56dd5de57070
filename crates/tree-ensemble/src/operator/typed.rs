//! The operator after type inference.

use std::sync::Arc;

use tract_onnx::tract_hir::internal::*;

use super::model::Model;

/// Runs a [`Model`].
#[derive(Debug, Clone)]
pub(crate) struct TypedTreeEnsemble {
    pub(crate) name: &'static str,
    pub(crate) model: Arc<Model>,
    /// The labels of the classes, if the first output (of a classifier) is used.
    pub(crate) labels: Option<Arc<Labels>>,
    /// The type of the scores, if they are an output.
    pub(crate) scores: Option<DatumType>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Labels {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

impl Labels {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(labels) => labels.len(),
            Self::Texts(labels) => labels.len(),
        }
    }

    pub(crate) fn datum_type(&self) -> DatumType {
        match self {
            Self::Numbers(_) => i64::datum_type(),
            Self::Texts(_) => String::datum_type(),
        }
    }

    fn of(&self, classes: &[usize]) -> Tensor {
        match self {
            Self::Numbers(labels) => tensor1(&classes.iter().map(|&class| labels[class]).collect::<Vec<_>>()),
            Self::Texts(labels) => tensor1(&classes.iter().map(|&class| labels[class].clone()).collect::<Vec<_>>()),
        }
    }
}

// Operators are equal if they share a model. Comparing nodes would cost tract's optimiser more than it gains.
impl PartialEq for TypedTreeEnsemble {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model) && self.labels == other.labels && self.scores == other.scores
    }
}

impl Eq for TypedTreeEnsemble {}

impl Op for TypedTreeEnsemble {
    fn name(&self) -> StaticName {
        self.name.into()
    }

    op_as_typed_op!();
}

impl EvalOp for TypedTreeEnsemble {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let (rows, columns) = match *input.shape() {
            [columns] => (1, columns),
            [rows, columns] => (rows, columns),
            ref shape => {
                bail!("{}: the input must have the shape [N, features] or [features], not {shape:?}", self.name)
            }
        };
        check_columns(self.name, &self.model, columns)?;
        let answers = self.model.evaluate(&input, rows, self.scores.unwrap_or(DatumType::F32))?;
        let mut outputs = tvec!();
        if let Some(labels) = &self.labels {
            outputs.push(labels.of(&answers.classes).into_tvalue());
        }
        if self.scores.is_some() {
            outputs.push(answers.scores.into_tvalue());
        }
        Ok(outputs)
    }
}

impl TypedOp for TypedTreeEnsemble {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shape = &inputs[0].shape;
        let rows = if shape.rank() == 2 { shape[0].clone() } else { 1.to_dim() };
        let mut facts = tvec!();
        if let Some(labels) = &self.labels {
            facts.push(labels.datum_type().fact([rows.clone()]));
        }
        if let Some(scores) = self.scores {
            facts.push(scores.fact([rows, self.model.targets().to_dim()]));
        }
        Ok(facts)
    }

    as_op!();
}

/// Checks that a row has all features that the model reads.
pub(crate) fn check_columns(name: &str, model: &Model, columns: usize) -> TractResult<()> {
    ensure!(
        columns >= model.columns(),
        "{name}: nodes_featureids: feature {} is read, but the input has {columns} columns",
        model.columns() - 1,
    );
    Ok(())
}
