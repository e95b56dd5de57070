//! Products of a table with a constant matrix, as linear models and small neural networks compute them, for tract:
//! [`replace`] puts them in the place of tract's own.
//!
//! tract writes them as [`EinSum`], and for each of these its optimiser chooses among kernels for large matrices, packs the
//! matrix for the chosen one, and fuses what follows. For the matrices of tabular models, a cold start waits longer for that than
//! the product ever takes.
//!
//! Sums are made in the order of the columns, row by row: a row has the same product alone and among others, on any processor.

#![warn(missing_docs)]

use std::ops::{AddAssign, Mul};

use tract_onnx::tract_core::{internal::*, ops::einsum::EinSum};

/// Changes whenever a product may change for the same model and input, if only in the last bit. Whoever keeps answers makes this a
/// part of what identifies the model.
pub const PRODUCTS_VERSION: u32 = 1;

/// How large a matrix may be, in numbers. Larger ones, of networks with hundreds of neurons in a layer, gain by tract's kernels.
const MOST_NUMBERS: usize = 1 << 16;

/// Replaces each product of a table with a constant matrix of the same type, float32 or float64.
pub fn replace(model: &mut TypedModel) {
    for node in 0..model.nodes().len() {
        if let Some(product) = product(model, node) {
            model.node_mut(node).op = Box::new(product);
        }
    }
}

/// The product that this node computes, if it does.
fn product(model: &TypedModel, node: usize) -> Option<Product> {
    let node = model.node(node);
    let sum = node.op_as::<EinSum>().filter(|sum| sum.q_params.is_none())?;
    let facts = model.node_input_facts(node.id).ok()?;
    let [table, matrix] = facts[..] else { return None };
    let (numbers, matrix) = (table.datum_type, matrix.konst.as_ref()?);
    let is_number = numbers == f32::datum_type() || numbers == f64::datum_type();
    let is_alike = [matrix.datum_type(), sum.operating_dt].iter().all(|other| *other == numbers);
    if !is_number || !is_alike || !(1..=MOST_NUMBERS).contains(&matrix.len()) {
        return None;
    }
    is_plain_product(&sum.axes).then_some(Product)
}

/// Whether these are the axes of `table · matrix`: the table's columns and the matrix's rows are what is summed over.
fn is_plain_product(axes: &AxesMapping) -> bool {
    let (inputs, outputs) = axes.to_strs();
    let axes = [inputs.first(), inputs.get(1), outputs.first()].map(|axes| axes.map_or("", String::as_str).as_bytes());
    matches!(axes, [&[row, summed], &[over, column], &[of, at]]
        if summed == over && row == of && column == at && row != summed && column != summed && row != column)
}

/// A table times a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Product;

impl Op for Product {
    fn name(&self) -> StaticName {
        "Product".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Product {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (table, matrix) = args_2!(inputs);
        let product = if table.datum_type() == f32::datum_type() {
            product_of::<f32>(&table, &matrix)?
        } else {
            product_of::<f64>(&table, &matrix)?
        };
        Ok(tvec!(product.into_tvalue()))
    }
}

impl TypedOp for Product {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let [table, matrix] = inputs else { bail!("a product has two inputs, not {}", inputs.len()) };
        Ok(tvec!(table.datum_type.fact([table.shape[0].clone(), matrix.shape[1].clone()])))
    }

    as_op!();
}

/// `table · matrix`, where the table is `[rows, n]` and the matrix `[n, columns]`.
fn product_of<T>(table: &Tensor, matrix: &Tensor) -> TractResult<Tensor>
where
    T: Datum + Copy + Default + Mul<Output = T> + AddAssign,
{
    let (&[rows, summed], &[over, columns]) = (table.shape(), matrix.shape()) else {
        bail!("a product needs tables, not {:?} and {:?}", table.shape(), matrix.shape())
    };
    ensure!(summed == over, "{summed} columns of the table, and {over} rows of the matrix");
    let mut product = vec![T::default(); rows * columns];
    let (table, matrix) = (table.try_as_plain_ram()?, matrix.try_as_plain_ram()?);
    let (table, matrix) = (table.as_slice::<T>()?, matrix.as_slice::<T>()?);
    for (row, sums) in table.chunks_exact(summed).zip(product.chunks_exact_mut(columns)) {
        for (number, factors) in row.iter().zip(matrix.chunks_exact(columns)) {
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum += *number * *factor;
            }
        }
    }
    Tensor::from_shape(&[rows, columns], &product)
}
