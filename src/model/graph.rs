//! The ONNX graph, run by tract.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, OnceLock},
};

use model_package::{Draw, ModelError, Output, Precision};
use tract_onnx::{Onnx, ops::register_all_ops, prelude::*, tract_hir::infer::Factoid};

use super::{
    float64,
    rows::{Apart, Rows},
};

/// A graph as read from its file, before the shapes of its tensors are known.
pub(super) struct GraphFile {
    model: InferenceModel,
    precision: Precision,
}

/// A graph that maps rows of numbers to rows of numbers.
pub(super) struct Graph {
    /// For one row.
    runnable: Arc<TypedRunnableModel>,
    /// The graph as read, from which `batched` is prepared. Its constants and trees are shared with `runnable`.
    read: InferenceModel,
    /// The type of the input.
    precision: Precision,
    width: usize,
    /// For many rows, prepared on first use. `None` if the graph accepts only one row.
    batched: OnceLock<Option<Rows>>,
    feature_names: Option<String>,
}

impl GraphFile {
    /// Reads a graph whose first input is float32 or float64.
    ///
    /// # Errors
    ///
    /// If the graph is not valid ONNX, uses an operator that tract does not know, or reads another type.
    pub(super) fn read(onnx: &[u8]) -> Result<Self, String> {
        // tract can panic on a malformed graph.
        let read = panic::catch_unwind(|| operators().model_for_read(&mut std::io::Cursor::new(onnx)))
            .map_err(|_| "is not an ONNX graph: tract panicked on it".to_owned())?;
        let model = read.map_err(|error| format!("is not an ONNX graph that can be served: {error:#}"))?;
        // A file need not declare a type. Then it is float32.
        let declared = model.input_fact(0).ok().and_then(|input| input.datum_type.concretize());
        let precision = match declared {
            None | Some(DatumType::F32) => Precision::Float32,
            Some(DatumType::F64) => Precision::Float64,
            Some(other) => {
                return Err(format!(
                    "reads {}, but the service feeds graphs float32 or float64: declare the input as one of them, and cast it inside the \
                     graph",
                    type_name(other)
                ));
            }
        };
        Ok(Self { model, precision })
    }

    /// The type of the first input.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Prepares the graph for rows of `width` numbers.
    ///
    /// # Errors
    ///
    /// If the graph reads another number of columns, or cannot be prepared.
    pub(super) fn prepare(self, width: usize) -> Result<Graph, String> {
        match columns(&self.model) {
            Some(columns) if columns != width => {
                Err(format!("reads {columns} columns, but the fields of model.toml make {width}: correct one of them"))
            }
            _ => panic::catch_unwind(AssertUnwindSafe(|| Graph::new(self, width)))
                .map_err(|_| "cannot be prepared: tract panicked on it".to_owned())?
                .map_err(|error| format!("cannot be prepared: {error:#}")),
        }
    }
}

impl Graph {
    fn new(GraphFile { model, precision }: GraphFile, width: usize) -> TractResult<Self> {
        let names = model.properties.get("onnx.metadata_props.feature_names");
        let feature_names = names.and_then(|names| Some(names.to_plain_array_view::<String>().ok()?.first()?.clone()));
        let read = model.clone();
        let runnable = runnable(model, datum_type(precision).fact([1, width]))?;
        Ok(Self { runnable, read, precision, width, batched: OnceLock::new(), feature_names })
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
    pub(super) fn run(&self, columns: &[f64]) -> Result<Output, ModelError> {
        first_output(&self.runnable, self.precision, columns, 1)
    }

    /// Runs the graph on `count` contiguous rows, and returns its first output, row by row. A graph that accepts only one row, or
    /// whose rows influence each other, runs once per row. `draw` encodes the rows that this is tried on.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) fn run_many(
        &self,
        rows: &[f64],
        count: usize,
        draw: impl Fn(Draw) -> Vec<f64>,
    ) -> Result<Output, ModelError> {
        if let Ok(together) = self.together(count, draw) {
            return together.run(rows, count);
        }
        let outputs: Vec<_> = rows.chunks(self.width).map(|row| self.run(row)).collect::<Result<_, _>>()?;
        let precision = outputs.first().map(Output::precision).unwrap_or_default();
        let columns = outputs.iter().flat_map(Output::columns).copied().collect();
        Ok(Output::new(columns, precision))
    }

    /// The graph for `count` rows at once, or why each row needs a run of its own.
    pub(super) fn together(&self, count: usize, draw: impl Fn(Draw) -> Vec<f64>) -> Result<&Rows, &Apart> {
        let rows = self.batched.get_or_init(|| self.prepare_batched()).as_ref().ok_or(&Apart::OneRowOnly)?;
        rows.are_independent(count, |row| self.run(row), draw).map(|()| rows)
    }

    fn prepare_batched(&self) -> Option<Rows> {
        let rows = self.read.symbols.sym("N").to_dim();
        let input = datum_type(self.precision).fact([rows, self.width.to_dim()]);
        let batched = panic::catch_unwind(AssertUnwindSafe(|| runnable(self.read.clone(), input)));
        Some(Rows::new(batched.ok()?.ok()?, self.precision, self.width))
    }
}

/// Runs the graph, whose input is of this type, on `count` contiguous rows, and returns its first output.
pub(super) fn first_output(
    graph: &Arc<TypedRunnableModel>,
    precision: Precision,
    rows: &[f64],
    count: usize,
) -> Result<Output, ModelError> {
    let fail = |error: TractError| ModelError::Output(format!("{error:#}"));
    let shape = [count, rows.len() / count];
    let input = match precision {
        // The cast is lossless: the rows of a float32 graph are float32.
        Precision::Float32 => Tensor::from_shape(&shape, &rows.iter().map(|&number| number as f32).collect::<Vec<_>>()),
        Precision::Float64 => Tensor::from_shape(&shape, rows),
    };
    let input = input.map_err(fail)?.into_tvalue();
    // A panic in the graph fails this request, not the process.
    let outputs = panic::catch_unwind(AssertUnwindSafe(|| graph.run(tvec!(input))))
        .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
        .map_err(fail)?;
    let output = outputs.first().ok_or_else(|| ModelError::Output("the graph has no output".to_owned()))?;
    numbers(output, precision).map_err(fail)
}

/// The numbers of an output. Integers have the type of the graph's input.
fn numbers(output: &Tensor, input: Precision) -> TractResult<Output> {
    let precision = match output.datum_type() {
        DatumType::F16 | DatumType::F32 => Precision::Float32,
        DatumType::F64 => Precision::Float64,
        _ => input,
    };
    let columns = match precision {
        Precision::Float32 => {
            let output = output.cast_to::<f32>()?;
            output.to_plain_array_view::<f32>()?.iter().map(|&number| number.into()).collect()
        }
        Precision::Float64 => output.cast_to::<f64>()?.to_plain_array_view::<f64>()?.iter().copied().collect(),
    };
    Ok(Output::new(columns, precision))
}

/// `into_optimized` would first simplify the graph, with passes for large networks. They make tabular models no faster, and double
/// the time that a cold start waits.
fn runnable(model: InferenceModel, input: TypedFact) -> TractResult<Arc<TypedRunnableModel>> {
    let input_type = input.datum_type;
    let mut typed = model.with_input_fact(0, input.into())?.into_typed()?;
    float64::replace(&mut typed)?;
    matrix_product::replace(&mut typed);
    if [input_type, typed.output_fact(0)?.datum_type].contains(&DatumType::F64) {
        float64::optimize(&mut typed)?;
    } else {
        typed.optimize()?;
    }
    typed.into_runnable()
}

fn datum_type(precision: Precision) -> DatumType {
    match precision {
        Precision::Float32 => DatumType::F32,
        Precision::Float64 => DatumType::F64,
    }
}

/// The name of a type in ONNX: `int64`.
fn type_name(datum_type: DatumType) -> String {
    let name = format!("{datum_type:?}").to_lowercase();
    match name.split_at(1) {
        ("i", bits) => format!("int{bits}"),
        ("u", bits) => format!("uint{bits}"),
        ("f", bits) => format!("float{bits}"),
        _ => name,
    }
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
    float64::register(&mut onnx);
    onnx
}
