//! Logarithms of exponentials, without overflow or loss of digits.

use tract_onnx::tract_core::{
    internal::*,
    ops::{
        element_wise::ElementWiseOp,
        math::{self, Exp, Ln},
        nn::{Reduce, Reducer, Sigmoid, Softmax, SoftmaxKind},
    },
};

/// What a logarithm is taken of.
enum Of {
    Softmax(Softmax),
    Sigmoid,
    /// A sum over these axes.
    Exponentials(TVec<usize>),
}

/// Replaces the logarithm of a softmax, of a sigmoid, and of a sum of exponentials. tract makes them of `LogSoftmax` and
/// `ReduceLogSumExp`, PyTorch's export of `logsigmoid`. As written, e⁸⁹ is infinite in float32, and tract's softmax ends at e⁻⁸⁷, its sigmoid
/// at e⁻¹⁸: smaller probabilities have a wrong logarithm or none. Returns whether the graph has any.
///
/// # Errors
///
/// If tract cannot replace one.
pub fn stabilize_logarithms(model: &mut TypedModel) -> TractResult<bool> {
    let mut has_any = false;
    for node in 0..model.nodes().len() {
        let Some((input, of)) = logarithm(model, node) else { continue };
        let name = &model.node(node).name;
        let mut patch = TypedModelPatch::default();
        let input = patch.tap_model(model, input)?;
        let stable = match of {
            Of::Softmax(softmax) => {
                let logarithm = Softmax { kind: SoftmaxKind::LogSoftmax, ..softmax };
                patch.wire_node(format!("{name}.stable"), logarithm, &[input])?[0]
            }
            Of::Sigmoid => log_sigmoid(&mut patch, name, input)?,
            Of::Exponentials(axes) => log_sum_exp(&mut patch, name, input, axes)?,
        };
        patch.shunt_outside(model, node.into(), stable)?;
        patch.apply(model)?;
        has_any = true;
    }
    Ok(has_any)
}

/// The input of what this node takes the logarithm of. `None` for other nodes.
fn logarithm(model: &TypedModel, node: usize) -> Option<(OutletId, Of)> {
    let is =
        |node: &TypedNode, function: fn(&ElementWiseOp) -> bool| node.op_as::<ElementWiseOp>().is_some_and(function);
    let node = model.node(node);
    if !is(node, |function| function.0.is::<Ln>()) {
        return None;
    }
    let argument = model.node(node.inputs[0].node);
    if let Some(softmax) = argument.op_as::<Softmax>() {
        let is_plain = softmax.kind == SoftmaxKind::Softmax && softmax.quant_output_dt.is_none();
        return is_plain.then(|| (argument.inputs[0], Of::Softmax(softmax.clone())));
    }
    if is(argument, |function| function.0.is::<Sigmoid>()) {
        return Some((argument.inputs[0], Of::Sigmoid));
    }
    let sum = argument.op_as::<Reduce>().filter(|reduce| reduce.reducer == Reducer::Sum)?;
    let exponentials = model.node(argument.inputs[0].node);
    is(exponentials, |function| function.0.is::<Exp>())
        .then(|| (exponentials.inputs[0], Of::Exponentials(sum.axes.clone())))
}

/// ln σ(x) = min(x, 0) - ln(1 + e^-|x|)
fn log_sigmoid(patch: &mut TypedModelPatch, name: &str, x: OutletId) -> TractResult<OutletId> {
    let fact = patch.outlet_fact(x)?;
    let (of, rank) = (fact.datum_type, fact.rank());
    let mut constant = |number: f32| {
        let number = tensor0(number).cast_to_dt(of)?.into_owned().broadcast_into_rank(rank)?;
        patch.add_const(format!("{name}.stable.{number:?}"), number)
    };
    let (zero, one) = (constant(0.0)?, constant(1.0)?);
    let mut wire = |part: &str, operator: Box<dyn TypedOp>, inputs: &[OutletId]| {
        TractResult::Ok(patch.wire_node(format!("{name}.stable.{part}"), operator, inputs)?[0])
    };
    let distance = wire("distance", Box::new(math::abs()), &[x])?;
    let below = wire("below", Box::new(math::neg()), &[distance])?;
    let exponential = wire("exponential", Box::new(math::exp()), &[below])?;
    let sum = wire("sum", Box::new(math::add()), &[exponential, one])?;
    let logarithm = wire("logarithm", Box::new(math::ln()), &[sum])?;
    let smaller = wire("smaller", Box::new(math::min()), &[x, zero])?;
    wire("result", Box::new(math::sub()), &[smaller, logarithm])
}

/// ln Σ eˣ = m + ln Σ eˣ⁻ᵐ, where m is the maximum of x.
fn log_sum_exp(patch: &mut TypedModelPatch, name: &str, x: OutletId, axes: TVec<usize>) -> TractResult<OutletId> {
    let mut wire = |part: &str, operator: Box<dyn TypedOp>, inputs: &[OutletId]| {
        TractResult::Ok(patch.wire_node(format!("{name}.stable.{part}"), operator, inputs)?[0])
    };
    let maximum = wire("maximum", Box::new(Reduce::new(axes.clone(), Reducer::Max)), &[x])?;
    let below = wire("below", Box::new(math::sub()), &[x, maximum])?;
    let exponentials = wire("exponentials", Box::new(math::exp()), &[below])?;
    let sum = wire("sum", Box::new(Reduce::new(axes, Reducer::Sum)), &[exponentials])?;
    let logarithm = wire("logarithm", Box::new(math::ln()), &[sum])?;
    wire("result", Box::new(math::add()), &[logarithm, maximum])
}
