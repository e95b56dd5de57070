//! What the service feeds a graph, and what it reads of it.

use model_package::Precision;
use tract_onnx::prelude::*;

use super::float64;

/// What a graph is fed, and what is read of its outputs.
#[derive(Clone)]
pub(super) struct Use {
    pub(super) inputs: Vec<Fed>,
    /// The positions of the outputs.
    pub(super) outputs: Vec<usize>,
    /// The type in which integers of outputs are compared and written.
    pub(super) of_integers: Precision,
    /// Whether any input has a dimension for the batch, as outputs then have.
    pub(super) has_batch: bool,
}

/// What an input is fed.
#[derive(Clone)]
pub(super) struct Fed {
    pub(super) datum_type: DatumType,
    /// Without the batch dimension.
    pub(super) shape: TVec<TDim>,
    pub(super) is_batched: bool,
}

/// The graph for so many rows, before it is prepared, and whether it calculates in float64.
pub(super) fn typed(mut model: InferenceModel, used: &Use, rows: &TDim) -> TractResult<(TypedModel, bool)> {
    for (position, Fed { datum_type, shape, is_batched }) in used.inputs.iter().enumerate() {
        let batch = is_batched.then(|| rows.clone());
        let shape: TVec<_> = batch.into_iter().chain(shape.iter().cloned()).collect();
        model.set_input_fact(position, datum_type.fact(shape).into())?;
    }
    let outlets = model.output_outlets()?.to_vec();
    if !used.outputs.iter().copied().eq(0..outlets.len()) {
        model.select_output_outlets(&used.outputs.iter().map(|output| outlets[*output]).collect::<Vec<_>>())?;
    }
    let mut typed = model.into_typed()?;
    float64::replace(&mut typed)?;
    let inputs = used.inputs.iter().map(|input| Ok(input.datum_type));
    let outputs = (0..used.outputs.len()).map(|output| Ok(typed.output_fact(output)?.datum_type));
    let in_float64 = inputs.chain(outputs).collect::<TractResult<Vec<_>>>()?.contains(&DatumType::F64);
    Ok((typed, in_float64))
}
