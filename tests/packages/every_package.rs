//! Properties of every package, with any fields and predictions: the inputs are generated from the package itself.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::{Body as HttpBody, to_bytes},
    http::{Request, StatusCode},
};
use bytes::Bytes;
use model_package::{EntryContent, FieldErrorCode, Input, InvalidInput, Precision};
use predict_once::{
    after_response, http, http::Api, http::ApiSettings, model::Model, model::Package, service::Caching,
    service::PredictionService,
};
use prediction_cache::{KeySpace, Layout, MemoryCache, Namespace, PredictionCache};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{TestCaseResult, TestRunner},
};
use serde_json::Value;
use test_support::{dates::dates, models::entry_of};
use tokio::runtime::Runtime;

use crate::{
    inputs::{self, Body, Wrong},
    packages,
    schema::violation,
};

/// The directories of the tested packages, all with golden answers.
pub(crate) const PACKAGES: [&str; 3] = ["models/credit_risk", "tests/packages/penguins", "examples/iris_jax"];

/// A loaded package, and its API with a cache in memory.
struct Subject {
    package: Package,
    model: Model,
    document: Value,
    api: Api,
    runtime: Runtime,
}

fn subjects() -> impl Iterator<Item = Subject> {
    let made = [Precision::Float32, Precision::Float64].map(packages::every_kind_of);
    PACKAGES.into_iter().map(packages::read).chain(made).chain([packages::tensors(), dates()]).map(Subject::of)
}

fn holds<S: Strategy>(strategy: S, check: impl Fn(S::Value) -> TestCaseResult) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&strategy, check).unwrap_or_else(|failure| panic!("{failure}"));
}

fn text(body: &Body) -> String {
    Value::from(body.clone()).to_string()
}

impl Subject {
    fn of(package: Package) -> Self {
        let model = packages::load(&package);
        let document = http::openapi_document(&model).expect("the model answers its examples");
        let cache = PredictionCache::new(Some(MemoryCache::new(10_000, 1 << 26)), None);
        let service = PredictionService::new(packages::load(&package), cache, &Caching::default());
        let api = Api::new(Arc::new(service), ApiSettings::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { package, model, document, api, runtime }
    }

    fn valid(&self) -> BoxedStrategy<Body> {
        inputs::valid(&self.model, &self.package, true)
    }

    /// Bodies with realistic data: the golden inputs, or the examples if there are none.
    fn golden(&self) -> Vec<Body> {
        let golden = self.package.golden.as_deref().unwrap_or_default().lines();
        let row = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["input"].as_object().cloned();
        let examples = self.model.signature().examples.iter().filter(|example| example.valid);
        golden.filter_map(row).chain(examples.map(|example| example.input.clone())).collect()
    }

    fn read(&self, body: &Body) -> Result<Input, TestCaseError> {
        self.model.signature().read(text(body).as_bytes()).map_err(|error| TestCaseError::fail(format!("{error:?}")))
    }

    /// What the graph reads: of each of its inputs, the shape and the bytes.
    fn fed(&self, input: &Input) -> Vec<(Vec<usize>, Vec<u8>)> {
        let fed = self.model.signature().feed(&[input]).expect("one input");
        fed.iter().map(|tensor| (tensor.shape().to_vec(), tensor.bytes().to_vec())).collect()
    }

    /// Posts a body and runs the deferred work. Returns the answer's status, `cache-status` and body.
    fn post(&self, endpoint: &str, body: &str) -> (StatusCode, String, Bytes) {
        self.post_with(endpoint, body, "max-age=0")
    }

    fn post_with(&self, endpoint: &str, body: &str, cache_control: &str) -> (StatusCode, String, Bytes) {
        self.runtime.block_on(async {
            let request = Request::post(format!("/{endpoint}")).header("content-type", "application/json");
            let request = request.header("cache-control", cache_control);
            let request = request.body(HttpBody::from(body.to_owned())).expect("a valid request");
            let (response, jobs) = after_response::collect(self.api.answer(request)).await;
            jobs.run(None).await;
            let cache_status =
                response.headers().get("cache-status").map(|value| value.to_str().expect("text").to_owned());
            let status = response.status();
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory");
            (status, cache_status.unwrap_or_default(), body)
        })
    }

    fn is_of_trees(&self) -> bool {
        String::from_utf8_lossy(&self.package.onnx).contains("TreeEnsemble")
    }

    /// The schema of a request's body or of an answer's.
    fn schema(&self, endpoint: &str, part: &str) -> &Value {
        let operation = &self.document["paths"][format!("/{endpoint}")]["post"];
        operation.pointer(&format!("/{part}/content/application~1json/schema")).expect("it is documented")
    }
}

#[test]
fn a_valid_input_is_answered_by_every_endpoint_and_the_second_time_from_the_cache() {
    for subject in subjects() {
        holds(subject.valid(), |body| {
            let input = subject.read(&body)?;
            for (position, prediction) in subject.model.signature().predictions().iter().enumerate() {
                let expected = subject.model.predict(position, &input).expect("the model answers").body;
                let (status, _, answer) = subject.post(prediction.endpoint(), &text(&body));
                prop_assert_eq!((status, &answer), (StatusCode::OK, &expected));
                let again = subject.post(prediction.endpoint(), &text(&body));
                prop_assert_eq!(again, (StatusCode::OK, "predict-once; hit; detail=memory".to_owned(), expected));
            }
            Ok(())
        });
    }
}

#[test]
fn two_inputs_share_a_key_if_and_only_if_the_model_reads_the_same_tensors() {
    for subject in subjects() {
        let keys =
            KeySpace::new(&Namespace::default(), Layout::String, subject.model.fingerprint(EntryContent::Answer));
        // Inputs that differ in one or two fields often have the same tensors.
        let pairs = (subject.valid(), subject.valid(), vec(any::<Index>(), 1..3));
        holds(pairs, |(one, another, differing)| {
            let mut other = one.clone();
            for index in differing {
                let name = index.get(subject.model.signature().fields()).name();
                other.remove(name);
                other.extend(another.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            let (one, other) = (subject.read(&one)?, subject.read(&other)?);
            let same = subject.fed(&one) == subject.fed(&other);
            prop_assert_eq!(one.to_string() == other.to_string(), same, "{} and {}", one, other);
            prop_assert_eq!(keys.key("p", &one) == keys.key("p", &other), same);
            prop_assert_eq!(one == other, same, "{:?} and {:?}", one, other);
            Ok(())
        });
    }
}

#[test]
fn neither_the_order_of_the_members_nor_a_null_for_an_absent_one_changes_the_key() {
    for subject in subjects() {
        holds(subject.valid(), |body| {
            let input = subject.read(&body)?;
            let mut ordered = Body::new();
            for field in subject.model.signature().fields() {
                let value = body.get(field.name()).cloned().unwrap_or_default();
                ordered.insert(field.name().to_owned(), value);
            }
            prop_assert_eq!(&subject.read(&ordered)?, &input);
            ordered.retain(|_, value| !value.is_null());
            prop_assert_eq!(&subject.read(&ordered)?, &input);
            Ok(())
        });
    }
}

#[test]
fn a_parsed_key_names_every_field_and_a_value_with_the_same_key() {
    for subject in subjects() {
        let fields = subject.model.signature().fields();
        holds(subject.valid(), |body| {
            let input = subject.read(&body)?;
            let decoded = subject.model.signature().decode(&input.to_string()).expect("the text of an input");
            prop_assert!(decoded.iter().map(|field| field.name.as_str()).eq(fields.iter().map(|field| field.name())));
            let mut again = body.clone();
            // A band is shown as its limits, and the key does not contain an ignored value.
            for field in decoded.into_iter().filter(|field| !field.value.is_object() && !field.value.is_null()) {
                again.insert(field.name, field.value);
            }
            // Rounding to float32 can move a number onto an excluded limit.
            if let Ok(same) = subject.model.signature().read(text(&again).as_bytes()) {
                prop_assert_eq!(same, input);
            }
            Ok(())
        });
    }
}

#[test]
fn the_model_reads_as_many_columns_as_it_names() {
    for subject in subjects() {
        let names = subject.model.signature().columns();
        assert_eq!(names.len(), subject.model.signature().width());
        holds(subject.valid(), |body| {
            prop_assert_eq!(subject.model.signature().encode(&subject.read(&body)?).len(), names.len());
            Ok(())
        });
    }
}

#[test]
fn a_cached_answer_reads_back_as_the_computed_one() {
    for subject in subjects() {
        holds(subject.valid(), |body| {
            let input = subject.read(&body)?;
            for (position, prediction) in subject.model.signature().predictions().iter().enumerate() {
                let answer = subject.model.predict(position, &input).expect("the model answers");
                prop_assert_eq!(&entry_of(prediction, &answer.body), &answer.entry);
                prop_assert_eq!(prediction.read(&answer.entry), Some(answer));
            }
            Ok(())
        });
    }
}

#[test]
fn a_damaged_entry_is_rejected_unless_it_is_the_entry_of_another_answer() {
    let damage = vec((any::<Index>(), 0..3usize, select(b"0123456789.,:eE+-\"aNif \0\xff".to_vec())), 1..3);
    for subject in subjects() {
        holds((subject.valid(), damage.clone()), |(body, damage)| {
            let input = subject.read(&body)?;
            for (position, prediction) in subject.model.signature().predictions().iter().enumerate() {
                let entry = subject.model.predict(position, &input).expect("the model answers").entry;
                let mut bytes = entry.to_vec();
                for (at, removed, inserted) in &damage {
                    let at = at.index(bytes.len() + 1);
                    bytes.splice(at..bytes.len().min(at + removed), [*inserted]);
                }
                let damaged = Bytes::from(bytes);
                if let Some(read) = prediction.read(&damaged) {
                    prop_assert_eq!(entry_of(prediction, &read.body), damaged.to_vec());
                    prop_assert_eq!(read.entry, damaged);
                }
            }
            Ok(())
        });
    }
}

#[test]
fn a_prediction_accepts_the_entry_of_another_only_if_it_could_have_written_it() {
    for subject in subjects() {
        holds(subject.valid(), |body| {
            let input = subject.read(&body)?;
            for position in 0..subject.model.signature().predictions().len() {
                let entry = subject.model.predict(position, &input).expect("the model answers").entry;
                for other in subject.model.signature().predictions() {
                    if let Some(read) = other.read(&entry) {
                        prop_assert_eq!(entry_of(other, &read.body), entry.to_vec());
                    }
                }
            }
            Ok(())
        });
    }
}

#[test]
fn an_input_with_one_mistake_has_exactly_that_error() {
    for subject in subjects() {
        holds(inputs::wrong(&subject.model, &subject.package), |Wrong { body, field, code, .. }| {
            match subject.model.signature().read(body.as_bytes()) {
                Err(InvalidInput::Fields { errors, .. }) => {
                    let found: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code)).collect();
                    prop_assert_eq!(found, [(field.as_str(), code)], "{}", body);
                    prop_assert_eq!(errors[0].received.is_none(), code == FieldErrorCode::Missing);
                }
                other => return Err(TestCaseError::fail(format!("{body}: {other:?}"))),
            }
            let prediction = &subject.model.signature().predictions()[0];
            let (status, _, problem) = subject.post(prediction.endpoint(), &body);
            prop_assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
            let problem: Value = serde_json::from_slice(&problem).expect("JSON");
            prop_assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{}", problem);
            let schema = &subject.document["components"]["schemas"]["Problem"];
            prop_assert_eq!(violation(&subject.document, schema, &problem), None, "{}", problem);
            Ok(())
        });
    }
}

#[test]
fn inputs_run_together_give_the_same_predictions_as_alone() {
    for subject in subjects() {
        let model = &subject.model;
        // A matrix product may sum many rows in another order than one row. For inputs far from the data, later operators can amplify
        // the difference.
        let (tolerance, rows) = if subject.is_of_trees() {
            (0.0, vec(subject.valid(), 1..40).boxed())
        } else {
            (1e-6, vec(select(subject.golden()), 1..40).boxed())
        };
        holds(rows, |bodies| {
            let inputs: Vec<_> = bodies.iter().map(|body| subject.read(body)).collect::<Result<_, _>>()?;
            let together = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("the model answers");
            prop_assert_eq!(together.len(), inputs.len());
            for (input, output) in inputs.iter().zip(together) {
                let alone = model.run(input).expect("the model answers");
                prop_assert_eq!(alone.columns(0).len(), output.columns(0).len());
                for (one, other) in alone.columns(0).into_iter().zip(output.columns(0)) {
                    let close = (one - other).abs() <= tolerance * one.abs().max(1.0);
                    prop_assert!(close, "{} is {} alone and {} among others", input, one, other);
                }
            }
            Ok(())
        });
    }
}

#[test]
fn an_array_gets_the_answers_that_its_inputs_get_alone() {
    for subject in subjects() {
        holds(vec(subject.valid(), 1..10), |bodies| {
            for prediction in subject.model.signature().predictions() {
                let array = format!("[{}]", bodies.iter().map(text).collect::<Vec<_>>().join(","));
                let (status, _, answer) = subject.post(prediction.endpoint(), &array);
                prop_assert_eq!(status, StatusCode::OK);
                // Tree models are recomputed and bit-equal. Matrix products may sum in another order and differ in the last digits, so
                // the answers stored by the array are compared here; the test above compares recomputed ones.
                let cache_control = if subject.is_of_trees() { "no-store" } else { "max-age=0" };
                let alone =
                    bodies.iter().map(|body| subject.post_with(prediction.endpoint(), &text(body), cache_control).2);
                prop_assert_eq!(answer, [&b"["[..], &alone.collect::<Vec<_>>().join(&b','), b"]"].concat());
            }
            Ok(())
        });
    }
}

/// Aliases are the only accepted values that the documented schema does not allow.
#[test]
fn the_documented_schemas_allow_exactly_what_is_accepted_and_answered() {
    for subject in subjects() {
        let document = &subject.document;
        holds(inputs::valid(&subject.model, &subject.package, false), |body| {
            let input = subject.read(&body)?;
            for (position, prediction) in subject.model.signature().predictions().iter().enumerate() {
                let request = subject.schema(prediction.endpoint(), "requestBody");
                prop_assert_eq!(violation(document, request, &Value::from(body.clone())), None);
                let answer = subject.model.predict(position, &input).expect("the model answers").body;
                let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
                let response = subject.schema(prediction.endpoint(), "responses/200");
                prop_assert_eq!(violation(document, response, &answer), None);
            }
            Ok(())
        });
        let request = subject.schema(subject.model.signature().predictions()[0].endpoint(), "requestBody");
        holds(inputs::wrong(&subject.model, &subject.package), |Wrong { body, breaks_schema, .. }| {
            if breaks_schema {
                let value: Value = serde_json::from_str(&body).expect("JSON");
                prop_assert!(violation(document, request, &value).is_some(), "{}", body);
            }
            Ok(())
        });
    }
}

#[test]
fn the_documented_examples_match_their_schemas_and_the_answers() {
    for subject in subjects() {
        let document = &subject.document;
        for prediction in subject.model.signature().predictions() {
            let operation = &document["paths"][format!("/{}", prediction.endpoint())]["post"];
            let content = &operation["requestBody"]["content"]["application/json"];
            let examples = |content: &Value| -> HashMap<String, Value> {
                let all = content.as_object().into_iter().flatten();
                all.map(|(name, example)| (name.clone(), example["value"].clone())).collect()
            };
            let request = subject.schema(prediction.endpoint(), "requestBody");
            let response = subject.schema(prediction.endpoint(), "responses/200");
            for (name, example) in examples(&content["examples"]) {
                let (status, ..) = subject.post(prediction.endpoint(), &example.to_string());
                assert_eq!(status, StatusCode::OK, "{name}");
            }
            for (name, example) in examples(&content["x-wrong-examples"]) {
                assert!(violation(document, request, &example).is_some(), "{name}");
                let (status, ..) = subject.post(prediction.endpoint(), &example.to_string());
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
            }
            let answers = examples(&operation["responses"]["200"]["content"]["application/json"]["examples"]);
            assert!(!answers.is_empty());
            for (name, answer) in answers {
                assert_eq!(violation(document, response, &answer), None, "{name}");
            }
        }
        for field in subject.model.signature().fields() {
            let schemas = &document["components"]["schemas"];
            let schema = &schemas[&subject.model.signature().input_name]["properties"][field.name()];
            for example in schema["examples"].as_array().into_iter().flatten() {
                assert_eq!(violation(document, schema, example), None, "{}", field.name());
            }
        }
    }
}
