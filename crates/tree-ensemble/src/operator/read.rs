//! Reads the attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`.

use std::{borrow::Cow, sync::Arc};

use tract_onnx::{model::ParsingContext, pb::NodeProto, tract_hir::internal::*};

use super::{model::Model, typed::Labels};
use crate::{
    attributes::{Aggregate, CLASS, Mode, Nodes, PostTransform, TARGET, WeightNames, Weights},
    classifier::{Classifier, WeightsOf},
    error::{AttributeError, Result},
    forest::{Forest, resolve},
    number::Number,
    regressor::Regressor,
};

/// Numbers in the type that they have in the file.
pub(super) enum Floats<'a> {
    F32(Cow<'a, [f32]>),
    F64(Vec<f64>),
}

impl Floats<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    pub(super) fn widen(self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|&value| value.into()).collect(),
            Self::F64(values) => values,
        }
    }
}

/// The attributes that both operators have.
pub(super) struct Common<'a> {
    pub(super) node: &'a NodeProto,
    pub(super) modes: Vec<Mode>,
    pub(super) values: Floats<'a>,
    pub(super) weights: Floats<'a>,
    pub(super) base_values: Floats<'a>,
    pub(super) post_transform: PostTransform,
    pub(super) names: &'static WeightNames,
}

pub(super) fn classifier(context: &ParsingContext, node: &NodeProto) -> TractResult<(Model, Arc<Labels>)> {
    let common = Common::classifier(context, node)?;
    let labels = labels(node)?;
    let model = common.build(labels.len(), Classify, Model::Classifier32, Model::Classifier64)?;
    Ok((model, Arc::new(labels)))
}

pub(super) fn regressor(context: &ParsingContext, node: &NodeProto) -> TractResult<Model> {
    let common = Common::regressor(context, node)?;
    let aggregate = aggregate(node)?;
    let targets = common.targets()?;
    common.build(targets, Regress(aggregate), Model::Regressor32, Model::Regressor64)
}

pub(super) fn aggregate(node: &NodeProto) -> TractResult<Aggregate> {
    Ok(node.get_attr_opt("aggregate_function")?.map_or(Ok(Aggregate::Sum), Aggregate::parse)?)
}

/// The attribute `n_targets`. Each target must have a weight or a base value, so that a small file cannot demand a large output.
pub(super) fn targets(node: &NodeProto, weights: usize) -> TractResult<usize> {
    let given = node.get_attr_opt::<i64>("n_targets")?.unwrap_or(1);
    match usize::try_from(given) {
        Ok(targets) if (1..=weights).contains(&targets) => Ok(targets),
        _ => Err(AttributeError::new(
            "n_targets",
            format!("must be at least 1 and at most the number of weights ({weights}), not {given}"),
        )
        .into()),
    }
}

pub(super) fn labels(node: &NodeProto) -> TractResult<Labels> {
    let numbers = node.get_attr_opt_slice::<i64>("classlabels_int64s")?.filter(|labels| !labels.is_empty());
    let texts = node.get_attr_opt_tvec::<String>("classlabels_strings")?.filter(|labels| !labels.is_empty());
    match (numbers, texts) {
        (Some(labels), None) => Ok(Labels::Numbers(labels.to_vec())),
        (None, Some(labels)) => Ok(Labels::Texts(labels.into_vec())),
        (None, None) => bail!("classlabels_int64s or classlabels_strings: one of them is required"),
        (Some(_), Some(_)) => bail!("classlabels_int64s and classlabels_strings: only one of them is allowed"),
    }
}

pub(super) fn integers<'a>(node: &'a NodeProto, name: &str) -> TractResult<&'a [i64]> {
    Ok(node.get_attr_opt_slice::<i64>(name)?.unwrap_or_default())
}

/// A list of float32, or the tensor that can replace it. Empty if the node has neither.
pub(super) fn floats<'a>(
    context: &ParsingContext,
    node: &'a NodeProto,
    name: &'static str,
    tensor_name: &'static str,
) -> TractResult<Floats<'a>> {
    let list = node.get_attr_opt_slice::<f32>(name)?.unwrap_or_default();
    match tensor(context, node, tensor_name)? {
        None => Ok(Floats::F32(Cow::Borrowed(list))),
        Some(floats) if floats.len() == 0 => Ok(Floats::F32(Cow::Borrowed(list))),
        Some(_) if !list.is_empty() => bail!("{name} and {tensor_name}: only one of them is allowed"),
        Some(floats) => Ok(floats),
    }
}

/// A tensor of float32 or float64.
pub(super) fn tensor(
    context: &ParsingContext,
    node: &NodeProto,
    name: &'static str,
) -> TractResult<Option<Floats<'static>>> {
    let Some(proto) = node.get_attr_opt::<&tract_onnx::pb::TensorProto>(name)? else {
        return Ok(None);
    };
    let tensor = context.load_tensor(proto).with_context(|| format!("{name}: not a tensor"))?;
    match tensor.datum_type() {
        DatumType::F32 => Ok(Some(Floats::F32(Cow::Owned(tensor.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())))),
        DatumType::F64 => Ok(Some(Floats::F64(tensor.try_as_plain_ram()?.as_slice::<f64>()?.to_vec()))),
        other => bail!("{name}: must be float32 or float64, not {other:?}"),
    }
}

impl<'a> Common<'a> {
    pub(super) fn classifier(context: &ParsingContext, node: &'a NodeProto) -> TractResult<Self> {
        Self::read(context, node, &CLASS, "class_weights_as_tensor")
    }

    pub(super) fn regressor(context: &ParsingContext, node: &'a NodeProto) -> TractResult<Self> {
        Self::read(context, node, &TARGET, "target_weights_as_tensor")
    }

    /// The number of a regressor's targets.
    pub(super) fn targets(&self) -> TractResult<usize> {
        targets(self.node, self.weights.len().max(self.base_values.len()))
    }

    fn read(
        context: &ParsingContext,
        node: &'a NodeProto,
        names: &'static WeightNames,
        weights_as_tensor: &'static str,
    ) -> TractResult<Self> {
        let modes = node.get_attr_opt_slice::<Vec<u8>>("nodes_modes")?.unwrap_or_default();
        Ok(Self {
            node,
            modes: modes.iter().map(|name| Mode::parse(name)).collect::<Result<_>>()?,
            values: floats(context, node, "nodes_values", "nodes_values_as_tensor")?,
            weights: floats(context, node, names.values, weights_as_tensor)?,
            base_values: floats(context, node, "base_values", "base_values_as_tensor")?,
            post_transform: node
                .get_attr_opt("post_transform")?
                .map_or(Ok(PostTransform::None), PostTransform::parse)?,
            names,
        })
    }

    /// Builds the model in float64 if any of the attributes is float64.
    fn build<B: Build>(
        self,
        targets: usize,
        build: B,
        narrow: impl FnOnce(B::Output<f32>) -> Model,
        wide: impl FnOnce(B::Output<f64>) -> Model,
    ) -> TractResult<Model> {
        let Self { node, modes, values, weights, base_values, post_transform, names } = self;
        match (values, weights, base_values) {
            (Floats::F32(values), Floats::F32(weights), Floats::F32(base)) => Ok(narrow(build.build(
                nodes(node, &modes, &values)?,
                leaf_weights(node, names, &weights)?,
                base.into_owned(),
                targets,
                post_transform,
            )?)),
            (values, weights, base) => Ok(wide(build.build(
                nodes(node, &modes, &values.widen())?,
                leaf_weights(node, names, &weights.widen())?,
                base.widen(),
                targets,
                post_transform,
            )?)),
        }
    }
}

pub(super) fn nodes<'a, T>(node: &'a NodeProto, modes: &'a [Mode], values: &'a [T]) -> TractResult<Nodes<'a, T>> {
    Ok(Nodes {
        tree_ids: integers(node, "nodes_treeids")?,
        node_ids: integers(node, "nodes_nodeids")?,
        feature_ids: integers(node, "nodes_featureids")?,
        modes,
        values,
        missing_tracks_true: integers(node, "nodes_missing_value_tracks_true")?,
        true_ids: integers(node, "nodes_truenodeids")?,
        false_ids: integers(node, "nodes_falsenodeids")?,
    })
}

pub(super) fn leaf_weights<'a, T>(
    node: &'a NodeProto,
    names: &'static WeightNames,
    values: &'a [T],
) -> TractResult<Weights<'a, T>> {
    Ok(Weights {
        names,
        tree_ids: integers(node, names.tree_ids)?,
        node_ids: integers(node, names.node_ids)?,
        target_ids: integers(node, names.target_ids)?,
        values,
    })
}

/// Builds a model from its attributes in either number type.
trait Build {
    type Output<T: Copy>;

    fn build<T: Number>(
        &self,
        nodes: Nodes<'_, T>,
        weights: Weights<'_, T>,
        base_values: Vec<T>,
        targets: usize,
        post_transform: PostTransform,
    ) -> Result<Self::Output<T>>;
}

struct Classify;

impl Build for Classify {
    type Output<T: Copy> = Classifier<T>;

    fn build<T: Number>(
        &self,
        nodes: Nodes<'_, T>,
        weights: Weights<'_, T>,
        base_values: Vec<T>,
        targets: usize,
        post_transform: PostTransform,
    ) -> Result<Classifier<T>> {
        let forest = Forest::new(&resolve(nodes, weights, targets)?, targets)?;
        Classifier::new(forest, base_values, post_transform, WeightsOf::new(weights.target_ids, weights.values))
    }
}

struct Regress(Aggregate);

impl Build for Regress {
    type Output<T: Copy> = Regressor<T>;

    fn build<T: Number>(
        &self,
        nodes: Nodes<'_, T>,
        weights: Weights<'_, T>,
        base_values: Vec<T>,
        targets: usize,
        post_transform: PostTransform,
    ) -> Result<Regressor<T>> {
        let forest = Forest::new(&resolve(nodes, weights, targets)?, targets)?;
        Regressor::new(forest, base_values, self.0, post_transform)
    }
}
