//! Prepares a graph to run. tract's optimiser simplifies a graph, and chooses and fuses kernels. Recurrent networks
//! are several times faster with it; tabular models are no faster, while their cold start waits twice as long.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use tract_onnx::{
    prelude::*,
    tract_core::ops::{
        cnn::{Conv, Deconv},
        einsum::EinSum,
        scan::Scan,
    },
};

use super::float64;

/// A graph that is ready to run.
pub(super) struct Prepared {
    pub(super) runnable: Arc<TypedRunnableModel>,
    /// Whether tract's optimiser has simplified it, which can change the last bits of its numbers.
    pub(super) is_simplified: bool,
    /// Whether logarithms in it have been [replaced](network_operators::stabilize_logarithms).
    pub(super) has_stable_logarithms: bool,
}

/// Prepares a graph, preferably in the way in which it is expected to run fastest, or else in the other. `model` makes the graph, and says
/// whether it calculates in float64: such a graph is never simplified ([`float64::optimize`]).
///
/// # Errors
///
/// The reason why the preferred way fails, if both do.
pub(super) fn prepare(model: impl Fn() -> TractResult<(TypedModel, bool)>) -> TractResult<Prepared> {
    let model = || {
        let (mut typed, in_float64) = model()?;
        let has_stable_logarithms = network_operators::stabilize_logarithms(&mut typed)?;
        TractResult::Ok((typed, in_float64, has_stable_logarithms))
    };
    let (typed, in_float64, has_stable_logarithms) = model()?;
    let is_simplified = !in_float64 && gains_by_simplification(&typed);
    let preferred = attempt(typed, in_float64, is_simplified);
    let (runnable, is_simplified) = match preferred {
        Err(_) if !in_float64 => attempt(model()?.0, in_float64, !is_simplified).or(preferred),
        prepared => prepared,
    }?;
    Ok(Prepared { runnable, is_simplified, has_stable_logarithms })
}

/// The runnable graph, and whether it is simplified.
fn attempt(
    mut model: TypedModel,
    in_float64: bool,
    is_simplified: bool,
) -> TractResult<(Arc<TypedRunnableModel>, bool)> {
    let prepared = panic::catch_unwind(AssertUnwindSafe(|| {
        if is_simplified {
            model = model.into_optimized()?;
            network_operators::replace(&mut model);
            return model.into_runnable();
        }
        matrix_product::replace(&mut model);
        match in_float64 {
            true => float64::optimize(&mut model)?,
            false => model.optimize()?,
        }
        model.into_runnable()
    }));
    let runnable = prepared.map_err(|_| TractError::msg("tract panicked on it"))??;
    Ok((runnable, is_simplified))
}

/// Whether the graph has recurrence, a convolution, or a product of two computed tensors, as attention has.
fn gains_by_simplification(model: &TypedModel) -> bool {
    model.nodes().iter().any(|node| {
        let are_computed = || {
            let facts = model.node_input_facts(node.id);
            facts.is_ok_and(|facts| facts.iter().all(|fact| fact.konst.is_none() && fact.datum_type.is_float()))
        };
        node.op_is::<Scan>()
            || node.op_is::<Conv>()
            || node.op_is::<Deconv>()
            || (node.op_is::<EinSum>() && node.inputs.len() > 1 && are_computed())
    })
}

#[cfg(test)]
mod tests {
    use test_support::onnx::Onnx as File;
    use tract_onnx::tract_core::{internal::*, ops::cnn::PoolSpec};

    use super::*;

    /// A file's graph for one row of `columns` numbers.
    fn typed(file: &[u8], columns: usize) -> TractResult<TypedModel> {
        let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
        let model = onnx.model_for_read(&mut std::io::Cursor::new(file))?;
        model.with_input_fact(0, f32::fact([1, columns]).into())?.into_typed()
    }

    fn is_simplified(file: File, of: usize) -> bool {
        let file = file.file("y", of);
        prepare(|| Ok((typed(&file, 4)?, false))).expect("prepared").is_simplified
    }

    #[test]
    fn recurrence_convolution_and_attention_are_simplified_and_tabular_models_are_not() {
        let numbers = |count: usize| vec![0.1; count];
        let tabular = File::new(4)
            .constant("weights", &[4, 3], &numbers(12))
            .node("MatMul", &["x", "weights"], "scores", &[])
            .node("Softmax", &["scores"], "y", &[("axis", 1)]);
        assert!(!is_simplified(tabular, 3));
        let steps = || File::new(4).integers("shape", &[3], &[4, 1, 1]).node("Reshape", &["x", "shape"], "steps", &[]);
        let recurrent = steps().constant("w", &[1, 8, 1], &numbers(8)).constant("r", &[1, 8, 2], &numbers(16)).node(
            "LSTM",
            &["steps", "w", "r"],
            "y",
            &[("hidden_size", 2)],
        );
        assert!(is_simplified(recurrent, 2));
        let convolution = File::new(4)
            .integers("shape", &[3], &[-1, 1, 4])
            .node("Reshape", &["x", "shape"], "signal", &[])
            .constant("kernel", &[2, 1, 3], &numbers(6))
            .node("Conv", &["signal", "kernel"], "y", &[]);
        assert!(is_simplified(convolution, 2));
        let attention = File::new(4)
            .integers("shape", &[3], &[-1, 2, 2])
            .node("Reshape", &["x", "shape"], "tokens", &[])
            .node("MatMul", &["tokens", "tokens"], "y", &[]);
        assert!(is_simplified(attention, 2));
    }

    #[test]
    fn an_optimised_graph_has_operators_of_our_own() {
        let file = File::new(4)
            .integers("shape", &[3], &[1, 2, 2])
            .node("Reshape", &["x", "shape"], "signal", &[])
            .constant("kernel", &[2, 2, 3], &[0.1; 12])
            .node("Pad", &["signal", "pads"], "padded", &[])
            .integers("pads", &[6], &[0, 0, 1, 0, 0, 1])
            .node("Conv", &["padded", "kernel"], "channels", &[])
            .node("Softmax", &["channels"], "y", &[("axis", 1)])
            .file("y", 2);
        let prepared = prepare(|| Ok((typed(&file, 4)?, false))).expect("prepared");
        let names: Vec<_> = prepared.runnable.model().nodes().iter().map(|node| node.op().name()).collect();
        assert!(names.iter().any(|name| name == "MovedSoftmax"), "{names:?}");
        assert!(names.iter().any(|name| name == "ConstantPad"), "{names:?}");
    }

    /// An operator that the optimiser fails on.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Stubborn;

    impl Op for Stubborn {
        fn name(&self) -> StaticName {
            "Stubborn".into()
        }

        op_as_typed_op!();
    }

    impl EvalOp for Stubborn {
        op_out_of_plan!();

        fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
            Ok(inputs)
        }
    }

    impl TypedOp for Stubborn {
        fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
            Ok(tvec!(inputs[0].without_value()))
        }

        fn suggested_axis_changes(&self) -> TractResult<TVec<(InOut, AxisOp)>> {
            panic!("as tract does on some graphs")
        }

        as_op!();
    }

    /// A convolution behind the stubborn operator.
    fn stubborn() -> TractResult<TypedModel> {
        let mut model = TypedModel::default();
        let input = model.add_source("x", f32::fact([1, 1, 4]))?;
        let stubborn = model.wire_node("stubborn", Stubborn, &[input])?;
        let kernel = model.add_const("kernel", tensor3(&[[[1_f32, 2.0, 3.0]]]))?;
        let bias = model.add_const("bias", tensor1(&[0_f32]))?;
        let mut pool =
            PoolSpec { kernel_shape: tvec!(3), input_channels: 1, output_channels: 1, ..PoolSpec::default() };
        pool.strides = None;
        let convolution = Conv { pool_spec: pool, kernel_fmt: Default::default(), group: 1, q_params: None };
        let output = model.wire_node("y", convolution, &[stubborn[0], kernel, bias])?;
        model.select_output_outlets(&output)?;
        Ok(model)
    }

    #[test]
    fn a_graph_that_the_optimiser_fails_on_is_prepared_without_it() {
        let prepared = prepare(|| Ok((stubborn()?, false))).expect("prepared");
        assert!(!prepared.is_simplified);
        let outputs =
            prepared.runnable.run(tvec!(tensor3(&[[[1_f32, 1.0, 1.0, 2.0]]]).into_tvalue())).expect("it runs");
        assert_eq!(*outputs[0], tensor3(&[[[6_f32, 9.0]]]));
    }
}
