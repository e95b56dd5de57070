use tract_onnx::{
    model::ParsingContext,
    pb::{ModelProto, tensor_proto::DataType},
    prelude::*,
};
use tree_ensemble::{Ensemble, Unexplainable};

use crate::support::{Attributes, classifier, framework, model, outputs, regress, regressor};

/// A tree as the tests write it.
enum Tree {
    Leaf(f64, f64),
    /// Mode, feature, threshold, whether a missing value passes, the true and the false child.
    Branch(&'static str, usize, f64, bool, Box<Tree>, Box<Tree>),
}

impl Tree {
    fn cover(&self) -> f64 {
        match self {
            Self::Leaf(_, cover) => *cover,
            Self::Branch(.., yes, no) => yes.cover() + no.cover(),
        }
    }

    /// The worth of a coalition of features: where the others branch, both children count with their share of the rows.
    fn worth(&self, row: &[f64], known: &dyn Fn(usize) -> bool) -> f64 {
        match self {
            Self::Leaf(value, _) => *value,
            Self::Branch(mode, feature, threshold, missing, yes, no) => {
                if !known(*feature) {
                    let (one, other) = (yes.cover(), no.cover());
                    let ratio = if one + other > 0.0 { one / (one + other) } else { 0.5 };
                    return ratio * yes.worth(row, known) + (1.0 - ratio) * no.worth(row, known);
                }
                let x = row[*feature];
                let passes = match *mode {
                    "BRANCH_LEQ" => x <= *threshold,
                    "BRANCH_LT" => x < *threshold,
                    "BRANCH_GTE" => x >= *threshold,
                    "BRANCH_GT" => x > *threshold,
                    "BRANCH_EQ" => x == *threshold,
                    _ => x != *threshold,
                };
                if passes || (*missing && x.is_nan()) { yes.worth(row, known) } else { no.worth(row, known) }
            }
        }
    }
}

const MODES: [&str; 6] = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];

/// A reproducible sequence of numbers.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn fraction(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 20)
    }

    fn tree(&mut self, depth: usize, features: usize) -> Tree {
        if depth == 0 || self.below(8) == 0 {
            // Some leaves were reached by no row.
            return Tree::Leaf(self.fraction() * 10.0 - 5.0, self.below(5) as f64);
        }
        let mode = MODES[self.below(MODES.len() as u64) as usize];
        let feature = self.below(features as u64) as usize;
        let (threshold, missing) = (self.below(5) as f64 / 4.0, self.below(2) == 1);
        let (yes, no) = (self.tree(depth - 1, features), self.tree(depth - 1, features));
        Tree::Branch(mode, feature, threshold, missing, Box::new(yes), Box::new(no))
    }

    fn row(&mut self, features: usize) -> Vec<f64> {
        let mut number = || if self.below(6) == 0 { f64::NAN } else { self.below(5) as f64 / 4.0 };
        (0..features).map(|_| number()).collect()
    }
}

/// The trees as a regressor's attributes.
fn attributes(trees: &[Tree]) -> Attributes {
    #[derive(Default)]
    struct Lists {
        ids: [Vec<i64>; 6],
        modes: Vec<&'static str>,
        values: Vec<f64>,
        covers: Vec<f64>,
        leaves: [Vec<i64>; 2],
        weights: Vec<f64>,
    }
    fn add(tree: &Tree, id: i64, next: &mut i64, lists: &mut Lists) -> i64 {
        let (node, at) = (*next, lists.modes.len());
        *next += 1;
        let (mode, feature, value, missing) = match tree {
            Tree::Leaf(..) => ("LEAF", 0, 0.0, false),
            Tree::Branch(mode, feature, threshold, missing, ..) => (*mode, *feature, *threshold, *missing),
        };
        for (list, entry) in lists.ids.iter_mut().zip([id, node, feature as i64, i64::from(missing), 0, 0]) {
            list.push(entry);
        }
        lists.modes.push(mode);
        lists.values.push(value);
        lists.covers.push(tree.cover());
        match tree {
            Tree::Leaf(value, _) => {
                lists.leaves[0].push(id);
                lists.leaves[1].push(node);
                lists.weights.push(*value);
            }
            Tree::Branch(.., yes, no) => {
                lists.ids[4][at] = add(yes, id, next, lists);
                lists.ids[5][at] = add(no, id, next, lists);
            }
        }
        node
    }
    let mut lists = Lists::default();
    for (id, tree) in (0..).zip(trees) {
        add(tree, id, &mut 0, &mut lists);
    }
    let names = [
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_missing_value_tracks_true",
        "nodes_truenodeids",
        "nodes_falsenodeids",
    ];
    let attributes = names.iter().zip(&lists.ids).fold(Attributes::default(), |all, (name, list)| all.ints(name, list));
    attributes
        .strings("nodes_modes", &lists.modes)
        .doubles("nodes_values_as_tensor", &lists.values)
        .doubles("nodes_hitrates_as_tensor", &lists.covers)
        .ints("target_treeids", &lists.leaves[0])
        .ints("target_nodeids", &lists.leaves[1])
        .ints("target_ids", &vec![0; lists.weights.len()])
        .doubles("target_weights_as_tensor", &lists.weights)
        .int("n_targets", 1)
}

fn read(operator: &str, attributes: &Attributes) -> TractResult<Ensemble> {
    let proto: ModelProto = model(operator, attributes, outputs(operator), DataType::Double);
    let framework = framework();
    let context = ParsingContext {
        onnx_operator_set_version: 18,
        framework: &framework,
        model: &proto,
        parent_graphs: vec![],
        model_dir: None,
        template: InferenceModel::default(),
    };
    Ensemble::read(&context, &proto.graph.as_ref().unwrap().node[0])
}

/// The Shapley value of each player, from the worth of every coalition.
fn shapley(trees: &[Tree], row: &[f64], players: &[u32], count: usize) -> Vec<f64> {
    let worth = |coalition: usize| -> f64 {
        trees.iter().map(|tree| tree.worth(row, &|feature| coalition >> players[feature] & 1 == 1)).sum()
    };
    let factorial = |n: usize| (1..=n).product::<usize>() as f64;
    let mut values = vec![0.0; count];
    for coalition in 0..1_usize << count {
        let size = coalition.count_ones() as usize;
        for (player, value) in values.iter_mut().enumerate().filter(|(player, _)| coalition >> player & 1 == 0) {
            let weight = factorial(size) * factorial(count - size - 1) / factorial(count);
            *value += weight * (worth(coalition | 1 << player) - worth(coalition));
        }
    }
    values
}

#[test]
fn contributions_are_the_shapley_values_of_every_coalition() {
    let mut sequence = Sequence(1);
    // More than eight players on a path need several blocks of points.
    for (features, depth, players) in [
        (3, 6, vec![0, 1, 2]),
        (5, 5, vec![0, 1, 2, 3, 4]),
        (5, 7, vec![0, 1, 1, 2, 0]),
        (11, 11, (0..11).collect::<Vec<u32>>()),
        (1, 0, vec![0]),
    ] {
        let rounds = if features > 5 { 2 } else { 30 };
        for _ in 0..rounds {
            let trees: Vec<_> =
                (0..3).map(|_| sequence.tree(depth, features)).filter(|tree| tree.cover() > 0.0).collect();
            if trees.is_empty() {
                continue;
            }
            let ensemble = read("TreeEnsembleRegressor", &attributes(&trees)).unwrap();
            let explained = ensemble.contributions(&[1.0], &players).unwrap();
            let count = players.iter().max().map_or(0, |&last| last as usize + 1);
            let row = sequence.row(features);
            let expected = shapley(&trees, &row, &players, count);
            let mut ours = vec![0.0; count];
            explained.add_to(&row, &mut ours);
            for (ours, expected) in ours.iter().zip(&expected) {
                assert!((ours - expected).abs() < 1e-12, "{ours} instead of {expected} for {row:?}");
            }
            let base: f64 = trees.iter().map(|tree| tree.worth(&row, &|_| false)).sum();
            assert!((explained.base() - base).abs() < 1e-12);
        }
    }
}

/// Exact means: the difference is below 2^-44 of the sum of all absolute values.
#[test]
fn base_and_contributions_add_up_to_the_score() {
    let mut sequence = Sequence(2);
    for round in 0..200 {
        let features = 1 + round % 40;
        let trees: Vec<_> = (0..10).map(|_| sequence.tree(9, features)).filter(|tree| tree.cover() > 0.0).collect();
        let ensemble = read("TreeEnsembleRegressor", &attributes(&trees)).unwrap();
        let players: Vec<u32> = (0..features as u32).collect();
        let explained = ensemble.contributions(&[1.0], &players).unwrap();
        let row = sequence.row(features);
        let mut contributions = vec![0.0; features];
        explained.add_to(&row, &mut contributions);
        let score: f64 = trees.iter().map(|tree| tree.worth(&row, &|_| true)).sum();
        assert!((explained.sum(&row) - score).abs() <= 1e-14 * 50.0);
        let sum = explained.base() + contributions.iter().sum::<f64>();
        let size = explained.base().abs() + contributions.iter().map(|number| number.abs()).sum::<f64>();
        assert!((sum - score).abs() <= size * 2_f64.powi(-44), "{sum} instead of {score}");
    }
}

#[test]
fn a_row_takes_the_same_branches_as_in_the_prediction() {
    let mut sequence = Sequence(3);
    for _ in 0..40 {
        let trees: Vec<_> = (0..4).map(|_| sequence.tree(5, 4)).filter(|tree| tree.cover() > 0.0).collect();
        let attributes = attributes(&trees);
        let explained =
            read("TreeEnsembleRegressor", &attributes).unwrap().contributions(&[1.0], &[0, 1, 2, 3]).unwrap();
        for _ in 0..10 {
            let row = sequence.row(4);
            let narrow: Vec<f32> = row.iter().map(|&number| number as f32).collect();
            assert_eq!(explained.sum(&row) as f32, regress(&attributes, &narrow)[0], "{row:?}");
        }
    }
}

#[test]
fn scores_are_sums_of_targets_with_their_factor_and_constant() {
    let covers = [4.0, 1.0, 3.0, 1.0, 2.0, 4.0];
    let scores = |operator: &str, attributes: Attributes| -> Result<Vec<_>, String> {
        let ensemble =
            read(operator, &attributes.floats("nodes_hitrates", &covers)).map_err(|error| error.to_string())?;
        let scores = ensemble.scores().iter();
        Ok(scores.map(|score| (score.targets.clone(), score.constant, score.transformed)).collect())
    };
    let one = |factor, constant, transformed| (vec![(0, factor)], constant, transformed);
    let average = regressor().string("aggregate_function", "AVERAGE").floats("base_values", &[3.0]);
    assert_eq!(scores("TreeEnsembleRegressor", average).unwrap(), [one(0.5, 3.0, false)]);
    let [smallest, probit] = [("aggregate_function", "MIN"), ("post_transform", "PROBIT")]
        .map(|(name, value)| scores("TreeEnsembleRegressor", regressor().string(name, value)).unwrap_err());
    assert!(smallest.contains("not the sum") && probit.contains("Probit"), "{smallest}, {probit}");
    let positive = scores("TreeEnsembleClassifier", classifier()).unwrap();
    assert_eq!(positive, [one(-1.0, 1.0, false), one(1.0, 0.0, false)]);
    let logistic = classifier().floats("class_weights", &[1.0, -4.0, 8.0, 16.0]).string("post_transform", "LOGISTIC");
    let logistic = scores("TreeEnsembleClassifier", logistic.floats("base_values", &[0.5])).unwrap();
    assert_eq!(logistic, [one(-1.0, -0.5, true), one(1.0, 0.5, true)]);
}

#[test]
fn trees_without_valid_covers_are_refused() {
    let refused = |attributes: Attributes| {
        read("TreeEnsembleRegressor", &attributes).unwrap().contributions(&[1.0], &[0, 1]).unwrap_err()
    };
    assert_eq!(refused(regressor()), Unexplainable::NoCovers);
    for covers in [&[1.0; 5][..], &[1.0, 1.0, 1.0, 1.0, 1.0, -1.0], &[1.0, 1.0, 1.0, 1.0, f32::NAN, 1.0], &[0.0; 6]] {
        assert_eq!(refused(regressor().floats("nodes_hitrates", covers)), Unexplainable::InvalidCovers, "{covers:?}");
    }
    let shared = regressor().floats("nodes_hitrates", &[1.0; 6]).ints("nodes_falsenodeids", &[2, 0, 3, 0, 0, 0]);
    let shared = shared.ints("nodes_treeids", &[0, 0, 0, 0, 1, 2]).ints("nodes_nodeids", &[0, 1, 2, 3, 0, 0]);
    let shared = shared.ints("target_treeids", &[0, 0, 1, 2]).ints("target_nodeids", &[1, 3, 0, 0]);
    assert_eq!(refused(shared), Unexplainable::SharedNode);
}
