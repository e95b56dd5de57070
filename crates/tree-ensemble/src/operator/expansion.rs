//! The operator during type inference.

use std::sync::Arc;

use tract_onnx::tract_hir::internal::*;

use super::{
    model::Model,
    typed::{Labels, TypedTreeEnsemble, check_columns},
};

/// Becomes a [`TypedTreeEnsemble`] when the input's type is known.
#[derive(Debug, Clone)]
pub(crate) struct TreeEnsemble {
    pub(crate) name: &'static str,
    pub(crate) model: Arc<Model>,
    pub(crate) labels: Option<Arc<Labels>>,
    pub(crate) scores: bool,
}

impl TreeEnsemble {
    /// The type of the scores for an input of this type. Only `TreeEnsemble` returns float64.
    fn scores_type(&self, input: DatumType) -> DatumType {
        match input {
            DatumType::F64 if self.name == "TreeEnsemble" => DatumType::F64,
            _ => DatumType::F32,
        }
    }
}

impl Expansion for TreeEnsemble {
    fn name(&self) -> StaticName {
        self.name.into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(usize::from(self.labels.is_some()) + usize::from(self.scores))
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, self.nboutputs()?)?;
        let mut outputs = outputs.iter();
        let labels = self.labels.as_ref().and_then(|labels| Some((outputs.next()?, labels.datum_type())));
        let scores = outputs.next();
        if let Some((labels, datum_type)) = labels {
            solver.equals(&labels.datum_type, datum_type)?;
            solver.equals(&labels.rank, 1)?;
        }
        if let Some(scores) = scores {
            solver.given(&inputs[0].datum_type, move |solver, input| {
                solver.equals(&scores.datum_type, self.scores_type(input))
            })?;
            solver.equals(&scores.rank, 2)?;
            solver.equals(&scores.shape[1], self.model.targets().to_dim())?;
        }
        solver.given(&inputs[0].rank, move |solver, rank| {
            for output in labels.iter().map(|labels| labels.0).chain(scores) {
                match rank {
                    2 => solver.equals(&output.shape[0], &inputs[0].shape[0])?,
                    _ => solver.equals(&output.shape[0], 1.to_dim())?,
                }
            }
            Ok(())
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let fact = model.outlet_fact(inputs[0])?;
        let (datum_type, rank) = (fact.datum_type, fact.rank());
        ensure!(
            (1..=2).contains(&rank),
            "{}: the input must have the shape [N, features] or [features], but has {rank} dimensions",
            self.name
        );
        if let Ok(columns) = fact.shape[rank - 1].to_usize() {
            check_columns(self.name, &self.model, columns)?;
        }
        let trees = match datum_type {
            DatumType::F32 | DatumType::I32 | DatumType::I64 => self.model.clone(),
            DatumType::F64 => self.model.widen().map_or_else(|| self.model.clone(), Arc::new),
            other => bail!("{}: an input of type {other:?} is not supported", self.name),
        };
        let operator = TypedTreeEnsemble {
            name: self.name,
            model: trees,
            labels: self.labels.clone(),
            scores: self.scores.then(|| self.scores_type(datum_type)),
        };
        model.wire_node(prefix, operator, inputs)
    }
}
