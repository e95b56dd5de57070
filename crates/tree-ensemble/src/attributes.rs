//! The attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor` as in the file, unchecked.

use crate::error::{AttributeError, Result};

/// How a node compares a feature with the node's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Leaf,
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    /// Only in `TreeEnsemble`: whether the feature is in a set of values.
    Member,
}

impl Mode {
    pub(crate) fn parse(name: &[u8]) -> Result<Self> {
        Ok(match name {
            b"LEAF" => Self::Leaf,
            b"BRANCH_LEQ" => Self::LessOrEqual,
            b"BRANCH_LT" => Self::Less,
            b"BRANCH_GTE" => Self::GreaterOrEqual,
            b"BRANCH_GT" => Self::Greater,
            b"BRANCH_EQ" => Self::Equal,
            b"BRANCH_NEQ" => Self::NotEqual,
            _ => return Err(unknown("nodes_modes", name)),
        })
    }
}

/// How the weights of the reached leaves become one score per target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

impl Aggregate {
    pub(crate) fn parse(name: &[u8]) -> Result<Self> {
        Ok(match name {
            b"SUM" => Self::Sum,
            b"AVERAGE" => Self::Average,
            b"MIN" => Self::Min,
            b"MAX" => Self::Max,
            _ => return Err(unknown("aggregate_function", name)),
        })
    }
}

/// The final transformation of a row of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    pub(crate) fn parse(name: &[u8]) -> Result<Self> {
        Ok(match name {
            b"NONE" => Self::None,
            b"SOFTMAX" => Self::Softmax,
            b"LOGISTIC" => Self::Logistic,
            b"SOFTMAX_ZERO" => Self::SoftmaxZero,
            b"PROBIT" => Self::Probit,
            _ => return Err(unknown("post_transform", name)),
        })
    }
}

fn unknown(attribute: &'static str, name: &[u8]) -> AttributeError {
    let name: String = String::from_utf8_lossy(name).chars().take(40).collect();
    AttributeError::new(attribute, format!("unknown value {name:?}"))
}

/// The attributes `nodes_…`, each with one entry per node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nodes<'a, T> {
    pub(crate) tree_ids: &'a [i64],
    pub(crate) node_ids: &'a [i64],
    pub(crate) feature_ids: &'a [i64],
    pub(crate) modes: &'a [Mode],
    pub(crate) values: &'a [T],
    /// 1 where a missing value goes to the true child. May be empty.
    pub(crate) missing_tracks_true: &'a [i64],
    pub(crate) true_ids: &'a [i64],
    pub(crate) false_ids: &'a [i64],
}

/// The attributes `class_…` or `target_…`, each with one entry per weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    pub(crate) names: &'static WeightNames,
    pub(crate) tree_ids: &'a [i64],
    pub(crate) node_ids: &'a [i64],
    pub(crate) target_ids: &'a [i64],
    pub(crate) values: &'a [T],
}

/// The attribute names of [`Weights`], for errors.
#[derive(Debug)]
pub(crate) struct WeightNames {
    pub(crate) tree_ids: &'static str,
    pub(crate) node_ids: &'static str,
    pub(crate) target_ids: &'static str,
    pub(crate) values: &'static str,
}

pub(crate) static CLASS: WeightNames = WeightNames {
    tree_ids: "class_treeids",
    node_ids: "class_nodeids",
    target_ids: "class_ids",
    values: "class_weights",
};

pub(crate) static TARGET: WeightNames = WeightNames {
    tree_ids: "target_treeids",
    node_ids: "target_nodeids",
    target_ids: "target_ids",
    values: "target_weights",
};
