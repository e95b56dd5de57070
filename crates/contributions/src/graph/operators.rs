//! What each operator makes of the columns of its inputs.

use tract_onnx::pb::{NodeProto, TensorProto};
use tree_ensemble::Score;

use super::{
    Ensemble, Tracer, Value,
    table::{Table, combine, function, product, select},
};
use crate::column::{Affine, Column, Term};

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

impl<'a> Tracer<'a> {
    /// The values of a node's outputs.
    pub(super) fn node(&mut self, node: &'a NodeProto) -> Result<Vec<Value>, String> {
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
