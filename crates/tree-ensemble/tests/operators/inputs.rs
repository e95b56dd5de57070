//! Types and shapes of inputs and outputs.

use tract_onnx::prelude::*;

use crate::support::{Attributes, classifier, floats, ints, load, load_as, regress, regressor, run};

fn rows(values: &[f32], columns: usize) -> Tensor {
    Tensor::from_shape(&[values.len() / columns, columns], values).unwrap()
}

#[test]
fn a_batch_returns_one_result_per_row() {
    let symbols = SymbolScope::default();
    let fact = f32::fact([TDim::from(symbols.sym("N")), 2.to_dim()]);
    let model = load_as("TreeEnsembleClassifier", &classifier(), &["labels", "scores"], fact.into()).unwrap();
    let input = rows(&[0.5, 9.0, 0.6, -1.0, 0.6, -0.9], 2);
    let outputs = model.run(tvec!(input.into_tvalue())).unwrap();
    assert_eq!(ints(&outputs[0]), [20, 20, 20]);
    assert_eq!(outputs[1].shape(), [3, 2]);
    assert_eq!(floats(&outputs[1]), [-16.0, 17.0, -19.0, 20.0, -23.0, 24.0]);
    let empty = Tensor::zero::<f32>(&[0, 2]).unwrap();
    assert_eq!(model.run(tvec!(empty.into_tvalue())).unwrap()[1].shape(), [0, 2]);
}

#[test]
fn a_one_dimensional_input_is_one_row() {
    let model = load_as("TreeEnsembleRegressor", &regressor(), &["scores"], f32::fact([2]).into()).unwrap();
    let outputs = model.run(tvec!(tensor1(&[0.6_f32, -1.0]).into_tvalue())).unwrap();
    assert_eq!(outputs[0].shape(), [1, 1]);
    assert_eq!(floats(&outputs[0]), [20.0]);
}

#[test]
fn labels_may_be_strings() {
    let strings = classifier().without("classlabels_int64s").strings("classlabels_strings", &["no", "yes"]);
    let outputs = run(&load("TreeEnsembleClassifier", &strings, 2).unwrap(), &[0.0, 0.0]).unwrap();
    assert_eq!(outputs[0].to_plain_array_view::<String>().unwrap().first().unwrap(), "yes");
}

#[test]
fn an_output_without_a_name_is_left_out() {
    let fact: InferenceFact = f32::fact([1, 2]).into();
    let scores = load_as("TreeEnsembleClassifier", &classifier(), &["", "scores"], fact.clone()).unwrap();
    assert_eq!(floats(&run(&scores, &[0.0, 0.0]).unwrap()[0]), [-16.0, 17.0]);
    let labels = load_as("TreeEnsembleClassifier", &classifier(), &["labels"], fact).unwrap();
    assert_eq!(ints(&run(&labels, &[0.0, 0.0]).unwrap()[0]), [20]);
}

#[test]
fn integers_are_compared_as_float32() {
    let model = load_as("TreeEnsembleRegressor", &regressor(), &["scores"], i64::fact([1, 2]).into()).unwrap();
    let outputs = model.run(tvec!(tensor2(&[[1_i64, -1]]).into_tvalue())).unwrap();
    assert_eq!(floats(&outputs[0]), [20.0]);
}

/// The threshold 0.1 as float64 lies below 0.1 as float32.
#[test]
fn float32_is_compared_with_float64_thresholds_exactly() {
    let values = [0.1_f64, 0.0, -1.0, 0.0, 0.0, 0.0];
    let above = 0.1_f32;
    let below = above.next_down();
    for (mode, at_above, at_below) in [
        ("BRANCH_LEQ", 24.0, 17.0),
        ("BRANCH_LT", 24.0, 17.0),
        ("BRANCH_GT", 17.0, 24.0),
        ("BRANCH_GTE", 17.0, 24.0),
        ("BRANCH_EQ", 24.0, 24.0),
        ("BRANCH_NEQ", 17.0, 17.0),
    ] {
        let attributes = regressor()
            .without("nodes_values")
            .doubles("nodes_values_as_tensor", &values)
            .strings("nodes_modes", &[mode, "LEAF", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"]);
        assert_eq!(regress(&attributes, &[above, 0.0]), [at_above], "{mode}");
        assert_eq!(regress(&attributes, &[below, 0.0]), [at_below], "{mode}");
    }
}

#[test]
fn float64_weights_are_added_in_float64() {
    let weights = [1.0, 4.0, 8.0, 1e-9];
    let attributes = regressor()
        .without("target_weights")
        .doubles("target_weights_as_tensor", &weights)
        .doubles("base_values_as_tensor", &[-1.0]);
    let score = regress(&attributes, &[0.0, 0.0])[0];
    assert!((score - 1e-9).abs() < 1e-14, "{score}");
}

#[test]
fn a_float64_input_is_compared_in_float64() {
    for mode in ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"] {
        for second in ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ"] {
            let attributes = regressor().strings("nodes_modes", &[mode, "LEAF", second, "LEAF", "LEAF", "LEAF"]);
            let model = load_as("TreeEnsembleRegressor", &attributes, &["scores"], f64::fact([1, 2]).into()).unwrap();
            for x in [0.5_f64.next_down(), 0.5, 0.5_f64.next_up(), f64::NAN] {
                let holds = match mode {
                    "BRANCH_LEQ" => x <= 0.5,
                    "BRANCH_LT" => x < 0.5,
                    "BRANCH_GTE" => x >= 0.5,
                    "BRANCH_GT" => x > 0.5,
                    "BRANCH_EQ" => x == 0.5,
                    _ => x != 0.5,
                };
                let outputs = model.run(tvec!(tensor2(&[[x, 0.0]]).into_tvalue())).unwrap();
                assert_eq!(floats(&outputs[0]), [if holds { 17.0 } else { 24.0 }], "{mode}, {second}, {x}");
            }
        }
    }
}

#[test]
fn a_wide_row_is_supported() {
    let wide = regressor().ints("nodes_featureids", &[0, 0, 5_000, 0, 0, 0]);
    let mut row = vec![0.0; 5_001];
    row[0] = 1.0;
    row[5_000] = -2.0;
    assert_eq!(regress(&wide, &row), [20.0]);
}

#[test]
fn a_forest_of_leaves_reads_no_features() {
    let leaf = Attributes::default()
        .ints("nodes_treeids", &[7])
        .ints("nodes_nodeids", &[3])
        .ints("nodes_featureids", &[0])
        .strings("nodes_modes", &["LEAF"])
        .floats("nodes_values", &[0.0])
        .ints("nodes_truenodeids", &[0])
        .ints("nodes_falsenodeids", &[0])
        .ints("target_treeids", &[7])
        .ints("target_nodeids", &[3])
        .ints("target_ids", &[0])
        .floats("target_weights", &[5.0])
        .int("n_targets", 1);
    assert_eq!(regress(&leaf, &[]), [5.0]);
}

#[test]
fn nodes_may_have_any_numbers_and_order() {
    let shuffled = regressor()
        .ints("nodes_treeids", &[9, 9, 9, 9, 9, -4])
        .ints("nodes_nodeids", &[40, 10, 30, 20, 50, 8])
        .ints("nodes_truenodeids", &[10, 0, 20, 0, 0, 0])
        .ints("nodes_falsenodeids", &[30, 0, 50, 0, 0, 0])
        .ints("target_treeids", &[-4, 9, 9, 9])
        .ints("target_nodeids", &[8, 50, 20, 10])
        .floats("target_weights", &[16.0, 8.0, 4.0, 1.0]);
    assert_eq!(regress(&shuffled, &[0.6, -1.0]), [20.0]);
    assert_eq!(regress(&shuffled, &[0.6, 0.0]), [24.0]);
}

/// onnxmltools writes a set of categories as a chain of BRANCH_EQ whose true children are one node.
#[test]
fn a_node_may_have_two_parents() {
    let chain = Attributes::default()
        .ints("nodes_treeids", &[0; 6])
        .ints("nodes_nodeids", &[0, 1, 2, 3, 4, 5])
        .ints("nodes_featureids", &[0, 0, 1, 0, 0, 0])
        .strings("nodes_modes", &["BRANCH_EQ", "BRANCH_EQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"])
        .floats("nodes_values", &[3.0, 5.0, 0.0, 0.0, 0.0, 0.0])
        .ints("nodes_truenodeids", &[2, 2, 3, 0, 0, 0])
        .ints("nodes_falsenodeids", &[1, 5, 4, 0, 0, 0])
        .ints("target_treeids", &[0; 3])
        .ints("target_nodeids", &[3, 4, 5])
        .ints("target_ids", &[0; 3])
        .floats("target_weights", &[1.0, 2.0, 4.0])
        .int("n_targets", 1);
    for (x, y, expected) in [(3.0, 0.0, 1.0), (5.0, 0.0, 1.0), (5.0, 1.0, 2.0), (4.0, 0.0, 4.0), (f32::NAN, 0.0, 4.0)] {
        assert_eq!(regress(&chain, &[x, y]), [expected], "{x}, {y}");
    }
}

#[test]
fn missing_values_go_to_the_child_that_the_node_names() {
    let to_true = regressor().ints("nodes_missing_value_tracks_true", &[1, 0, 0, 0, 0, 0]);
    assert_eq!(regress(&to_true, &[f32::NAN, 0.0]), [17.0]);
    assert_eq!(regress(&regressor(), &[f32::NAN, -1.0]), [20.0]);
    assert_eq!(regress(&regressor(), &[f32::NAN, f32::NAN]), [24.0]);
}
