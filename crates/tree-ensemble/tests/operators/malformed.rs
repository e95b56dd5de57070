//! A malformed attribute is an error at load that names the attribute.

use crate::support::{Attributes, classifier, load, regressor};

fn refused(operator: &str, attributes: &Attributes, name: &str, problem: &str) {
    let error = match load(operator, attributes, 2) {
        Ok(_) => panic!("{name}: {problem}: accepted"),
        Err(error) => format!("{error:#}"),
    };
    assert!(error.contains(name) && error.contains(problem), "{name}: {problem}: {error}");
}

fn regressor_refused(attributes: Attributes, name: &str, problem: &str) {
    refused("TreeEnsembleRegressor", &attributes, name, problem);
}

#[test]
fn lists_of_different_lengths() {
    for name in ["nodes_treeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids"] {
        regressor_refused(regressor().ints(name, &[0, 0]), name, "has 2 entries, but nodes_nodeids has 6");
        regressor_refused(regressor().without(name), name, "has 0 entries");
    }
    for name in ["target_treeids", "target_nodeids"] {
        regressor_refused(regressor().ints(name, &[0, 0]), name, "has 2 entries, but target_ids has 4");
    }
    regressor_refused(regressor().ints("nodes_missing_value_tracks_true", &[1]), "tracks_true", "has 1 entries");
    regressor_refused(regressor().strings("nodes_modes", &["LEAF"]), "nodes_modes", "has 1 entries");
    regressor_refused(regressor().floats("nodes_values", &[1.0]), "nodes_values", "has 1 entries");
    regressor_refused(regressor().floats("target_weights", &[1.0]), "target_weights", "has 1 entries");
}

#[test]
fn empty_attributes() {
    refused("TreeEnsembleRegressor", &Attributes::default().int("n_targets", 1), "n_targets", "");
    refused("TreeEnsembleClassifier", &Attributes::default(), "classlabels_int64s", "one of them is required");
    let mut empty = regressor().floats("base_values", &[1.0]);
    for name in ["treeids", "nodeids", "featureids", "truenodeids", "falsenodeids"] {
        empty = empty.ints(&format!("nodes_{name}"), &[]);
    }
    empty = empty.strings("nodes_modes", &[]).floats("nodes_values", &[]);
    regressor_refused(empty, "nodes_nodeids", "not 0");
    let weightless = regressor()
        .ints("target_treeids", &[])
        .ints("target_nodeids", &[])
        .ints("target_ids", &[])
        .floats("target_weights", &[])
        .floats("base_values", &[1.0]);
    regressor_refused(weightless, "target_ids", "not 0");
}

#[test]
fn attributes_of_the_wrong_type() {
    regressor_refused(regressor().string("nodes_treeids", "0"), "nodes_treeids", "");
    regressor_refused(regressor().ints("nodes_values", &[0; 6]), "nodes_values", "");
    regressor_refused(regressor().bytes("nodes_values_as_tensor", &[0; 6]), "nodes_values_as_tensor", "float64");
    regressor_refused(regressor().doubles("nodes_values_as_tensor", &[0.0; 6]), "nodes_values", "only one");
}

#[test]
fn children_outside_the_tree() {
    for child in [5, -1, i64::MIN, i64::MAX] {
        regressor_refused(regressor().ints("nodes_truenodeids", &[child, 0, 3, 0, 0, 0]), "nodes_truenodeids", "child");
        regressor_refused(
            regressor().ints("nodes_falsenodeids", &[2, 0, child, 0, 0, 0]),
            "nodes_falsenodeids",
            "node 2 of tree 0 has the child",
        );
    }
}

#[test]
fn cycles() {
    let itself = regressor().ints("nodes_truenodeids", &[0, 0, 3, 0, 0, 0]);
    regressor_refused(itself, "nodes_nodeids", "cannot be reached");
    let root = regressor().ints("nodes_falsenodeids", &[2, 0, 0, 0, 0, 0]);
    regressor_refused(root, "nodes_nodeids", "cannot be reached");
    // All nodes are reachable, and two are each other's descendants.
    let cycle = Attributes::default()
        .ints("nodes_treeids", &[0; 4])
        .ints("nodes_nodeids", &[0, 1, 2, 3])
        .ints("nodes_featureids", &[0; 4])
        .strings("nodes_modes", &["BRANCH_LEQ", "BRANCH_LEQ", "BRANCH_LEQ", "LEAF"])
        .floats("nodes_values", &[0.0; 4])
        .ints("nodes_truenodeids", &[1, 2, 1, 0])
        .ints("nodes_falsenodeids", &[3, 3, 3, 0])
        .ints("target_treeids", &[0])
        .ints("target_nodeids", &[3])
        .ints("target_ids", &[0])
        .floats("target_weights", &[1.0])
        .int("n_targets", 1);
    regressor_refused(cycle, "nodes_truenodeids", "part of a cycle");
}

#[test]
fn unreachable_nodes() {
    let unreachable = regressor().ints("nodes_truenodeids", &[1, 0, 4, 0, 0, 0]);
    regressor_refused(unreachable, "nodes_nodeids", "node 3 of tree 0 cannot be reached");
}

#[test]
fn duplicate_nodes_and_trees() {
    regressor_refused(regressor().ints("nodes_nodeids", &[0, 1, 2, 3, 3, 0]), "nodes_nodeids", "two nodes with id 3");
    let apart = regressor().ints("nodes_treeids", &[0, 0, 0, 0, 1, 0]);
    regressor_refused(apart, "nodes_treeids", "are not contiguous");
}

#[test]
fn weights_of_unknown_nodes_and_targets() {
    regressor_refused(regressor().ints("target_treeids", &[0, 0, 0, 2]), "target_treeids", "tree 2");
    regressor_refused(regressor().ints("target_nodeids", &[1, 3, 9, 0]), "target_nodeids", "node 9 of tree 0");
    regressor_refused(regressor().ints("target_nodeids", &[1, 3, 4, 1]), "target_nodeids", "node 1 of tree 1");
    for id in [1, -1, i64::MAX] {
        regressor_refused(regressor().ints("target_ids", &[0, 0, 0, id]), "target_ids", "must be from 0 to 0");
    }
    refused(
        "TreeEnsembleClassifier",
        &classifier().ints("class_ids", &[0, 0, 0, 2]),
        "class_ids",
        "must be from 0 to 1",
    );
}

#[test]
fn features_outside_the_input() {
    let with = |id| regressor().ints("nodes_featureids", &[0, 0, id, 0, 0, 0]);
    regressor_refused(with(2), "nodes_featureids", "feature 2 is read, but the input has 2 columns");
    regressor_refused(with(1_000_000), "nodes_featureids", "");
    regressor_refused(with(-1), "nodes_featureids", "reads feature -1");
    regressor_refused(with(i64::MAX), "nodes_featureids", "");
}

#[test]
fn unknown_names() {
    let modes = regressor().strings("nodes_modes", &["BRANCH_LIKE", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"]);
    regressor_refused(modes, "nodes_modes", "BRANCH_LIKE");
    regressor_refused(regressor().string("aggregate_function", "MEDIAN"), "aggregate_function", "MEDIAN");
    regressor_refused(regressor().string("post_transform", "SIGMOID"), "post_transform", "SIGMOID");
}

#[test]
fn invalid_values() {
    regressor_refused(regressor().floats("nodes_values", &[f32::NAN; 6]), "nodes_values", "NaN");
    let tracks = regressor().ints("nodes_missing_value_tracks_true", &[2; 6]);
    regressor_refused(tracks, "nodes_missing_value_tracks_true", "0 or 1");
}

#[test]
fn wrong_numbers_of_targets_labels_and_base_values() {
    for targets in [0, -1, 5, i64::MAX] {
        regressor_refused(regressor().int("n_targets", targets), "n_targets", "must be at least 1 and at most");
    }
    regressor_refused(regressor().floats("base_values", &[1.0, 2.0]), "base_values", "has 2 entries for 1 targets");
    let base = |values: &[f32]| classifier().floats("base_values", values);
    refused("TreeEnsembleClassifier", &base(&[1.0; 3]), "base_values", "has 3 entries for 2 classes");
    let three = base(&[1.0]).ints("classlabels_int64s", &[1, 2, 3]);
    refused("TreeEnsembleClassifier", &three, "base_values", "has 1 entries for 3 classes");
    let both = classifier().strings("classlabels_strings", &["a", "b"]);
    refused("TreeEnsembleClassifier", &both, "classlabels_strings", "only one");
    refused("TreeEnsembleClassifier", &classifier().without("classlabels_int64s"), "classlabels", "required");
}
