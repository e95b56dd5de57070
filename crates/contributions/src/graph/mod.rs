//! Follows the columns of the input through the graph.

mod operators;
mod table;

use std::collections::HashMap;

use tract_onnx::{
    Onnx,
    model::ParsingContext,
    pb::{GraphProto, ModelProto, NodeProto, TensorProto},
    tract_hir::internal::*,
};

use self::table::Table;
use crate::column::{Affine, Column};

/// What the graph calculates, as far as contributions are concerned.
pub(crate) struct TracedGraph {
    output: Result<Table, String>,
    pub(crate) ensembles: Vec<Ensemble>,
}

/// A node with trees.
pub(crate) struct Ensemble {
    pub(crate) name: String,
    /// The input's tensor, and the field of each of its columns.
    pub(crate) tensor: String,
    pub(crate) columns: Vec<usize>,
    pub(crate) trees: tree_ensemble::Ensemble,
}
#[derive(Clone)]
enum Value {
    Table(Table),
    Constant {
        shape: Vec<usize>,
        numbers: Vec<f64>,
    },
    /// A tensor that cannot be followed, and why.
    Other(String),
}

struct Tracer<'a> {
    context: ParsingContext<'a>,
    values: HashMap<&'a str, Value>,
    ensembles: Vec<Ensemble>,
}

impl TracedGraph {
    /// The score of a column of the first output: before a softmax or a logistic or exponential function.
    pub(crate) fn score(&self, output: Option<usize>) -> Result<Affine, String> {
        let Table { tensor, columns, .. } = self.output.as_ref().map_err(String::clone)?;
        let column = match output {
            Some(column) => column,
            None if columns.len() == 1 => 0,
            None => return Err(format!("has {} output columns: choose one with `output`", columns.len())),
        };
        let found = columns.get(column).ok_or_else(|| format!("has no output column {column}"))?;
        let score = match found {
            Column::Function(score) => score.clone(),
            other => other.affine(tensor, column)?,
        };
        if score.terms.is_empty() { Err("has a constant output".to_owned()) } else { Ok(score) }
    }
}

/// Follows the columns through a graph. `fields` gives the field of each column of its input.
pub(crate) fn trace(operators: &Onnx, model: &ModelProto, fields: &[usize]) -> Result<TracedGraph, String> {
    let graph = model.graph.as_ref().ok_or("is empty")?;
    let context = ParsingContext {
        onnx_operator_set_version: 0,
        framework: operators,
        model,
        parent_graphs: Vec::new(),
        model_dir: None,
        template: InferenceModel::default(),
    };
    let mut tracer = Tracer { context, values: HashMap::new(), ensembles: Vec::new() };
    let initializers: Vec<_> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let input = graph.input.iter().find(|input| !initializers.contains(&input.name.as_str())).ok_or("has no input")?;
    let columns = fields.iter().map(|&field| Column::Local(field)).collect();
    let table = Table { tensor: input.name.clone(), columns, is_vector: false };
    tracer.values.insert(&input.name, Value::Table(table));
    for tensor in &graph.initializer {
        let constant = tracer.constant(tensor);
        tracer.values.insert(&tensor.name, constant);
    }
    tracer.run(graph);
    let output = graph.output.first().ok_or("has no output")?;
    let output = match tracer.values.remove(output.name.as_str()) {
        Some(Value::Table(table)) => Ok(table),
        Some(Value::Constant { .. }) | None => Err("has a constant output".to_owned()),
        Some(Value::Other(reason)) => Err(reason),
    };
    Ok(TracedGraph { output, ensembles: tracer.ensembles })
}

impl<'a> Tracer<'a> {
    fn run(&mut self, graph: &'a GraphProto) {
        for node in &graph.node {
            let values = self.node(node).unwrap_or_else(|reason| vec![Value::Other(reason); node.output.len()]);
            for (name, value) in node.output.iter().zip(values) {
                self.values.insert(name, value);
            }
        }
    }

    fn constant(&self, tensor: &TensorProto) -> Value {
        let numbers = || -> TractResult<Value> {
            let tensor = self.context.load_tensor(tensor)?;
            let numbers = tensor.cast_to::<f64>()?.try_as_plain_ram()?.as_slice::<f64>()?.to_vec();
            Ok(Value::Constant { shape: tensor.shape().to_vec(), numbers })
        };
        numbers().unwrap_or_else(|_| Value::Other("has a constant that is no number".to_owned()))
    }

    fn input(&self, node: &NodeProto, position: usize) -> Result<&Value, String> {
        let name = node.input.get(position).map(String::as_str).unwrap_or_default();
        match self.values.get(name) {
            Some(Value::Other(reason)) => Err(reason.clone()),
            Some(value) => Ok(value),
            None => Err(format!("has an operator {} with an unknown input", node.op_type)),
        }
    }

    fn table(&self, node: &NodeProto, position: usize) -> Result<&Table, String> {
        match self.input(node, position)? {
            Value::Table(table) => Ok(table),
            _ => Err(format!("applies {} to a constant", node.op_type)),
        }
    }

    fn numbers(&self, node: &NodeProto, position: usize) -> Result<(&[usize], &[f64]), String> {
        match self.input(node, position)? {
            Value::Constant { shape, numbers } => Ok((shape, numbers)),
            _ => Err(format!("has an operator {} whose weights are not constant", node.op_type)),
        }
    }
}
