//! The ONNX graph as read from its file.

use std::panic;

use bytes::Bytes;
use model_package::{Declaration, DeclaredSize, TensorDeclaration};
use tract_onnx::{
    Onnx,
    ops::register_all_ops,
    pb::ModelProto,
    prelude::*,
    tract_hir::infer::{DimFact, Factoid, ShapeFactoid},
};

use super::{float64, onnx_file::OnnxFile, tensors::data_type};

/// A graph as read from its file, before the shapes of its tensors are known.
pub(super) struct GraphFile {
    pub(super) operators: Onnx,
    pub(super) proto: ModelProto,
    pub(super) model: InferenceModel,
    declaration: Declaration,
    pub(super) quantised: Vec<String>,
    pub(super) unknown: Vec<String>,
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
