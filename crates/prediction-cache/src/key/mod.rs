//! Cache keys. Each [`Layout`] has its own form, so that layouts never share entries:
//!
//! ```text
//! string   predict-once:9f86d081884c7d65:decision:2,30,0,0,2
//! hash     predict-once:9f86d081884c7d65:@hash:2,30,0,0,2      field: decision
//! output   predict-once:60303ae22b998861:@output:2,30,0,0,2
//! ```
//!
//! A tenant's name follows the namespace: `predict-once:@acme:9f86d081884c7d65:decision:2,30,0,0,2`.

mod layout;
mod parsed;
mod tenant;

use std::fmt::{Display, Write};

use sha2::{Digest, Sha256};

pub use self::{
    layout::{Layout, UnknownLayout},
    parsed::ParsedKey,
    tenant::Tenant,
};

/// Inputs longer than this, in bytes, are replaced by a digest.
const MAX_INPUT_LENGTH: usize = 200;

/// The first part of each key, which separates this service's entries from other keys in the same Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    pub const ALLOWED: &'static str = "must be 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`";

    /// `None` unless [`Self::ALLOWED`]. A colon would end the namespace early, and braces are Redis Cluster's hash tags.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        ((1..=64).contains(&name.len()) && name.chars().all(allowed)).then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("predict-once".to_owned())
    }
}

/// The keys of one model's predictions in one namespace.
#[derive(Clone, Debug)]
pub struct KeySpace {
    layout: Layout,
    /// `namespace:fingerprint:`, with the layout's mark where the prediction's name is not part of the key.
    prefix: String,
    /// The position of the fingerprint in `prefix`.
    fingerprint_at: usize,
}

impl KeySpace {
    /// `fingerprint` identifies everything that can change an entry; it contains no colon. Entries of [`Layout::Output`] depend on less
    /// of a model than those of other layouts.
    pub fn new(namespace: &Namespace, layout: Layout, fingerprint: &str) -> Self {
        debug_assert!(!fingerprint.contains(':'), "a colon would end the fingerprint early");
        let prefix = match layout.mark() {
            None => format!("{}:{fingerprint}:", namespace.0),
            Some(mark) => format!("{}:{fingerprint}:{mark}:", namespace.0),
        };
        Self { layout, prefix, fingerprint_at: namespace.0.len() + 1 }
    }

    /// The keys of a tenant. They differ from those of other tenants, and from keys without a tenant: no fingerprint begins with `@`.
    pub fn of_tenant(&self, tenant: &Tenant) -> Self {
        let (namespace, rest) = self.prefix.split_at(self.fingerprint_at);
        let prefix = format!("{namespace}@{}:{rest}", tenant.as_str());
        Self { layout: self.layout, prefix, fingerprint_at: self.fingerprint_at }
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The common beginning of all keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a prediction for the model input that prints as `input`. The prediction's name contains no colon and does not
    /// begin with `@`.
    pub fn key(&self, prediction: &str, input: impl Display) -> CacheKey {
        debug_assert!(!prediction.contains(':') && !prediction.starts_with('@'), "the key would be ambiguous");
        let mut text = String::with_capacity(self.prefix.len() + prediction.len() + 24);
        text.push_str(&self.prefix);
        match self.layout {
            Layout::String => {
                text.push_str(prediction);
                text.push(':');
            }
            Layout::Hash | Layout::Output => {}
        }
        let start = text.len();
        // Writing to a String does not fail.
        let _ = write!(text, "{input}");
        if text.len() - start > MAX_INPUT_LENGTH {
            // Cannot collide with an undigested input, because none contains `#`.
            digest_from(&mut text, start);
        }
        let field_at = text.len();
        match self.layout {
            Layout::Hash => text.push_str(prediction),
            Layout::String | Layout::Output => {}
        }
        CacheKey { text, field_at }
    }
}

/// Replaces `text[start..]` by `#` and its 128-bit digest.
fn digest_from(text: &mut String, start: usize) {
    let digest = Sha256::digest(&text.as_bytes()[start..]);
    text.truncate(start);
    text.push('#');
    text.push_str(&hex::encode(&digest[..16]));
    // An array of a thousand inputs would otherwise keep the room of a thousand long texts.
    text.shrink_to_fit();
}

/// The address of an entry: a key in Redis and, in a Hash, a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// Key and field in one string, so that a key costs one allocation.
    text: String,
    field_at: usize,
}

impl CacheKey {
    /// The address that Redis knows by this key and this field.
    pub fn from_parts(key: &str, field: Option<&str>) -> Self {
        Self { text: [key, field.unwrap_or_default()].concat(), field_at: key.len() }
    }

    /// The key in Redis.
    pub fn as_str(&self) -> &str {
        &self.text[..self.field_at]
    }

    /// The bytes of key and field.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The field, if the entry is in a Hash.
    pub fn field(&self) -> Option<&str> {
        Some(&self.text[self.field_at..]).filter(|field| !field.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(layout: Layout) -> KeySpace {
        KeySpace::new(&Namespace::default(), layout, "9f86d081884c7d65")
    }

    #[test]
    fn a_key_consists_of_namespace_fingerprint_prediction_input() {
        let key = keys(Layout::String).key("decision", "2,30,0,0,2");
        assert_eq!((key.as_str(), key.field()), ("predict-once:9f86d081884c7d65:decision:2,30,0,0,2", None));
        let key = keys(Layout::Hash).key("decision", "2,30,0,0,2");
        assert_eq!((key.as_str(), key.field()), ("predict-once:9f86d081884c7d65:@hash:2,30,0,0,2", Some("decision")));
        let key = keys(Layout::Output).key("decision", "2,30,0,0,2");
        assert_eq!((key.as_str(), key.field()), ("predict-once:9f86d081884c7d65:@output:2,30,0,0,2", None));
    }

    #[test]
    fn the_predictions_of_an_input_share_an_entry_only_where_the_entry_is_the_output() {
        for layout in Layout::ALL {
            let [one, other] = ["decision", "probability"].map(|name| keys(layout).key(name, "2,30,0,0,2"));
            assert_eq!(one == other, layout == Layout::Output, "{layout:?}");
        }
    }

    #[test]
    fn a_long_input_is_keyed_by_its_digest() {
        for layout in Layout::ALL {
            let key = |length: usize, last: char| keys(layout).key("p", format!("{}{last}", "1".repeat(length - 1)));
            let input = |key: CacheKey| key.as_str().rsplit(':').next().map(str::len);
            assert_eq!(input(key(200, '2')), Some(200));
            assert_eq!(input(key(201, '2')), Some("#".len() + 32));
            assert_ne!(key(201, '2'), key(201, '3'));
            assert!(key(20_000, '2').text.capacity() < 200, "the text is not kept");
        }
    }

    #[test]
    fn a_tenants_name_follows_the_namespace_in_keys() {
        let acme = Tenant::new("acme").expect("allowed");
        for (layout, rest) in [(Layout::String, "decision"), (Layout::Hash, "@hash"), (Layout::Output, "@output")] {
            let key = keys(layout).of_tenant(&acme).key("decision", "2,30,0,0,2");
            assert_eq!(key.as_str(), format!("predict-once:@acme:9f86d081884c7d65:{rest}:2,30,0,0,2"));
        }
    }

    #[test]
    fn a_namespace_contains_no_character_with_a_meaning_in_keys_or_clusters() {
        assert!(Namespace::new("team-a.risk_v2").is_some());
        for name in ["", "a:b", "a b", "{a}", "ä", &"a".repeat(65)] {
            assert_eq!(Namespace::new(name), None, "{name:?}");
        }
    }
}
