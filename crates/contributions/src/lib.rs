//! How much each field of an input adds to a model's score, exactly.
//!
//! An ONNX graph can be explained if the chosen column of its output is a function of one score, and the score is a sum: of trees on columns
//! that each depend on one field, of such columns times a weight, and of constants. [`Explanation::find`] reads that from the graph
//! (`graph`, with the algebra of `column`), without running it. The values of the columns come from a run of the graph's beginning,
//! so that scalings, imputations and encodings inside the graph count as the model calculates them.
//!
//! | part of the score | contribution of a field |
//! |---|---|
//! | trees | path-dependent TreeSHAP ([`tree_ensemble::Contributions`]), added up over the columns of the field |
//! | a weight times a column | the weight times the difference from the column's mean in the training data |
//!
//! The means are the graph's metadata entry `feature_means`, and 0 without it. They and the covers of the trees define the base: the mean score.

mod column;
mod graph;

use std::collections::BTreeMap;

use serde_json::Value;
use tract_onnx::{Onnx, pb::ModelProto};
use tree_ensemble::Contributions;

use self::column::{Affine, Term};

/// What the contributions of the fields to one score are calculated from.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The names of the tensors whose values are needed.
    tensors: Vec<String>,
    constant: f64,
    base: f64,
    weighted: Vec<Weighted>,
    trees: Vec<Trees>,
    fields: usize,
}

/// A column of a tensor times a weight.
#[derive(Debug, Clone)]
struct Weighted {
    tensor: usize,
    column: usize,
    field: usize,
    weight: f64,
    mean: f64,
}

/// Trees on the columns of a tensor.
#[derive(Debug, Clone)]
struct Trees {
    tensor: usize,
    contributions: Contributions,
    /// The field of each player.
    fields: Vec<usize>,
}

/// The contributions of the fields to the score of one input. With the base they add up to the score, but for rounding: the difference is
/// below 2^-44 of the sum of their absolute values.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The mean score.
    pub base: f64,
    /// One per field, in their order.
    pub contributions: Vec<f64>,
}

impl Explanation {
    /// Finds the score of column `output` of the graph's first output; `None` for its only column. `fields` gives the field of each
    /// column of the graph's input. `operators` reads the constants.
    ///
    /// # Errors
    ///
    /// The reason why the graph cannot be explained, for a mistake about it.
    pub fn find(operators: &Onnx, model: &ModelProto, fields: &[usize], output: Option<usize>) -> Result<Self, String> {
        let refused = |reason: String| {
            format!(
                "contributions need a tree ensemble or a linear model on the fields themselves, but this graph {reason}"
            )
        };
        let graph = graph::trace(operators, model, fields).map_err(refused)?;
        let score = graph.score(output).map_err(refused)?;
        let mut explanation = Self {
            tensors: Vec::new(),
            constant: score.constant,
            base: score.constant,
            weighted: Vec::new(),
            trees: Vec::new(),
            fields: fields.iter().max().map_or(0, |last| last + 1),
        };
        explanation.add(&score, &graph, &metadata(model)).map_err(refused)?;
        Ok(explanation)
    }

    fn add(&mut self, score: &Affine, graph: &graph::TracedGraph, metadata: &Metadata) -> Result<(), String> {
        // The weights of each ensemble's targets.
        let mut targets: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (term, &weight) in &score.terms {
            match term {
                Term::Target { ensemble, target } => {
                    let weights = targets
                        .entry(*ensemble)
                        .or_insert_with(|| vec![0.0; graph.ensembles[*ensemble].trees.targets()]);
                    weights[*target] += weight;
                }
                Term::Column { tensor, column, field } => {
                    let mean = metadata.mean(tensor, *column)?;
                    let tensor = self.tensor(tensor);
                    self.base += weight * mean;
                    self.weighted.push(Weighted { tensor, column: *column, field: *field, weight, mean });
                }
            }
        }
        for (ensemble, weights) in targets {
            let graph::Ensemble { name, tensor, columns, trees } = &graph.ensembles[ensemble];
            let (players, fields) = metadata.players(name, columns)?;
            let contributions = trees
                .contributions(&weights, &players)
                .map_err(|problem| format!("has trees that {problem}: export it with explain="))?;
            self.base += contributions.base();
            let tensor = self.tensor(tensor);
            self.trees.push(Trees { tensor, contributions, fields });
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str) -> usize {
        self.tensors.iter().position(|known| known == name).unwrap_or_else(|| {
            self.tensors.push(name.to_owned());
            self.tensors.len() - 1
        })
    }

    /// The names of the tensors whose values [`Self::explain`] needs, in this order.
    pub fn tensors(&self) -> &[String] {
        &self.tensors
    }

    /// The contributions for one input, from its values of [`Self::tensors`].
    pub fn explain(&self, tensors: &[Vec<f64>]) -> Explained {
        let mut contributions = vec![0.0; self.fields];
        for &Weighted { tensor, column, field, weight, mean } in &self.weighted {
            contributions[field] += weight * (tensors[tensor][column] - mean);
        }
        for Trees { tensor, contributions: trees, fields } in &self.trees {
            let mut players = vec![0.0; fields.len()];
            trees.add_to(&tensors[*tensor], &mut players);
            for (field, contribution) in fields.iter().zip(players) {
                contributions[*field] += contribution;
            }
        }
        Explained { base: self.base, contributions }
    }

    /// The score for one input, in float64, from its values of [`Self::tensors`].
    pub fn score(&self, tensors: &[Vec<f64>]) -> f64 {
        let weighted = self.weighted.iter().map(|term| term.weight * tensors[term.tensor][term.column]);
        let trees = self.trees.iter().map(|trees| trees.contributions.sum(&tensors[trees.tensor]));
        self.constant + weighted.chain(trees).sum::<f64>()
    }
}

/// The entries of the graph's metadata that concern contributions.
struct Metadata {
    features: Value,
    means: Value,
}

fn metadata(model: &ModelProto) -> Metadata {
    let entry = |key: &str| {
        let entry = model.metadata_props.iter().find(|entry| entry.key == key);
        entry.map_or(Value::Null, |entry| serde_json::from_str(&entry.value).unwrap_or(Value::Bool(false)))
    };
    Metadata { features: entry("tree_features"), means: entry("feature_means") }
}

impl Metadata {
    /// The mean of a tensor's column in the training data.
    fn mean(&self, tensor: &str, column: usize) -> Result<f64, String> {
        let invalid = || "has an invalid metadata entry \"feature_means\"".to_owned();
        match &self.means {
            Value::Null => Ok(0.0),
            Value::Object(tensors) => match tensors.get(tensor) {
                None => Ok(0.0),
                Some(means) => means.get(column).and_then(Value::as_f64).ok_or_else(invalid),
            },
            _ => Err(invalid()),
        }
    }

    /// The player of each column of an ensemble, and the field of each player. `columns` has the field of each column.
    fn players(&self, ensemble: &str, columns: &[usize]) -> Result<(Vec<u32>, Vec<usize>), String> {
        let groups: Vec<usize> = match self.features.get(ensemble) {
            None => (0..columns.len()).collect(),
            Some(groups) => {
                let numbers = groups.as_array().into_iter().flatten();
                numbers.map_while(Value::as_u64).map(|group| group as usize).collect()
            }
        };
        if groups.len() != columns.len() {
            return Err("has an invalid metadata entry \"tree_features\"".to_owned());
        }
        let mut known = BTreeMap::new();
        let mut fields = Vec::new();
        let mut players = Vec::with_capacity(groups.len());
        for (&group, &field) in groups.iter().zip(columns) {
            let player = *known.entry(group).or_insert_with(|| {
                fields.push(field);
                fields.len() - 1
            });
            if fields[player] != field {
                return Err("has a feature of its trees that is made of several fields".to_owned());
            }
            players.push(player as u32);
        }
        Ok((players, fields))
    }
}
