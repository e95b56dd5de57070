//! Reads an ONNX file, without more than two copies of its weights at a time.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use tract_onnx::{
    Onnx,
    data_resolver::ModelDataResolver,
    model::ParseResult,
    pb::{GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, tensor_proto::DataLocation},
    prelude::*,
};

/// Tensors of at least this many bytes leave the decoded file as tract reads them.
const LARGE: usize = 64 * 1024;

/// A graph as tract reads it.
pub(super) struct OnnxFile {
    /// The operators that read it.
    pub(super) onnx: Onnx,
    /// The decoded file, without its large tensors.
    pub(super) proto: ModelProto,
    pub(super) model: InferenceModel,
    /// The operators that calculate with quantised numbers, each once.
    pub(super) quantised: Vec<String>,
    /// The operators that tract does not know, each once.
    pub(super) unknown: Vec<String>,
}

impl OnnxFile {
    /// Reads a file, which is freed once it has been decoded.
    ///
    /// # Errors
    ///
    /// If the file is not valid ONNX, or refers to other files.
    pub(super) fn read(file: Bytes, onnx: Onnx) -> TractResult<Self> {
        let mut proto = ModelProto::decode(&*file)?;
        drop(file);
        let graph = proto.graph.as_mut().context("it has no graph")?;
        let (mut quantised, mut unknown) = (Vec::new(), Vec::new());
        for node in nodes(graph) {
            if is_quantised(node, graph) {
                note(&mut quantised, &node.op_type);
            }
            if !onnx.op_register.0.contains_key(&node.op_type) {
                note(&mut unknown, &node.op_type);
            }
        }
        let tensors = LargeTensors::take_from(&mut graph.initializer)?;
        let onnx = Onnx { provider: Arc::new(tensors), ..onnx };
        let ParseResult { model, unresolved_inputs, .. } = onnx.parse(&proto, Some(HERE))?;
        ensure!(unresolved_inputs.is_empty(), "nothing computes its tensors {unresolved_inputs:?}");
        Ok(Self { onnx, proto, model, quantised, unknown })
    }
}

fn note(operators: &mut Vec<String>, operator: &str) {
    if !operators.iter().any(|noted| noted == operator) {
        operators.push(operator.to_owned());
    }
}

/// The nodes of a graph and of the graphs in their attributes, as the branches of `If`.
fn nodes(graph: &GraphProto) -> Vec<&NodeProto> {
    let inner = graph.node.iter().flat_map(|node| &node.attribute);
    let inner = inner.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)).flat_map(nodes);
    graph.node.iter().chain(inner).collect()
}

/// Whether a node calculates with quantised numbers. One that expands stored weights does not.
fn is_quantised(node: &NodeProto, graph: &GraphProto) -> bool {
    let operator = node.op_type.as_str();
    if operator == "DequantizeLinear" {
        let is_stored = |name: &String| graph.initializer.iter().any(|tensor| tensor.name == *name);
        return !node.input.first().is_some_and(is_stored);
    }
    operator.contains("Quantize")
        || operator.starts_with("QLinear")
        || operator.ends_with("Integer")
        || ["GatherBlockQuantized", "MatMulNBits", "QAttention", "QGemm", "QMoE"].contains(&operator)
}

/// The location by which a tensor refers to [`LargeTensors`], with its position there as the offset. It has to be an existing path.
const HERE: &str = ".";

/// The bytes of a file's large tensors, which tract takes one by one, as if they were in another file. Its own decoded file would keep all of
/// them until the last one is read.
struct LargeTensors(Mutex<Vec<Vec<u8>>>);

impl LargeTensors {
    fn take_from(tensors: &mut [TensorProto]) -> TractResult<Self> {
        let mut large = Vec::new();
        for tensor in tensors {
            if tensor.data_location == Some(DataLocation::External as i32) {
                bail!("its tensor {:?} is in another file: save the graph with its weights in one file", tensor.name);
            }
            if tensor.raw_data.len() < LARGE {
                continue;
            }
            let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
            tensor.external_data = vec![entry("location", HERE.to_owned()), entry("offset", large.len().to_string())];
            tensor.data_location = Some(DataLocation::External as i32);
            large.push(std::mem::take(&mut tensor.raw_data));
        }
        Ok(Self(Mutex::new(large)))
    }
}

impl ModelDataResolver for LargeTensors {
    fn read_bytes_from_path(&self, bytes: &mut Vec<u8>, _: &Path, offset: usize, _: Option<usize>) -> TractResult<()> {
        let mut tensors = self.0.lock();
        *bytes = std::mem::take(tensors.get_mut(offset).context("no such tensor")?);
        Ok(())
    }
}
