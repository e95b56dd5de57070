//! The ONNX graph, prepared for what the signature feeds it and reads of it.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::OnceLock,
};

use model_package::{Draw, Input, ModelError, Output, Signature, Size, Tensor};
use tract_onnx::{
    pb::ModelProto,
    prelude::{InferenceModel, ToDim, TractResult},
};

use super::{
    graph_file::GraphFile,
    interface::{InputFact, Interface, typed},
    prepare::{Prepared, prepare},
    rows::{Rows, Unbatchable},
    run::{run, split},
    tensors::datum_type,
};

/// A graph that maps rows to rows: tensors whose first dimension is that of the batch.
pub(super) struct Graph {
    /// For one row.
    prepared: Prepared,
    /// The graph as read, from which `batched` is prepared. Its constants and trees are shared with `prepared`.
    read: InferenceModel,
    interface: Interface,
    /// For many rows, prepared on first use. `None` if the graph accepts only one row.
    batched: OnceLock<Option<Rows>>,
    feature_names: Option<String>,
    quantised: Vec<String>,
}

impl Graph {
    /// Prepares the graph for what the signature feeds it and reads of it.
    ///
    /// # Errors
    ///
    /// If the graph cannot be prepared.
    pub(super) fn prepare(mut file: GraphFile, signature: &Signature) -> Result<Self, String> {
        // It can be as large as the model.
        file.proto = ModelProto::default();
        let unknown = match &file.unknown[..] {
            [] => String::new(),
            unknown => format!("tract does not know {}; ", unknown.join(", ")),
        };
        panic::catch_unwind(AssertUnwindSafe(|| Self::new(file, signature)))
            .map_err(|_| format!("cannot be prepared: {unknown}tract panicked on it"))?
            .map_err(|error| format!("cannot be prepared: {unknown}{error:#}"))
    }

    fn new(GraphFile { model, quantised, .. }: GraphFile, signature: &Signature) -> TractResult<Self> {
        let names = model.properties.get("onnx.metadata_props.feature_names");
        let feature_names = names.and_then(|names| Some(names.to_plain_array_view::<String>().ok()?.first()?.clone()));
        let size = |size: &Size<'_>| match size {
            Size::Fixed(size) => size.to_dim(),
            Size::Named(name) => model.symbols.sym(name).to_dim(),
        };
        let fields = signature.fields();
        let inputs = signature.inputs().iter().map(|input| InputFact {
            datum_type: datum_type(input.datatype()),
            shape: input.shape(fields).iter().map(size).collect(),
            is_batched: input.is_batched(fields),
        });
        let interface = Interface {
            inputs: inputs.collect(),
            outputs: signature.outputs().to_vec(),
            of_integers: signature.precision_of_integers(),
            has_batch: signature.has_batch(),
        };
        let prepared = prepare(|| typed(model.clone(), &interface, &1.to_dim()))?;
        Ok(Self { prepared, read: model, interface, batched: OnceLock::new(), feature_names, quantised })
    }

    /// The metadata entry `feature_names`, as JSON text.
    pub(super) fn feature_names(&self) -> Option<&str> {
        self.feature_names.as_deref()
    }

    /// The operators that calculate with quantised numbers, each once.
    pub(super) fn quantised(&self) -> &[String] {
        &self.quantised
    }

    /// Whether the graph has been [simplified](Prepared::is_simplified).
    pub(super) fn is_simplified(&self) -> bool {
        self.prepared.is_simplified
    }

    /// Whether its logarithms have been [replaced](Prepared::has_stable_logarithms).
    pub(super) fn has_stable_logarithms(&self) -> bool {
        self.prepared.has_stable_logarithms
    }

    /// Whether each output that is read has one shape for every row.
    pub(super) fn has_fixed_shapes(&self) -> Vec<bool> {
        let model = self.prepared.runnable.model();
        let is_fixed = |output| model.output_fact(output).is_ok_and(|fact| fact.shape.as_concrete().is_some());
        (0..self.interface.outputs.len()).map(is_fixed).collect()
    }

    /// Runs the graph on one row.
    ///
    /// # Errors
    ///
    /// If the graph fails, or an output is not numeric.
    pub(super) fn run(&self, row: &[Tensor]) -> Result<Output, ModelError> {
        let outputs = run(&self.prepared.runnable, row)?;
        if self.interface.has_batch {
            return split(&outputs, self.interface.of_integers, 1).map(|mut rows| rows.remove(0));
        }
        Ok(Output::new(outputs, self.interface.of_integers))
    }

    /// The graph for `count` rows at once, or why each row needs a run of its own. It is tried on drawn inputs, which `feed` makes rows.
    pub(super) fn together(
        &self,
        count: usize,
        draw: impl Fn(Draw) -> Input,
        feed: impl Fn(&[&Input]) -> Option<Vec<Tensor>>,
    ) -> Result<&Rows, &Unbatchable> {
        if self.interface.inputs.iter().any(|input| !input.is_batched) {
            return Err(&Unbatchable::OneRowOnly);
        }
        let size = |row: &[Tensor]| row.iter().map(Tensor::len).sum();
        let prepared = || self.prepare_batched(feed(&[&draw(Draw::Smallest)]).as_deref().map_or(1, size));
        let rows = self.batched.get_or_init(prepared).as_ref().ok_or(&Unbatchable::OneRowOnly)?;
        rows.are_independent(count, |row| self.run(row), draw, feed).map(|()| rows)
    }

    /// `size` is the number of numbers of a row.
    fn prepare_batched(&self, size: usize) -> Option<Rows> {
        // A dimension of the graph may have this name.
        let rows = self.read.symbols.new_with_prefix("N").to_dim();
        let batched =
            panic::catch_unwind(AssertUnwindSafe(|| prepare(|| typed(self.read.clone(), &self.interface, &rows))));
        Some(Rows::new(batched.ok()?.ok()?.runnable, self.interface.of_integers, size))
    }
}
