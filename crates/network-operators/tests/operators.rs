//! Compares the operators with tract's own.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::{collection::vec, prelude::*};
use tract_onnx::{
    prelude::*,
    tract_core::{
        internal::TypedOp,
        ops::{
            array::{Pad, PadMode},
            math::{exp, ln},
            nn::{Reduce, Reducer, Softmax, SoftmaxKind, sigmoid},
        },
    },
};

/// A graph of one operator.
fn graph(operator: impl Into<Box<dyn TypedOp>>, of: DatumType, shape: &[usize]) -> TypedModel {
    let mut model = TypedModel::default();
    let input = model.add_source("input", of.fact(shape)).unwrap();
    let output = model.wire_node("output", operator, &[input]).unwrap();
    model.select_output_outlets(&output).unwrap();
    model
}

fn softmax(axis: usize, kind: SoftmaxKind) -> Softmax {
    Softmax { axes: tvec!(axis), quant_output_dt: None, kind }
}

fn pad(pads: &[(usize, usize)], mode: PadMode) -> Pad {
    Pad { pads: pads.to_vec(), mode }
}

fn constant(number: f32) -> PadMode {
    PadMode::Constant(Arc::new(number.into()))
}

/// The graph's operator after the replacement.
fn operator(mut model: TypedModel) -> String {
    network_operators::replace(&mut model);
    model.node(1).op().name().into_owned()
}

fn run(model: TypedModel, input: &Tensor) -> Tensor {
    let outputs = model.into_runnable().unwrap().run(tvec!(input.clone().into_tvalue())).unwrap();
    (*outputs[0]).clone()
}

fn replaced(mut model: TypedModel) -> TypedModel {
    network_operators::replace(&mut model);
    model
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.to_plain_array_view::<f32>().unwrap().iter().copied().collect()
}

/// A tensor of rank 1 to 4, one of its axes, and pads for each.
fn tensors() -> impl Strategy<Value = (Tensor, usize, Vec<(usize, usize)>)> {
    let shapes = vec((1usize..6, (0usize..3, 0usize..3)), 1..5);
    shapes.prop_flat_map(|axes| {
        let (shape, pads): (Vec<usize>, Vec<_>) = axes.into_iter().unzip();
        let numbers = vec(-20f32..20.0, shape.iter().product::<usize>());
        (numbers, 0..shape.len())
            .prop_map(move |(numbers, axis)| (Tensor::from_shape(&shape, &numbers).unwrap(), axis, pads.clone()))
    })
}

proptest! {
    #[test]
    fn a_softmax_over_any_axis_is_that_of_each_lane((input, axis, _) in tensors(), is_log: bool) {
        let kind = if is_log { SoftmaxKind::LogSoftmax } else { SoftmaxKind::default() };
        let model = replaced(graph(softmax(axis, kind), f32::datum_type(), input.shape()));
        let found = run(model, &input);
        prop_assert_eq!(found.shape(), input.shape());
        let lane = input.shape()[axis];
        let [input, found] = [&input, &found].map(|tensor| {
            let lanes = tensor.clone().move_axis(axis, tensor.rank() - 1).unwrap();
            numbers(&lanes)
        });
        for (input, found) in input.chunks(lane).zip(found.chunks(lane)) {
            let sum: f64 = input.iter().map(|number| f64::from(*number).exp()).sum();
            for (number, found) in input.iter().zip(found) {
                let (number, found) = (f64::from(*number), f64::from(*found));
                let error = if is_log { found - (number - sum.ln()) } else { found - number.exp() / sum };
                prop_assert!(error.abs() <= 4e-6, "{found} is off by {error}");
            }
        }
    }

    #[test]
    fn a_padding_has_the_bits_of_tracts_own((input, _, pads) in tensors(), number: f32) {
        let model = || graph(pad(&pads, constant(number)), f32::datum_type(), input.shape());
        let (found, expected) = (run(replaced(model()), &input), run(model(), &input));
        prop_assert_eq!(found.shape(), expected.shape());
        let bits = |tensor| numbers(tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(&found), bits(&expected));
    }
}

/// The logarithms of the softmax of rows of four, of their sigmoids, and of their sums of exponentials.
fn stable(rows: &[[f32; 4]]) -> [Vec<f32>; 3] {
    let input = Tensor::from_shape(&[rows.len(), 4], &rows.concat()).unwrap();
    let of = |operators: &[(&str, Box<dyn TypedOp>)]| {
        let mut model = TypedModel::default();
        let mut wire = model.add_source("input", f32::fact([rows.len(), 4])).unwrap();
        for (name, operator) in operators {
            wire = model.wire_node(*name, operator.clone(), &[wire]).unwrap()[0];
        }
        model.select_output_outlets(&[wire]).unwrap();
        assert!(network_operators::stabilize_logarithms(&mut model).unwrap());
        numbers(&run(model, &input))
    };
    let logarithm = || ("logarithm", Box::new(ln()) as Box<dyn TypedOp>);
    let sum = Reduce::new(tvec!(1), Reducer::Sum);
    [
        of(&[("softmax", Box::new(softmax(1, SoftmaxKind::Softmax))), logarithm()]),
        of(&[("sigmoid", Box::new(sigmoid())), logarithm()]),
        of(&[("exponentials", Box::new(exp())), ("sum", Box::new(sum)), logarithm()]),
    ]
}

#[test]
fn logarithms_of_exponentials_neither_overflow_nor_lose_digits() {
    let rows = [[0.0, -88.0, -90.0, -100.0], [0.0, -200.0, 1.0, 2.0], [100.0; 4], [-2000.0, -2001.0, -2002.0, -2003.0]];
    let [softmax, sigmoid, sums] = stable(&rows);
    for (row, ((softmax, sigmoid), sum)) in rows.iter().zip(softmax.chunks(4).zip(sigmoid.chunks(4)).zip(sums)) {
        let row = row.map(f64::from);
        let maximum = row.iter().copied().fold(f64::MIN, f64::max);
        let expected = maximum + row.iter().map(|x| (x - maximum).exp()).sum::<f64>().ln();
        let is_close =
            |found: f32, expected: f64| (f64::from(found) - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(is_close(sum, expected), "{sum}, not {expected}");
        for (x, found) in row.iter().zip(sigmoid) {
            let expected = x.min(0.0) - (-x.abs()).exp().ln_1p();
            assert!(is_close(*found, expected), "{found}, not {expected}");
        }
        for (x, found) in row.iter().zip(softmax) {
            assert!(is_close(*found, x - expected), "{found}, not {}", x - expected);
        }
    }
}

#[test]
fn logarithms_of_other_operators_are_left() {
    let mut model = graph(ln(), f32::datum_type(), &[4]);
    assert!(!network_operators::stabilize_logarithms(&mut model).unwrap());
    let sum = Reduce::new(tvec!(0), Reducer::Sum);
    let mut model = graph(sum, f32::datum_type(), &[4]);
    let logarithm = model.wire_node("logarithm", ln(), &[OutletId::new(1, 0)]).unwrap();
    model.select_output_outlets(&logarithm).unwrap();
    assert!(!network_operators::stabilize_logarithms(&mut model).unwrap());
}

#[test]
fn an_empty_tensor_is_padded() {
    let pads = [(1, 0), (0, 2)];
    let input = Tensor::zero::<f32>(&[0, 3]).unwrap();
    let padded = run(replaced(graph(pad(&pads, constant(7.0)), f32::datum_type(), input.shape())), &input);
    assert_eq!((padded.shape(), numbers(&padded)), (&[1, 5][..], vec![7.0; 5]));
}

#[test]
fn only_what_tract_is_slow_at_is_replaced() {
    let (single, double, shape) = (f32::datum_type(), f64::datum_type(), [2, 3, 4]);
    let kind = SoftmaxKind::default();
    assert_eq!(operator(graph(softmax(1, kind), single, &shape)), "MovedSoftmax");
    assert_eq!(operator(graph(softmax(2, kind), single, &shape)), "Softmax");
    assert_eq!(operator(graph(softmax(1, kind), double, &shape)), "Softmax");
    let both = Softmax { axes: tvec!(0, 1), ..softmax(0, kind) };
    assert_eq!(operator(graph(both, single, &shape)), "Softmax");
    let pads = [(0, 0), (1, 1), (2, 0)];
    assert_eq!(operator(graph(pad(&pads, constant(0.0)), single, &shape)), "ConstantPad");
    assert_eq!(operator(graph(pad(&pads, PadMode::Edge), single, &shape)), "Pad");
    assert_eq!(operator(graph(pad(&pads, constant(0.0)), double, &shape)), "Pad");
}
