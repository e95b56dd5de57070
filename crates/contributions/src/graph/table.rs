//! Tensors of columns, and the algebra of their columns.

use crate::column::{Affine, Column};

/// A tensor `[N, columns]`.
#[derive(Clone)]
pub(super) struct Table {
    /// The tensor with these values: an earlier one if the operator changes none.
    pub(super) tensor: String,
    pub(super) columns: Vec<Column>,
    /// Whether the tensor is `[N]`.
    pub(super) is_vector: bool,
}

impl Table {
    /// Applies a function to each column that is a sum.
    pub(super) fn affines(&self, operator: &str, function: impl Fn(&Affine) -> Affine) -> Vec<Column> {
        let each = |column: &Column| match column {
            Column::Sum(affine) => Column::sum(function(affine)),
            other => Column::mixed(operator, &[other]),
        };
        self.columns.iter().map(each).collect()
    }
}

pub(super) fn function(operator: &str, column: &Column) -> Column {
    match column {
        Column::Sum(affine) => Column::Function(affine.clone()),
        other => Column::mixed(operator, &[other]),
    }
}

/// The result of an elementwise operator. Each operand has its tensor and its position there.
pub(super) fn combine(operator: &str, operands: &[(&str, usize, Column)]) -> Column {
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

pub(super) fn select(table: &Table, indices: &[f64]) -> Option<Vec<Column>> {
    let count = table.columns.len() as f64;
    let column = |&index: &f64| {
        let position = if index < 0.0 { index + count } else { index };
        table.columns.get(position as usize).filter(|_| position >= 0.0).cloned()
    };
    indices.iter().map(column).collect()
}

/// The product with a matrix of weights times a factor.
pub(super) fn product(
    table: &Table,
    shape: &[usize],
    weights: &[f64],
    transposed: bool,
    factor: f64,
) -> Option<Vec<Column>> {
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
