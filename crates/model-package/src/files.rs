//! Files of a package that `model.toml` names, beside the graph.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

/// The files that `model.toml` names, as far as they exist, by name.
pub type Files = BTreeMap<String, Cow<'static, [u8]>>;

/// The names of the files that a `model.toml` names. Empty if it cannot be read, which [`Signature::parse`](super::Signature::parse)
/// reports.
pub fn file_names(toml: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Manifest {
        fields: Vec<Field>,
    }
    #[derive(Deserialize)]
    struct Field {
        tokenizer: Option<String>,
        vectorizer: Option<String>,
    }
    // Most packages have none, and a manifest may be large.
    if !["tokenizer", "vectorizer"].iter().any(|key| toml.contains(key)) {
        return Vec::new();
    }
    let fields = toml::from_str(toml).map_or_else(|_| Vec::new(), |Manifest { fields }| fields);
    let named = fields.into_iter().flat_map(|Field { tokenizer, vectorizer }| [tokenizer, vectorizer]);
    named.flatten().filter(|name| is_file_name(name)).collect()
}

/// 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`, the first of which is a letter or a digit: a file in the package itself.
pub(crate) fn is_file_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
