//! What is answered: a value that follows from the model's output, at an endpoint of its own.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::{Model, Output};

/// One of a model's answers: how it follows from the model's output, how the cache holds it, and how clients ask for it.
pub trait Prediction: Copy + Serialize + Send + Sync + 'static {
    /// What is predicted: the member of an answer, and a part of the cache's keys. It holds no colon.
    const NAME: &'static str;
    /// The endpoint, without a slash: the name's plural.
    const ENDPOINT: &'static str;
    /// What the endpoint does, in a few words.
    const SUMMARY: &'static str;
    /// What is to be known of it, in Markdown.
    const DESCRIPTION: &'static str;

    /// The answer that follows from the model's output. What it gives is cached: when it gives something else, the model's
    /// fingerprint must be another.
    fn derive(output: Output, model: &Model) -> Self;

    /// The cached form: short readable text, without quotes.
    fn to_bytes(self) -> Bytes;

    /// Reads the cached form strictly: `None` for anything that [`Self::to_bytes`] does not write.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    /// The JSON Schema of the value: its meaning, unit and bounds.
    fn schema(model: &Model) -> serde_json::Value;
}

/// Visits the types of a model's predictions, of which there can be no list.
pub trait PredictionVisitor {
    /// Visits one.
    fn visit<P: Prediction>(&mut self);
}

/// Gives an enum the names of its values: in answers, in the cache, and in the documentation, where the comments say
/// what they mean.
macro_rules! named {
    ($(#[doc = $meaning:literal])+ $name:ident { $( $(#[doc = $value_meaning:literal])+ $variant:ident = $text:literal, )+ }) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $value_meaning])+ $variant, )+ }

        impl $name {
            /// The name in an answer and in the cache.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The value of this name.
            pub fn from_name(name: &[u8]) -> Option<Self> {
                [$( Self::$variant ),+].into_iter().find(|value| value.name().as_bytes() == name)
            }

            fn named_schema() -> serde_json::Value {
                let description = concat!(
                    $($meaning, "\n",)+ $( "\n* `", $text, "`:", $($value_meaning,)+ )+
                );
                serde_json::json!({ "type": "string", "description": description.trim(), "enum": [$($text),+] })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

pub(crate) use named;
