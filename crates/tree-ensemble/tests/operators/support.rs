//! Builds and runs ONNX models with a single operator.

use std::{path::PathBuf, sync::Arc};

use serde::Deserialize;
use tract_onnx::{
    pb::{
        AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
        TypeProto, ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, type_proto,
    },
    prelude::*,
};

/// The attributes of one operator, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes(pub(crate) Vec<AttributeProto>);

impl Attributes {
    pub(crate) fn set(mut self, attribute: AttributeProto) -> Self {
        self.0.retain(|other| other.name != attribute.name);
        self.0.push(attribute);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|attribute| attribute.name != name);
        self
    }

    pub(crate) fn ints(self, name: &str, ints: &[i64]) -> Self {
        self.set(AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::Ints) })
    }

    pub(crate) fn floats(self, name: &str, floats: &[f32]) -> Self {
        self.set(AttributeProto { floats: floats.to_vec(), ..attribute(name, AttributeType::Floats) })
    }

    pub(crate) fn strings(self, name: &str, strings: &[&str]) -> Self {
        let strings = strings.iter().map(|text| text.as_bytes().to_vec()).collect();
        self.set(AttributeProto { strings, ..attribute(name, AttributeType::Strings) })
    }

    pub(crate) fn int(self, name: &str, i: i64) -> Self {
        self.set(AttributeProto { i, ..attribute(name, AttributeType::Int) })
    }

    pub(crate) fn string(self, name: &str, text: &str) -> Self {
        self.set(AttributeProto { s: text.as_bytes().to_vec(), ..attribute(name, AttributeType::String) })
    }

    pub(crate) fn tensor(self, name: &str, tensor: TensorProto) -> Self {
        self.set(AttributeProto { t: Some(tensor), ..attribute(name, AttributeType::Tensor) })
    }

    pub(crate) fn doubles(self, name: &str, values: &[f64]) -> Self {
        let tensor = TensorProto { double_data: values.to_vec(), ..tensor(DataType::Double, values.len()) };
        self.tensor(name, tensor)
    }

    pub(crate) fn singles(self, name: &str, values: &[f32]) -> Self {
        let tensor = TensorProto { float_data: values.to_vec(), ..tensor(DataType::Float, values.len()) };
        self.tensor(name, tensor)
    }

    pub(crate) fn bytes(self, name: &str, values: &[u8]) -> Self {
        let tensor = TensorProto { raw_data: values.to_vec(), ..tensor(DataType::Uint8, values.len()) };
        self.tensor(name, tensor)
    }
}

fn attribute(name: &str, r#type: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: r#type as i32, ..AttributeProto::default() }
}

fn tensor(data_type: DataType, length: usize) -> TensorProto {
    TensorProto { data_type: data_type as i32, dims: vec![length as i64], ..TensorProto::default() }
}

/// Two trees for one target. The first gives 1 if x0 <= 0.5, else 4 if x1 <= -1, else 8; the second is a leaf that gives 16.
pub(crate) fn regressor() -> Attributes {
    Attributes::default()
        .ints("nodes_treeids", &[0, 0, 0, 0, 0, 1])
        .ints("nodes_nodeids", &[0, 1, 2, 3, 4, 0])
        .ints("nodes_featureids", &[0, 0, 1, 0, 0, 0])
        .strings("nodes_modes", &["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"])
        .floats("nodes_values", &[0.5, 0.0, -1.0, 0.0, 0.0, 0.0])
        .ints("nodes_truenodeids", &[1, 0, 3, 0, 0, 0])
        .ints("nodes_falsenodeids", &[2, 0, 4, 0, 0, 0])
        .ints("target_treeids", &[0, 0, 0, 1])
        .ints("target_nodeids", &[1, 3, 4, 0])
        .ints("target_ids", &[0, 0, 0, 0])
        .floats("target_weights", &[1.0, 4.0, 8.0, 16.0])
        .int("n_targets", 1)
}

/// The same trees as a classifier of two classes.
pub(crate) fn classifier() -> Attributes {
    let regressor = regressor();
    let mut classifier = regressor.without("n_targets");
    for attribute in &mut classifier.0 {
        attribute.name = attribute.name.replace("target_", "class_");
    }
    classifier.ints("classlabels_int64s", &[10, 20])
}

/// A model with only this operator. `outputs` are the names of its outputs; an empty name omits one.
pub(crate) fn model(operator: &str, attributes: &Attributes, outputs: &[&str], input: DataType) -> ModelProto {
    let value = |name: &str, elem_type: DataType, shape: Option<TensorShapeProto>| ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor { elem_type: elem_type as i32, shape })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    };
    let node = NodeProto {
        op_type: operator.to_owned(),
        domain: "ai.onnx.ml".to_owned(),
        input: vec!["X".to_owned()],
        output: outputs.iter().map(|&name| name.to_owned()).collect(),
        attribute: attributes.0.clone(),
        ..NodeProto::default()
    };
    ModelProto {
        ir_version: 9,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 18 }],
        graph: Some(GraphProto {
            name: "g".to_owned(),
            node: vec![node],
            input: vec![value("X", input, None)],
            output: outputs
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| value(name, DataType::Float, None))
                .collect(),
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

pub(crate) fn outputs(operator: &str) -> &'static [&'static str] {
    if operator == "TreeEnsembleClassifier" { &["labels", "scores"] } else { &["scores"] }
}

pub(crate) fn framework() -> tract_onnx::Onnx {
    let mut onnx = tract_onnx::onnx();
    tree_ensemble::register(&mut onnx);
    onnx
}

/// Loads a model with one operator for inputs of this type and shape.
pub(crate) fn load_as(
    operator: &str,
    attributes: &Attributes,
    outputs: &[&str],
    input: InferenceFact,
) -> TractResult<Arc<TypedRunnableModel>> {
    let proto = model(operator, attributes, outputs, DataType::Float);
    framework().model_for_proto_model(&proto)?.with_input_fact(0, input)?.into_optimized()?.into_runnable()
}

/// Loads a model with one operator for one row with this many columns of float32.
pub(crate) fn load(operator: &str, attributes: &Attributes, columns: usize) -> TractResult<Arc<TypedRunnableModel>> {
    load_as(operator, attributes, outputs(operator), f32::fact([1, columns]).into())
}

/// Returns all outputs for one row.
pub(crate) fn run(model: &Arc<TypedRunnableModel>, row: &[f32]) -> TractResult<TVec<TValue>> {
    model.run(tvec!(Tensor::from_shape(&[1, row.len()], row)?.into_tvalue()))
}

pub(crate) fn floats(output: &TValue) -> Vec<f32> {
    output.to_plain_array_view::<f32>().unwrap().iter().copied().collect()
}

pub(crate) fn ints(output: &TValue) -> Vec<i64> {
    output.to_plain_array_view::<i64>().unwrap().iter().copied().collect()
}

/// The scores of one row of a regressor.
pub(crate) fn regress(attributes: &Attributes, row: &[f32]) -> Vec<f32> {
    floats(&run(&load("TreeEnsembleRegressor", attributes, row.len()).unwrap(), row).unwrap()[0])
}

/// A number in a fixture: NaN is null, and infinities are strings.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Finite(f64),
    Infinite(String),
    Missing(()),
}

impl Number {
    pub(crate) fn f64(&self) -> f64 {
        match self {
            Self::Finite(number) => *number,
            Self::Infinite(text) => text.parse().unwrap(),
            Self::Missing(()) => f64::NAN,
        }
    }

    pub(crate) fn f32(&self) -> f32 {
        self.f64() as f32
    }
}

pub(crate) fn row(numbers: &[Number]) -> Vec<f32> {
    numbers.iter().map(Number::f32).collect()
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Equal as numbers, or both NaN. Unless `exact`, allows 1e-6, because `exp` and `ln` of the platform may differ in the last bits.
pub(crate) fn assert_scores(ours: &[f32], expected: &[f32], exact: bool, context: &str) {
    assert_eq!(ours.len(), expected.len(), "{context}");
    for (&a, &b) in ours.iter().zip(expected) {
        let near = !exact && (a - b).abs() <= 1e-6 * b.abs().max(1.0);
        assert!(a == b || (a.is_nan() && b.is_nan()) || near, "{context}: {ours:?} instead of {expected:?}");
    }
}
