//! Follows the columns of the input through the graph.

use std::collections::HashMap;

use tract_onnx::{
    Onnx,
    model::ParsingContext,
    pb::{GraphProto, ModelProto, NodeProto, TensorProto},
    tract_hir::internal::*,
};
use tree_ensemble::Score;

use crate::column::{Affine, Column, Term};

/// What the graph calculates, as far as contributions are concerned.
pub(crate) struct Read {
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

/// A tensor `[N, columns]`.
#[derive(Clone)]
struct Table {
    /// The tensor with these values: an earlier one if the operator changes none.
    tensor: String,
    columns: Vec<Column>,
    /// Whether the tensor is `[N]`.
    is_vector: bool,
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

struct Reader<'a> {
    context: ParsingContext<'a>,
    values: HashMap<&'a str, Value>,
    ensembles: Vec<Ensemble>,
}

impl Read {
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

/// Reads a graph. `fields` gives the field of each column of its input.
pub(crate) fn read(operators: &Onnx, model: &ModelProto, fields: &[usize]) -> Result<Read, String> {
    let graph = model.graph.as_ref().ok_or("is empty")?;
    let context = ParsingContext {
        onnx_operator_set_version: 0,
        framework: operators,
        model,
        parent_graphs: Vec::new(),
        model_dir: None,
        template: InferenceModel::default(),
    };
    let mut reader = Reader { context, values: HashMap::new(), ensembles: Vec::new() };
    let initializers: Vec<_> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let input = graph.input.iter().find(|input| !initializers.contains(&input.name.as_str())).ok_or("has no input")?;
    let columns = fields.iter().map(|&field| Column::Local(field)).collect();
    let table = Table { tensor: input.name.clone(), columns, is_vector: false };
    reader.values.insert(&input.name, Value::Table(table));
    for tensor in &graph.initializer {
        let constant = reader.constant(tensor);
        reader.values.insert(&tensor.name, constant);
    }
    reader.run(graph);
    let output = graph.output.first().ok_or("has no output")?;
    let output = match reader.values.remove(output.name.as_str()) {
        Some(Value::Table(table)) => Ok(table),
        Some(Value::Constant { .. }) | None => Err("has a constant output".to_owned()),
        Some(Value::Other(reason)) => Err(reason),
    };
    Ok(Read { output, ensembles: reader.ensembles })
}

impl<'a> Reader<'a> {
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

    /// The values of a node's outputs.
    fn node(&mut self, node: &'a NodeProto) -> Result<Vec<Value>, String> {
        let operator = node.op_type.as_str();
        let unsupported = || format!("uses {operator} in a way that cannot be explained");
        let output = node.output.first().ok_or_else(unsupported)?;
        let attribute = |name| node.get_attr_opt::<i64>(name).ok().flatten();
        let is_last_axis = |default| matches!(attribute("axis").unwrap_or(default), 1 | -1);
        let new = |columns| Value::Table(Table { tensor: output.clone(), columns, is_vector: false });
        let one = |columns| Ok(vec![new(columns)]);
        match operator {
            "Constant" => {
                let tensor = node.get_attr_opt::<&TensorProto>("value").ok().flatten().ok_or_else(unsupported)?;
                Ok(vec![self.constant(tensor)])
            }
            "Identity" => Ok(vec![self.input(node, 0)?.clone()]),
            "Cast" => self.cast(node, output).map(|value| vec![value]),
            "Neg" => one(self.table(node, 0)?.affines(operator, |affine| affine.times(-1.0))),
            "Sigmoid" | "Exp" => {
                one(self.table(node, 0)?.columns.iter().map(|column| function(operator, column)).collect())
            }
            "Softmax" if is_last_axis(-1) => {
                let Table { tensor, columns, .. } = self.table(node, 0)?;
                let share = |(position, column): (usize, &Column)| match column.affine(tensor, position) {
                    Ok(affine) => Column::Function(affine),
                    Err(reason) => Column::Other(reason),
                };
                one(columns.iter().enumerate().map(share).collect())
            }
            "Concat" if is_last_axis(1) => self.concat(node).map(|table| vec![new(table)]),
            "Gather" => self.gather(node, output).map(|value| vec![value]),
            "ArrayFeatureExtractor" => {
                let (_, indices) = self.numbers(node, 1)?;
                one(select(self.table(node, 0)?, indices).ok_or_else(unsupported)?)
            }
            "MatMul" => {
                let table = self.table(node, 0)?;
                let (shape, weights) = self.numbers(node, 1)?;
                one(product(table, shape, weights, false, 1.0).ok_or_else(unsupported)?)
            }
            "Gemm" => self.gemm(node).map(|columns| vec![new(columns)]),
            "ReduceSum" => {
                let table = self.table(node, 0)?;
                let axes = match node.input.len() {
                    1 => node.get_attr_opt_slice::<i64>("axes").ok().flatten().unwrap_or_default().to_vec(),
                    _ => self.numbers(node, 1)?.1.iter().map(|&axis| axis as i64).collect(),
                };
                if !matches!(axes[..], [1] | [-1]) || attribute("keepdims") == Some(0) {
                    return Err(unsupported());
                }
                let ones = vec![1.0; table.columns.len()];
                one(product(table, &[ones.len(), 1], &ones, false, 1.0).ok_or_else(unsupported)?)
            }
            "TreeEnsembleRegressor" | "TreeEnsembleClassifier" => self.trees(node),
            _ if ELEMENTWISE.contains(&operator) => self.elementwise(node, output).map(|value| vec![value]),
            _ => Err(format!("uses {operator}")),
        }
    }

    fn cast(&self, node: &NodeProto, output: &str) -> Result<Value, String> {
        const DOUBLE: i64 = 11;
        let Value::Table(table) = self.input(node, 0)? else { return Ok(self.input(node, 0)?.clone()) };
        let is_lossless = node.get_attr_opt::<i64>("to").ok().flatten() == Some(DOUBLE);
        let tensor = if is_lossless { table.tensor.clone() } else { output.to_owned() };
        Ok(Value::Table(Table { tensor, ..table.clone() }))
    }

    fn concat(&self, node: &NodeProto) -> Result<Vec<Column>, String> {
        let mut columns = Vec::new();
        for position in 0..node.input.len() {
            let table = self.table(node, position)?;
            if table.is_vector {
                return Err("uses Concat in a way that cannot be explained".to_owned());
            }
            columns.extend(table.columns.iter().cloned());
        }
        Ok(columns)
    }

    /// Columns of a table, or the rows of a constant at positions that depend on one field.
    fn gather(&self, node: &NodeProto, output: &str) -> Result<Value, String> {
        let unsupported = || "uses Gather in a way that cannot be explained".to_owned();
        let axis = node.get_attr_opt::<i64>("axis").ok().flatten().unwrap_or(0);
        let table = match (axis, self.input(node, 0)?, self.input(node, 1)?) {
            (1 | -1, Value::Table(table), Value::Constant { shape, numbers })
                if shape.len() < 2 && !table.is_vector =>
            {
                let columns = select(table, numbers).ok_or_else(unsupported)?;
                Table { tensor: output.to_owned(), columns, is_vector: shape.is_empty() }
            }
            (0, Value::Constant { shape, .. }, Value::Table(Table { columns, is_vector: true, .. })) => {
                let [_, width] = shape[..] else { return Err(unsupported()) };
                let column = Column::mixed("Gather", &columns.iter().collect::<Vec<_>>());
                Table { tensor: output.to_owned(), columns: vec![column; width], is_vector: false }
            }
            _ => return Err(unsupported()),
        };
        Ok(Value::Table(table))
    }

    fn gemm(&self, node: &NodeProto) -> Result<Vec<Column>, String> {
        let unsupported = || "uses Gemm in a way that cannot be explained".to_owned();
        let table = self.table(node, 0)?;
        let (shape, weights) = self.numbers(node, 1)?;
        let factor = |name| f64::from(node.get_attr_opt::<f32>(name).ok().flatten().unwrap_or(1.0));
        let flag = |name| node.get_attr_opt::<i64>(name).ok().flatten().unwrap_or(0) != 0;
        if flag("transA") {
            return Err(unsupported());
        }
        let columns = product(table, shape, weights, flag("transB"), factor("alpha")).ok_or_else(unsupported)?;
        if node.input.get(2).is_none_or(String::is_empty) {
            return Ok(columns);
        }
        let (_, bias) = self.numbers(node, 2)?;
        if bias.len() != 1 && bias.len() != columns.len() {
            return Err(unsupported());
        }
        let bias = bias.iter().cycle().map(|number| number * factor("beta"));
        let add = |(column, bias): (Column, f64)| match column {
            Column::Sum(mut affine) => {
                affine.constant += bias;
                Column::sum(affine)
            }
            other => other,
        };
        Ok(columns.into_iter().zip(bias).map(add).collect())
    }

    fn elementwise(&self, node: &NodeProto, output: &str) -> Result<Value, String> {
        let operator = node.op_type.as_str();
        let unsupported = || format!("uses {operator} in a way that cannot be explained");
        let inputs = (0..node.input.len()).map(|position| self.input(node, position));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let tables: Vec<&Table> = inputs
            .iter()
            .filter_map(|value| if let Value::Table(table) = value { Some(table) } else { None })
            .collect();
        let width = |value: &&Value| match value {
            Value::Table(table) => table.columns.len(),
            Value::Constant { shape, .. } => shape.last().copied().unwrap_or(1),
            Value::Other(_) => 1,
        };
        let width = inputs.iter().map(width).max().unwrap_or(1);
        let is_vector = tables.first().ok_or_else(unsupported)?.is_vector;
        if tables.iter().any(|table| table.is_vector != is_vector) || (is_vector && width > 1) {
            return Err(unsupported());
        }
        let mut columns = Vec::with_capacity(width);
        for position in 0..width {
            let mut operands = Vec::with_capacity(inputs.len());
            for input in &inputs {
                operands.push(match input {
                    Value::Table(table) => {
                        let at = if table.columns.len() == 1 { 0 } else { position };
                        (table.tensor.as_str(), at, table.columns.get(at).ok_or_else(unsupported)?.clone())
                    }
                    Value::Constant { numbers, .. } => {
                        let at = if numbers.len() == 1 { 0 } else { position };
                        if numbers.len() > 1 && numbers.len() != width {
                            return Err(unsupported());
                        }
                        ("", at, Column::Constant(*numbers.get(at).ok_or_else(unsupported)?))
                    }
                    Value::Other(reason) => return Err(reason.clone()),
                });
            }
            columns.push(combine(operator, &operands));
        }
        Ok(Value::Table(Table { tensor: output.to_owned(), columns, is_vector }))
    }

    fn trees(&mut self, node: &NodeProto) -> Result<Vec<Value>, String> {
        let table = self.table(node, 0)?;
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            columns.push(match (column, column.field()) {
                (_, Some(field)) => field,
                (Column::Constant(_), None) => 0,
                (Column::Other(reason), None) => return Err(reason.clone()),
                (_, None) => return Err("has trees on a column that is calculated from several fields".to_owned()),
            });
        }
        let trees = tree_ensemble::Ensemble::read(&self.context, node)
            .map_err(|error| format!("has trees that cannot be explained: {error:#}"))?;
        let ensemble = self.ensembles.len();
        let column = |Score { targets, constant, transformed }: &Score| {
            let mut affine = Affine { constant: *constant, ..Affine::default() };
            for &(target, factor) in targets {
                affine.add(&Affine::of(Term::Target { ensemble, target }), factor);
            }
            if *transformed { Column::Function(affine) } else { Column::sum(affine) }
        };
        let scores = trees.scores().iter().map(column).collect();
        let tensor = table.tensor.clone();
        self.ensembles.push(Ensemble { name: node.name.clone(), tensor, columns, trees });
        let output = node.output.last().cloned().unwrap_or_default();
        let scores = Value::Table(Table { tensor: output, columns: scores, is_vector: false });
        let labels = Value::Other("has the labels of classes as its first output".to_owned());
        Ok(if node.op_type == "TreeEnsembleClassifier" { vec![labels, scores] } else { vec![scores] })
    }
}

/// Operators that calculate each element from those at the same place.
const ELEMENTWISE: [&str; 26] = [
    "Abs",
    "Add",
    "And",
    "Ceil",
    "Clip",
    "Div",
    "Equal",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Not",
    "Or",
    "Pow",
    "Relu",
    "Round",
    "Sqrt",
    "Sub",
    "Tanh",
    "Where",
];

impl Table {
    /// Applies a function to each column that is a sum.
    fn affines(&self, operator: &str, function: impl Fn(&Affine) -> Affine) -> Vec<Column> {
        let each = |column: &Column| match column {
            Column::Sum(affine) => Column::sum(function(affine)),
            other => Column::mixed(operator, &[other]),
        };
        self.columns.iter().map(each).collect()
    }
}

fn function(operator: &str, column: &Column) -> Column {
    match column {
        Column::Sum(affine) => Column::Function(affine.clone()),
        other => Column::mixed(operator, &[other]),
    }
}

/// The result of an elementwise operator. Each operand has its tensor and its position there.
fn combine(operator: &str, operands: &[(&str, usize, Column)]) -> Column {
    let columns: Vec<_> = operands.iter().map(|(_, _, column)| column).collect();
    let mixed = Column::mixed(operator, &columns);
    let has_sum = columns.iter().any(|column| matches!(column, Column::Sum(_)));
    if !has_sum && matches!(mixed, Column::Local(_)) {
        return mixed;
    }
    let affine = |operand: &(&str, usize, Column)| operand.2.affine(operand.0, operand.1);
    match (operator, operands) {
        ("Add" | "Sub", [one, other]) => {
            let sum = affine(one).and_then(|mut sum| {
                sum.add(&affine(other)?, if operator == "Add" { 1.0 } else { -1.0 });
                Ok(sum)
            });
            sum.map_or_else(Column::Other, Column::sum)
        }
        ("Mul", [(.., Column::Constant(factor)), other] | [other, (.., Column::Constant(factor))]) => {
            affine(other).map_or_else(Column::Other, |affine| Column::sum(affine.times(*factor)))
        }
        ("Div", [other, (.., Column::Constant(divisor))]) => {
            affine(other).map_or_else(Column::Other, |affine| Column::sum(affine.times(1.0 / divisor)))
        }
        _ => mixed,
    }
}

fn select(table: &Table, indices: &[f64]) -> Option<Vec<Column>> {
    let count = table.columns.len() as f64;
    let column = |&index: &f64| {
        let position = if index < 0.0 { index + count } else { index };
        table.columns.get(position as usize).filter(|_| position >= 0.0).cloned()
    };
    indices.iter().map(column).collect()
}

/// The product with a matrix of weights times a factor.
fn product(table: &Table, shape: &[usize], weights: &[f64], transposed: bool, factor: f64) -> Option<Vec<Column>> {
    let &[rows, width] = shape else { return None };
    let (rows, width) = if transposed { (width, rows) } else { (rows, width) };
    if rows != table.columns.len() || table.is_vector {
        return None;
    }
    let weight = |row: usize, column: usize| {
        factor * if transposed { weights[column * rows + row] } else { weights[row * width + column] }
    };
    let column = |column: usize| {
        let mut sum = Affine::default();
        for (row, part) in table.columns.iter().enumerate() {
            let weight = weight(row, column);
            if weight == 0.0 {
                continue;
            }
            match part.affine(&table.tensor, row) {
                Ok(part) => sum.add(&part, weight),
                Err(reason) => return Column::Other(reason),
            }
        }
        Column::sum(sum)
    };
    Some((0..width).map(column).collect())
}
