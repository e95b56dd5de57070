//! Finds the values of a request as the client sent them, which answers with contributions repeat.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{contributions::SentValues, signature::Signature};

impl Signature {
    /// The values of each input of a valid body, as they were sent.
    pub fn sent_values<'a>(&self, body: &'a [u8]) -> Vec<SentValues<'a>> {
        type Members<'a> = HashMap<String, &'a RawValue>;
        let inputs: Vec<Members<'a>> = if body.trim_ascii_start().first() == Some(&b'[') {
            serde_json::from_slice(body).unwrap_or_default()
        } else {
            serde_json::from_slice(body).map(|input| vec![input]).unwrap_or_default()
        };
        let sent = |input: Members<'a>| {
            let mut values = vec![None; self.fields().len()];
            for (name, value) in input {
                if let Some(position) = self.field_position(&name) {
                    values[position] = Some(value.get());
                }
            }
            values
        };
        inputs.into_iter().map(sent).collect()
    }
}
