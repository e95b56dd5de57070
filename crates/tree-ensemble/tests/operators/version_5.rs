//! `TreeEnsemble` of version 5.

use tract_onnx::prelude::*;

use crate::support::{Attributes, floats, load, load_as, run};

/// Gives 1 to target 0 if x0 is 1, 2.5 or 3; else, to target 1, 2 if x1 < 0, else 4.
fn members() -> Attributes {
    Attributes::default()
        .int("n_targets", 2)
        .ints("tree_roots", &[0])
        .ints("nodes_featureids", &[0, 1])
        .bytes("nodes_modes", &[6, 1])
        .singles("nodes_splits", &[0.0, 0.0])
        .singles("membership_values", &[3.0, 1.0, 2.5, f32::NAN])
        .ints("nodes_truenodeids", &[0, 1])
        .ints("nodes_trueleafs", &[1, 1])
        .ints("nodes_falsenodeids", &[1, 2])
        .ints("nodes_falseleafs", &[0, 1])
        .ints("leaf_targetids", &[0, 1, 1])
        .singles("leaf_weights", &[1.0, 2.0, 4.0])
}

fn scores(attributes: &Attributes, row: &[f32]) -> Vec<f32> {
    floats(&run(&load("TreeEnsemble", attributes, row.len()).unwrap(), row).unwrap()[0])
}

#[test]
fn members_of_a_set_go_to_the_true_child() {
    for x in [1.0, 2.5, 3.0] {
        assert_eq!(scores(&members(), &[x, 0.0]), [1.0, 0.0], "{x}");
    }
    for x in [0.0, 2.0, 4.0, f32::NAN, f32::INFINITY] {
        assert_eq!(scores(&members(), &[x, 0.0]), [0.0, 4.0], "{x}");
        assert_eq!(scores(&members(), &[x, -1.0]), [0.0, 2.0], "{x}");
    }
    let missing = members().ints("nodes_missing_value_tracks_true", &[1, 0]);
    assert_eq!(scores(&missing, &[f32::NAN, 0.0]), [1.0, 0.0]);
}

#[test]
fn a_tree_may_be_one_leaf_and_trees_may_share_nodes() {
    let one = members().ints("nodes_falsenodeids", &[0, 2]).ints("nodes_falseleafs", &[1, 1]);
    assert_eq!(scores(&one.ints("tree_roots", &[0, 1, 1]), &[9.0, 0.0]), [1.0, 8.0]);
}

#[test]
fn post_transforms_have_the_numbers_of_the_specification() {
    let softmax = scores(&members().int("post_transform", 1), &[1.0, 0.0]);
    assert!((softmax[0] + softmax[1] - 1.0).abs() < 1e-6, "{softmax:?}");
    let logistic = scores(&members().int("post_transform", 2), &[1.0, 0.0]);
    assert_eq!(logistic[1], 0.5);
}

#[test]
fn float64_attributes_are_compared_in_float64() {
    let wide = members().without("nodes_splits").doubles("nodes_splits", &[0.0, -0.1]);
    // -0.1 as float32 is below -0.1 as float64.
    assert_eq!(scores(&wide, &[9.0, -0.1]), [0.0, 2.0]);
    assert_eq!(scores(&wide, &[2.5, -0.1]), [1.0, 0.0]);
}

#[test]
fn mistakes_are_errors_that_name_the_attribute() {
    for (attributes, name) in [
        (members().ints("tree_roots", &[2]), "tree_roots"),
        (members().ints("tree_roots", &[1]), "nodes_truenodeids"),
        (members().ints("nodes_falsenodeids", &[1, 3]), "nodes_falsenodeids"),
        (members().ints("nodes_falsenodeids", &[0, 2]), "nodes_truenodeids"),
        (members().ints("nodes_trueleafs", &[1, 2]), "nodes_trueleafs"),
        (members().bytes("nodes_modes", &[6, 7]), "nodes_modes"),
        (members().bytes("nodes_modes", &[6]), "nodes_featureids"),
        (members().bytes("nodes_modes", &[]), "nodes_featureids"),
        (members().singles("nodes_splits", &[0.0, f32::NAN]), "nodes_splits"),
        (members().without("nodes_splits"), "nodes_splits"),
        (members().without("leaf_weights"), "leaf_weights"),
        (members().singles("leaf_weights", &[1.0, 2.0]), "leaf_targetids"),
        (members().ints("leaf_targetids", &[0, 1, 2]), "leaf_targetids"),
        (members().without("membership_values"), "membership_values"),
        (members().singles("membership_values", &[1.0, f32::NAN, 2.0]), "membership_values"),
        (members().int("aggregate_function", 4), "aggregate_function"),
        (members().int("post_transform", 5), "post_transform"),
        (members().int("n_targets", 4), "n_targets"),
    ] {
        let error = load("TreeEnsemble", &attributes, 2).map(|_| ()).unwrap_err();
        assert!(format!("{error:#}").contains(name), "{name}: {error:#}");
    }
}

/// The scores of a float64 row, in the type that the operator returns.
fn scores_of_doubles(attributes: &Attributes, row: [f64; 2]) -> Vec<f64> {
    let model = load_as("TreeEnsemble", attributes, &["scores"], f64::fact([1, 2]).into()).unwrap();
    let outputs = model.run(tvec!(tensor2(&[row]).into_tvalue())).unwrap();
    outputs[0].to_plain_array_view::<f64>().unwrap().iter().copied().collect()
}

#[test]
fn a_float64_input_is_compared_and_answered_in_float64() {
    let threshold = 0.1_f64;
    let wide = members()
        .without("nodes_splits")
        .without("leaf_weights")
        .doubles("nodes_splits", &[0.0, threshold])
        .doubles("leaf_weights", &[1.0, 0.1, 1e-300]);
    for (x, expected) in [
        (threshold.next_down(), [0.0, 0.1]),
        (threshold, [0.0, 1e-300]),
        (threshold.next_up(), [0.0, 1e-300]),
        (f64::NAN, [0.0, 1e-300]),
    ] {
        assert_eq!(scores_of_doubles(&wide, [9.0, x]), expected, "{x:?}");
    }
    // An id that float32 rounds to 16,777,216.
    let ids = wide.doubles("membership_values", &[16_777_217.0]);
    assert_eq!(scores_of_doubles(&ids, [16_777_217.0, 0.0]), [1.0, 0.0]);
    assert_eq!(scores_of_doubles(&ids, [16_777_216.0, 0.0]), [0.0, 0.1]);
}

#[test]
fn float32_attributes_are_widened_for_a_float64_input() {
    let narrow = members().singles("nodes_splits", &[0.0, 0.1]);
    let threshold = f64::from(0.1_f32);
    assert_eq!(scores_of_doubles(&narrow, [9.0, threshold.next_down()]), [0.0, 2.0]);
    assert_eq!(scores_of_doubles(&narrow, [9.0, threshold]), [0.0, 4.0]);
}

#[test]
fn float64_scores_are_transformed_in_float64() {
    let leaves = members().without("leaf_weights").doubles("leaf_weights", &[1.0, 2.0, 4.0]);
    let scores = scores_of_doubles(&leaves.clone().int("post_transform", 2), [9.0, 0.0]);
    assert_eq!(scores, [0.5, 1.0 / (1.0 + (-4.0_f64).exp())]);
    let scores = scores_of_doubles(&leaves.int("post_transform", 1), [9.0, 0.0]);
    let sum = 1.0 + (-4.0_f64).exp();
    assert_eq!(scores, [(-4.0_f64).exp() / sum, 1.0 / sum]);
}
