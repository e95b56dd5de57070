//! The inputs of the graph that a text feeds.

use crate::manifest::{FieldEntry, InputsEntry};

/// A tensor of a tokenized text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Ids,
    Mask,
    Types,
}

/// The tensors of a tokenized text, and the graph's inputs that they feed unless `inputs` names others.
pub(super) const TOKEN_INPUTS: [(Part, &str); 3] =
    [(Part::Ids, "input_ids"), (Part::Mask, "attention_mask"), (Part::Types, "token_type_ids")];

/// The graph's inputs that a text feeds by default. `true` marks the one that takes the place of the field's `input`.
pub(crate) fn default_inputs(written: &FieldEntry) -> &'static [(&'static str, bool)] {
    const TOKENS: [(&str, bool); 3] = [("input_ids", true), ("attention_mask", false), ("token_type_ids", false)];
    if written.tokenizer.is_some() && written.inputs.is_none() { &TOKENS } else { &[] }
}

impl InputsEntry {
    /// The names of the graph's inputs, in the order of the tensors.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let Self { ids, mask, types, columns, values } = self;
        [ids, mask, types, columns, values].into_iter().flatten().map(String::as_str)
    }

    pub(super) fn part(&self, name: &str) -> Part {
        let is = |entry: &Option<String>| entry.as_deref() == Some(name);
        if is(&self.mask) {
            Part::Mask
        } else if is(&self.types) {
            Part::Types
        } else {
            Part::Ids
        }
    }
}
