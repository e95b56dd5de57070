//! Products of a table of rows with a constant matrix for tract, as in linear models and small neural networks: [`replace`] replaces
//! tract's own.
//!
//! tract represents them as [`EinSum`]. For each one, its optimiser chooses a kernel for large matrices, packs the matrix for it, and
//! fuses the operators that follow. For the matrices of tabular models, this takes longer in a cold start than the product itself.
//!
//! Each row is summed in the order of the columns, so a row has the same product alone and in a batch, on any processor.

#![warn(missing_docs)]

use std::ops::{AddAssign, Mul};

use tract_onnx::tract_core::{internal::*, ops::einsum::EinSum};

/// Changes whenever a product may change for the same model and input, even in the last bit. Include it in the identity of a model
/// whose predictions are cached.
pub const PRODUCTS_VERSION: u32 = 1;

/// The most numbers in a matrix. Larger ones, in networks with hundreds of neurons per layer, are faster with tract's kernels.
const MAX_NUMBERS: usize = 1 << 16;

/// Replaces each product of a table with a constant matrix of the same type, float32 or float64.
pub fn replace(model: &mut TypedModel) {
    for node in 0..model.nodes().len() {
        if let Some(product) = product(model, node) {
            model.node_mut(node).op = Box::new(product);
        }
    }
}

/// `None` if the node is not a product that this crate replaces.
fn product(model: &TypedModel, node: usize) -> Option<Product> {
    let node = model.node(node);
    let sum = node.op_as::<EinSum>().filter(|sum| sum.q_params.is_none())?;
    let facts = model.node_input_facts(node.id).ok()?;
    let [table, matrix] = facts[..] else { return None };
    let (numbers, matrix) = (table.datum_type, matrix.konst.as_ref()?);
    let is_number = numbers == f32::datum_type() || numbers == f64::datum_type();
    let same_type = [matrix.datum_type(), sum.operating_dt].iter().all(|other| *other == numbers);
    if !is_number || !same_type || !(1..=MAX_NUMBERS).contains(&matrix.len()) {
        return None;
    }
    is_plain_product(&sum.axes).then_some(Product)
}

/// Whether these are the axes of `table · matrix`, summed over the table's columns and the matrix's rows.
fn is_plain_product(axes: &AxesMapping) -> bool {
    let (inputs, outputs) = axes.to_strs();
    let axes = [inputs.first(), inputs.get(1), outputs.first()].map(|axes| axes.map_or("", String::as_str).as_bytes());
    matches!(axes, [&[row, summed], &[over, column], &[of, at]]
        if summed == over && row == of && column == at && row != summed && column != summed && row != column)
}

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
        bail!("a product has two-dimensional inputs, not {:?} and {:?}", table.shape(), matrix.shape())
    };
    ensure!(summed == over, "the table has {summed} columns, but the matrix has {over} rows");
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
