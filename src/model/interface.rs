//! The interface of a graph, as the service uses it: the inputs that it feeds and the outputs that it reads.

use model_package::Precision;
use tract_onnx::prelude::*;

use super::float64;

/// The inputs and outputs that the service uses.
#[derive(Clone)]
pub(super) struct Interface {
    pub(super) inputs: Vec<InputFact>,
    /// The positions of the outputs.
    pub(super) outputs: Vec<usize>,
    /// The type in which integers of outputs are compared and written.
    pub(super) of_integers: Precision,
    /// Whether any input has a batch dimension. Outputs then have one too.
    pub(super) has_batch: bool,
}

/// The type and shape of an input.
#[derive(Clone)]
pub(super) struct InputFact {
    pub(super) datum_type: DatumType,
    /// Without the batch dimension.
    pub(super) shape: TVec<TDim>,
    pub(super) is_batched: bool,
}

/// The typed graph for this many rows, before it is prepared, and whether it calculates in float64.
pub(super) fn typed(mut model: InferenceModel, interface: &Interface, rows: &TDim) -> TractResult<(TypedModel, bool)> {
    for (position, InputFact { datum_type, shape, is_batched }) in interface.inputs.iter().enumerate() {
        let batch = is_batched.then(|| rows.clone());
        let shape: TVec<_> = batch.into_iter().chain(shape.iter().cloned()).collect();
        model.set_input_fact(position, datum_type.fact(shape).into())?;
    }
    let outlets = model.output_outlets()?.to_vec();
    if !interface.outputs.iter().copied().eq(0..outlets.len()) {
        model.select_output_outlets(&interface.outputs.iter().map(|output| outlets[*output]).collect::<Vec<_>>())?;
    }
    let mut typed = model.into_typed()?;
    float64::replace(&mut typed)?;
    let inputs = interface.inputs.iter().map(|input| Ok(input.datum_type));
    let outputs = (0..interface.outputs.len()).map(|output| Ok(typed.output_fact(output)?.datum_type));
    let in_float64 = inputs.chain(outputs).collect::<TractResult<Vec<_>>>()?.contains(&DatumType::F64);
    Ok((typed, in_float64))
}
