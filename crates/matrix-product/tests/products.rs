//! Compares products in tract with this crate's operator and with tract's own.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::{collection::vec, prelude::*};
use tract_onnx::{prelude::*, tract_core::ops::einsum::EinSum};

/// A graph with one product of a table with this many rows and a matrix, which is constant or a second input.
fn graph(axes: &str, rows: usize, matrix: Tensor, is_constant: bool) -> TypedModel {
    let mut model = TypedModel::default();
    let (numbers, summed) = (matrix.datum_type(), matrix.shape()[0]);
    let table = model.add_source("table", numbers.fact([rows, summed])).unwrap();
    let matrix = if is_constant {
        model.add_const("matrix", matrix).unwrap()
    } else {
        model.add_source("matrix", numbers.fact(matrix.shape())).unwrap()
    };
    let sum = EinSum::new(axes.parse().unwrap(), numbers);
    let product = model.wire_node("product", sum, &[table, matrix]).unwrap();
    model.select_output_outlets(&product).unwrap();
    model
}

fn product(axes: &str, rows: usize, matrix: Tensor) -> TypedModel {
    let mut model = graph(axes, rows, matrix, true);
    matrix_product::replace(&mut model);
    model
}

fn replaces(model: &TypedModel) -> bool {
    model.nodes().iter().any(|node| node.op().name() == "Product")
}

fn run(model: TypedModel, table: Tensor) -> Tensor {
    let outputs = model.into_optimized().unwrap().into_runnable().unwrap().run(tvec!(table.into_tvalue())).unwrap();
    (*outputs[0]).clone()
}

fn tensor<T: Datum + Copy>(shape: [usize; 2], numbers: &[T]) -> Tensor {
    Tensor::from_shape(&shape, numbers).unwrap()
}

fn numbers<T: Datum + Copy>(tensor: &Tensor) -> Vec<T> {
    tensor.to_plain_array_view::<T>().unwrap().iter().copied().collect()
}

#[test]
fn a_product_is_the_sum_over_the_columns_of_the_table() {
    let table = tensor([2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let model = product("mk,kn->mn", 2, tensor([3, 2], &[1f32, 10.0, 100.0, 1000.0, 0.5, -1.0]));
    assert!(replaces(&model));
    let product = run(model, table);
    assert_eq!(product.shape(), [2, 2]);
    assert_eq!(numbers::<f32>(&product), [202.5, 2007.0, 507.0, 5034.0]);
}

#[test]
fn other_operations_and_large_or_variable_matrices_are_left_to_tract() {
    let square = || tensor([2, 2], &[1f32, 2.0, 3.0, 4.0]);
    for axes in ["mk,nk->mn", "km,kn->mn", "mk,kn->nm", "mk,kn->mkn", "mm,mn->mn"] {
        assert!(!replaces(&product(axes, 2, square())), "{axes}");
    }
    assert!(!replaces(&product("mk,kn->mn", 2, tensor([2, 2], &[1i32, 2, 3, 4]))), "integers");
    assert!(!replaces(&product("mk,kn->mn", 2, tensor([300, 300], &[1f32; 90_000]))), "a large matrix");
    assert!(!replaces(&product("mk,kn->mn", 2, tensor::<f32>([0, 2], &[]))), "an empty matrix");
    let mut model = graph("mk,kn->mn", 2, square(), false);
    matrix_product::replace(&mut model);
    assert!(!replaces(&model), "a matrix that is an input");
}

#[test]
fn a_matrix_may_have_any_letters_for_its_axes() {
    assert!(replaces(&product("ab,bc->ac", 2, tensor([2, 2], &[1f32, 2.0, 3.0, 4.0]))));
}

#[test]
fn a_missing_number_makes_the_product_missing() {
    let model = product("mk,kn->mn", 1, tensor([2, 1], &[0f32, 1.0]));
    assert!(numbers::<f32>(&run(model, tensor([1, 2], &[f32::NAN, 1.0])))[0].is_nan());
}

/// The rows and columns of the table and the columns of the matrix, and numbers for both.
fn shapes() -> impl Strategy<Value = ([usize; 3], Vec<f32>, Vec<f32>)> {
    (1usize..5, 1usize..40, 1usize..40).prop_flat_map(|(rows, summed, columns)| {
        let numbers = |count| vec(-10f32..10.0, count);
        (Just([rows, summed, columns]), numbers(rows * summed), numbers(summed * columns))
    })
}

proptest! {
    #[test]
    fn a_product_equals_tracts_except_for_rounding(([rows, summed, columns], table, matrix) in shapes()) {
        let wide = |numbers: &[f32]| numbers.iter().map(|&number| f64::from(number)).collect::<Vec<_>>();
        let (table64, matrix64) = (wide(&table), wide(&matrix));
        let (table, matrix) = (tensor([rows, summed], &table), tensor([summed, columns], &matrix));
        let ours = numbers::<f32>(&run(product("mk,kn->mn", rows, matrix.clone()), table.clone()));
        let tracts = numbers::<f32>(&run(graph("mk,kn->mn", rows, matrix, true), table));
        let exact = run(
            product("mk,kn->mn", rows, tensor([summed, columns], &matrix64)),
            tensor([rows, summed], &table64),
        );
        for ((ours, tracts), exact) in ours.iter().zip(&tracts).zip(numbers::<f64>(&exact)) {
            // Each sum has at most 39 terms below 100.
            prop_assert!((f64::from(*ours) - exact).abs() < 1e-2 && (ours - tracts).abs() < 1e-2, "{ours} {tracts} {exact}");
        }
    }

    #[test]
    fn a_row_has_the_same_product_alone_and_in_a_batch(([rows, summed, columns], table, matrix) in shapes()) {
        let (together, alone) = together_and_alone([rows, summed, columns], &table, &matrix);
        prop_assert_eq!(together, alone);
        // Thirds fill all bits of a float64.
        let thirds = |numbers: &[f32]| numbers.iter().map(|&number| f64::from(number) / 3.0).collect::<Vec<_>>();
        let (together, alone) = together_and_alone([rows, summed, columns], &thirds(&table), &thirds(&matrix));
        prop_assert_eq!(together, alone);
    }

    #[test]
    fn a_float64_product_is_summed_in_float64_in_the_order_of_the_columns(row in vec(-1e9..1e9, 1..40)) {
        let matrix = tensor([row.len(), 1], &vec![0.1_f64; row.len()]);
        let expected = row.iter().fold(0.0, |sum, number| sum + number * 0.1);
        let found = numbers::<f64>(&run(product("mk,kn->mn", 1, matrix), tensor([1, row.len()], &row)));
        prop_assert_eq!(found, [expected]);
    }
}

/// The products of all rows in one run, and in a run for each row.
fn together_and_alone<T: Datum + Copy>(
    [rows, summed, columns]: [usize; 3],
    table: &[T],
    matrix: &[T],
) -> (Vec<T>, Vec<T>) {
    let matrix = tensor([summed, columns], matrix);
    let together = run(product("mk,kn->mn", rows, matrix.clone()), tensor([rows, summed], table));
    let run_alone = |row| numbers::<T>(&run(product("mk,kn->mn", 1, matrix.clone()), tensor([1, summed], row)));
    (numbers(&together), table.chunks(summed).flat_map(run_alone).collect())
}
