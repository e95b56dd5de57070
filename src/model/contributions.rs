//! Contributions of the fields to the model's score.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use contributions::Explanation;
use model_package::{Explained, ModelError, Precision, Signature};
use tract_onnx::{Onnx, pb::ModelProto, prelude::*};

use super::{
    interface::{InputFact, Interface, typed},
    prepare::prepare,
};

/// Explains the score of a graph.
pub(super) struct Explainer {
    explanation: Explanation,
    /// The part of the graph that calculates what the explanation reads. `None` if that is the input.
    beginning: Option<Arc<TypedRunnableModel>>,
    precision: Precision,
}

impl Explainer {
    /// Finds the score of column `output` of the graph's first output; `None` for its only column. `operators` read the graph.
    ///
    /// # Errors
    ///
    /// A predicate about the graph.
    pub(super) fn new(
        operators: &Onnx,
        proto: &ModelProto,
        signature: &Signature,
        output: Option<usize>,
    ) -> Result<Self, String> {
        let Some(precision) = signature.precision_of_columns().filter(|_| signature.inputs().len() == 1) else {
            return Err("cannot be explained: contributions need fields that are columns of its only input".to_owned());
        };
        let fields = signature.fields().iter().zip(0..).flat_map(|(field, position)| vec![position; field.width()]);
        let fields: Vec<usize> = fields.collect();
        let explanation = Explanation::find(operators, proto, &fields, output)?;
        let input = proto.graph.iter().flat_map(|graph| &graph.input).next().map(|input| input.name.clone());
        let beginning = if explanation.tensors().iter().eq(input.as_slice()) {
            None
        } else {
            let prepare = || beginning(operators, proto, explanation.tensors(), precision, fields.len());
            let prepared = panic::catch_unwind(AssertUnwindSafe(prepare));
            Some(
                prepared
                    .map_err(|_| "cannot be explained: tract panicked on it".to_owned())?
                    .map_err(|error| format!("cannot be explained: {error:#}"))?,
            )
        };
        Ok(Self { explanation, beginning, precision })
    }

    /// The contributions of the fields for the graph's input.
    ///
    /// # Errors
    ///
    /// If the graph fails.
    pub(super) fn explain(&self, columns: &[f64]) -> Result<Explained, ModelError> {
        let tensors = match &self.beginning {
            None => vec![columns.to_vec()],
            Some(beginning) => self.run(beginning, columns)?,
        };
        let contributions::Explained { base, contributions } = self.explanation.explain(&tensors);
        Ok(Explained { base, contributions })
    }

    fn run(&self, graph: &Arc<TypedRunnableModel>, columns: &[f64]) -> Result<Vec<Vec<f64>>, ModelError> {
        let run = || -> TractResult<Vec<Vec<f64>>> {
            let input = Tensor::from_shape(&[1, columns.len()], columns)?;
            let input = input.cast_to_dt(datum_type(self.precision))?.into_owned();
            let outputs = graph.run(tvec!(input.into_tvalue()))?;
            let numbers = |output: &TValue| {
                let output = output.cast_to::<f64>()?;
                Ok(output.to_plain_array_view::<f64>()?.iter().copied().collect())
            };
            outputs.iter().map(numbers).collect()
        };
        // A panic in the graph fails this request, not the process.
        panic::catch_unwind(AssertUnwindSafe(run))
            .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
            .map_err(|error| ModelError::Output(format!("{error:#}")))
    }
}

/// The graph up to these tensors, for one row.
fn beginning(
    operators: &Onnx,
    proto: &ModelProto,
    tensors: &[String],
    precision: Precision,
    width: usize,
) -> TractResult<Arc<TypedRunnableModel>> {
    let parsed = operators.parse(proto, None)?;
    let outlet =
        |name: &String| parsed.outlets_by_name.get(name).copied().ok_or_else(|| TractError::msg("an unknown tensor"));
    let outlets = tensors.iter().map(outlet).collect::<TractResult<Vec<_>>>()?;
    let mut model = parsed.model;
    model.select_output_outlets(&outlets)?;
    let input = InputFact { datum_type: datum_type(precision), shape: tvec!(width.to_dim()), is_batched: true };
    let outputs = (0..outlets.len()).collect();
    let interface = Interface { inputs: vec![input], outputs, of_integers: precision, has_batch: true };
    Ok(prepare(|| typed(model.clone(), &interface, &1.to_dim()))?.runnable)
}

fn datum_type(precision: Precision) -> DatumType {
    match precision {
        Precision::Float32 => DatumType::F32,
        Precision::Float64 => DatumType::F64,
    }
}
