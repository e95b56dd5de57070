//! What graphs in float64 need: operators that tract computes in float32 only, and an optimisation that keeps every bit.

use tract_onnx::{
    Onnx,
    prelude::*,
    tract_core::{
        ops::{
            binary::TypedBinOp,
            element_wise::{ElementWiseMiniOp, ElementWiseOp},
            konst::Const,
            math::{IsNan, RoundHalfToEven},
            nn::Sigmoid,
        },
        optim::Optimizer,
    },
    tract_hir::ops::element_wise::ElementWiseIntoHir,
};

/// Makes `onnx` read `IsNaN` of float64.
pub(super) fn register(onnx: &mut Onnx) {
    onnx.op_register.insert("IsNaN", |_, _| Ok((ElementWiseOp(Box::new(IsNanOfAny), None).into_hir(), vec![])));
}

/// Replaces operators whose input is float64, where tract has them in float32 only.
pub(super) fn replace(model: &mut TypedModel) -> TractResult<()> {
    for node in 0..model.nodes().len() {
        let inputs = model.node(node).inputs.clone();
        let types = model.node_input_facts(node)?.iter().map(|fact| fact.datum_type).collect::<TVec<_>>();
        if !types.contains(&DatumType::F64) {
            continue;
        }
        if let Some(operator) = model.node(node).op_as::<ElementWiseOp>().and_then(Function::in_place_of) {
            model.node_mut(node).op = Box::new(ElementWiseOp(Box::new(operator), None));
        } else if model.node(node).op_is::<TypedBinOp>() {
            // `Gemm` multiplies by `alpha` and `beta`, which are float32.
            for (input, _) in inputs.iter().zip(types).filter(|(_, of)| *of != DatumType::F64) {
                widen(model, input.node)?;
            }
        }
    }
    Ok(())
}

/// Optimises as [`TypedModel::optimize`] does, without the pass that rewrites formulas. It would divide by multiplying with the
/// reciprocal, and the last bit of a scaled number can decide which branch a tree takes.
pub(super) fn optimize(model: &mut TypedModel) -> TractResult<()> {
    let mut optimizer = Optimizer::codegen();
    optimizer.passes.retain(|pass| format!("{pass:?}") != "declutter");
    model.optimize_with_session(&mut optimizer.session())
}

/// Makes a constant float64.
fn widen(model: &mut TypedModel, node: usize) -> TractResult<()> {
    let Some(constant) = model.node(node).op_as::<Const>().map(|constant| constant.val().clone()) else {
        return Ok(());
    };
    let wide = constant.cast_to_dt(DatumType::F64)?.into_owned().into_arc_tensor();
    model.set_outlet_fact(node.into(), TypedFact::try_from(wide.clone())?)?;
    model.node_mut(node).op = Box::new(Const::new(wide)?);
    Ok(())
}

/// A function of each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Sigmoid,
    RoundHalfToEven,
}

impl Function {
    fn in_place_of(operator: &ElementWiseOp) -> Option<Self> {
        if operator.0.is::<Sigmoid>() {
            Some(Self::Sigmoid)
        } else if operator.0.is::<RoundHalfToEven>() {
            Some(Self::RoundHalfToEven)
        } else {
            None
        }
    }
}

impl ElementWiseMiniOp for Function {
    fn name(&self) -> String {
        format!("{self:?}Float64")
    }

    fn eval_in_place(&self, numbers: &mut Tensor, _output: Option<DatumType>) -> TractResult<()> {
        let function: fn(f64) -> f64 = match self {
            Self::Sigmoid => |number| 1.0 / (1.0 + (-number).exp()),
            Self::RoundHalfToEven => f64::round_ties_even,
        };
        let mut numbers = numbers.try_as_plain_ram_mut()?;
        numbers.as_slice_mut::<f64>()?.iter_mut().for_each(|number| *number = function(*number));
        Ok(())
    }
}

/// `IsNaN` of any type. tract's own does not tell that its result for float64 is boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IsNanOfAny;

impl ElementWiseMiniOp for IsNanOfAny {
    fn name(&self) -> String {
        "IsNaN".to_owned()
    }

    fn output_type(&self, _input: DatumType) -> Option<DatumType> {
        Some(DatumType::Bool)
    }

    fn eval_out_of_place(&self, numbers: &Tensor, output: Option<DatumType>) -> TractResult<Tensor> {
        if numbers.datum_type() != DatumType::F64 {
            return IsNan {}.eval_out_of_place(numbers, output);
        }
        let tests: Vec<_> =
            numbers.try_as_plain_ram()?.as_slice::<f64>()?.iter().map(|number| number.is_nan()).collect();
        Tensor::from_shape(numbers.shape(), &tests)
    }
}
