//! Runs a graph.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use model_package::{ModelError, Output, Precision, Tensor};
use tract_onnx::prelude::{IntoTValue, TVec, TractError, TractResult, TypedRunnableModel};

use super::tensors::{from_tract, to_tract};

/// Runs the graph on `count` rows, and returns the outputs of each.
pub(super) fn run_rows(
    graph: &Arc<TypedRunnableModel>,
    of_integers: Precision,
    rows: &[Tensor],
    count: usize,
) -> Result<Vec<Output>, ModelError> {
    split(&run(graph, rows)?, of_integers, count)
}

/// Runs the graph, and returns its outputs.
pub(super) fn run(graph: &Arc<TypedRunnableModel>, inputs: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
    let fail = |error: TractError| ModelError::Output(format!("{error:#}"));
    let inputs = inputs.iter().map(|tensor| Ok(to_tract(tensor)?.into_tvalue())).collect::<TractResult<TVec<_>>>();
    let inputs = inputs.map_err(fail)?;
    // A panic in the graph fails this request, not the process.
    let outputs = panic::catch_unwind(AssertUnwindSafe(|| graph.run(inputs)))
        .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
        .map_err(fail)?;
    outputs.iter().map(|output| from_tract(output).map_err(fail)).collect()
}

/// The outputs of each of `count` rows.
pub(super) fn split(outputs: &[Tensor], of_integers: Precision, count: usize) -> Result<Vec<Output>, ModelError> {
    let mut all = vec![Vec::with_capacity(outputs.len()); count];
    for output in outputs {
        let shape = || ModelError::Output(format!("an output of shape {:?} for {count} inputs", output.shape()));
        let rows = output.unstack(count).ok_or_else(shape)?;
        all.iter_mut().zip(rows).for_each(|(tensors, row)| tensors.push(row));
    }
    Ok(all.into_iter().map(|tensors| Output::new(tensors, of_integers)).collect())
}
