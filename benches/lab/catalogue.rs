//! The inputs of a model, and the exact bytes that the service looks up and stores for them.

use std::{collections::HashMap, error::Error};

use model_package::{EntryContent, Input};
use predict_once::model::Model;
use prediction_cache::{CacheKey, KeySpace, Layout, Namespace, Signer};
use serde_json::Value;

use super::{wire::encode, workload::Shape};

/// The service's default: a week, in seconds.
const TTL: &str = "604800";

/// Inputs of a model, each with its own cache entry.
pub(crate) struct Catalogue {
    pub(crate) model: Model,
    pub(crate) bodies: Vec<Value>,
    inputs: Vec<Input>,
    known: HashMap<String, u32>,
}

/// The entries of one layout, with the commands that look them up and store them.
pub(crate) struct Entries {
    pub(crate) layout: Layout,
    pub(crate) keys: Vec<CacheKey>,
    /// Without the digests that the stores append.
    pub(crate) values: Vec<bytes::Bytes>,
    pub(crate) lookups: Vec<Vec<u8>>,
    pub(crate) stores: Vec<Vec<u8>>,
    /// The number of Redis replies per store.
    pub(crate) replies_to_store: usize,
    predictions: usize,
}

impl Catalogue {
    pub(crate) fn new(model: Model) -> Self {
        Self { model, bodies: Vec::new(), inputs: Vec::new(), known: HashMap::new() }
    }

    /// The position of an input, added if it is new. `None` if the model does not accept it.
    pub(crate) fn position(&mut self, body: Value) -> Option<u32> {
        let input = self.model.signature().read(body.to_string().as_bytes()).ok()?;
        let next = self.inputs.len() as u32;
        let position = *self.known.entry(input.to_string()).or_insert(next);
        if position == next {
            self.inputs.push(input);
            self.bodies.push(body);
        }
        Some(position)
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape { inputs: self.inputs.len(), predictions: self.model.signature().predictions().len() }
    }

    /// Everything that the service would store in this layout, built with its own code.
    pub(crate) fn entries(&self, layout: Layout) -> Result<Entries, Box<dyn Error>> {
        let fingerprint = match layout {
            Layout::String | Layout::Hash => self.model.fingerprint(EntryContent::Answer),
            Layout::Output => self.model.fingerprint(EntryContent::Output),
        };
        let space = KeySpace::new(&Namespace::default(), layout, fingerprint);
        let predictions = self.model.signature().predictions();
        let mut entries = Entries {
            layout,
            keys: Vec::new(),
            values: Vec::new(),
            lookups: Vec::new(),
            stores: Vec::new(),
            replies_to_store: if layout == Layout::Hash { 4 } else { 1 },
            predictions: predictions.len(),
        };
        for input in &self.inputs {
            let output = self.model.run(input)?;
            if layout == Layout::Output {
                let value = self.model.signature().output_entry(&output).ok_or("the model's output is not finite")?;
                entries.add(space.key(predictions[0].name(), input), value);
                continue;
            }
            for prediction in predictions {
                let answer = prediction.derive(&output)?;
                entries.add(space.key(prediction.name(), input), answer.entry);
            }
        }
        Ok(entries)
    }
}

impl Entries {
    /// The entry that answers a [request](Shape).
    pub(crate) fn of(&self, request: u32) -> u32 {
        if self.layout == Layout::Output { request / self.predictions as u32 } else { request }
    }

    fn add(&mut self, key: CacheKey, value: bytes::Bytes) {
        let name = key.as_str().as_bytes();
        let signed = Signer::default().sign(&key, &value);
        let (lookup, store) = match key.field() {
            None => (encode(&[b"GET", name]), set(name, &signed)),
            Some(field) => {
                let store = [
                    encode(&[b"MULTI"]),
                    encode(&[b"HSET", name, field.as_bytes(), &signed]),
                    encode(&[b"EXPIRE", name, TTL.as_bytes()]),
                    encode(&[b"EXEC"]),
                ];
                (encode(&[b"HGET", name, field.as_bytes()]), store.concat())
            }
        };
        self.lookups.push(lookup);
        self.stores.push(store);
        self.keys.push(key);
        self.values.push(value);
    }
}

/// The command with which the service stores a String.
pub(crate) fn set(key: &[u8], value: &[u8]) -> Vec<u8> {
    encode(&[b"SET", key, value, b"EX", TTL.as_bytes()])
}
