//! Softmax over an axis that is not the last.

use tract_onnx::tract_core::{internal::*, ops::nn::Softmax};

/// tract's softmax, over the last axis, to which `axis` is moved and from which it is moved back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MovedSoftmax {
    axis: usize,
    over_the_last: Softmax,
}

/// `None` if the node is not a float32 softmax over one axis, or that axis is the last, for which tract has a kernel.
pub(super) fn replacement(model: &TypedModel, node: usize) -> Option<Box<dyn TypedOp>> {
    let softmax = model.node(node).op_as::<Softmax>()?;
    let facts = model.node_input_facts(node).ok()?;
    let ([axis], [fact]) = (&softmax.axes[..], &facts[..]) else { return None };
    let last = fact.rank() - 1;
    if fact.datum_type != f32::datum_type() || *axis == last {
        return None;
    }
    let over_the_last = Softmax { axes: tvec!(last), ..softmax.clone() };
    Some(Box::new(MovedSoftmax { axis: *axis, over_the_last }))
}

impl Op for MovedSoftmax {
    fn name(&self) -> StaticName {
        "MovedSoftmax".into()
    }

    op_as_typed_op!();
}

impl EvalOp for MovedSoftmax {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs).into_tensor();
        let last = input.rank() - 1;
        let moved = input.move_axis(self.axis, last)?;
        let normalized = args_1!(self.over_the_last.eval(context, tvec!(moved.into_tvalue()))?).into_tensor();
        Ok(tvec!(normalized.move_axis(last, self.axis)?.into_tvalue()))
    }
}

impl TypedOp for MovedSoftmax {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.over_the_last.output_facts(inputs)
    }

    as_op!();
}
