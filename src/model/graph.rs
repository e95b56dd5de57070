//! The ONNX graph, run by tract.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, OnceLock},
};

use model_package::{Draw, ModelError};
use tract_onnx::{Onnx, ops::register_all_ops, prelude::*, tract_hir::infer::Factoid};

use super::rows::{Apart, Rows};

/// A graph that maps rows of numbers to rows of numbers.
pub(super) struct Graph {
    /// For one row.
    runnable: Arc<TypedRunnableModel>,
    /// The graph as read, from which `batched` is prepared. Its constants and trees are shared with `runnable`.
    read: InferenceModel,
    width: usize,
    /// For many rows, prepared on first use. `None` if the graph accepts only one row.
    batched: OnceLock<Option<Rows>>,
    feature_names: Option<String>,
}

impl Graph {
    /// Loads a graph with float32 input `[N, width]`, and prepares it for N = 1.
    ///
    /// # Errors
    ///
    /// If the graph is not valid ONNX, uses an operator that tract does not know, or reads another number of columns.
    pub(super) fn load(onnx: &[u8], width: usize) -> Result<Self, String> {
        // tract can panic on a malformed graph.
        let read = panic::catch_unwind(|| operators().model_for_read(&mut std::io::Cursor::new(onnx)))
            .map_err(|_| "is not an ONNX graph: tract panicked on it".to_owned())?;
        let model = read.map_err(|error| format!("is not an ONNX graph that can be served: {error:#}"))?;
        match columns(&model) {
            Some(columns) if columns != width => {
                Err(format!("reads {columns} columns, but the fields of model.toml make {width}: correct one of them"))
            }
            _ => panic::catch_unwind(AssertUnwindSafe(|| Self::prepare(model, width)))
                .map_err(|_| "cannot be prepared: tract panicked on it".to_owned())?
                .map_err(|error| format!("cannot be prepared: {error:#}")),
        }
    }

    fn prepare(model: InferenceModel, width: usize) -> TractResult<Self> {
        let names = model.properties.get("onnx.metadata_props.feature_names");
        let feature_names = names.and_then(|names| Some(names.to_plain_array_view::<String>().ok()?.first()?.clone()));
        let read = model.clone();
        let runnable = runnable(model, f32::fact([1, width]))?;
        Ok(Self { runnable, read, width, batched: OnceLock::new(), feature_names })
    }

    /// The metadata entry `feature_names`, as JSON text.
    pub(super) fn feature_names(&self) -> Option<&str> {
        self.feature_names.as_deref()
    }

    /// Runs the graph on one row, and returns its first output.
    ///
    /// # Errors
    ///
    /// If the graph fails, or its first output is not numeric.
    pub(super) fn run(&self, columns: &[f32]) -> Result<Vec<f32>, ModelError> {
        first_output(&self.runnable, columns, 1)
    }

    /// Runs the graph on `count` contiguous rows, and returns its first output, row by row. A graph that accepts only one row, or
    /// whose rows influence each other, runs once per row. `draw` encodes the rows that this is tried on.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) fn run_many(
        &self,
        rows: &[f32],
        count: usize,
        draw: impl Fn(Draw) -> Vec<f32>,
    ) -> Result<Vec<f32>, ModelError> {
        match self.together(count, draw) {
            Ok(together) => together.run(rows, count),
            Err(_) => {
                rows.chunks(self.width).map(|row| self.run(row)).collect::<Result<Vec<_>, _>>().map(|all| all.concat())
            }
        }
    }

    /// The graph for `count` rows at once, or why each row needs a run of its own.
    pub(super) fn together(&self, count: usize, draw: impl Fn(Draw) -> Vec<f32>) -> Result<&Rows, &Apart> {
        let rows = self.batched.get_or_init(|| self.prepare_batched()).as_ref().ok_or(&Apart::OneRowOnly)?;
        rows.are_independent(count, |row| self.run(row), draw).map(|()| rows)
    }

    fn prepare_batched(&self) -> Option<Rows> {
        let rows = self.read.symbols.sym("N").to_dim();
        let input = f32::fact([rows, self.width.to_dim()]);
        let batched = panic::catch_unwind(AssertUnwindSafe(|| runnable(self.read.clone(), input)));
        Some(Rows::new(batched.ok()?.ok()?, self.width))
    }
}

/// `into_optimized` would first simplify the graph, with passes for large networks. They make tabular models no faster, and double
/// the time that a cold start waits.
fn runnable(model: InferenceModel, input: TypedFact) -> TractResult<Arc<TypedRunnableModel>> {
    let mut typed = model.with_input_fact(0, input.into())?.into_typed()?;
    matrix_product::replace(&mut typed);
    typed.optimize()?;
    typed.into_runnable()
}

pub(super) fn first_output(
    graph: &Arc<TypedRunnableModel>,
    rows: &[f32],
    count: usize,
) -> Result<Vec<f32>, ModelError> {
    let fail = |error: TractError| ModelError::Output(format!("{error:#}"));
    let input = Tensor::from_shape(&[count, rows.len() / count], rows).map_err(fail)?;
    // A panic in the graph fails this request, not the process.
    let outputs = panic::catch_unwind(AssertUnwindSafe(|| graph.run(tvec!(input.into_tvalue()))))
        .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
        .map_err(fail)?;
    let output = outputs.first().ok_or_else(|| ModelError::Output("the graph has no output".to_owned()))?;
    let output = output.cast_to::<f32>().map_err(fail)?;
    Ok(output.to_plain_array_view::<f32>().map_err(fail)?.iter().copied().collect())
}

/// The number of input columns that the graph declares.
fn columns(model: &InferenceModel) -> Option<usize> {
    model.input_fact(0).ok()?.shape.dim(1)?.concretize()?.to_i64().ok()?.try_into().ok()
}

/// tract's operators, and our operators for tree ensembles.
fn operators() -> Onnx {
    // Ignore the shapes in the file, which may declare another batch size: they follow from the input.
    let mut onnx = Onnx::default().with_ignore_output_shapes(true).with_ignore_value_info(true);
    // Room for all 183 operators: a cold start would wait while a growing table is rehashed.
    onnx.op_register.0.reserve(256);
    register_all_ops(&mut onnx.op_register);
    tree_ensemble::register(&mut onnx);
    onnx
}
