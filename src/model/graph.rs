//! The ONNX graph, run by tract.

use std::{
    borrow::Cow,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use bytes::Bytes;
use model_package::{
    DataType, Declaration, DeclaredSize, Draw, Input, ModelError, Output, Precision, Signature, Size, Tensor,
    TensorDeclaration,
};
use tract_onnx::{
    Onnx,
    ops::register_all_ops,
    pb::ModelProto,
    prelude::{self as tract, *},
    tract_hir::infer::{DimFact, Factoid, ShapeFactoid},
};

use super::{
    contributions::Explainer,
    float64,
    onnx_file::OnnxFile,
    prepare::{Prepared, prepare},
    rows::{Apart, Rows},
};

/// A graph as read from its file, before the shapes of its tensors are known.
pub(super) struct GraphFile {
    operators: Onnx,
    proto: ModelProto,
    model: InferenceModel,
    declaration: Declaration,
    quantised: Vec<String>,
    unknown: Vec<String>,
}

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

/// A graph that maps rows to rows: tensors whose first dimension is that of the batch.
pub(super) struct Graph {
    /// For one row.
    prepared: Prepared,
    /// The graph as read, from which `batched` is prepared. Its constants and trees are shared with `prepared`.
    read: InferenceModel,
    used: Use,
    /// For many rows, prepared on first use. `None` if the graph accepts only one row.
    batched: OnceLock<Option<Rows>>,
    feature_names: Option<String>,
    quantised: Vec<String>,
}

impl GraphFile {
    /// Reads a graph.
    ///
    /// # Errors
    ///
    /// If the graph is not valid ONNX, uses an operator that tract does not know, or reads a type that the service cannot feed.
    pub(super) fn read(onnx: Bytes) -> Result<Self, String> {
        // tract can panic on a malformed graph.
        let read = panic::catch_unwind(|| OnnxFile::read(onnx, operators()))
            .map_err(|_| "is not an ONNX graph: tract panicked on it".to_owned())?;
        let OnnxFile { onnx, proto, model, quantised, unknown } =
            read.map_err(|error| format!("is not an ONNX graph that can be served: {error:#}"))?;
        let declaration = declaration(&model)?;
        Ok(Self { operators: onnx, proto, model, declaration, quantised, unknown })
    }

    pub(super) fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// Explains the score of column `output` of the first output.
    ///
    /// # Errors
    ///
    /// If the graph cannot be explained.
    pub(super) fn explainer(&self, signature: &Signature, output: Option<usize>) -> Result<Explainer, String> {
        Explainer::new(&self.operators, &self.proto, signature, output)
    }

    /// Prepares the graph for what the signature feeds it and reads of it.
    ///
    /// # Errors
    ///
    /// If the graph cannot be prepared.
    pub(super) fn prepare(mut self, signature: &Signature) -> Result<Graph, String> {
        // It can be as large as the model.
        self.proto = ModelProto::default();
        let unknown = match &self.unknown[..] {
            [] => String::new(),
            unknown => format!("tract does not know {}; ", unknown.join(", ")),
        };
        panic::catch_unwind(AssertUnwindSafe(|| Graph::new(self, signature)))
            .map_err(|_| format!("cannot be prepared: {unknown}tract panicked on it"))?
            .map_err(|error| format!("cannot be prepared: {unknown}{error:#}"))
    }
}

impl Graph {
    fn new(GraphFile { model, quantised, .. }: GraphFile, signature: &Signature) -> TractResult<Self> {
        let names = model.properties.get("onnx.metadata_props.feature_names");
        let feature_names = names.and_then(|names| Some(names.to_plain_array_view::<String>().ok()?.first()?.clone()));
        let size = |size: &Size<'_>| match size {
            Size::Fixed(size) => size.to_dim(),
            Size::Named(name) => model.symbols.sym(name).to_dim(),
        };
        let fields = signature.fields();
        let inputs = signature.inputs().iter().map(|input| Fed {
            datum_type: datum_type(input.datatype()),
            shape: input.shape(fields).iter().map(size).collect(),
            is_batched: input.is_batched(fields),
        });
        let used = Use {
            inputs: inputs.collect(),
            outputs: signature.outputs().to_vec(),
            of_integers: signature.precision_of_integers(),
            has_batch: signature.has_batch(),
        };
        let prepared = prepare(|| typed(model.clone(), &used, &1.to_dim()))?;
        Ok(Self { prepared, read: model, used, batched: OnceLock::new(), feature_names, quantised })
    }

    /// The metadata entry `feature_names`, as JSON text.
    pub(super) fn feature_names(&self) -> Option<&str> {
        self.feature_names.as_deref()
    }

    /// The operators that calculate with quantised numbers, each once.
    pub(super) fn quantised(&self) -> &[String] {
        &self.quantised
    }

    /// Whether the graph has been [simplified](Prepared::is_simplified).
    pub(super) fn is_simplified(&self) -> bool {
        self.prepared.is_simplified
    }

    /// Whether each output that is read has one shape for every row.
    pub(super) fn has_fixed_shapes(&self) -> Vec<bool> {
        let model = self.prepared.runnable.model();
        let is_fixed = |output| model.output_fact(output).is_ok_and(|fact| fact.shape.as_concrete().is_some());
        (0..self.used.outputs.len()).map(is_fixed).collect()
    }

    /// Runs the graph on one row.
    ///
    /// # Errors
    ///
    /// If the graph fails, or an output is not numeric.
    pub(super) fn run(&self, row: &[Tensor]) -> Result<Output, ModelError> {
        let outputs = raw(&self.prepared.runnable, row)?;
        if self.used.has_batch {
            return rows(&outputs, self.used.of_integers, 1).map(|mut rows| rows.remove(0));
        }
        Ok(Output::new(outputs, self.used.of_integers))
    }

    /// The graph for `count` rows at once, or why each row needs a run of its own. It is tried on drawn inputs, which `feed` makes rows.
    pub(super) fn together(
        &self,
        count: usize,
        draw: impl Fn(Draw) -> Input,
        feed: impl Fn(&[&Input]) -> Option<Vec<Tensor>>,
    ) -> Result<&Rows, &Apart> {
        if self.used.inputs.iter().any(|input| !input.is_batched) {
            return Err(&Apart::OneRowOnly);
        }
        let size = |row: &[Tensor]| row.iter().map(Tensor::len).sum();
        let prepared = || self.prepare_batched(feed(&[&draw(Draw::Smallest)]).as_deref().map_or(1, size));
        let rows = self.batched.get_or_init(prepared).as_ref().ok_or(&Apart::OneRowOnly)?;
        rows.are_independent(count, |row| self.run(row), draw, feed).map(|()| rows)
    }

    /// `size` is the number of numbers of a row.
    fn prepare_batched(&self, size: usize) -> Option<Rows> {
        // A dimension of the graph may have this name.
        let rows = self.read.symbols.new_with_prefix("N").to_dim();
        let batched = panic::catch_unwind(AssertUnwindSafe(|| prepare(|| typed(self.read.clone(), &self.used, &rows))));
        Some(Rows::new(batched.ok()?.ok()?.runnable, self.used.of_integers, size))
    }
}

/// Runs the graph on `count` rows, and returns the outputs of each.
pub(super) fn outputs(
    graph: &Arc<TypedRunnableModel>,
    of_integers: Precision,
    fed: &[Tensor],
    count: usize,
) -> Result<Vec<Output>, ModelError> {
    rows(&raw(graph, fed)?, of_integers, count)
}

/// Runs the graph, and returns its outputs.
fn raw(graph: &Arc<TypedRunnableModel>, inputs: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
    let fail = |error: TractError| ModelError::Output(format!("{error:#}"));
    let inputs = inputs.iter().map(|tensor| Ok(fed(tensor)?.into_tvalue())).collect::<TractResult<TVec<_>>>();
    let inputs = inputs.map_err(fail)?;
    // A panic in the graph fails this request, not the process.
    let outputs = panic::catch_unwind(AssertUnwindSafe(|| graph.run(inputs)))
        .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
        .map_err(fail)?;
    outputs.iter().map(|output| read(output).map_err(fail)).collect()
}

/// The outputs of each of `count` rows.
fn rows(outputs: &[Tensor], of_integers: Precision, count: usize) -> Result<Vec<Output>, ModelError> {
    let mut all = vec![Vec::with_capacity(outputs.len()); count];
    for output in outputs {
        let shape = || ModelError::Output(format!("an output of shape {:?} for {count} inputs", output.shape()));
        let rows = output.unstack(count).ok_or_else(shape)?;
        all.iter_mut().zip(rows).for_each(|(tensors, row)| tensors.push(row));
    }
    Ok(all.into_iter().map(|tensors| Output::new(tensors, of_integers)).collect())
}

/// The tensor that tract reads.
fn fed(tensor: &Tensor) -> TractResult<tract::Tensor> {
    let mut fed = tract::Tensor::zero_dt(datum_type(tensor.datatype()), tensor.shape())?;
    fed.as_bytes_mut().copy_from_slice(tensor.bytes());
    Ok(fed)
}

/// The tensor that tract returned. Other integers become int64.
fn read(tensor: &tract::Tensor) -> TractResult<Tensor> {
    let (datatype, tensor) = match data_type(tensor.datum_type()) {
        Some(datatype) => (datatype, Cow::Borrowed(tensor)),
        None => (DataType::Int64, tensor.cast_to::<i64>()?),
    };
    let bytes = tensor.try_as_plain_ram()?.as_bytes().to_vec();
    Tensor::new(datatype, tensor.shape().to_vec(), bytes).context("a tensor of another length than its shape")
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

fn datum_type(datatype: DataType) -> DatumType {
    match datatype {
        DataType::Float16 => DatumType::F16,
        DataType::Float32 => DatumType::F32,
        DataType::Float64 => DatumType::F64,
        DataType::Int32 => DatumType::I32,
        DataType::Int64 => DatumType::I64,
        DataType::Uint8 => DatumType::U8,
        DataType::Bool => DatumType::Bool,
    }
}

fn data_type(datum_type: DatumType) -> Option<DataType> {
    Some(match datum_type {
        DatumType::F16 => DataType::Float16,
        DatumType::F32 => DataType::Float32,
        DatumType::F64 => DataType::Float64,
        DatumType::I32 => DataType::Int32,
        DatumType::I64 => DataType::Int64,
        DatumType::U8 => DataType::Uint8,
        DatumType::Bool => DataType::Bool,
        _ => return None,
    })
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

/// The inputs and outputs that the graph declares.
fn declaration(model: &InferenceModel) -> Result<Declaration, String> {
    let fail = |error: TractError| format!("is not an ONNX graph that can be served: {error:#}");
    let inputs = model.input_outlets().map_err(fail)?.iter().map(|outlet| {
        let (name, fact) = (model.node(outlet.node).name.clone(), model.outlet_fact(*outlet).map_err(fail)?);
        let declared = fact.datum_type.concretize();
        let datatype = declared.map(|declared| {
            data_type(declared).ok_or_else(|| {
                format!(
                    "reads {} for {name:?}, which the service cannot feed: declare the input as float32, float64, int32, int64, uint8 or \
                     bool, and cast it inside the graph",
                    type_name(declared)
                )
            })
        });
        Ok(TensorDeclaration { name, datatype: datatype.transpose()?, shape: shape(&fact.shape) })
    });
    let outputs = model.output_outlets().map_err(fail)?.iter().map(|outlet| TensorDeclaration {
        name: model.outlet_label(*outlet).unwrap_or_else(|| &model.node(outlet.node).name).to_owned(),
        datatype: None,
        shape: None,
    });
    Ok(Declaration::new(inputs.collect::<Result<_, String>>()?, outputs.collect()))
}

fn shape(shape: &ShapeFactoid) -> Option<Vec<DeclaredSize>> {
    let size = |size: &DimFact| match size.concretize() {
        None => DeclaredSize::Unknown,
        Some(size) => match size.to_i64().map(usize::try_from) {
            Ok(Ok(size)) => DeclaredSize::Fixed(size),
            _ => DeclaredSize::Named(size.to_string()),
        },
    };
    (!shape.is_open()).then(|| shape.dims().map(size).collect())
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
