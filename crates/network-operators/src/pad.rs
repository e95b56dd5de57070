//! Padding with a constant, as in front of convolutions.

use tract_onnx::tract_core::{
    internal::*,
    ops::array::{Pad, PadMode},
};

/// tract's padding of a float32 tensor with a constant, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConstantPad(Pad);

/// `None` if the node is not a padding of a float32 tensor with a constant.
pub(super) fn replacement(model: &TypedModel, node: usize) -> Option<Box<dyn TypedOp>> {
    let pad = model.node(node).op_as::<Pad>()?;
    let facts = model.node_input_facts(node).ok()?;
    let replaces = facts[0].datum_type == f32::datum_type() && matches!(pad.mode, PadMode::Constant(_));
    replaces.then(|| Box::new(ConstantPad(pad.clone())) as _)
}

impl Op for ConstantPad {
    fn name(&self) -> StaticName {
        "ConstantPad".into()
    }

    op_as_typed_op!();
}

impl EvalOp for ConstantPad {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let Pad { pads, mode: PadMode::Constant(constant) } = &self.0 else { bail!("not a constant: {:?}", self.0) };
        let shape: TVec<usize> =
            input.shape().iter().zip(pads).map(|(of, (before, after))| before + of + after).collect();
        let mut padded = Tensor::zero::<f32>(&shape)?;
        let mut plain = padded.try_as_plain_ram_mut()?;
        let numbers = plain.as_slice_mut::<f32>()?;
        numbers.fill(constant.cast_to_scalar()?);
        copy(input.try_as_plain_ram()?.as_slice()?, input.shape(), numbers, &shape, pads);
        Ok(tvec!(padded.into_tvalue()))
    }
}

/// Copies the numbers of a tensor of shape `from` into one of shape `to`, behind the pads of each axis.
fn copy(numbers: &[f32], from: &[usize], padded: &mut [f32], to: &[usize], pads: &[(usize, usize)]) {
    let ([of, from @ ..], [padded_of, to @ ..], [(before, _), pads @ ..]) = (from, to, pads) else {
        padded.copy_from_slice(numbers);
        return;
    };
    if numbers.is_empty() {
        return;
    }
    if from.is_empty() {
        padded[*before..before + of].copy_from_slice(numbers);
        return;
    }
    let (part, padded_part) = (numbers.len() / of, padded.len() / padded_of);
    for (numbers, padded) in numbers.chunks_exact(part).zip(padded.chunks_exact_mut(padded_part).skip(*before)) {
        copy(numbers, from, padded, to, pads);
    }
}

impl TypedOp for ConstantPad {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.output_facts(inputs)
    }

    as_op!();
}
